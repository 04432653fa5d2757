//! A handful of named files (`deployment.toml`, certificates, key sets): a callback when the content of one really changes.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    io::Read as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    file_watcher::{AffectedKeys, DEBOUNCE, FileWatcher, STABILITY_DELAY},
    path_watcher::FileEvent,
    symlink_chain::SymlinkChain,
};
use crate::config::{model::FileWatchMode, regular_file};

/// How many times a file that is being written is read before its content is accepted.
const MAX_CHECKS: usize = 10;

type Callback = dyn Fn(&Path) + Send;

/// Watches until it is dropped: it holds the only sender of its thread.
#[derive(Debug)]
#[must_use = "the watch ends when this is dropped"]
pub struct ContentWatcher {
    _events: Option<Arc<Sender<FileEvent>>>,
}

/// Calls `on_change` with the path as given, on a thread of its own, whenever a file's content has changed: also when it
/// appears or disappears. Start the watch first and read the files then, so that no edit falls between the two.
pub fn watch_files(
    paths: impl IntoIterator<Item = PathBuf>,
    mode: FileWatchMode,
    on_change: impl Fn(&Path) + Send + 'static,
) -> std::io::Result<ContentWatcher> {
    let hasher = RandomState::new();
    let fingerprints: HashMap<_, _> = paths
        .into_iter()
        .map(|path| {
            let seen = fingerprint(&hasher, &path);
            (path, seen)
        })
        .collect();
    if fingerprints.is_empty() || mode == FileWatchMode::Off {
        return Ok(ContentWatcher { _events: None });
    }
    let (sender, events) = channel();
    let sender = Arc::new(sender);
    let weak = Arc::downgrade(&sender);
    let watcher = FileWatcher::new(
        "the configuration's files",
        |path: &PathBuf| SymlinkChain::resolve(path, 1),
        move |event| {
            // fails only when the watch has been dropped
            let _ = weak.upgrade().map(|sender| sender.send(event));
        },
    );
    watcher.restart(mode, fingerprints.keys().cloned());
    let watch = ContentWatch { fingerprints, hasher, watcher, events, on_change: Box::new(on_change) };
    thread::Builder::new().name("files-watch".into()).spawn(move || watch.run())?;
    Ok(ContentWatcher { _events: Some(sender) })
}

/// The loop of the thread.
struct ContentWatch {
    fingerprints: HashMap<PathBuf, Option<u64>>,
    hasher: RandomState,
    watcher: FileWatcher<PathBuf>,
    events: Receiver<FileEvent>,
    on_change: Box<Callback>,
}

/// The guard has been dropped.
struct Stopped;

impl ContentWatch {
    fn run(mut self) {
        while self.run_once().is_ok() {}
    }

    fn run_once(&mut self) -> Result<(), Stopped> {
        let pause = self.watcher.poll_interval().unwrap_or(Duration::MAX);
        let mut due = BTreeSet::new();
        if self.collect_events(pause.max(DEBOUNCE), true, &mut due)? {
            self.collect_events(DEBOUNCE, false, &mut due)?;
        } else {
            due.extend(self.fingerprints.keys().cloned());
        }
        self.watcher.retry_if_due(|| self.fingerprints.keys().cloned().collect());
        while let Some(path) = due.pop_first() {
            self.check_file(path, &mut due)?;
        }
        Ok(())
    }

    /// Collects events until the time is over, or until the `first` one. Returns whether there was one.
    fn collect_events(
        &self,
        time: Duration,
        first: bool,
        due: &mut BTreeSet<PathBuf>,
    ) -> Result<bool, Stopped> {
        let start = Instant::now();
        let mut any = false;
        loop {
            match self.events.recv_timeout(time.saturating_sub(start.elapsed())) {
                Ok(event) => match self.watcher.affected_by(&event) {
                    AffectedKeys::Some(paths) => due.extend(paths),
                    AffectedKeys::All => due.extend(self.fingerprints.keys().cloned()),
                },
                Err(RecvTimeoutError::Timeout) => return Ok(any),
                Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
            }
            any = true;
            if first {
                return Ok(true);
            }
        }
    }

