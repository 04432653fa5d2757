//! Test helper: a folder with the operator's texts or templates.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::config::Mistake;

pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// The mistakes reported for one such file, without the path of the folder.
pub fn mistakes_in(mistakes: impl Fn(&Path) -> Vec<Mistake>, file: &str, text: &str) -> Vec<String> {
    let folder = folder(&[(file, text)]);
    let prefix = format!("{}/", folder.path().display());
    mistakes(folder.path()).iter().map(|mistake| mistake.to_string().replace(&prefix, "")).collect()
}
