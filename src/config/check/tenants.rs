//! Checks every tenant's folder in turn. Only host names are retained from one to the next.

use std::{
    collections::HashMap,
    fs::{self, DirEntry},
    io::{self, Read},
    path::Path,
};

use super::{files, misplaced, notes};
use crate::{
    config::{
        document::{DocumentNode, Findings, KeyPath, json},
        hosts::{is_claimable, tenant_by_pattern},
        mistake::Mistake,
        model::Settings,
        regular_file::open_regular_file,
        tenant_file::{self, DOORWARD_KEY, MAX_BYTES, TENANT_CONF, TenantConf},
    },
    domain::tenant::TenantId,
};

/// The result of checking the tenants' files.
#[derive(Debug, Default)]
pub struct TenantsReport {
    /// Folders.
    pub folders: usize,
    pub mistakes: Vec<Mistake>,
    pub notes: Vec<Mistake>,
    /// Some tenant has issuers of its own.
    pub has_own_issuers: bool,
    /// Lockout is on for some tenant, by its own file or by inheritance.
    pub locks_accounts: bool,
}

/// Without `settings`, checks that depend on them are left out.
pub fn check(folder: &Path, settings: Option<&Settings>) -> TenantsReport {
    let mut found = TenantsReport::default();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // whether the folder must exist is checked with `deployment.toml`
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return found;
        }
        Err(error) => {
            found.mistakes.push(cannot_list(folder, &error));
            return found;
        }
    };
    let mut hosts = HostOwnership {
        settings,
        claimed: HashMap::new(),
        other_claimant: &|_| None,
        may_name_tenants: true,
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.mistakes.push(cannot_list(folder, &error));
                break;
            }
        };
        let name = entry.file_name();
        // Kubernetes swaps a volume's content by hidden links such as `..data`
        let hidden = name.as_encoded_bytes().starts_with(b".");
        if hidden {
            continue;
        }
        if !is_folder(&entry) {
            found.notes.extend(misplaced::beside_tenants(&entry.path()));
            continue;
        }
        found.folders += 1;
        match name.to_str().map(|name| (name, TenantId::parse(name))) {
            Some((name, Ok(tenant))) if tenant.as_str() == name => {
                check_tenant(&tenant, &entry.path(), &mut hosts, &mut found);
            }
            Some((_, Ok(tenant))) => {
                found.mistakes.push(Mistake::whole(
                    &entry.path(),
                    "tenant domains are lower case, so this folder is never found".to_owned(),
                    format!("rename it to {tenant}"),
                ));
            }
            Some((_, Err(problem))) => {
                found.mistakes.push(Mistake::whole(
                    &entry.path(),
                    format!("no tenant can be called that: {problem}"),
                    "rename it",
                ));
            }
            None => {
                found.mistakes.push(Mistake::whole(&entry.path(), "this name is not UTF-8", "rename it"));
            }
        }
    }
    found
}

fn cannot_list(folder: &Path, error: &io::Error) -> Mistake {
    let remedy = "let the user Doorward runs as read it";
    let mistake = Mistake::whole(folder, format!("cannot be listed: {error}"), remedy);
    Mistake { key: "tenancy.folder".to_owned(), ..mistake }
}

fn is_folder(entry: &DirEntry) -> bool {
    // a link to a folder is a folder
    entry.file_type().is_ok_and(|kind| kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()))
}

fn check_tenant(tenant: &TenantId, folder: &Path, hosts: &mut HostOwnership<'_>, found: &mut TenantsReport) {
    let file = folder.join(TENANT_CONF);
    let text = match read(&file) {
        Ok(text) => text,
        // `tenancy.on_missing` applies
        Err(error) if error.kind() == io::ErrorKind::NotFound && !file.is_symlink() => {
            found.notes.extend(misplaced::instead_of_tenant_file(folder));
            return;
        }
        Err(error) => {
            found.mistakes.push(Mistake::whole(
                &file,
                format!("cannot be read: {error}"),
                "make it a readable file",
            ));
            return;
        }
    };
    check_conf(&TenantFileText { tenant, file: &file, text: &text }, hosts, found);
}

