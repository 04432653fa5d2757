//! What resolving needs to know of the document at hand: its folder, where its keys are, and who wrote it.

use std::{
    borrow::Cow,
    path::{Component, Path, PathBuf},
};

use crate::config::{
    document::{Findings, Key, Node, Place},
    raw::{text::As, values::address::FilePath},
    secret::{self, Secret},
};

pub struct Scope<'a> {
    root: &'a Node,
    folder: PathBuf,
    /// A tenant's file reaches nothing outside its own folder.
    confined: bool,
    findings: &'a mut Findings,
}

impl<'a> Scope<'a> {
    pub fn of_deployment(root: &'a Node, file: &Path, findings: &'a mut Findings) -> Self {
        Self { root, folder: folder(file), confined: false, findings }
    }

    pub fn of_tenant(root: &'a Node, file: &Path, findings: &'a mut Findings) -> Self {
        Self { root, folder: folder(file), confined: true, findings }
    }

    pub fn is_tenant(&self) -> bool {
        self.confined
    }

    /// What relative paths are relative to.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the document has this key.
    pub fn has(&self, key: &Key) -> bool {
        self.root.at(key).is_some()
    }

    /// Whether a variable of the environment says what counts for this key.
    pub fn is_variable(&self, key: &Key) -> bool {
        matches!(self.root.locate(key).0, Place::Variable(_))
    }

    /// Whether another mistake would not be kept.
    pub fn is_full(&self) -> bool {
        self.findings.is_full()
    }

    pub fn mistake(&mut self, key: &Key, message: impl Into<Cow<'static, str>>, remedy: &str) {
        self.findings.add(self.root, key, message.into(), remedy);
    }

    pub fn required<T>(&mut self, key: &Key, value: Option<As<T>>, remedy: &str) -> Option<T> {
        if value.is_none() {
            self.mistake(key, "this key is required", remedy);
        }
        value.map(|As(value)| value)
    }

    pub fn maybe_path(&mut self, key: &Key, path: Option<As<FilePath>>) -> Option<PathBuf> {
        path.map(|As(path)| self.path(key, &path.0))
    }

    pub fn path(&mut self, key: &Key, path: &Path) -> PathBuf {
        let whole = self.folder.join(path);
        if self.confined && !self.is_inside(path, &whole) {
            self.mistake(
                key,
                "this file is outside of the tenant's folder",
                "put it into the tenant's folder",
            );
        }
        whole
    }

    /// By its name, and where it exists also by where its links lead.
    fn is_inside(&self, path: &Path, whole: &Path) -> bool {
        let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let Ok(real) = whole.canonicalize() else { return plain };
        plain && self.folder.canonicalize().is_ok_and(|folder| real.starts_with(folder))
    }

    /// A secret that is written at `key`, or in the file named at `<key>_file`.
    pub fn secret(
        &mut self,
        table: &Key,
        name: &str,
        written: Option<As<Secret>>,
        file: Option<As<FilePath>>,
    ) -> Option<Secret> {
        let (key, file_key) = (table.name(name), table.name(&format!("{name}_file")));
        match (written, file) {
            (Some(_), Some(_)) => {
                self.mistake(
                    &file_key,
                    format!("the secret is given twice, here and as `{name}`"),
                    "keep one",
                );
                None
            }
            (Some(As(secret)), None) => Some(secret),
            (None, Some(As(file))) => {
                let before = self.findings.len();
                let path = self.path(&file_key, &file.0);
                // what may be wrong with the path, and is not kept any more, is wrong all the same
                if self.findings.len() > before || self.findings.is_full() {
                    return None;
                }
                secret::read_file(&path)
                    .map_err(|problem| {
                        self.mistake(
                            &file_key,
                            format!("{}: {problem}", path.display()),
                            "make it a readable file with the secret in it",
                        );
                    })
                    .ok()
            }
            (None, None) => {
                self.mistake(
                    &key,
                    "this key is required",
                    &format!("write `{name}_file = \"…\"` (or `{name}`)"),
                );
                None
            }
        }
    }
}

fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