    fn check_file(&mut self, path: PathBuf, due: &mut BTreeSet<PathBuf>) -> Result<(), Stopped> {
        // symbolic links may have been replaced: watch the new target before reading
        self.watcher.arm(&path, true);
        let before = self.fingerprints.get(&path).copied().flatten();
        let mut current = fingerprint(&self.hasher, &path);
        for _ in 0..MAX_CHECKS {
            if current == before {
                return Ok(());
            }
            self.collect_events(STABILITY_DELAY / 2, false, due)?;
            let second = fingerprint(&self.hasher, &path);
            if second == current {
                break;
            }
            current = second;
        }
        if current != before {
            (self.on_change)(&path);
            self.fingerprints.insert(path, current);
        }
        Ok(())
    }
}

/// `None`: there is no such file, or it cannot be read.
fn fingerprint(hasher: &RandomState, path: &Path) -> Option<u64> {
    let mut bytes = Vec::new();
    regular_file::open_regular_file(path).and_then(|mut file| file.read_to_end(&mut bytes)).ok()?;
    Some(hasher.hash_one(bytes))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, sync::mpsc};

    use super::*;

    const SOON: Duration = Duration::from_secs(3);
    const AUTO: FileWatchMode = FileWatchMode::Auto { poll_interval: Duration::from_hours(1) };

    fn watched(path: &Path, watch: FileWatchMode) -> (ContentWatcher, mpsc::Receiver<String>) {
        let (send, receive) = mpsc::channel();
        let guard = watch_files([path.to_owned()], watch, move |path| {
            let _ = send.send(fs::read_to_string(path).unwrap_or_else(|_| "gone".into()));
        })
        .unwrap();
        (guard, receive)
    }

    #[test]
    fn each_edit_is_reported_once_with_its_final_content() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("deployment.toml");
        fs::write(&file, "one").unwrap();
        let (_guard, changes) = watched(&file, AUTO);

        fs::write(&file, "two").unwrap();
        assert_eq!(changes.recv_timeout(SOON).unwrap(), "two");
        fs::rename(&file, base.path().join("backup~")).unwrap();
        fs::write(&file, "three").unwrap();
        assert_eq!(changes.recv_timeout(SOON).unwrap(), "three");
        fs::write(base.path().join("new"), "four").unwrap();
        fs::rename(base.path().join("new"), &file).unwrap();
        assert_eq!(changes.recv_timeout(SOON).unwrap(), "four");
        fs::remove_file(&file).unwrap();
        assert_eq!(changes.recv_timeout(SOON).unwrap(), "gone");
        fs::write(&file, "five").unwrap();
        assert_eq!(changes.recv_timeout(SOON).unwrap(), "five");
    }

    #[test]
    fn a_mounted_file_is_followed_over_many_swaps() {
        let base = tempfile::tempdir().unwrap();
        let version = |n: usize| {
            let folder = format!("..v{n}");
            fs::create_dir(base.path().join(&folder)).unwrap();
            fs::write(base.path().join(&folder).join("tls.crt"), n.to_string()).unwrap();
            symlink(&folder, base.path().join("..tmp")).unwrap();
            fs::rename(base.path().join("..tmp"), base.path().join("..data")).unwrap();
        };
        version(0);
        let file = base.path().join("tls.crt");
        symlink("..data/tls.crt", &file).unwrap();
        let (_guard, changes) = watched(&file, AUTO);
        for n in 1..4 {
            version(n);
            assert_eq!(changes.recv_timeout(SOON).unwrap(), n.to_string());
            fs::remove_dir_all(base.path().join(format!("..v{}", n - 1))).unwrap();
        }
    }

    #[test]
    fn without_events_the_poll_finds_the_edit() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("keys.json");
        let (_guard, changes) =
            watched(&file, FileWatchMode::Poll { poll_interval: Duration::from_millis(20) });
        fs::write(&file, "keys").unwrap();
        assert_eq!(changes.recv_timeout(SOON).unwrap(), "keys");
    }

    #[test]
    fn a_touch_is_no_change() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("f");
        fs::write(&file, "same").unwrap();
        let (_guard, changes) = watched(&file, AUTO);
        fs::write(&file, "same").unwrap();
        fs::File::open(&file).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        // the next real change is the first one reported
        fs::write(&file, "other").unwrap();
        assert_eq!(changes.recv_timeout(SOON).unwrap(), "other");
        assert!(changes.try_recv().is_err());
    }

    #[test]
    fn the_watch_ends_with_its_guard() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("f");
        let (guard, changes) = watched(&file, AUTO);
        drop(guard);
        // the thread drops the callback, and with it the sender
        assert_eq!(changes.recv_timeout(SOON), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