/// The text that a tenant's file has, or is to have.
pub struct TenantFileText<'a> {
    pub tenant: &'a TenantId,
    pub file: &'a Path,
    pub text: &'a str,
}

/// The mistakes in a text that is to become a tenant's file. The messages do not disclose other tenants' names.
/// `other_claimant` returns the other tenant that claims a host. Reads the files that the text names.
pub fn check_tenant_text(
    settings: &Settings,
    written: &TenantFileText<'_>,
    other_claimant: &dyn Fn(&str) -> Option<TenantId>,
) -> Vec<Mistake> {
    let mut found = TenantsReport::default();
    let mut hosts = HostOwnership {
        settings: Some(settings),
        claimed: HashMap::new(),
        other_claimant,
        may_name_tenants: false,
    };
    check_conf(written, &mut hosts, &mut found);
    found.mistakes
}

fn check_conf(written: &TenantFileText<'_>, hosts: &mut HostOwnership<'_>, report: &mut TenantsReport) {
    let TenantFileText { tenant, file, text } = *written;
    let conf = match tenant_file::parse(text, file) {
        Ok(conf) => conf,
        Err(mistakes) => return report.mistakes.extend(mistakes),
    };
    report.has_own_issuers |= !conf.issuers().is_empty();
    let mut notes = Vec::new();
    if let Some(settings) = hosts.settings {
        let policy = tenant_file::resolve(settings, tenant, &conf, 0);
        let locks = policy.rules.account_lock.enabled;
        report.locks_accounts |= locks;
        // without accounts guards are a mistake
        if settings.accounts.enabled {
            let own = policy.guards.iter().map(AsRef::as_ref).filter(|guard| guard.is_tenant_defined);
            notes = notes::guard_notes(
                &KeyPath::root().name(DOORWARD_KEY).name("guards"),
                own,
                &policy.routes,
                locks,
            );
        }
        notes
            .extend(notes::spelling_notes(&KeyPath::root().name(DOORWARD_KEY).name("routes"), conf.routes()));
        report.mistakes.extend(policy.problem);
    }
    let found = claim_complaints(tenant, &conf, hosts);
    let without_effect =
        hosts.settings.map(|settings| tenant_file::without_effect(settings, &conf)).unwrap_or_default();
    let nothing = found.is_empty() && without_effect.is_empty() && notes.is_empty();
    if nothing && conf.issuers().is_empty() && !may_be_misspelt(text) {
        return;
    }
    // parsed again for the source positions: few files need them
    let Ok(root) = json::parse(text) else { return };
    let mut findings = Findings::new(file);
    for (key, (message, remedy)) in found {
        findings.add(&root, &key, message, remedy);
    }
    for (key, message, remedy) in without_effect {
        findings.add(&root, &key, message, remedy);
    }
    for (key, problem) in unusable_files(&conf) {
        findings.add(&root, &key, problem, "");
    }
    report_misspelt_keys(&root, &mut findings);
    report.mistakes.extend(findings.into_mistakes());
    let mut findings = Findings::new(file);
    for (key, message, remedy) in notes {
        findings.add(&root, &key, message, remedy);
    }
    report.notes.extend(findings.into_mistakes());
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    // one byte more than is allowed, so that `parse` reports a file that is too large
    open_regular_file(file)?.take(MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn claim_complaints(
    tenant: &TenantId,
    conf: &TenantConf,
    hosts: &mut HostOwnership<'_>,
) -> Vec<(KeyPath, Complaint)> {
    let key = KeyPath::root().name(DOORWARD_KEY).name("hosts");
    let claims = conf.hosts.iter().enumerate();
    claims.filter_map(|(index, host)| Some((key.item(index), hosts.check_claim(host, tenant)?))).collect()
}

/// WSO2 and Doorward ignore unknown keys; a key that differs from `Doorward` in case only is probably a mistake.
fn report_misspelt_keys(root: &DocumentNode, findings: &mut Findings) {
    for entry in root.entries() {
        if entry.name != DOORWARD_KEY && entry.name.eq_ignore_ascii_case(DOORWARD_KEY) {
            let message = format!("this key has no effect: its name is `{DOORWARD_KEY}`");
            let key = KeyPath::root().name(&entry.name);
            findings.push(key, entry.place.clone(), message, "correct it".to_owned());
        }
    }
}

fn may_be_misspelt(text: &str) -> bool {
    let folded = text.to_ascii_lowercase();
    folded.matches(&DOORWARD_KEY.to_ascii_lowercase()).count() > text.matches(DOORWARD_KEY).count()
}

/// The unusable files that the tenant's issuers name, each with its key and the reason. Blocking.
pub fn unusable_files(conf: &TenantConf) -> Vec<(KeyPath, String)> {
    let key = KeyPath::root().name(DOORWARD_KEY).name("issuers");
    let mut found = Vec::new();
    for (index, issuer) in conf.issuers().iter().enumerate() {
        files::issuer_files(&key.item(index), issuer, &mut |key, path, problem| {
            found.push((key, format!("{}: {problem}", path.display())));
        });
    }
    found
}

/// Message and remedy.
type Complaint = (String, &'static str);

const ONE_OWNER: &str = "a host name belongs to one tenant";
const ALLOW_CLAIM: &str = "add it to tenancy.claimable_hosts in deployment.toml, or map it in tenancy.hosts";

/// Decides which tenant owns a host name.
struct HostOwnership<'a> {
    settings: Option<&'a Settings>,
    claimed: HashMap<String, TenantId>,
    /// Returns the other tenant that claims a host, where that is known without reading its file.
    other_claimant: &'a dyn Fn(&str) -> Option<TenantId>,
    /// Whether messages may name other tenants.
    may_name_tenants: bool,
}

impl HostOwnership<'_> {
    fn owner_name(&self, owner: &TenantId) -> String {
        if self.may_name_tenants { owner.to_string() } else { "another tenant".to_owned() }
    }

    /// The complaint if another tenant owns the host or no tenant may claim it.
    fn check_claim(&mut self, host: &str, tenant: &TenantId) -> Option<Complaint> {
        if let Some(tenancy) = self.settings.map(|settings| &settings.tenancy) {
            let by_pattern =
                tenancy.host_pattern.as_ref().and_then(|pattern| tenant_by_pattern(pattern, host));
            let owner = tenancy.hosts.get(host).cloned().map(|owner| (owner, "tenancy.hosts"));
            let owner = owner.or_else(|| by_pattern.map(|owner| (owner, "tenancy.host_pattern")));
            if let Some((owner, key)) = owner {
                return (owner != *tenant).then(|| {
                    let owner = self.owner_name(&owner);
                    (format!("{host} belongs to {owner} by {key} of deployment.toml"), ONE_OWNER)
                });
            }
            if tenancy.portal_host.as_deref() == Some(host) {
                return Some((format!("{host} is the portal's own host (server.public_url)"), ONE_OWNER));
            }
            if !is_claimable(tenancy, host) {
                return Some((
                    format!("deployment.toml does not let tenants claim {host}: this has no effect"),
                    ALLOW_CLAIM,
                ));
            }
        }
        match self.claimed.get(host).cloned().or_else(|| (self.other_claimant)(host)) {
            Some(owner) if owner != *tenant => {
                let owner = self.owner_name(&owner);
                Some((format!("{owner} claims {host} too, so neither gets it"), ONE_OWNER))
            }
            Some(_) => None,
            None => {
                self.claimed.insert(host.to_owned(), tenant.clone());
                None
            }
        }
    }
}
