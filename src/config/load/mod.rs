//! `deployment.toml` → `Settings`.

mod misplaced_keys;

use std::{collections::BTreeMap, fs, io, path::Path};

use super::{
    document::{Findings, KeyPath, NodeValue, env, read::read, toml},
    mistake::Mistake,
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
    let Some(mut root) = toml::parse(text, &mut findings) else { return Err(findings.into_mistakes()) };
    env::apply_environment(&mut root, env);
    let raw: DeploymentFile = read(&mut root, &KeyPath::root(), &mut findings);
    let settings = resolve::deployment(raw, &root, file, &mut findings);
    match settings {
        Some(settings) if findings.is_empty() => Ok(settings),
        _ => {
            let mut mistakes = findings.into_mistakes();
            misplaced_keys::add_placement_hints(&mut mistakes);
            Err(mistakes)
        }
    }
}

/// Reads `admin.listen` and ignores mistakes elsewhere in the file: an edit that is not in force must not fail the probe of a
/// running Doorward. Fails only if the file is not TOML.
pub fn admin_listen(text: &str, file: &Path) -> Result<Option<String>, Vec<Mistake>> {
    let mut findings = Findings::new(file);
    let Some(root) = toml::parse(text, &mut findings) else { return Err(findings.into_mistakes()) };
    Ok(match root.at(&KeyPath::root().name("admin").name("listen")).map(|node| &node.value) {
        Some(NodeValue::Text(listen)) => Some(listen.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
