//! The symlink chain of a path: the directory entries whose replacement changes its target.
//!
//! Kubernetes never edits a mounted file. It prepares a new folder and renames one symbolic link (`..data`) over the old,
//! so a watch on the file or its folder reports nothing. The chain is resolved link by link instead.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

/// As many links as Linux follows before it gives up.
const MAX_LINKS: usize = 40;

/// The directory entries to watch for one path.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SymlinkChain {
    /// Every symbolic link of the path and its last `levels` entries; if the path ends early, the missing entry.
    pub entries: Vec<PathBuf>,
    /// The target, without symbolic links.
    pub target: PathBuf,
    /// The target is a folder whose own entries are watched too.
    pub watches_target: bool,
}

impl SymlinkChain {
    /// Resolves `path`. `levels` 1 watches the entry itself, 2 also the folder it is in.
    pub fn resolve(path: &Path, levels: usize) -> Self {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut rest = path_components(&whole);
        let mut chain = Self { entries: Vec::new(), target: PathBuf::from("/"), watches_target: false };
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                chain.target.pop();
                continue;
            }
            let next = chain.target.join(&name);
            match fs::symlink_metadata(&next) {
                Ok(meta) if meta.is_symlink() && links < MAX_LINKS => {
                    links += 1;
                    let target = fs::read_link(&next).unwrap_or_default();
                    chain.entries.push(next);
                    if target.is_absolute() {
                        chain.target = PathBuf::from("/");
                    }
                    for part in path_components(&target).into_iter().rev() {
                        rest.push_front(part);
                    }
                }
                Ok(meta) if !meta.is_symlink() => {
                    if rest.len() < levels {
                        chain.entries.push(next.clone());
                    }
                    chain.target = next;
                }
                _ => {
                    chain.entries.push(next.clone());
                    chain.target = next;
                    break;
                }
            }
        }
        chain
    }

    /// Also watches the entries of the target, a folder.
    #[must_use]
    pub fn with_target_entries(self) -> Self {
        Self { watches_target: true, ..self }
    }

    /// The folders that a watcher has to watch.
    pub fn watched_folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> =
            self.entries.iter().filter_map(|point| point.parent()).map(Path::to_owned).collect();
        folders.extend(self.watches_target.then(|| self.target.clone()));
        folders.sort_unstable();
        folders.dedup();
        folders
    }
}

fn path_components(path: &Path) -> VecDeque<OsString> {
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

    fn points(base: &Path, chain: &SymlinkChain) -> Vec<String> {
        let base = fs::canonicalize(base).unwrap();
        chain.entries.iter().map(|p| p.strip_prefix(&base).unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_plain_file_depends_on_itself_and_its_folder() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("acme")).unwrap();
        fs::write(base.path().join("acme/f"), "").unwrap();
        let chain = SymlinkChain::resolve(&base.path().join("acme/f"), 2);
        assert_eq!(points(base.path(), &chain), ["acme", "acme/f"]);
        assert_eq!(chain.watched_folders().len(), 2);
        assert_eq!(points(base.path(), &SymlinkChain::resolve(&base.path().join("acme/f"), 1)), ["acme/f"]);
    }

    #[test]
    fn a_mounted_file_depends_on_every_link_to_it() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("..v1/acme")).unwrap();
        fs::write(base.path().join("..v1/acme/f"), "").unwrap();
        symlink("..v1", base.path().join("..data")).unwrap();
        symlink("..data/acme", base.path().join("acme")).unwrap();
        let chain = SymlinkChain::resolve(&base.path().join("acme/f"), 2);
        assert_eq!(points(base.path(), &chain), ["acme", "..data", "..v1/acme", "..v1/acme/f"]);
    }

    #[test]
    fn a_missing_folder_is_watched_in_its_parent() {
        let base = tempfile::tempdir().unwrap();
        let chain = SymlinkChain::resolve(&base.path().join("not-yet/there/f"), 2);
        assert_eq!(points(base.path(), &chain), ["not-yet"]);
    }

    #[test]
    fn symlink_loops_end() {
        let base = tempfile::tempdir().unwrap();
        symlink("b", base.path().join("a")).unwrap();
        symlink("a", base.path().join("b")).unwrap();
        assert!(SymlinkChain::resolve(&base.path().join("a"), 1).entries.len() <= MAX_LINKS + 1);
    }
}
