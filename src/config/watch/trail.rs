//! The way to a file: which directory entries, when replaced, change what the path leads to.
//!
//! Kubernetes never edits a mounted file. It prepares a new folder and renames one symbolic link (`..data`) over the old,
//! so whoever watches only the file, or only its folder, sees nothing. The way is walked link by link instead.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

/// As many links as Linux follows before it gives up.
const MAX_LINKS: usize = 40;

/// What to watch for one path.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Trail {
    /// Every symbolic link on the way and the last `levels` entries themselves; where the way ends early, the missing entry.
    pub points: Vec<PathBuf>,
    /// Where the way ends, free of links.
    pub end: PathBuf,
}

impl Trail {
    /// Walks to `path`. `levels` 1 watches the entry itself, 2 also the folder it is in.
    pub fn walk(path: &Path, levels: usize) -> Self {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut rest = parts(&whole);
        let mut trail = Self { points: Vec::new(), end: PathBuf::from("/") };
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                trail.end.pop();
                continue;
            }
            let next = trail.end.join(&name);
            match fs::symlink_metadata(&next) {
                Ok(meta) if meta.is_symlink() && links < MAX_LINKS => {
                    links += 1;
                    let target = fs::read_link(&next).unwrap_or_default();
                    trail.points.push(next);
                    if target.is_absolute() {
                        trail.end = PathBuf::from("/");
                    }
                    for part in parts(&target).into_iter().rev() {
                        rest.push_front(part);
                    }
                }
                Ok(meta) if !meta.is_symlink() => {
                    if rest.len() < levels {
                        trail.points.push(next.clone());
                    }
                    trail.end = next;
                }
                _ => {
                    trail.points.push(next.clone());
                    trail.end = next;
                    break;
                }
            }
        }
        trail
    }

    /// The folders in which the points lie: what a watcher is put on.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> =
            self.points.iter().filter_map(|point| point.parent()).map(Path::to_owned).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn points(base: &Path, trail: &Trail) -> Vec<String> {
        let base = fs::canonicalize(base).unwrap();
        trail.points.iter().map(|p| p.strip_prefix(&base).unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_plain_file_depends_on_itself_and_its_folder() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("acme")).unwrap();
        fs::write(base.path().join("acme/f"), "").unwrap();
        let trail = Trail::walk(&base.path().join("acme/f"), 2);
        assert_eq!(points(base.path(), &trail), ["acme", "acme/f"]);
        assert_eq!(trail.folders().len(), 2);
        assert_eq!(points(base.path(), &Trail::walk(&base.path().join("acme/f"), 1)), ["acme/f"]);
    }

    #[test]
    fn a_mounted_file_depends_on_every_link_to_it() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("..v1/acme")).unwrap();
        fs::write(base.path().join("..v1/acme/f"), "").unwrap();
        symlink("..v1", base.path().join("..data")).unwrap();
        symlink("..data/acme", base.path().join("acme")).unwrap();
        let trail = Trail::walk(&base.path().join("acme/f"), 2);
        assert_eq!(points(base.path(), &trail), ["acme", "..data", "..v1/acme", "..v1/acme/f"]);
    }

    #[test]
    fn a_missing_folder_is_itself_the_point_to_watch() {
        let base = tempfile::tempdir().unwrap();
        let trail = Trail::walk(&base.path().join("not-yet/there/f"), 2);
        assert_eq!(points(base.path(), &trail), ["not-yet"]);
    }

    #[test]
    fn links_in_a_circle_end() {
        let base = tempfile::tempdir().unwrap();
        symlink("b", base.path().join("a")).unwrap();
        symlink("a", base.path().join("b")).unwrap();
        assert!(Trail::walk(&base.path().join("a"), 1).points.len() <= MAX_LINKS + 1);
    }
}
