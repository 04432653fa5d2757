//! The files of a WSO2 deployment: `deployment.toml`, `tenant-conf.json` of the tenants, and mail templates.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use super::{
    DEPLOYMENT, TranslatedSource, deployment_draft::DeploymentDraft, read, source_settings::SourceSettings,
    wso2,
};
use crate::{
    cli::output_folder::ConfigFile,
    config::tenant_file::{self, TENANT_CONF},
    domain::tenant::TenantId,
};

/// Folders of WSO2 in which configuration files are, below the one that is named.
const FOLDERS: [&str; 5] =
    ["", "conf", "repository/conf", "repository/resources", "repository/resources/conf"];
const MAIL_TEMPLATES: [&str; 2] = ["email-admin-config.xml", "email/email-admin-config.xml"];

pub fn import(path: &Path, tenant: &TenantId, upstream: Option<&str>) -> anyhow::Result<TranslatedSource> {
    let (folder, deployment) = if path.is_dir() {
        (path, first(path, &[DEPLOYMENT]))
    } else {
        (path.parent().unwrap_or(Path::new("")), Some(path.to_owned()))
    };
    // if a single file is named, only that file is imported
    let is_folder = path.is_dir();
    let tenants = if is_folder { tenant_files(folder, tenant)? } else { Vec::new() };
    let Some(deployment) = deployment else {
        bail!(
            "there is no {DEPLOYMENT} in {}: name the folder that has it, such as repository/conf",
            folder.display()
        );
    };
    let mut draft = DeploymentDraft::default();
    let mut source = SourceSettings::from_toml(&read(&deployment)?, &deployment)
        .with_context(|| deployment.display().to_string())?;
    wso2::translate_deployment(&mut source, upstream, &mut draft);
    let mut files = Vec::new();
    for (tenant, file) in tenants {
        files.extend(tenant_output(&tenant, &file, &mut draft)?);
    }
    if is_folder && let Some(templates) = first(folder, &MAIL_TEMPLATES) {
        draft.left(
            &templates.display().to_string(),
            "mail templates are not taken over: Doorward sends no mail yet",
        );
    }
    Ok(TranslatedSource { origin: "WSO2".to_owned(), draft, files })
}

fn first(folder: &Path, names: &[&str]) -> Option<PathBuf> {
    let mut candidates =
        FOLDERS.iter().flat_map(|below| names.iter().map(move |name| folder.join(below).join(name)));
    candidates.find(|path| path.is_file())
}

/// `tenant-conf.json` of the tenant, and `tenants/<domain>/tenant-conf.json` of all others.
fn tenant_files(folder: &Path, tenant: &TenantId) -> anyhow::Result<Vec<(TenantId, PathBuf)>> {
    let mut found: Vec<(TenantId, PathBuf)> =
        first(folder, &[TENANT_CONF]).map(|file| (tenant.clone(), file)).into_iter().collect();
    let tenants = folder.join("tenants");
    if !tenants.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(&tenants).with_context(|| tenants.display().to_string())? {
        let entry = entry.with_context(|| tenants.display().to_string())?;
        let file = entry.path().join(TENANT_CONF);
        let Some(Ok(named)) = entry.file_name().to_str().map(TenantId::parse) else { continue };
        if file.is_file() && !found.iter().any(|(known, _)| *known == named) {
            found.push((named, file));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    Ok(found)
}

/// The file as it is; one that Doorward would refuse is left.
fn tenant_output(
    tenant: &TenantId,
    file: &Path,
    draft: &mut DeploymentDraft,
) -> anyhow::Result<Option<ConfigFile>> {
    let text = read(file)?;
    let name = format!("tenants/{tenant}/{TENANT_CONF}");
    if let Err(mistakes) = tenant_file::parse(&text, file) {
        for mistake in mistakes {
            draft.left(
                &mistake.file.display().to_string(),
                format!("not taken over: {} {}", mistake.key, mistake.message),
            );
        }
        return Ok(None);
    }
    if wso2::report_tenant_conf(&text, &name, draft).is_err() {
        return Ok(None);
    }
    Ok(Some(ConfigFile { name, text: text.into(), is_secret: false }))
}
