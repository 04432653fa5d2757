//! Reads a tenant's folder and file. Blocking; must not run on a worker thread.

use std::{
    fs::{self, File, Metadata},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    io::{self, ErrorKind, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    config::{
        mistake::Mistake,
        tenant_file::{MAX_BYTES, TENANT_CONF},
    },
    domain::tenant::TenantId,
};

/// Two edits within a file system's clock tick have the same metadata.
const CLOCK_TICK: Duration = Duration::from_millis(100);

#[derive(Debug, PartialEq, Eq)]
pub enum TenantFileContent {
    /// No folder of this name.
    NoFolder,
    /// The tenants' folder itself is missing.
    NoRoot,
    /// No folder beside it either, or none that can be listed: an unmounted volume leaves such an empty one.
    EmptyRoot,
    /// A folder without a file: everything is inherited.
    NoFile,
    Text(String),
    Unreadable(Mistake),
}

/// A content and the stamp it was read with.
#[derive(Debug)]
pub struct StampedContent {
    pub content: TenantFileContent,
    pub stamp: FileStamp,
}

impl StampedContent {
    const fn new(content: TenantFileContent, stamp: FileStamp) -> Self {
        Self { content, stamp }
    }

    fn unreadable(path: &Path, message: impl Into<String>, remedy: &str) -> Self {
        let mistake = Mistake::whole(path, message, remedy);
        Self::new(TenantFileContent::Unreadable(mistake), FileStamp::UNSTABLE)
    }
}

/// Identifies a version of a file by its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp(u64);

impl FileStamp {
    /// Never up to date: the file is read again each time.
    const UNSTABLE: Self = Self(0);
    const ABSENT: Self = Self(1);
    const GONE: Self = Self(2);

    fn of(meta: &Metadata) -> Self {
        let age = meta.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_none_or(|age| age < CLOCK_TICK) {
            return Self::UNSTABLE;
        }
        let seen = (
            meta.dev(),
            meta.ino(),
            meta.size(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec(),
        );
        Self(BuildHasherDefault::<DefaultHasher>::default().hash_one(seen) | 4)
    }

    /// Whether the file may have changed since it was read with this stamp.
    pub fn is_outdated(self, now: Self) -> bool {
        self == Self::UNSTABLE || self != now
    }
}

pub fn folder_of(root: &Path, tenant: &TenantId) -> PathBuf {
    root.join(tenant.as_str())
}

pub fn file_of(root: &Path, tenant: &TenantId) -> PathBuf {
    folder_of(root, tenant).join(TENANT_CONF)
}

/// Reads the tenant's file. The stamp is taken before the content, so a later edit can only make it outdated.
pub fn read(root: &Path, tenant: &TenantId) -> StampedContent {
    let file = file_of(root, tenant);
    let failed = |message: String, remedy: &str| StampedContent::unreadable(&file, message, remedy);
    // a pipe in the place of the file would block for ever
    match fs::metadata(&file) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => {
            return failed(
                "is not a regular file".into(),
                "put a file here, or remove it to inherit everything",
            );
        }
        Err(error) if is_not_found(&error) => return missing(root, tenant, &file),
        Err(error) => {
            return failed(
                format!("cannot be read: {error}"),
                "check the permissions of the file and its folder",
            );
        }
    }
    match read_bytes(&file) {
        Ok((bytes, _)) if bytes.len() > MAX_BYTES => {
            failed(format!("is larger than {MAX_BYTES} bytes"), "remove what does not belong here")
        }
        Ok((bytes, stamp)) => match String::from_utf8(bytes) {
            Ok(text) => StampedContent::new(TenantFileContent::Text(text), stamp),
            Err(error) => failed(
                format!("is not UTF-8 at byte {}", error.utf8_error().valid_up_to()),
                "save the file as UTF-8",
            ),
        },
        Err(error) if is_not_found(&error) => missing(root, tenant, &file),
        Err(error) => {
            failed(format!("cannot be read: {error}"), "check the permissions of the file and its folder")
        }
    }
}

/// The stamp that `read` would return, without reading the content.
pub fn read_stamp(root: &Path, tenant: &TenantId) -> FileStamp {
    match fs::metadata(file_of(root, tenant)) {
        Ok(meta) if meta.is_file() => FileStamp::of(&meta),
        Err(error) if is_not_found(&error) => {
            if fs::metadata(folder_of(root, tenant)).is_ok_and(|meta| meta.is_dir()) {
                FileStamp::ABSENT
            } else {
                FileStamp::GONE
            }
        }
        _ => FileStamp::UNSTABLE,
    }
}

pub fn has_folder(root: &Path, tenant: &TenantId) -> bool {
    fs::symlink_metadata(folder_of(root, tenant)).is_ok()
}

/// The tenants' folders: names in normal form, folders and links to folders. Names that start with '.' are skipped.
pub fn list_folders(root: &Path) -> io::Result<impl Iterator<Item = TenantId>> {
    Ok(fs::read_dir(root)?.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name();
        let name = name.to_str()?;
        let tenant = TenantId::parse(name).ok().filter(|tenant| tenant.as_str() == name)?;
        let kind = entry.file_type().ok()?;
        let is_folder = kind.is_dir()
            || (kind.is_symlink() && fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir()));
        is_folder.then_some(tenant)
    }))
}

