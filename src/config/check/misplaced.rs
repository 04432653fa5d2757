//! Files that look like a tenant's file and are not read, and host names of tenants that do not exist.

use std::{fs, path::Path};

use crate::{
    config::{document::KeyPath, mistake::Mistake, model::Settings, tenant_file::TENANT_CONF},
    domain::tenant::TenantId,
};

/// A name with at most this many typing errors counts as the intended one.
const MAX_TYPING_ERRORS: usize = 3;

/// A file beside the tenants' folders.
pub fn beside_tenants(file: &Path) -> Option<Mistake> {
    resembles_tenant_file(file).then(|| {
        Mistake::whole(
            file,
            "this file is not read: a tenant's file is in the tenant's folder",
            format!("move it to {}", file.with_file_name("TENANT").join(TENANT_CONF).display()),
        )
    })
}

/// A file in the folder of a tenant that has no `tenant-conf.json`.
pub fn instead_of_tenant_file(folder: &Path) -> Option<Mistake> {
    let mut files = fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let file = files.find(|file| resembles_tenant_file(file))?;
    Some(Mistake::whole(&file, "this file is not read", format!("rename it to {TENANT_CONF}")))
}

fn resembles_tenant_file(file: &Path) -> bool {
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else { return false };
    let name = name.to_ascii_lowercase().replace(['_', ' '], "-");
    strsim::osa_distance(&name, TENANT_CONF) <= MAX_TYPING_ERRORS || name.starts_with("tenant-conf.")
}

/// Host names in `tenancy.hosts` of tenants without a folder, each with the tenant of the most similar name.
pub fn hosts_without_tenant(settings: &Settings) -> Vec<(KeyPath, String)> {
    let tenancy = &settings.tenancy;
    let is_known = |tenant: &TenantId| {
        *tenant == tenancy.default_tenant || tenancy.folder.join(tenant.as_str()).is_dir()
    };
    let key = KeyPath::root().name("tenancy").name("hosts");
    let mut unknown: Vec<_> = tenancy.hosts.iter().filter(|(_, tenant)| !is_known(tenant)).collect();
    unknown.sort_unstable();
    let problem = |(host, tenant): (&String, &TenantId)| {
        let similar = most_similar(&tenancy.folder, tenant.as_str());
        let similar = similar.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        (key.name(host), format!("the tenant {tenant} has no folder, so this host answers 404{similar}"))
    };
    unknown.into_iter().map(problem).collect()
}

fn most_similar(folder: &Path, name: &str) -> Option<String> {
    let names = fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let near = names.map(|known| (strsim::osa_distance(&known, name), known));
    let near = near.filter(|(errors, known)| *errors <= MAX_TYPING_ERRORS && !known.starts_with('.'));
    near.min().map(|(_, known)| known)
}
