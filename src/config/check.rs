//! `doorward check`: every file, every mistake, and what is in effect.

mod files;
mod ineffective;
mod notes;
mod store;
mod tenants;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
pub use tenants::{in_text, unusable_files};

use super::{
    document::{Findings, Key, Node, Value, env, toml},
    effective,
    load::{self, load},
    mistake::Mistake,
    model::Settings,
};

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Report {
    pub file: PathBuf,
    pub mistakes: Vec<Mistake>,
    /// What is allowed and does not do what it seems to; nothing fails by it.
    pub notes: Vec<Mistake>,
    /// Tenant folders that were looked at.
    pub tenants: usize,
    /// The configuration in effect, secrets masked; `None` where `deployment.toml` has mistakes.
    pub effective: Option<serde_json::Value>,
    #[serde(skip)]
    pub effective_toml: Option<String>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.mistakes.is_empty()
    }
}

/// Reads `deployment.toml`, the files it names, and every tenant's file; looks at the place of the store.
pub fn check(file: &Path, env: &BTreeMap<String, String>) -> Report {
    let Ok(text) = fs::read_to_string(file) else {
        // `load` says why
        return report(file, load(file, env).err().unwrap_or_default(), 0, None);
    };
    let mut findings = Findings::new(file);
    let root = toml::parse(&text, &mut findings).map(|mut root| {
        env::overlay(&mut root, env);
        root
    });
    match (load::parse(&text, file, env), root) {
        (Ok(settings), Some(root)) => {
            files::look_at(&settings, &root, &mut findings);
            let found = tenants::check(&settings.tenancy.folder, Some(&settings));
            let mut remarks = Findings::new(file);
            for (key, message, remedy) in notes::deployment(&settings, found.locks) {
                remarks.add(&root, &key, message, remedy);
            }
            if let Some((key, message, remedy)) = notes::no_administrator(&settings) {
                let by_token = found.issuers || !settings.defaults.issuers.is_empty();
                let findings = if by_token { &mut remarks } else { &mut findings };
                findings.add(&root, &key, message, remedy);
            }
            let notes = [remarks.into_mistakes(), found.notes].concat();
            let mistakes = [findings.into_mistakes(), found.mistakes].concat();
            Report { notes, ..report(file, mistakes, found.tenants, Some(&settings)) }
        }
        (loaded, root) => {
            // a mistake up here hides none down there
            let folder = file.with_file_name("").join(root.as_ref().map_or("tenants", folder));
            let found = tenants::check(&folder, None);
            let mistakes = [loaded.err().unwrap_or_default(), found.mistakes].concat();
            report(file, mistakes, found.tenants, None)
        }
    }
}

fn folder(root: &Node) -> &str {
    match root.at(&Key::root().name("tenancy").name("folder")).map(|node| &node.value) {
        Some(Value::Text(folder)) => folder,
        _ => "tenants",
    }
}

fn report(file: &Path, mistakes: Vec<Mistake>, tenants: usize, settings: Option<&Settings>) -> Report {
    Report {
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