fn read_bytes(file: &Path) -> io::Result<(Vec<u8>, FileStamp)> {
    let file = File::open(file)?;
    let stamp = FileStamp::of(&file.metadata()?);
    let mut bytes = Vec::new();
    // one byte more than is allowed, so that `read` sees that it is too much
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes, stamp))
}

fn missing(root: &Path, tenant: &TenantId, file: &Path) -> StampedContent {
    let folder = folder_of(root, tenant);
    let dangling = |path: &Path| {
        StampedContent::unreadable(
            path,
            "is a link to nothing",
            "restore what it links to, or remove the link",
        )
    };
    let gone = |content| StampedContent::new(content, FileStamp::GONE);
    if fs::symlink_metadata(file).is_ok() {
        return dangling(file);
    }
    match fs::metadata(&folder) {
        Ok(meta) if meta.is_dir() => StampedContent::new(TenantFileContent::NoFile, FileStamp::ABSENT),
        Ok(_) => gone(TenantFileContent::NoFolder),
        Err(error) if is_not_found(&error) && fs::symlink_metadata(&folder).is_ok() => dangling(&folder),
        Err(error) if is_not_found(&error) => match list_folders(root).map(|mut others| others.next()) {
            Ok(Some(_)) => gone(TenantFileContent::NoFolder),
            Err(error) if is_not_found(&error) => gone(TenantFileContent::NoRoot),
            Ok(None) | Err(_) => gone(TenantFileContent::EmptyRoot),
        },
        Err(error) => StampedContent::unreadable(
            &folder,
            format!("cannot be read: {error}"),
            "check the permissions of the folder",
        ),
    }
}

fn is_not_found(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tenant() -> TenantId {
        TenantId::parse("acme.com").unwrap()
    }

    #[test]
    fn distinguishes_each_state_of_a_tenant_folder() {
        let base = tempfile::tempdir().unwrap();
        let root = base.path().join("tenants");
        assert_eq!(read(&root, &tenant()).content, TenantFileContent::NoRoot);
        fs::create_dir(&root).unwrap();
        assert_eq!(read(&root, &tenant()).content, TenantFileContent::EmptyRoot);
        let folder = folder_of(&root, &tenant());
        fs::write(&folder, "a file").unwrap();
        assert_eq!(read(&root, &tenant()).content, TenantFileContent::NoFolder);
        fs::remove_file(&folder).unwrap();
        symlink("nowhere", &folder).unwrap();
        assert!(
            matches!(read(&root, &tenant()).content, TenantFileContent::Unreadable(m) if m.message.contains("link to nothing"))
        );
        fs::remove_file(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        assert_eq!(read(&root, &tenant()).content, TenantFileContent::NoFile);
        let file = folder.join(TENANT_CONF);
        symlink("nowhere", &file).unwrap();
        assert!(matches!(read(&root, &tenant()).content, TenantFileContent::Unreadable(_)));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(
            matches!(read(&root, &tenant()).content, TenantFileContent::Unreadable(m) if m.message.contains("regular"))
        );
        fs::remove_dir(&file).unwrap();
        fs::write(&file, b"\xff").unwrap();
        assert!(
            matches!(read(&root, &tenant()).content, TenantFileContent::Unreadable(m) if m.message.contains("UTF-8"))
        );
        fs::write(&file, vec![b' '; 1 + (1 << 20)]).unwrap();
        assert!(
            matches!(read(&root, &tenant()).content, TenantFileContent::Unreadable(m) if m.message.contains("larger"))
        );
        fs::write(&file, "{}").unwrap();
        assert_eq!(read(&root, &tenant()).content, TenantFileContent::Text("{}".into()));
    }

    #[test]
    fn recently_modified_file_is_never_unchanged() {
        let base = tempfile::tempdir().unwrap();
        let folder = folder_of(base.path(), &tenant());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(TENANT_CONF), "{}").unwrap();
        assert!(read(base.path(), &tenant()).stamp.is_outdated(read_stamp(base.path(), &tenant())));

        let old = SystemTime::now() - Duration::from_hours(1);
        File::options().write(true).open(folder.join(TENANT_CONF)).unwrap().set_modified(old).unwrap();
        let seen = read(base.path(), &tenant()).stamp;
        assert!(!seen.is_outdated(read_stamp(base.path(), &tenant())));
        // same length, same modification time, another file
        fs::write(folder.join("new"), "[]").unwrap();
        File::options().write(true).open(folder.join("new")).unwrap().set_modified(old).unwrap();
        fs::rename(folder.join("new"), folder.join(TENANT_CONF)).unwrap();
        assert!(seen.is_outdated(read_stamp(base.path(), &tenant())));
    }

    #[test]
    fn only_folders_with_a_name_in_normal_form_are_tenants() {
        let base = tempfile::tempdir().unwrap();
        for name in ["acme.com", "ACME.org", "..2024_01", ".git", "a b"] {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        fs::write(base.path().join("readme"), "").unwrap();
        symlink("..2024_01", base.path().join("..data")).unwrap();
        symlink("..data", base.path().join("beta.com")).unwrap();
        symlink("nowhere", base.path().join("lost.com")).unwrap();
        let mut found: Vec<_> = list_folders(base.path()).unwrap().map(|t| t.to_string()).collect();
        found.sort_unstable();
        assert_eq!(found, ["acme.com", "beta.com"]);
    }
}
