//! A watcher that outlives failures: while events are lost its users poll more often, and it is restarted after a pause.

use std::{
    hash::Hash,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    path_watcher::{FileEvent, PathWatcher},
    symlink_chain::SymlinkChain,
};
use crate::config::model::FileWatchMode;

/// Events come in bursts (truncate, write, write, close, rename): this long is waited for the rest of one.
pub const DEBOUNCE: Duration = Duration::from_millis(40);
/// An editor that renames over leaves a moment without a file, and a writer one with half a file. A worse state than
/// before is accepted only if it persists for this long.
pub const STABILITY_DELAY: Duration = Duration::from_millis(100);
/// The maximum poll interval while events are lost.
const FALLBACK_POLL: Duration = Duration::from_secs(5);
const MIN_POLL: Duration = Duration::from_millis(10);
/// How often a watcher that failed is tried again.
const RETRY: Duration = Duration::from_mins(1);

/// How changes are noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchHealth {
    /// By file events (and a poll now and then).
    Events,
    /// By polling, as configured.
    Polling,
    /// By polling, because file events fail: the reason.
    EventsLost(String),
    /// By the TTL alone, as configured.
    Off,
}

/// The keys that an event affects.
#[derive(Debug, PartialEq, Eq)]
pub enum AffectedKeys<K> {
    Some(Vec<K>),
    /// Events were lost: any key may be affected.
    All,
}

type Locate<K> = dyn Fn(&K) -> SymlinkChain + Send + Sync;
type SendEvent = dyn Fn(FileEvent) + Send + Sync;

/// Watches the symlink chains of its keys. Blocking; must not run on a worker thread.
pub struct FileWatcher<K> {
    /// For the log.
    subject: &'static str,
    locate: Box<Locate<K>>,
    send: Arc<SendEvent>,
    state: Mutex<WatcherState<K>>,
}

struct WatcherState<K> {
    mode: FileWatchMode,
    /// `None`: off, polling, or failed.
    paths: Option<PathWatcher<K>>,
    health: WatchHealth,
    retry_at: Instant,
}

