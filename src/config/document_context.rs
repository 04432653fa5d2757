//! Context of the document being resolved: its folder, the positions of its keys, and whether it is a tenant's file.

use std::{
    borrow::Cow,
    fmt::Display,
    ops::RangeInclusive,
    path::{Component, Path, PathBuf},
};

use crate::config::{
    document::{DocumentNode, Findings, KeyPath, SourcePosition},
    secret::{self, Secret},
    text_form::AsText,
    values::address::FilePath,
};

pub struct DocumentContext<'a> {
    root: &'a DocumentNode,
    folder: PathBuf,
    /// A tenant's file reaches nothing outside its own folder.
    is_confined: bool,
    findings: &'a mut Findings,
}

impl<'a> DocumentContext<'a> {
    pub fn of_deployment(root: &'a DocumentNode, file: &Path, findings: &'a mut Findings) -> Self {
        Self { root, folder: folder(file), is_confined: false, findings }
    }

    pub fn of_tenant(root: &'a DocumentNode, file: &Path, findings: &'a mut Findings) -> Self {
        Self { root, folder: folder(file), is_confined: true, findings }
    }

    pub fn is_tenant_file(&self) -> bool {
        self.is_confined
    }

    /// The base folder of relative paths.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the document has this key.
    pub fn has_key(&self, key: &KeyPath) -> bool {
        self.root.at(key).is_some()
    }

    /// Whether an environment variable sets this key.
    pub fn is_variable(&self, key: &KeyPath) -> bool {
        matches!(self.root.locate(key).0, SourcePosition::Variable(_))
    }

    /// Whether another mistake would not be kept.
    pub fn is_full(&self) -> bool {
        self.findings.is_full()
    }

    pub fn mistake(&mut self, key: &KeyPath, message: impl Into<Cow<'static, str>>, remedy: &str) {
        self.findings.add(self.root, key, message.into(), remedy);
    }

    pub fn required<T>(&mut self, key: &KeyPath, value: Option<AsText<T>>, remedy: &str) -> Option<T> {
        if value.is_none() {
            self.mistake(key, "this key is required", remedy);
        }
        value.map(|AsText(value)| value)
    }

    /// The written number, or the default; a mistake if it is out of range.
    pub fn bounded<T: Copy + Display + PartialOrd>(
        &mut self,
        key: &KeyPath,
        written: Option<T>,
        default: T,
        range: RangeInclusive<T>,
    ) -> T {
        self.check_range(key, written, range);
        written.unwrap_or(default)
    }

    pub fn check_range<T: Copy + Display + PartialOrd>(
        &mut self,
        key: &KeyPath,
        written: Option<T>,
        range: RangeInclusive<T>,
    ) {
        if let Some(value) = written
            && !range.contains(&value)
        {
            let remedy = format!("write a number from {} to {}", range.start(), range.end());
            self.mistake(key, format!("{value} is out of range"), &remedy);
        }
    }

    pub fn optional_path(&mut self, key: &KeyPath, path: Option<AsText<FilePath>>) -> Option<PathBuf> {
        path.map(|AsText(path)| self.resolve_path(key, &path.0))
    }

    pub fn resolve_path(&mut self, key: &KeyPath, path: &Path) -> PathBuf {
        let absolute = self.folder.join(path);
        if self.is_confined && !self.is_inside(path, &absolute) {
            self.mistake(
                key,
                "this file is outside of the tenant's folder",
                "put it into the tenant's folder",
            );
        }
        absolute
    }

    /// By its name, and where it exists also by where its links lead.
    fn is_inside(&self, path: &Path, absolute: &Path) -> bool {
        let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let Ok(real) = absolute.canonicalize() else { return plain };
        plain && self.folder.canonicalize().is_ok_and(|folder| real.starts_with(folder))
    }

    /// A secret that is written at `key`, or in the file named at `<key>_file`.
    pub fn secret(
        &mut self,
        table: &KeyPath,
        name: &str,
        written: Option<AsText<Secret>>,
        file: Option<AsText<FilePath>>,
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
            (Some(AsText(secret)), None) => Some(secret),
            (None, Some(AsText(file))) => {
                let before = self.findings.len();
                let path = self.resolve_path(&file_key, &file.0);
                // a mistake in the path may have been dropped because the list is full
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
