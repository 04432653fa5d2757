//! `doorward check`: validates every file, and reports every mistake and the effective configuration.

mod files;
mod ineffective;
mod misplaced;
mod notes;
mod store;
mod tenants;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

pub use self::files::EXPIRY_WARNING;
use serde::Serialize;
pub use tenants::{TenantFileText, check_tenant_text, unusable_files};

use super::{
    document::{DocumentNode, Findings, KeyPath, NodeValue},
    effective,
    load::{self, DeploymentDocument, load},
    mistake::Mistake,
    model::Settings,
};
use crate::domain::time::Timestamp;

/// The result of a check.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    pub file: PathBuf,
    pub mistakes: Vec<Mistake>,
    /// Settings that are valid but probably not intended; they do not change the exit code.
    pub notes: Vec<Mistake>,
    /// Number of tenant folders that were checked.
    pub tenants: usize,
    /// The configuration in effect, secrets masked; `None` where `deployment.toml` has mistakes.
    pub effective: Option<serde_json::Value>,
    #[serde(skip)]
    pub effective_toml: Option<String>,
}

impl CheckReport {
    pub fn is_clean(&self) -> bool {
        self.mistakes.is_empty()
    }
}

/// Reads `deployment.toml`, the files it names, and every tenant's file; checks the location of the store. `now` decides which
/// certificates expire soon.
pub fn check(file: &Path, env: &BTreeMap<String, String>, now: Timestamp) -> CheckReport {
    let Ok(text) = fs::read_to_string(file) else {
        // `load` reports the reason
        return build_report(file, load(file, env).err().unwrap_or_default(), 0, None);
    };
    let mut findings = Findings::new(file);
    let document = load::read_document(&text, file, env, &mut findings);
    match (load::parse(&text, file, env), document) {
        (Ok(settings), Some(DeploymentDocument { root, wso2_keys })) => {
            files::check_files(&settings, &root, &mut findings);
            let found = tenants::check(&settings.tenancy.folder, Some(&settings));
            let mut note_findings = Findings::new(file);
            for taken in wso2_keys {
                let message = "WSO2 reads this, and Doorward does not";
                let remedy = taken.remedy();
                note_findings.push(taken.key, taken.place, message.to_owned(), remedy.to_owned());
            }
            for (key, message, remedy) in notes::deployment_notes(&settings, found.locks_accounts) {
                note_findings.add(&root, &key, message, remedy);
            }
            if let Some((key, message, remedy)) = notes::no_sign_in_note(
                &settings,
                found.has_own_issuers,
                root.at(&KeyPath::root().name("sign_in").name("url")).is_some(),
            ) {
                note_findings.add(&root, &key, message, remedy);
            }
            for (key, problem) in misplaced::hosts_without_tenant(&settings) {
                note_findings.add(&root, &key, problem, "make its folder, or correct the name");
            }
            for (key, problem) in files::expiring_certificates(&settings, now) {
                note_findings.add(&root, &key, problem, "renew it, and renew it automatically");
            }
            if let Some((key, message, remedy)) = notes::admin_roles_note(&settings) {
                let by_token = found.has_own_issuers || !settings.defaults.issuers.is_empty();
                let findings = if by_token { &mut note_findings } else { &mut findings };
                findings.add(&root, &key, message, remedy);
            }
            let notes = [note_findings.into_mistakes(), found.notes].concat();
            let mistakes = [findings.into_mistakes(), found.mistakes].concat();
            CheckReport { notes, ..build_report(file, mistakes, found.folders, Some(&settings)) }
        }
        (loaded, document) => {
            // tenant files are checked even if `deployment.toml` has mistakes
            let named = document.as_ref().map_or("tenants", |document| tenants_folder(&document.root));
            let folder = file.with_file_name("").join(named);
            let found = tenants::check(&folder, None);
            let mistakes = [loaded.err().unwrap_or_default(), found.mistakes].concat();
            build_report(file, mistakes, found.folders, None)
        }
    }
}

fn tenants_folder(root: &DocumentNode) -> &str {
    match root.at(&KeyPath::root().name("tenancy").name("folder")).map(|node| &node.value) {
        Some(NodeValue::Text(folder)) => folder,
        _ => "tenants",
    }
}

fn build_report(
    file: &Path,
    mistakes: Vec<Mistake>,
    tenants: usize,
    settings: Option<&Settings>,
) -> CheckReport {
    CheckReport {
        file: file.to_owned(),
        mistakes,
        notes: Vec::new(),
        tenants,
        effective: settings.map(effective::to_json),
        effective_toml: settings.map(effective::to_toml),
    }
}

#[cfg(test)]
mod tests;
