//! `deployment.toml` → `Settings`.

use std::{collections::BTreeMap, path::Path};

use super::{mistake::Mistake, model::Settings};

/// Reads the file, lays `DOORWARD_…` over it, resolves. All mistakes at once.
pub fn load(_file: &Path, _env: &BTreeMap<String, String>) -> Result<Settings, Vec<Mistake>> {
    Err(Vec::new())
}
