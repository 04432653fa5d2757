//! Writes a tenant's file for the management API: atomically, one writer at a time, and never if the file is managed
//! elsewhere. Blocking; must not run on a worker thread.

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::tenant_folder::{file_of, folder_of};
use crate::{
    config::{
        regular_file::open_regular_file,
        tenant_file::{MAX_BYTES, TENANT_CONF},
    },
    domain::tenant::TenantId,
};

/// Of a new file: it may hold secrets.
const NEW_FILE_MODE: u32 = 0o640;
/// The symbolic link that kubelet replaces when a volume changes.
const KUBELET_DATA_LINK: &str = "..data";

#[derive(Debug, thiserror::Error)]
pub enum TenantWriteError<E> {
    /// The caller's precondition failed.
    #[error("refused")]
    Refused(E),
    /// The file is managed elsewhere.
    #[error("{0}")]
    ManagedElsewhere(&'static str),
    #[error("the folder of the tenants is read-only")]
    ReadOnly,
    /// To be tried again.
    #[error("another process is writing")]
    Busy,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The bytes of the file; `None`: there is none, and the tenant inherits everything.
pub fn read(root: &Path, tenant: &TenantId) -> io::Result<Option<Vec<u8>>> {
    read_bytes(&file_of(root, tenant))
}

/// A new text in a temporary file, with the folder locked against other writers. Dropping it changes nothing.
#[derive(Debug)]
pub struct PreparedWrite {
    file: PathBuf,
    temp_file: PathBuf,
    /// Locked.
    locked_folder: File,
    previous: Option<Vec<u8>>,
}

impl PreparedWrite {
    /// The previous content.
    pub fn previous(&self) -> Option<&[u8]> {
        self.previous.as_deref()
    }

    /// Replaces the file, unless it was edited meanwhile: editors do not take the lock.
    pub fn commit<E>(&self) -> Result<(), TenantWriteError<E>> {
        if read_bytes(&self.file)?.as_deref() != self.previous() {
            return Err(TenantWriteError::Busy);
        }
        fs::rename(&self.temp_file, &self.file).map_err(write_error)?;
        // the rename is durable only once the folder is synced, but it is in force already: an error would wrongly report
        // that nothing has changed
        if let Err(error) = self.locked_folder.sync_all() {
            tracing::warn!(%error, file = %self.file.display(), "failed to sync folder: a power failure may restore the replaced file");
        }
        Ok(())
    }
}

impl Drop for PreparedWrite {
    fn drop(&mut self) {
        // absent after a commit; if it cannot be removed, its name is ignored
        let _ = fs::remove_file(&self.temp_file);
    }
}

/// Writes `text` beside the tenant's file, after `check` has accepted the previous content. Creates a missing folder:
/// the caller checks that the tenant exists.
pub fn prepare<E>(
    root: &Path,
    tenant: &TenantId,
    text: &str,
    check: impl FnOnce(Option<&[u8]>) -> Result<(), E>,
) -> Result<PreparedWrite, TenantWriteError<E>> {
    let folder = folder_of(root, tenant);
    if exists(&root.join(KUBELET_DATA_LINK)) {
        return Err(TenantWriteError::ManagedElsewhere(
            "the tenants' folder is a mounted volume (ConfigMap)",
        ));
    }
    match fs::symlink_metadata(&folder) {
        Ok(meta) if meta.is_symlink() => {
            return Err(TenantWriteError::ManagedElsewhere("the tenant's folder is a link to another place"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir(&folder).map_err(write_error)?;
            File::open(root)?.sync_all()?;
        }
        Err(error) => return Err(write_error(error)),
    }
    if exists(&folder.join(KUBELET_DATA_LINK)) {
        return Err(TenantWriteError::ManagedElsewhere(
            "the tenant's folder is a mounted volume (ConfigMap)",
        ));
    }
    let file = file_of(root, tenant);
    let mode = match fs::symlink_metadata(&file) {
        Ok(meta) if meta.is_symlink() => {
            return Err(TenantWriteError::ManagedElsewhere("the tenant's file is a link to another place"));
        }
        Ok(meta) if meta.is_file() => meta.permissions().mode() & 0o7777,
        Ok(_) => {
            return Err(TenantWriteError::ManagedElsewhere(
                "there is something else in the place of the tenant's file",
            ));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => NEW_FILE_MODE,
        Err(error) => return Err(write_error(error)),
    };
    let folder_handle = File::open(&folder)?;
    lock_folder(&folder_handle)?;
    let before = read_bytes(&file)?;
    check(before.as_deref()).map_err(TenantWriteError::Refused)?;
    // a name no tenant and no template has, and no two writers
    let beside = folder.join(format!(".{TENANT_CONF}.{:016x}", fastrand::u64(..)));
    let prepared = PreparedWrite { file, temp_file: beside, locked_folder: folder_handle, previous: before };
    write_temp_file(&prepared.temp_file, text, mode).map_err(write_error)?;
    Ok(prepared)
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn read_bytes(file: &Path) -> io::Result<Option<Vec<u8>>> {
    let handle = match open_regular_file(file) {
        Ok(handle) => handle,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    handle.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "the tenant's file is larger than 1 MiB"));
    }
    Ok(Some(bytes))
}

/// Released with the handle. Without file locks, the writers of this process are still serialised in memory.
fn lock_folder<E>(folder: &File) -> Result<(), TenantWriteError<E>> {
    match folder.try_lock() {
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(TenantWriteError::Busy),
    }
}

fn write_temp_file(beside: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create_new(true).mode(mode).open(beside)?;
    new.set_permissions(Permissions::from_mode(mode))?;
    new.write_all(text.as_bytes())?;
    new.sync_all()
}

fn write_error<E>(error: io::Error) -> TenantWriteError<E> {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => TenantWriteError::ReadOnly,
        ErrorKind::ResourceBusy => {
            TenantWriteError::ManagedElsewhere("the tenant's file is mounted by itself")
        }
        _ => TenantWriteError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        os::unix::fs::{MetadataExt, symlink},
        process::Command,
    };

    use tempfile::TempDir;

    use super::*;

    fn tenant() -> TenantId {
        TenantId::parse("acme.com").unwrap()
    }

    struct WriteFixture {
        home: TempDir,
    }

    impl WriteFixture {
        fn new() -> Self {
            Self { home: tempfile::tempdir().unwrap() }
        }

        fn root(&self) -> &Path {
            self.home.path()
        }

        fn file(&self) -> PathBuf {
            file_of(self.root(), &tenant())
        }

        fn with_folder(self) -> Self {
            fs::create_dir(folder_of(self.root(), &tenant())).unwrap();
            self
        }

        fn write(&self, text: &str) -> Result<Option<Vec<u8>>, TenantWriteError<Infallible>> {
            write(self, text, |_| Ok(()))
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(folder_of(self.root(), &tenant())).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    fn write<E>(
        world: &WriteFixture,
        text: &str,
        check: impl FnOnce(Option<&[u8]>) -> Result<(), E>,
    ) -> Result<Option<Vec<u8>>, TenantWriteError<E>> {
        let prepared = prepare(world.root(), &tenant(), text, check)?;
        prepared.commit()?;
        Ok(prepared.previous().map(<[u8]>::to_vec))
    }

    #[test]
    fn writes_byte_for_byte_and_leaves_no_temporary_file() {
        let fixture = WriteFixture::new();
        let text = "{ \"a\" :\t1.0 }\r\n\n";
        assert_eq!(read(fixture.root(), &tenant()).unwrap(), None);
        assert_eq!(fixture.write(text).unwrap(), None);
        assert_eq!(read(fixture.root(), &tenant()).unwrap().as_deref(), Some(text.as_bytes()));
        assert_eq!(fixture.write("{}").unwrap().as_deref(), Some(text.as_bytes()));
        assert_eq!(
            (fs::read(fixture.file()).unwrap(), fixture.names()),
            (b"{}".to_vec(), vec![TENANT_CONF.to_owned()])
        );
    }

    #[test]
    fn keeps_the_mode_and_creates_files_not_world_readable() {
        let fixture = WriteFixture::new();
        fixture.write("{}").unwrap();
        let mode = || fs::metadata(fixture.file()).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(), NEW_FILE_MODE);
        fs::set_permissions(fixture.file(), Permissions::from_mode(0o604)).unwrap();
        let old = fs::metadata(fixture.file()).unwrap().ino();
        fixture.write("[]").unwrap();
        assert_eq!(mode(), 0o604);
        assert_ne!(fs::metadata(fixture.file()).unwrap().ino(), old, "replaced as a whole");
    }

    #[test]
    fn refused_precondition_changes_nothing() {
        let fixture = WriteFixture::new().with_folder();
        fs::write(fixture.file(), "old").unwrap();
        let refused = write(&fixture, "new", |now| Err::<(), _>(now.map(<[u8]>::to_vec)));
        assert!(matches!(refused, Err(TenantWriteError::Refused(Some(seen))) if seen == b"old"));
        assert_eq!((fs::read(fixture.file()).unwrap(), fixture.names().len()), (b"old".to_vec(), 1));
    }

    #[test]
    fn dropped_write_changes_nothing() {
        let fixture = WriteFixture::new().with_folder();
        fs::write(fixture.file(), "old").unwrap();
        let check = |_: Option<&[u8]>| Ok::<_, ()>(());
        let prepared = prepare(fixture.root(), &tenant(), "new", check).unwrap();
        assert_eq!((prepared.previous(), fixture.names().len()), (Some(&b"old"[..]), 2));
        let meanwhile = prepare(fixture.root(), &tenant(), "other", check);
        assert!(matches!(meanwhile, Err(TenantWriteError::Busy)), "{meanwhile:?}");
        drop(prepared);
        assert_eq!((fs::read(fixture.file()).unwrap(), fixture.names().len()), (b"old".to_vec(), 1));
    }

    /// Attack: the file is edited between the audit record and the commit, so that the record names the wrong content.
    #[test]
    fn attack_edit_between_audit_record_and_commit() {
        let fixture = WriteFixture::new().with_folder();
        let check = |_: Option<&[u8]>| Ok::<_, ()>(());
        for (before, edited) in [(None, Some("edited")), (Some("old"), Some("edited")), (Some("old"), None)] {
            let _ = fs::remove_file(fixture.file());
            if let Some(text) = before {
                fs::write(fixture.file(), text).unwrap();
            }
            let prepared = prepare(fixture.root(), &tenant(), "new", check).unwrap();
            match edited {
                Some(text) => fs::write(fixture.file(), text).unwrap(),
                None => fs::remove_file(fixture.file()).unwrap(),
            }
            let refused = prepared.commit::<()>();
            assert!(matches!(refused, Err(TenantWriteError::Busy)), "{refused:?}");
            drop(prepared);
            assert_eq!(read(fixture.root(), &tenant()).unwrap().as_deref(), edited.map(str::as_bytes));
        }
    }

    #[test]
    fn rejects_files_that_are_managed_elsewhere() {
        let linked_folder = WriteFixture::new();
        fs::create_dir(linked_folder.root().join("real")).unwrap();
        symlink("real", folder_of(linked_folder.root(), &tenant())).unwrap();
        let linked_file = WriteFixture::new().with_folder();
        fs::write(linked_file.root().join("real"), "{}").unwrap();
        symlink("../real", linked_file.file()).unwrap();
        let config_map = WriteFixture::new().with_folder();
        fs::create_dir(config_map.file().with_file_name("..version")).unwrap();
        symlink("..version", config_map.file().with_file_name(KUBELET_DATA_LINK)).unwrap();
        let all_mounted = WriteFixture::new().with_folder();
        symlink("nowhere", all_mounted.root().join(KUBELET_DATA_LINK)).unwrap();
        let a_folder = WriteFixture::new().with_folder();
        fs::create_dir(a_folder.file()).unwrap();
        for fixture in [linked_folder, linked_file, config_map, all_mounted, a_folder] {
            let refused = fixture.write("{\"new\": 1}");
            assert!(matches!(refused, Err(TenantWriteError::ManagedElsewhere(_))), "{refused:?}");
        }
    }

    /// Attack: a named pipe in place of the file; opening it would block for ever.
    #[test]
    fn attack_named_pipe_in_place_of_the_file() {
        let fixture = WriteFixture::new().with_folder();
        assert!(Command::new("mkfifo").arg(fixture.file()).status().unwrap().success());
        assert_eq!(read(fixture.root(), &tenant()).unwrap_err().to_string(), "this is not a file");
    }

    #[test]
    fn concurrent_writers_do_not_lose_updates() {
        let fixture = WriteFixture::new().with_folder();
        fs::write(fixture.file(), "0").unwrap();
        let fixture = &fixture;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || {
                    for _ in 0..10 {
                        // add one to what is there, unless it changes before it is written
                        loop {
                            let seen = read(fixture.root(), &tenant()).unwrap().unwrap();
                            let next = String::from_utf8(seen.clone()).unwrap().parse::<u32>().unwrap() + 1;
                            let same = |now: Option<&[u8]>| if now == Some(&seen) { Ok(()) } else { Err(()) };
                            match write(fixture, &next.to_string(), same) {
                                Ok(_) => break,
                                Err(TenantWriteError::Refused(()) | TenantWriteError::Busy) => {}
                                Err(other) => panic!("{other}"),
                            }
                        }
                    }
                });
            }
        });
        assert_eq!((fs::read_to_string(fixture.file()).unwrap().as_str(), fixture.names().len()), ("40", 1));
    }
}
