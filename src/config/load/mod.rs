//! `deployment.toml` → `Settings`.

mod misplaced_keys;
mod wso2_keys;

use std::{collections::BTreeMap, fs, io, path::Path};

pub use self::wso2_keys::Wso2Key;
use self::wso2_keys::{foreign_tables, take_wso2_keys};
use super::{
    document::{
        DocumentNode, Findings, KeyPath, NodeValue, SourcePosition, env,
        placeholders::{ValueSource, fill_in, filled_in},
        read::read,
        toml,
    },
    mistake::{Mistake, list_known_keys_once},
    model::Settings,
    resolve,
    sections::DeploymentFile,
};

/// Variables that are not UTF-8 are none of ours.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Reads the file, lays `DOORWARD_…` over it, resolves. All mistakes at once. A flag is a variable that the command line
/// sets: it goes into `env` under the name of its key.
pub fn load(file: &Path, env: &BTreeMap<String, String>) -> Result<Settings, Vec<Mistake>> {
    match fs::read_to_string(file) {
        Ok(text) => parse(&text, file, env),
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    "give its group to the user that Doorward runs as: chgrp GROUP FILE (`doorward init` writes mode 0640)"
                }
                _ => "write one with `doorward init`, or name another with --config",
            };
            Err(vec![Mistake::whole(file, format!("cannot be read: {error}"), remedy)])
        }
    }
}

/// Like [`load`], with the text at hand; relative paths are resolved against the folder of `file`.
pub fn parse(text: &str, file: &Path, env: &BTreeMap<String, String>) -> Result<Settings, Vec<Mistake>> {
    let mut findings = Findings::new(file);
    let Some(DeploymentDocument { mut root, .. }) = read_document(text, file, env, &mut findings) else {
        return Err(findings.into_mistakes());
    };
    let raw: DeploymentFile = read(&mut root, &KeyPath::root(), &mut findings);
    let settings = resolve::deployment(raw, &root, file, &mut findings);
    match settings {
        Some(settings) if findings.is_empty() => Ok(settings),
        _ => {
            let mut mistakes = findings.into_mistakes();
            misplaced_keys::add_placement_hints(&mut mistakes);
            Err(list_known_keys_once(mistakes))
        }
    }
}

/// The text as a tree, with the environment in it and without the keys of WSO2.
pub struct DeploymentDocument {
    pub root: DocumentNode,
    pub wso2_keys: Vec<Wso2Key>,
}

/// `None` if the text is no TOML, or WSO2's whole file.
pub fn read_document(
    text: &str,
    file: &Path,
    env: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Option<DeploymentDocument> {
    let mut root = toml::parse(text, findings)?;
    let foreign = foreign_tables(&root);
    if !foreign.is_empty() {
        let place = SourcePosition::Text { line: 1, column: 1 };
        let message =
            format!("this is WSO2's file, not Doorward's: it has the tables {}", foreign.join(", "));
        let remedy =
            format!("doorward import wso2 {} --to FOLDER takes over what Doorward needs", file.display());
        findings.push(KeyPath::root(), place, message, remedy);
        return None;
    }
    let wso2_keys = take_wso2_keys(&mut root);
    fill_in(&mut root, &KeyPath::root(), ValueSource::Environment(env), findings);
    env::apply_environment(&mut root, env);
    Some(DeploymentDocument { root, wso2_keys })
}

/// Reads `admin.listen` and ignores mistakes elsewhere in the file: an edit that is not in force must not fail the probe of a
/// running Doorward. Fails only if the file is not TOML.
pub fn admin_listen(
    text: &str,
    file: &Path,
    env: &BTreeMap<String, String>,
) -> Result<Option<String>, Vec<Mistake>> {
    let mut findings = Findings::new(file);
    let Some(root) = toml::parse(text, &mut findings) else { return Err(findings.into_mistakes()) };
    Ok(match root.at(&KeyPath::root().name("admin").name("listen")).map(|node| &node.value) {
        Some(NodeValue::Text(listen)) => filled_in(listen, env),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
