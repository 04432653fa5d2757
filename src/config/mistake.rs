//! A mistake in a configuration file: position, message and remedy.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::document::{KeyPath, read::KNOWN_KEYS};

/// A setting that is valid but probably not intended: key, message and remedy.
pub type Note = (KeyPath, &'static str, &'static str);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    pub file: PathBuf,
    /// From 1; `None` where the whole file is meant (missing, unreadable).
    pub line: Option<usize>,
    pub column: Option<usize>,
    /// Dotted path of the key, `portal.upstream[0].url`; empty where none is meant.
    pub key: String,
    pub message: String,
    pub remedy: String,
}

impl Mistake {
    /// About all of a file, or a folder.
    pub fn whole(file: &Path, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
            key: String::new(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

/// Each list of known keys is written once: the same list again would hide the other mistakes.
pub fn list_known_keys_once(mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
    let mut listed: Vec<String> = Vec::new();
    for mistake in mistakes.iter_mut().filter(|mistake| mistake.remedy.starts_with(KNOWN_KEYS)) {
        if listed.contains(&mistake.remedy) {
            "the keys known here are listed above".clone_into(&mut mistake.remedy);
        } else {
            listed.push(mistake.remedy.clone());
        }
    }
    mistakes
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)?;
        if !self.remedy.is_empty() {
            write!(f, " ({})", self.remedy)?;
        }
        Ok(())
    }
}
