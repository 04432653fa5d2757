//! Watches the folders of symlink chains, and maps each event to the keys whose chain includes the path.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use notify::{
    ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

use super::symlink_chain::SymlinkChain;

/// Messages of the watcher's thread.
#[derive(Debug)]
pub enum FileEvent {
    Changed(PathBuf),
    /// Events were lost: check everything.
    Overflow,
    /// The watcher has failed.
    Failed(String),
}

/// A watcher and, for each key, the directory entries of its symlink chain.
pub struct PathWatcher<K> {
    watcher: RecommendedWatcher,
    paths: HashMap<K, WatchedPath>,
    entries: HashMap<PathBuf, HashSet<K>>,
    /// Watched folders and how many keys need each.
    folders: HashMap<PathBuf, usize>,
}

struct WatchedPath {
    entries: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    /// The resolved target, if its entries are watched.
    target: Option<PathBuf>,
}

impl<K: Clone + Eq + Hash> PathWatcher<K> {
    /// `send` is called on the watcher's own thread and must neither block nor call back into this watch.
    pub fn start(send: impl Fn(FileEvent) + Send + 'static) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
            Ok(event) if event.need_rescan() => send(FileEvent::Overflow),
            Ok(event) if is_relevant(event.kind) => {
                event.paths.into_iter().for_each(|path| send(FileEvent::Changed(path)));
            }
            Ok(_) => {}
            Err(error) => send(FileEvent::Failed(error.to_string())),
        })?;
        Ok(Self { watcher, paths: HashMap::new(), entries: HashMap::new(), folders: HashMap::new() })
    }

    /// Watches the symlink chain of `key`. `rewatch`: a folder of the chain may have been replaced under the same name.
    pub fn arm(&mut self, key: &K, chain: SymlinkChain, rewatch: bool) -> notify::Result<()> {
        let folders = chain.watched_folders();
        let mut outcome = Ok(());
        for folder in &folders {
            let user_count = self.folders.entry(folder.clone()).or_default();
            *user_count += 1;
            if (*user_count == 1 || rewatch)
                && let Err(error) = watch_folder(&mut self.watcher, folder)
                && !is_missing_folder(&error)
            {
                outcome = Err(error);
            }
        }
        for point in &chain.entries {
            self.entries.entry(point.clone()).or_default().insert(key.clone());
        }
        let target = chain.watches_target.then_some(chain.target);
        let armed = WatchedPath { entries: chain.entries, folders, target };
        if let Some(old) = self.paths.insert(key.clone(), armed) {
            self.release(key, old);
        }
        outcome
    }

    pub fn disarm(&mut self, key: &K) {
        if let Some(old) = self.paths.remove(key) {
            self.release(key, old);
        }
    }

    pub fn is_armed(&self, key: &K) -> bool {
        self.paths.contains_key(key)
    }

    /// Folders under watch.
    #[cfg(test)]
    pub fn folders(&self) -> usize {
        self.folders.len()
    }

    /// The keys whose symlink chain includes `path`.
    pub fn affected(&self, path: &Path) -> impl Iterator<Item = &K> {
        self.entries.get(path).into_iter().flatten()
    }

    /// The resolved target of `key`, if its entries are watched.
    pub fn watched_target(&self, key: &K) -> Option<&Path> {
        self.paths.get(key)?.target.as_deref()
    }

    fn release(&mut self, key: &K, old: WatchedPath) {
        let remaining = self.paths.get(key);
        for point in old.entries {
            if remaining.is_some_and(|armed| armed.entries.contains(&point)) {
                continue;
            }
            if let Some(keys) = self.entries.get_mut(&point) {
                keys.remove(key);
                if keys.is_empty() {
                    self.entries.remove(&point);
                }
            }
        }
        for folder in old.folders {
            if let Some(users) = self.folders.get_mut(&folder) {
                *users -= 1;
                if *users == 0 {
                    self.folders.remove(&folder);
                    // fails where the folder is gone, and then there is nothing to undo
                    let _ = self.watcher.unwatch(&folder);
                }
            }
        }
    }
}

/// notify panics when its own thread has ended; that costs events, not the request that happened to notice.
fn watch_folder(watcher: &mut RecommendedWatcher, folder: &Path) -> notify::Result<()> {
    catch_unwind(AssertUnwindSafe(|| watcher.watch(folder, RecursiveMode::NonRecursive)))
        .unwrap_or_else(|_| Err(notify::Error::generic("the watcher's thread has ended")))
}

/// Our own reading makes events too; answering those would never end.
fn is_relevant(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// A folder that went away between the walk and the watch: its parent is watched and reports its return.
fn is_missing_folder(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
        }
        _ => false,
    }
}
