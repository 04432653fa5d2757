//! The file SQLite keeps everything in: made for its owner alone, in a folder that exists.

use std::{
    fs::{self, OpenOptions},
    io::{Error, ErrorKind},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use super::StoreError;

/// Makes sure that there is a file to open. SQLite gives the files beside it (`-wal`, `-shm`) the same mode.
pub fn prepare(path: &Path) -> Result<(), StoreError> {
    let refused = |error: Error| StoreError::Place { path: path.to_owned(), error };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let text =
            format!("the folder {} does not exist; make it, for the user Doorward runs as", folder.display());
        return Err(refused(Error::new(ErrorKind::NotFound, text)));
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check(path).map_err(refused),
        Err(error) => Err(refused(error)),
    }
}

fn check(path: &Path) -> Result<(), Error> {
    let found = fs::metadata(path)?;
    if !found.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is not a file"));
    }
    if found.permissions().mode() & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "other users of this machine can open the store: chmod 600");
    }
    // SQLite says only that it cannot; this says why
    OpenOptions::new().read(true).write(true).open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("doorward.db");
        prepare(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, "kept").unwrap();
        prepare(&file).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"kept");
    }

    #[test]
    fn where_no_file_can_be_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let missing = prepare(&folder.path().join("var/doorward.db")).unwrap_err().to_string();
        assert!(missing.contains("/var does not exist"), "{missing}");
        let occupied = prepare(folder.path()).unwrap_err().to_string();
        assert!(occupied.contains("not a file"), "{occupied}");
    }
}
