//! Files that are mounted one by one (`subPath` in Kubernetes, `-v file:file` in Docker): no event reports an edit, and a
//! file that was renamed over outside never arrives at all.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// Those of `files`, and of the files below `folders`, that are mount points of their own.
pub fn single_file_mounts<'a>(files: impl IntoIterator<Item = &'a Path>, folders: &[&Path]) -> Vec<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let files: Vec<PathBuf> = files.into_iter().map(canonical).collect();
    let folders: Vec<PathBuf> = folders.iter().map(|folder| canonical(folder)).collect();
    let mut found: Vec<PathBuf> = mount_points(&table)
        .filter(|point| is_relevant_mount(point, &files, &folders) && point.is_file())
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

fn is_relevant_mount(point: &Path, files: &[PathBuf], folders: &[PathBuf]) -> bool {
    files.iter().any(|file| file == point)
        || folders.iter().any(|folder| point != folder && point.starts_with(folder))
}

/// The fifth field of each line of `proc_pid_mountinfo(5)`.
fn mount_points(table: &[u8]) -> impl Iterator<Item = PathBuf> + '_ {
    let lines = table.split(|byte| *byte == b'\n');
    lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4)).map(unescape)
}

/// Blanks and backslashes are written as three octal digits.
fn unescape(written: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let byte = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
        36 22 0:31 / /etc/doorward/tenants rw - tmpfs tmpfs rw\n\
        37 22 0:32 /x /etc/doorward/deployment.toml ro,relatime - ext4 /dev/vda rw\n\
        38 36 0:33 /y /etc/doorward/tenants/acme.com/tenant-conf.json ro - ext4 /dev/vda rw\n\
        39 22 0:34 / /with\\040blank\\134 rw - tmpfs tmpfs rw\n";

    #[test]
    fn the_points_are_read_from_the_kernels_table() {
        let points: Vec<_> = mount_points(TABLE).collect();
        let expected = [
            "/",
            "/etc/doorward/tenants",
            "/etc/doorward/deployment.toml",
            "/etc/doorward/tenants/acme.com/tenant-conf.json",
            "/with blank\\",
        ];
        assert_eq!(points, expected.map(PathBuf::from));
    }

    #[test]
    fn reports_single_file_mounts_only() {
        let file = PathBuf::from("/etc/doorward/deployment.toml");
        let folder = PathBuf::from("/etc/doorward/tenants");
        let found: Vec<_> = mount_points(TABLE)
            .filter(|point| {
                is_relevant_mount(point, std::slice::from_ref(&file), std::slice::from_ref(&folder))
            })
            .collect();
        assert_eq!(found, [file, folder.join("acme.com/tenant-conf.json")]);
    }

    /// The kernel's own files are no mounts of ours.
    #[test]
    fn this_machine_mounts_no_file_of_a_new_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deployment.toml");
        fs::write(&file, "").unwrap();
        assert!(single_file_mounts([file.as_path()], &[folder.path()]).is_empty());
    }
}
