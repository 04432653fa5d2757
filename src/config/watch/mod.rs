//! File events: folders are watched, never files, and every event is only a hint to look again.

mod files;
mod mounts;
mod trail;

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{
    ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

pub use files::{FilesWatch, watch_files};
pub use mounts::single_file_mounts;
pub use trail::Trail;

/// Events come in bursts (truncate, write, write, close, rename): this long is waited for the rest of one.
pub const DEBOUNCE: Duration = Duration::from_millis(40);
/// An editor that renames over leaves a moment without a file, and a writer one with half a file. What looks worse than
/// before is believed only if it is still so after this.
pub const SETTLE: Duration = Duration::from_millis(100);
/// With events lost, what is loaded is looked at this often at least.
pub const FALLBACK_POLL: Duration = Duration::from_secs(5);
/// How often a watcher that failed is tried again.
pub const RETRY: Duration = Duration::from_mins(1);

/// What the watcher's thread has to say.
#[derive(Debug)]
pub enum Signal {
    Changed(PathBuf),
    /// Events were lost: look at everything.
    Overflow,
    /// The watcher is of no more use.
    Failed(String),
}

/// A watcher and, for each key, the points on the way to what the key stands for.
pub struct PathWatch<K> {
    watcher: RecommendedWatcher,
    keys: HashMap<K, Armed>,
    points: HashMap<PathBuf, HashSet<K>>,
    /// Watched folders and how many keys need each.
    folders: HashMap<PathBuf, usize>,
}

struct Armed {
    points: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl<K: Clone + Eq + Hash> PathWatch<K> {
    /// `send` is called on the watcher's own thread and must neither block nor call back into this watch.
    pub fn start(send: impl Fn(Signal) + Send + 'static) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
            Ok(event) if event.need_rescan() => send(Signal::Overflow),
            Ok(event) if matters(event.kind) => {
                event.paths.into_iter().for_each(|path| send(Signal::Changed(path)));
            }
            Ok(_) => {}
            Err(error) => send(Signal::Failed(error.to_string())),
        })?;
        Ok(Self { watcher, keys: HashMap::new(), points: HashMap::new(), folders: HashMap::new() })
    }

    /// Watches the way of `key`, and `inside` it where that is a folder whose entries count. `again`: a folder on the way
    /// may be another one than before under the same name.
    pub fn arm(&mut self, key: &K, trail: Trail, inside: bool, again: bool) -> notify::Result<()> {
        let mut folders = trail.folders();
        if inside && !folders.contains(&trail.end) {
            folders.push(trail.end);
        }
        let mut outcome = Ok(());
        for folder in &folders {
            let users = self.folders.entry(folder.clone()).or_default();
            *users += 1;
            if (*users == 1 || again)
                && let Err(error) = watch(&mut self.watcher, folder)
                && !vanished(&error)
            {
                outcome = Err(error);
            }
        }
        for point in &trail.points {
            self.points.entry(point.clone()).or_default().insert(key.clone());
        }
        let armed = Armed { points: trail.points, folders };
        if let Some(old) = self.keys.insert(key.clone(), armed) {
            self.release(key, old);
        }
        outcome
    }

    pub fn disarm(&mut self, key: &K) {
        if let Some(old) = self.keys.remove(key) {
            self.release(key, old);
        }
    }

    pub fn is_armed(&self, key: &K) -> bool {
        self.keys.contains_key(key)
    }

    /// Folders under watch.
    pub fn folders(&self) -> usize {
        self.folders.len()
    }

    /// Whose way leads over `path`.
    pub fn affected(&self, path: &Path) -> impl Iterator<Item = &K> {
        self.points.get(path).into_iter().flatten()
    }

    fn release(&mut self, key: &K, old: Armed) {
        let kept = self.keys.get(key);
        for point in old.points {
            if kept.is_some_and(|armed| armed.points.contains(&point)) {
                continue;
            }
            if let Some(keys) = self.points.get_mut(&point) {
                keys.remove(key);
                if keys.is_empty() {
                    self.points.remove(&point);
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
fn watch(watcher: &mut RecommendedWatcher, folder: &Path) -> notify::Result<()> {
    catch_unwind(AssertUnwindSafe(|| watcher.watch(folder, RecursiveMode::NonRecursive)))
        .unwrap_or_else(|_| Err(notify::Error::generic("the watcher's thread has ended")))
}

/// Our own reading makes events too; answering those would never end.
fn matters(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// A folder that went away between the walk and the watch: its parent is watched and tells when it is back.
fn vanished(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
        }
        _ => false,
    }
}
