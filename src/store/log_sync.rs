//! Group commit for SQLite: a change is acknowledged once the write-ahead log is on the disk, and changes made at the same
//! time share one sync.
//!
//! `synchronous = FULL` would sync inside each transaction, one after the other. Here a transaction is committed first
//! (`synchronous = NORMAL`, which syncs the log before and the database after a checkpoint), and a sync that begins after
//! that acknowledges it.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{runtime::Handle, sync::Mutex};

use super::{StoreError, sqlite_file::FileIdentity};

pub struct LogSync {
    sync: Arc<dyn Fn() -> io::Result<()> + Send + Sync>,
    background: Handle,
    /// Changes committed so far: each has a number.
    committed: Arc<AtomicU64>,
    synced: Arc<Mutex<SyncState>>,
    syncs: AtomicU64,
}

#[derive(Default)]
struct SyncState {
    /// The last change that a sync was made for, successful or not.
    upto: u64,
    /// The range of changes that may not be on the disk, and the reason.
    failed: Option<(u64, u64, String)>,
}

impl SyncState {
    /// `last`: the last change committed before the sync.
    fn record(&mut self, last: u64, committed: &AtomicU64, sync: &dyn Fn() -> io::Result<()>) {
        let first = self.upto + 1;
        let Err(error) = sync() else {
            self.upto = last;
            return;
        };
        // the kernel reports a failed write once: the next sync does not cover earlier writes
        let last = committed.load(Ordering::Acquire);
        let first = self.failed.as_ref().map_or(first, |(earlier, ..)| first.min(*earlier));
        self.failed = Some((first, last, error.to_string()));
        self.upto = last;
    }
}

impl LogSync {
    /// For the database `identity`, with the current runtime's threads for blocking work.
    pub fn of(identity: FileIdentity) -> Self {
        let log = WriteAheadLog::of(identity);
        Self::with(Arc::new(move || log.sync()))
    }

    fn with(sync: Arc<dyn Fn() -> io::Result<()> + Send + Sync>) -> Self {
        Self {
            sync,
            background: Handle::current(),
            committed: Arc::default(),
            synced: Arc::default(),
            syncs: AtomicU64::new(0),
        }
    }

    /// Returns when all that was committed before the call is on the disk.
    pub async fn acknowledge(&self) -> Result<(), StoreError> {
        let mine = self.committed.fetch_add(1, Ordering::AcqRel) + 1;
        let mut synced = Arc::clone(&self.synced).lock_owned().await;
        if synced.upto < mine {
            let (sync, committed) = (Arc::clone(&self.sync), Arc::clone(&self.committed));
            let last = committed.load(Ordering::Acquire);
            self.syncs.fetch_add(1, Ordering::Relaxed);
            // recorded on that thread, so that a failure is not lost if the caller is cancelled
            let done = self.background.spawn_blocking(move || {
                synced.record(last, &committed, &*sync);
                synced
            });
            synced = done.await.map_err(|error| StoreError::Unwritable(error.to_string()))?;
        }
        match &synced.failed {
            Some((first, last, reason)) if (*first..=*last).contains(&mine) => {
                Err(StoreError::Unwritable(reason.clone()))
            }
            _ => Ok(()),
        }
    }

    /// The number of syncs.
    #[cfg(test)]
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

/// The write-ahead log beside a database.
struct WriteAheadLog {
    database: FileIdentity,
    path: PathBuf,
    folder: PathBuf,
    /// The inode whose entry in the folder is on the disk.
    known: AtomicU64,
}

impl WriteAheadLog {
    fn of(database: FileIdentity) -> Self {
        let mut path = database.path().as_os_str().to_owned();
        path.push("-wal");
        let folder = database.path().parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        Self { path: path.into(), folder, database, known: AtomicU64::new(0) }
    }

    fn sync(&self) -> io::Result<()> {
        self.database.verify()?;
        // opened each time, because SQLite makes a new one after all connections were closed
        let name =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display()));
        let log = File::open(&self.path).map_err(name)?;
        log.sync_data().map_err(name)?;
        let inode = log.metadata().map_err(name)?.ino();
        if self.known.swap(inode, Ordering::AcqRel) != inode {
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex as Lock, mpsc},
        time::Duration,
    };

    use futures_util::future::join_all;

    use super::*;

    /// A disk that waits before each sync until it receives the result.
    fn disk() -> (LogSync, mpsc::Sender<io::Result<()>>) {
        let (tell, told) = mpsc::channel();
        let told = Lock::new(told);
        (LogSync::with(Arc::new(move || told.lock().unwrap().recv().unwrap())), tell)
    }

    #[tokio::test]
    async fn changes_made_during_a_sync_share_the_next_one() {
        let (log, disk) = disk();
        let first = async { log.acknowledge().await.unwrap() };
        let others = async {
            tokio::task::yield_now().await;
            let others = join_all((0..50).map(|_| log.acknowledge()));
            let release = async {
                disk.send(Ok(())).unwrap();
                disk.send(Ok(())).unwrap();
            };
            let (others, ()) = tokio::join!(others, release);
            assert!(others.iter().all(Result::is_ok));
        };
        tokio::join!(first, others);
        assert_eq!(log.syncs(), 2);
    }

    #[tokio::test]
    async fn acknowledges_a_change_only_after_a_successful_sync() {
        let (log, disk) = disk();
        let waiting = tokio::time::timeout(Duration::from_millis(20), log.acknowledge()).await;
        assert!(waiting.is_err(), "the disk is not done");
        disk.send(Ok(())).unwrap();
        disk.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        let failed = log.acknowledge().await.unwrap_err();
        assert!(matches!(failed, StoreError::Unwritable(_)), "{failed}");
        disk.send(Ok(())).unwrap();
        log.acknowledge().await.unwrap();
    }

    #[tokio::test]
    async fn a_failed_sync_is_recorded_when_its_caller_has_given_up() {
        let (log, disk) = disk();
        let gives_up = tokio::time::timeout(Duration::from_millis(20), log.acknowledge()).await;
        assert!(gives_up.is_err(), "the disk is not done");
        let fails = async { disk.send(Err(io::ErrorKind::StorageFull.into())).unwrap() };
        let (written_before, ()) = tokio::join!(log.acknowledge(), fails);
        assert!(matches!(written_before.unwrap_err(), StoreError::Unwritable(_)));
        disk.send(Ok(())).unwrap();
        log.acknowledge().await.unwrap();
    }
}