impl<K> std::fmt::Debug for FileWatcher<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWatcher").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl<K: Clone + Eq + Hash> FileWatcher<K> {
    /// Watches nothing before `restart`. `locate` returns the chain of a key. `send` is called on the watcher's own thread
    /// and must neither block nor call back into this watcher.
    pub fn new(
        subject: &'static str,
        locate: impl Fn(&K) -> SymlinkChain + Send + Sync + 'static,
        send: impl Fn(FileEvent) + Send + Sync + 'static,
    ) -> Self {
        let state = WatcherState {
            mode: FileWatchMode::Off,
            paths: None,
            health: WatchHealth::Off,
            retry_at: Instant::now(),
        };
        Self { subject, locate: Box::new(locate), send: Arc::new(send), state: Mutex::new(state) }
    }

    /// Starts anew with these keys.
    pub fn restart(&self, mode: FileWatchMode, keys: impl IntoIterator<Item = K>) {
        let was_lost = {
            let mut state = self.lock();
            let was_lost = state.is_lost();
            state.mode = mode;
            state.paths = None;
            match mode {
                FileWatchMode::Off => state.health = WatchHealth::Off,
                FileWatchMode::Poll { .. } => state.health = WatchHealth::Polling,
                FileWatchMode::Auto { .. } => {
                    let send = Arc::clone(&self.send);
                    match PathWatcher::start(move |event| send(event)) {
                        Ok(paths) => {
                            state.paths = Some(paths);
                            state.health = WatchHealth::Events;
                        }
                        Err(error) => state.mark_lost(self.subject, &error.to_string()),
                    }
                }
            }
            was_lost
        };
        for key in keys {
            if self.lock().is_lost() {
                return;
            }
            self.arm(&key, false);
        }
        if was_lost && self.health() == WatchHealth::Events {
            tracing::info!("file events for {} work again", self.subject);
        }
    }

    /// Restarts a watcher that has failed, once the pause is over.
    pub fn retry_if_due(&self, keys: impl FnOnce() -> Vec<K>) {
        let mode = {
            let state = self.lock();
            (state.is_lost() && Instant::now() >= state.retry_at).then_some(state.mode)
        };
        if let Some(mode) = mode {
            self.restart(mode, keys());
        }
    }

    /// Ends the watch.
    pub fn stop(&self) {
        self.lock().paths = None;
    }

    /// Watches `key`. `rewatch`: folders of its path may have been replaced under the same name.
    pub fn arm(&self, key: &K, rewatch: bool) {
        if self.lock().paths.as_ref().is_none_or(|paths| paths.is_armed(key) && !rewatch) {
            return;
        }
        // without the lock: it reads the file system
        let chain = (self.locate)(key);
        let mut state = self.lock();
        if let Some(paths) = &mut state.paths
            && let Err(error) = paths.arm(key, chain, rewatch)
        {
            state.mark_lost(self.subject, &error.to_string());
        }
    }

    pub fn disarm(&self, key: &K) {
        if let Some(paths) = &mut self.lock().paths {
            paths.disarm(key);
        }
    }

    /// The keys to check after this event.
    pub fn affected_by(&self, event: &FileEvent) -> AffectedKeys<K> {
        let mut state = self.lock();
        match event {
            FileEvent::Changed(path) => {
                let keys = state.paths.iter().flat_map(|paths| paths.affected(path)).cloned();
                AffectedKeys::Some(keys.collect())
            }
            FileEvent::Overflow => AffectedKeys::All,
            FileEvent::Failed(reason) => {
                state.paths = None;
                state.mark_lost(self.subject, reason);
                AffectedKeys::All
            }
        }
    }

    /// The resolved folder of `key`, if its entries are watched.
    pub fn watched_target(&self, key: &K) -> Option<PathBuf> {
        self.lock().paths.as_ref()?.watched_target(key).map(Path::to_owned)
    }

    pub fn health(&self) -> WatchHealth {
        self.lock().health.clone()
    }

    /// Folders under watch.
    #[cfg(test)]
    pub fn folders(&self) -> usize {
        self.lock().paths.as_ref().map_or(0, PathWatcher::folders)
    }

    /// How often everything is to be checked without an event. `None`: never.
    pub fn poll_interval(&self) -> Option<Duration> {
        let state = self.lock();
        match state.mode {
            FileWatchMode::Off => None,
            FileWatchMode::Auto { poll_interval } if state.is_lost() => {
                Some(poll_interval.min(FALLBACK_POLL).max(MIN_POLL))
            }
            FileWatchMode::Auto { poll_interval } | FileWatchMode::Poll { poll_interval } => {
                Some(poll_interval.max(MIN_POLL))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, WatcherState<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> WatcherState<K> {
    fn is_lost(&self) -> bool {
        matches!(self.health, WatchHealth::EventsLost(_))
    }

    /// Records that events may be lost; existing watches remain.
    fn mark_lost(&mut self, subject: &str, reason: &str) {
        self.retry_at = Instant::now() + RETRY;
        if !self.is_lost() {
            tracing::warn!(reason, "no file events for {subject}; polling");
        }
        self.health = WatchHealth::EventsLost(reason.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const HOUR: FileWatchMode = FileWatchMode::Auto { poll_interval: Duration::from_hours(1) };

    fn watcher() -> FileWatcher<PathBuf> {
        FileWatcher::new("these files", |path: &PathBuf| SymlinkChain::resolve(path, 1), |_| {})
    }

    #[test]
    fn polls_more_often_while_events_are_lost() {
        let watcher = watcher();
        assert_eq!((watcher.health(), watcher.poll_interval()), (WatchHealth::Off, None));
        watcher.restart(HOUR, []);
        assert_eq!(watcher.poll_interval(), Some(Duration::from_hours(1)));
        let failed = FileEvent::Failed("no space left on device".to_owned());
        assert_eq!(watcher.affected_by(&failed), AffectedKeys::All);
        assert_eq!(watcher.poll_interval(), Some(FALLBACK_POLL));
        // not before the pause is over
        watcher.retry_if_due(|| panic!("too early"));
        assert_eq!(watcher.health(), WatchHealth::EventsLost("no space left on device".to_owned()));
        watcher.lock().retry_at = Instant::now();
        watcher.retry_if_due(Vec::new);
        assert_eq!(watcher.health(), WatchHealth::Events);
        watcher.restart(FileWatchMode::Poll { poll_interval: Duration::from_secs(9) }, []);
        assert_eq!((watcher.health(), watcher.folders()), (WatchHealth::Polling, 0));
    }

    #[test]
    fn watches_the_entries_of_a_target_folder() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().canonicalize().unwrap();
        let (send, events) = channel();
        let chain = |path: &PathBuf| SymlinkChain::resolve(path, 1).with_target_entries();
        let watcher = FileWatcher::new("these files", chain, move |event| send.send(event).unwrap());
        watcher.restart(HOUR, [folder.clone()]);
        assert_eq!(watcher.watched_target(&folder).as_deref(), Some(folder.as_path()));
        assert_eq!(watcher.folders(), 2);
        std::fs::write(folder.join("new"), "").unwrap();
        let event = events.recv_timeout(Duration::from_secs(3)).unwrap();
        assert!(matches!(&event, FileEvent::Changed(path) if *path == folder.join("new")), "{event:?}");
        assert_eq!(watcher.affected_by(&event), AffectedKeys::Some(Vec::new()));
        watcher.disarm(&folder);
        assert_eq!((watcher.watched_target(&folder), watcher.folders()), (None, 0));
    }
}
