//! `doorward check`: every file, every mistake, and what is in effect.

mod files;
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
            let mut mistakes = findings.into_mistakes();
            let tenants = tenants::check(&settings.tenancy.folder, Some(&settings), &mut mistakes);
            report(file, mistakes, tenants, Some(&settings))
        }
        (loaded, root) => {
            let mut mistakes = loaded.err().unwrap_or_default();
            // a mistake up here hides none down there
            let folder = file.with_file_name("").join(root.as_ref().map_or("tenants", folder));
            let tenants = tenants::check(&folder, None, &mut mistakes);
            report(file, mistakes, tenants, None)
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
        tenants,
        effective: settings.map(effective::to_json),
        effective_toml: settings.map(effective::to_toml),
    }
}

#[cfg(test)]
mod tests;
