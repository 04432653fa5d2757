//! Writing a tenant's file in place of an administrator with an editor: whole or not at all, one writer at a time, and never
//! where something else says what is in it. Blocking; called off the workers only.

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{
    directory::{FILE, folder_of},
    tenant_file::MAX_BYTES,
};
use crate::domain::tenant::TenantId;

/// Of a new file: it may hold secrets.
const MODE: u32 = 0o640;
/// What kubelet swaps when a volume changes.
const KUBELETS: &str = "..data";

#[derive(Debug, thiserror::Error)]
pub enum NotWritten<E> {
    /// The caller has looked at what is there and does not want to.
    #[error("refused")]
    Refused(E),
    /// Its content is kept somewhere else.
    #[error("{0}")]
    Elsewhere(&'static str),
    #[error("the folder of the tenants is read-only")]
    ReadOnly,
    /// To be tried again.
    #[error("somebody else is writing")]
    Busy,
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// The bytes of the file; `None`: there is none, and the tenant inherits everything.
pub fn read(root: &Path, tenant: &TenantId) -> io::Result<Option<Vec<u8>>> {
    bytes(&folder_of(root, tenant).join(FILE))
}

/// A new text that lies beside the tenant's file. Nobody else who writes this way comes in between; dropped, nothing has changed.
#[derive(Debug)]
pub struct Prepared {
    file: PathBuf,
    beside: PathBuf,
    /// Locked.
    folder: File,
    before: Option<Vec<u8>>,
}

impl Prepared {
    /// What is there.
    pub fn before(&self) -> Option<&[u8]> {
        self.before.as_deref()
    }

    /// The new text takes the place of the old, unless an editor, which knows no lock, has been there meanwhile.
    pub fn commit<E>(&self) -> Result<(), NotWritten<E>> {
        if bytes(&self.file)?.as_deref() != self.before() {
            return Err(NotWritten::Busy);
        }
        fs::rename(&self.beside, &self.file).map_err(not_written)?;
        // the new name lasts only once the folder is on disk; it is in force already, and whoever is told that nothing
        // has changed would be told wrong
        if let Err(error) = self.folder.sync_all() {
            tracing::warn!(%error, file = %self.file.display(), "a file that was replaced may be the old one again after a power cut");
        }
        Ok(())
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // gone already where it took its place; what cannot be removed has a name that means nothing to anybody
        let _ = fs::remove_file(&self.beside);
    }
}

/// Writes `text` beside the tenant's file, after `check` has seen what is there. A folder that is missing is made: whether
/// there is such a tenant, the caller knows.
pub fn prepare<E>(
    root: &Path,
    tenant: &TenantId,
    text: &str,
    check: impl FnOnce(Option<&[u8]>) -> Result<(), E>,
) -> Result<Prepared, NotWritten<E>> {
    let folder = folder_of(root, tenant);
    if is_there(&root.join(KUBELETS)) {
        return Err(NotWritten::Elsewhere("the tenants' folder is a mounted volume (ConfigMap)"));
    }
    match fs::symlink_metadata(&folder) {
        Ok(meta) if meta.is_symlink() => {
            return Err(NotWritten::Elsewhere("the tenant's folder is a link to another place"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir(&folder).map_err(not_written)?;
            File::open(root)?.sync_all()?;
        }
        Err(error) => return Err(not_written(error)),
    }
    if is_there(&folder.join(KUBELETS)) {
        return Err(NotWritten::Elsewhere("the tenant's folder is a mounted volume (ConfigMap)"));
    }
    let file = folder.join(FILE);
    let mode = match fs::symlink_metadata(&file) {
        Ok(meta) if meta.is_symlink() => {
            return Err(NotWritten::Elsewhere("the tenant's file is a link to another place"));
        }
        Ok(meta) if meta.is_file() => meta.permissions().mode() & 0o7777,
        Ok(_) => {
            return Err(NotWritten::Elsewhere("there is something else in the place of the tenant's file"));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => MODE,
        Err(error) => return Err(not_written(error)),
    };
    let folder_handle = File::open(&folder)?;
    lock(&folder_handle)?;
    let before = bytes(&file)?;
    check(before.as_deref()).map_err(NotWritten::Refused)?;
    // a name no tenant and no template has, and no two writers
    let beside = folder.join(format!(".{FILE}.{:016x}", fastrand::u64(..)));
    let prepared = Prepared { file, beside, folder: folder_handle, before };
    lay_beside(&prepared.beside, text, mode).map_err(not_written)?;
    Ok(prepared)
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn bytes(file: &Path) -> io::Result<Option<Vec<u8>>> {
    let handle = match File::open(file) {
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

/// Let go of with the handle. File systems without locks have one writer less to fear: us, who also take turns in memory.
fn lock<E>(folder: &File) -> Result<(), NotWritten<E>> {
    match folder.try_lock() {
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(NotWritten::Busy),
    }
}

fn lay_beside(beside: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create_new(true).mode(mode).open(beside)?;
    new.set_permissions(Permissions::from_mode(mode))?;
    new.write_all(text.as_bytes())?;
    new.sync_all()
}

fn not_written<E>(error: io::Error) -> NotWritten<E> {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => NotWritten::ReadOnly,
        ErrorKind::ResourceBusy => NotWritten::Elsewhere("the tenant's file is mounted by itself"),
        _ => NotWritten::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        os::unix::fs::{MetadataExt, symlink},
    };

    use tempfile::TempDir;

    use super::*;

    fn tenant() -> TenantId {
        TenantId::parse("acme.com").unwrap()
    }

    struct World {
        home: TempDir,
    }

    impl World {
        fn new() -> Self {
            Self { home: tempfile::tempdir().unwrap() }
        }

        fn root(&self) -> &Path {
            self.home.path()
        }

        fn file(&self) -> PathBuf {
            folder_of(self.root(), &tenant()).join(FILE)
        }

        fn with_folder(self) -> Self {
            fs::create_dir(folder_of(self.root(), &tenant())).unwrap();
            self
        }

        fn write(&self, text: &str) -> Result<Option<Vec<u8>>, NotWritten<Infallible>> {
            write(self, text, |_| Ok(()))
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(folder_of(self.root(), &tenant())).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    fn write<E>(
        world: &World,
        text: &str,
        check: impl FnOnce(Option<&[u8]>) -> Result<(), E>,
    ) -> Result<Option<Vec<u8>>, NotWritten<E>> {
        let prepared = prepare(world.root(), &tenant(), text, check)?;
        prepared.commit()?;
        Ok(prepared.before().map(<[u8]>::to_vec))
    }

    #[test]
    fn byte_for_byte_and_nothing_else_is_left_behind() {
        let world = World::new();
        let text = "{ \"a\" :\t1.0 }\r\n\n";
        assert_eq!(read(world.root(), &tenant()).unwrap(), None);
        assert_eq!(world.write(text).unwrap(), None);
        assert_eq!(read(world.root(), &tenant()).unwrap().as_deref(), Some(text.as_bytes()));
        assert_eq!(world.write("{}").unwrap().as_deref(), Some(text.as_bytes()));
        assert_eq!((fs::read(world.file()).unwrap(), world.names()), (b"{}".to_vec(), vec![FILE.to_owned()]));
    }

    #[test]
    fn the_mode_stays_and_a_new_file_is_not_for_everybody() {
        let world = World::new();
        world.write("{}").unwrap();
        let mode = || fs::metadata(world.file()).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(), MODE);
        fs::set_permissions(world.file(), Permissions::from_mode(0o604)).unwrap();
        let old = fs::metadata(world.file()).unwrap().ino();
        world.write("[]").unwrap();
        assert_eq!(mode(), 0o604);
        assert_ne!(fs::metadata(world.file()).unwrap().ino(), old, "replaced as a whole");
    }

    #[test]
    fn who_does_not_like_what_is_there_changes_nothing() {
        let world = World::new().with_folder();
        fs::write(world.file(), "old").unwrap();
        let refused = write(&world, "new", |now| Err::<(), _>(now.map(<[u8]>::to_vec)));
        assert!(matches!(refused, Err(NotWritten::Refused(Some(seen))) if seen == b"old"));
        assert_eq!((fs::read(world.file()).unwrap(), world.names().len()), (b"old".to_vec(), 1));
    }

    #[test]
    fn what_is_not_committed_has_not_happened() {
        let world = World::new().with_folder();
        fs::write(world.file(), "old").unwrap();
        let check = |_: Option<&[u8]>| Ok::<_, ()>(());
        let prepared = prepare(world.root(), &tenant(), "new", check).unwrap();
        assert_eq!((prepared.before(), world.names().len()), (Some(&b"old"[..]), 2));
        let meanwhile = prepare(world.root(), &tenant(), "other", check);
        assert!(matches!(meanwhile, Err(NotWritten::Busy)), "{meanwhile:?}");
        drop(prepared);
        assert_eq!((fs::read(world.file()).unwrap(), world.names().len()), (b"old".to_vec(), 1));
    }

    /// Attack: while the change is written down, the file becomes another. What is on record would never have been replaced.
    #[test]
    fn attack_an_edit_between_the_record_and_the_change() {
        let world = World::new().with_folder();
        let check = |_: Option<&[u8]>| Ok::<_, ()>(());
        for (before, edited) in [(None, Some("edited")), (Some("old"), Some("edited")), (Some("old"), None)] {
            let _ = fs::remove_file(world.file());
            if let Some(text) = before {
                fs::write(world.file(), text).unwrap();
            }
            let prepared = prepare(world.root(), &tenant(), "new", check).unwrap();
            match edited {
                Some(text) => fs::write(world.file(), text).unwrap(),
                None => fs::remove_file(world.file()).unwrap(),
            }
            let refused = prepared.commit::<()>();
            assert!(matches!(refused, Err(NotWritten::Busy)), "{refused:?}");
            drop(prepared);
            assert_eq!(read(world.root(), &tenant()).unwrap().as_deref(), edited.map(str::as_bytes));
        }
    }

    #[test]
    fn what_is_kept_elsewhere_is_not_replaced() {
        let linked_folder = World::new();
        fs::create_dir(linked_folder.root().join("real")).unwrap();
        symlink("real", folder_of(linked_folder.root(), &tenant())).unwrap();
        let linked_file = World::new().with_folder();
        fs::write(linked_file.root().join("real"), "{}").unwrap();
        symlink("../real", linked_file.file()).unwrap();
        let config_map = World::new().with_folder();
        fs::create_dir(config_map.file().with_file_name("..version")).unwrap();
        symlink("..version", config_map.file().with_file_name(KUBELETS)).unwrap();
        let all_mounted = World::new().with_folder();
        symlink("nowhere", all_mounted.root().join(KUBELETS)).unwrap();
        let a_folder = World::new().with_folder();
        fs::create_dir(a_folder.file()).unwrap();
        for world in [linked_folder, linked_file, config_map, all_mounted, a_folder] {
            let refused = world.write("{\"new\": 1}");
            assert!(matches!(refused, Err(NotWritten::Elsewhere(_))), "{refused:?}");
        }
    }

    #[test]
    fn two_writers_do_not_mix() {
        let world = World::new().with_folder();
        fs::write(world.file(), "0").unwrap();
        let world = &world;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || {
                    for _ in 0..10 {
                        // add one to what is there, unless it changes before it is written
                        loop {
                            let seen = read(world.root(), &tenant()).unwrap().unwrap();
                            let next = String::from_utf8(seen.clone()).unwrap().parse::<u32>().unwrap() + 1;
                            let same = |now: Option<&[u8]>| if now == Some(&seen) { Ok(()) } else { Err(()) };
                            match write(world, &next.to_string(), same) {
                                Ok(_) => break,
                                Err(NotWritten::Refused(()) | NotWritten::Busy) => {}
                                Err(other) => panic!("{other}"),
                            }
                        }
                    }
                });
            }
        });
        assert_eq!((fs::read_to_string(world.file()).unwrap().as_str(), world.names().len()), ("40", 1));
    }
}
