//! A handful of named files (`deployment.toml`, certificates, key sets): a callback when the content of one really changes.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    io::Read as _,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use super::{DEBOUNCE, FALLBACK_POLL, PathWatch, RETRY, SETTLE, Signal, Trail};
use crate::config::{model::Watch, regular};

/// A file that is being written is looked at this often before its content counts as it is.
const MAX_LOOKS: usize = 10;

type Callback = dyn Fn(&Path) + Send;

/// Watches as long as it lives.
#[derive(Debug)]
#[must_use = "the watch ends when this is dropped"]
pub struct FilesWatch(Option<Sender<Message>>);

impl Drop for FilesWatch {
    fn drop(&mut self) {
        if let Some(thread) = &self.0 {
            // it has already ended
            let _ = thread.send(Message::Stop);
        }
    }
}

#[derive(Debug)]
enum Message {
    Event(Signal),
    Stop,
}

/// Calls `on_change` with the path as given, on a thread of its own, whenever a file's content has changed: also when it
/// appears or disappears. Start the watch first and read the files then, so that no edit falls between the two.
pub fn watch_files(
    paths: impl IntoIterator<Item = PathBuf>,
    watch: Watch,
    on_change: impl Fn(&Path) + Send + 'static,
) -> std::io::Result<FilesWatch> {
    let (poll, events) = match watch {
        Watch::Off => return Ok(FilesWatch(None)),
        Watch::Poll { poll_interval } => (poll_interval, false),
        Watch::Auto { poll_interval } => (poll_interval, true),
    };
    let hasher = RandomState::new();
    let seen: HashMap<_, _> = paths
        .into_iter()
        .map(|path| {
            let seen = content(&hasher, &path);
            (path, seen)
        })
        .collect();
    if seen.is_empty() {
        return Ok(FilesWatch(None));
    }
    let (send, receive) = channel();
    let on_change = Box::new(on_change);
    let retry = Instant::now();
    let mut files =
        Files { seen, hasher, events, poll, send: send.clone(), receive, watch: None, retry, on_change };
    files.start();
    thread::Builder::new().name("files-watch".into()).spawn(move || files.run())?;
    Ok(FilesWatch(Some(send)))
}

struct Files {
    seen: HashMap<PathBuf, Option<u64>>,
    hasher: RandomState,
    events: bool,
    poll: Duration,
    send: Sender<Message>,
    receive: Receiver<Message>,
    watch: Option<PathWatch<PathBuf>>,
    /// When a watcher that failed is tried again.
    retry: Instant,
    on_change: Box<Callback>,
}

/// The guard is gone.
struct Stopped;

impl Files {
    fn run(mut self) {
        while self.turn().is_ok() {}
    }

    fn turn(&mut self) -> Result<(), Stopped> {
        let lost = self.events && self.watch.is_none();
        let pause = if lost { self.poll.min(FALLBACK_POLL) } else { self.poll };
        let mut due = BTreeSet::new();
        if self.wait(pause.max(DEBOUNCE), true, &mut due)? {
            self.wait(DEBOUNCE, false, &mut due)?;
        } else {
            due.extend(self.seen.keys().cloned());
        }
        if lost && Instant::now() >= self.retry {
            self.start();
        }
        while let Some(path) = due.pop_first() {
            self.look(path, &mut due)?;
        }
        Ok(())
    }

    /// Collects what events say until the time is over, or until the `first` one. Whether there was one.
    fn wait(&mut self, time: Duration, first: bool, due: &mut BTreeSet<PathBuf>) -> Result<bool, Stopped> {
        let until = Instant::now() + time;
        let mut any = false;
        loop {
            match self.receive.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Message::Event(signal)) => self.note(signal, due),
                Err(RecvTimeoutError::Timeout) => return Ok(any),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
            }
            any = true;
            if first {
                return Ok(true);
            }
        }
    }

    fn note(&mut self, signal: Signal, due: &mut BTreeSet<PathBuf>) {
        match signal {
            Signal::Changed(at) => {
                if let Some(watch) = &self.watch {
                    due.extend(watch.affected(&at).cloned());
                }
            }
            Signal::Overflow => due.extend(self.seen.keys().cloned()),
            Signal::Failed(reason) => {
                self.lose(&reason);
                due.extend(self.seen.keys().cloned());
            }
        }
    }

    fn start(&mut self) {
        if !self.events {
            return;
        }
        let send = self.send.clone();
        let started = PathWatch::start(move |signal| {
            // fails only when the watch is being dropped
            let _ = send.send(Message::Event(signal));
        });
        let armed = started.and_then(|mut watch| {
            self.seen.keys().try_for_each(|path| watch.arm(path, Trail::walk(path, 1), false, false))?;
            Ok(watch)
        });
        match armed {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => self.lose(&error.to_string()),
        }
    }

    fn lose(&mut self, reason: &str) {
        tracing::warn!(reason, "no file events for the configuration's files; polling");
        self.watch = None;
        self.retry = Instant::now() + RETRY;
    }

    fn look(&mut self, path: PathBuf, due: &mut BTreeSet<PathBuf>) -> Result<(), Stopped> {
        // a swap of links has moved the way: watch where it leads now, before reading
        if let Some(watch) = &mut self.watch
            && let Err(error) = watch.arm(&path, Trail::walk(&path, 1), false, true)
        {
            self.lose(&error.to_string());
        }
        let before = self.seen.get(&path).copied().flatten();
        let mut now = content(&self.hasher, &path);
        for _ in 0..MAX_LOOKS {
            if now == before {
                return Ok(());
            }
            self.wait(SETTLE / 2, false, due)?;
            let again = content(&self.hasher, &path);
            if again == now {
                break;
            }
            now = again;
        }
        if now != before {
            (self.on_change)(&path);
            self.seen.insert(path, now);
        }
        Ok(())
    }
}

/// `None`: there is no such file, or it cannot be read.
fn content(hasher: &RandomState, path: &Path) -> Option<u64> {
    let mut bytes = Vec::new();
    regular::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).ok()?;
    Some(hasher.hash_one(bytes))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, sync::mpsc};

    use super::*;

    const SOON: Duration = Duration::from_secs(3);
    const AUTO: Watch = Watch::Auto { poll_interval: Duration::from_hours(1) };

    fn watched(path: &Path, watch: Watch) -> (FilesWatch, mpsc::Receiver<String>) {
        let (send, receive) = mpsc::channel();
        let guard = watch_files([path.to_owned()], watch, move |path| {
            let _ = send.send(fs::read_to_string(path).unwrap_or_else(|_| "gone".into()));
        })
        .unwrap();
        (guard, receive)
    }

    #[test]
    fn each_way_of_editing_a_file_is_seen_once_with_its_final_content() {
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
        let (_guard, changes) = watched(&file, Watch::Poll { poll_interval: Duration::from_millis(20) });
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
        // the next real change is the first thing heard
        fs::write(&file, "other").unwrap();
        assert_eq!(changes.recv_timeout(SOON).unwrap(), "other");
        assert!(changes.try_recv().is_err());
    }
}
