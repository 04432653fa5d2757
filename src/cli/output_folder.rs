//! Writes the files of a new configuration folder: for `init` and `import`.

use std::{
    borrow::Cow,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

pub struct ConfigFile {
    /// Below the folder.
    pub name: String,
    pub text: Cow<'static, str>,
    /// Only its owner reads it.
    pub is_secret: bool,
}

/// Each command adds its own remedy.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("{} is a file: name a folder, one that need not be there yet", .0.display())]
    NotAFolder(PathBuf),
    #[error("{} there already; nothing was written", existing(.0))]
    Exists(Vec<PathBuf>),
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

fn existing(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

/// Writes all files, in this order, or none if one exists; `replaces` writes over those. The last file makes the others count.
pub fn write_files(folder: &Path, files: &[ConfigFile], replaces: bool) -> Result<Vec<PathBuf>, OutputError> {
    if folder.is_file() {
        return Err(OutputError::NotAFolder(folder.to_owned()));
    }
    let paths: Vec<PathBuf> = files.iter().map(|file| folder.join(&file.name)).collect();
    let existing: Vec<PathBuf> =
        paths.iter().filter(|path| path.symlink_metadata().is_ok()).cloned().collect();
    if !replaces && !existing.is_empty() {
        return Err(OutputError::Exists(existing));
    }
    for (file, path) in files.iter().zip(&paths) {
        write_file(file, path, replaces).map_err(|error| OutputError::Io { path: path.clone(), error })?;
    }
    Ok(paths)
}

fn write_file(file: &ConfigFile, path: &Path, replaces: bool) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    // a file that is replaced is whole at every moment
    let target = if replaces { path.with_extension("new") } else { path.to_owned() };
    if replaces {
        // left behind by an import that was interrupted
        match fs::remove_file(&target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // secrets may be written into a configuration, and its group reads it
    let mode = if file.is_secret { 0o600 } else { 0o640 };
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(&target)?;
    opened.write_all(file.text.as_bytes())?;
    if replaces { fs::rename(&target, path) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn files() -> [ConfigFile; 2] {
        [("users.jsonl", true), ("deployment.toml", false)].map(|(name, is_secret)| ConfigFile {
            name: name.to_owned(),
            text: "new".into(),
            is_secret,
        })
    }

    #[test]
    fn overwrites_files_only_with_force() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deployment.toml");
        fs::write(&file, "mine").unwrap();
        let error = write_files(folder.path(), &files(), false).unwrap_err().to_string();
        assert!(error.ends_with("is there already; nothing was written"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        assert!(!folder.path().join("users.jsonl").exists());
        write_files(folder.path(), &files(), true).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        let error = write_files(&file, &files(), false).unwrap_err().to_string();
        assert!(error.contains("is a file"), "{error}");
    }

    #[test]
    fn attack_secrets_in_a_file_that_others_can_read() {
        let folder = tempfile::tempdir().unwrap();
        for replaces in [false, true] {
            for path in write_files(folder.path(), &files(), replaces).unwrap() {
                let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                let most = if path.ends_with("users.jsonl") { 0o600 } else { 0o640 };
                assert_eq!(mode & !most, 0, "{}: {mode:o}", path.display());
            }
        }
    }
}
