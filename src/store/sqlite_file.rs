//! The SQLite database file: created with mode 0600 in an existing folder; a marker file distinguishes a
//! new store from a lost one.

use std::{
    fs::{self, OpenOptions},
    io::{Error, ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::StoreError;

/// Creates the file if it is missing. SQLite creates `-wal` and `-shm` with the same mode.
pub fn prepare(path: &Path) -> Result<(), StoreError> {
    let refused = |error: Error| StoreError::File { path: path.to_owned(), error };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let text = format!(
            "the folder {} does not exist; create it for the user that Doorward runs as",
            folder.display()
        );
        return Err(refused(Error::new(ErrorKind::NotFound, text)));
    }
    let marker = marker_path(path);
    if marker.exists() && fs::metadata(path).map_or(true, |found| found.len() == 0) {
        let text = format!(
            "it is missing or empty, but Doorward has used it before; restore it from a backup, or remove {} to \
             begin with an empty store",
            marker.display()
        );
        return Err(refused(Error::new(ErrorKind::NotFound, text)));
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check(path).map_err(refused),
        Err(error) => Err(refused(error)),
    }
}

/// The marker file of an existing store, which `rm doorward.db*` does not remove.
fn marker_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.in-use"))
}

/// Writes the marker; call after the tables are on the disk.
pub fn write_marker(path: &Path) -> Result<(), StoreError> {
    let marker = marker_path(path);
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&marker);
    made.map(drop).map_err(|error| StoreError::File { path: marker, error })
}

/// More than a change adds to the write-ahead log.
const PROBE_BYTES: usize = 256 * 1024;

/// Tests whether a new file beside the database gets space on the disk. It is no error if the file cannot be created for another
/// reason.
pub fn probe_space(path: &Path) -> Result<(), StoreError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let probe = path.with_file_name(format!(".{name}.space-probe"));
    // removes what a killed process left, and a link of this name, which must not be followed
    drop(fs::remove_file(&probe));
    let full = |error: Error| StoreError::Unwritable(format!("{}: {error}", probe.display()));
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            return Err(full(error));
        }
        Err(_) => return Ok(()),
    };
    // random, since a file system may store zeros without using space
    let mut bytes = vec![0; PROBE_BYTES];
    fastrand::fill(&mut bytes);
    let written = file.write_all(&bytes).and_then(|()| file.sync_data());
    drop(fs::remove_file(&probe));
    written.map_err(full)
}

/// The identity of the opened file: device and inode.
#[derive(Clone)]
pub struct FileIdentity {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl FileIdentity {
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        let found = fs::metadata(path).map_err(|error| StoreError::File { path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), device: found.dev(), inode: found.ino() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that the path still refers to the open file: changes to a removed or replaced file are lost.
    pub fn verify(&self) -> Result<(), Error> {
        let found = fs::metadata(&self.path);
        let same = found.as_ref().is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if same {
            return Ok(());
        }
        let happened = if found.is_ok() { "replaced" } else { "removed" };
        let path = self.path.display();
        Err(Error::new(
            ErrorKind::NotFound,
            format!("{path} was {happened} while Doorward runs: restore it, then restart Doorward"),
        ))
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
    // SQLite reports only that it cannot open the file; this reports the reason
    OpenOptions::new().read(true).write(true).open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_file_has_mode_0600() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("doorward.db");
        prepare(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, "kept").unwrap();
        prepare(&file).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"kept");
    }

    #[test]
    fn missing_file_with_a_marker_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("doorward.db");
        prepare(&file).unwrap();
        prepare(&file).unwrap();
        write_marker(&file).unwrap();
        let refused = || prepare(&file).unwrap_err().to_string();
        assert!(refused().contains("missing or empty"), "{}", refused());
        fs::remove_file(&file).unwrap();
        assert!(refused().contains("remove") && refused().contains(".doorward.db.in-use"), "{}", refused());
        fs::write(&file, "kept").unwrap();
        prepare(&file).unwrap();
    }

    #[test]
    fn a_file_that_was_removed_or_replaced_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let [file, other] = ["doorward.db", "other.db"].map(|name| folder.path().join(name));
        fs::write(&file, "one").unwrap();
        fs::write(&other, "other").unwrap();
        let identity = FileIdentity::of(&file).unwrap();
        fs::write(&file, "changed").unwrap();
        identity.verify().unwrap();
        let [away, back] = [(&file, &other), (&other, &file)];
        fs::rename(&other, folder.path().join("third.db")).unwrap();
        fs::rename(away.0, away.1).unwrap();
        assert!(identity.verify().unwrap_err().to_string().contains("was removed"));
        fs::write(&file, "new").unwrap();
        assert!(identity.verify().unwrap_err().to_string().contains("was replaced"));
        fs::rename(back.0, back.1).unwrap();
        identity.verify().unwrap();
    }

    #[test]
    fn a_space_probe_leaves_nothing_and_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let [file, other] = ["doorward.db", "other"].map(|name| folder.path().join(name));
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join(".doorward.db.space-probe")).unwrap();
        probe_space(&file).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"kept");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        probe_space(&folder.path().join("missing/doorward.db")).unwrap();
    }

    #[test]
    fn error_names_the_missing_folder() {
        let folder = tempfile::tempdir().unwrap();
        let missing = prepare(&folder.path().join("var/doorward.db")).unwrap_err().to_string();
        assert!(missing.contains("/var does not exist"), "{missing}");
        let occupied = prepare(folder.path()).unwrap_err().to_string();
        assert!(occupied.contains("not a file"), "{occupied}");
    }
}
