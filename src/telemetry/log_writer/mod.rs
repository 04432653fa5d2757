//! Writes records on a thread of its own: a slow or full disk, pipe or terminal never delays a request.
//!
//! Records wait in a bounded queue while the target cannot be written. Records that do not fit are lost and counted; no
//! record stays incomplete: it is completed, truncated or written again before the next one.

mod batch;
mod incident;
mod log_file;
mod syslog;
mod syslog_tls;
mod target;
mod writer_thread;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub use self::target::LogTarget;
use self::{log_file::LogFile, syslog::SyslogTarget, target::Stdout, writer_thread::WriterThread};
use super::metrics::Count;
use crate::domain::syslog::SyslogAddress;

/// Records that may wait for the target; more are lost and counted.
const QUEUE: usize = 16 * 1024;

/// Standard output, or whatever file is at a path.
pub fn stdout() -> io::Result<Box<dyn LogTarget>> {
    Ok(Box::new(Stdout::open()?))
}

pub fn file(path: &Path) -> io::Result<Box<dyn LogTarget>> {
    Ok(Box::new(LogFile::open(path)?))
}

pub fn syslog(address: SyslogAddress) -> Box<dyn LogTarget> {
    Box::new(SyslogTarget::new(address))
}

/// Appends one complete record with its terminator.
pub type Encode<R> = Box<dyn Fn(&R, &mut Vec<u8>) + Send>;

enum WriterMessage<R> {
    Record(Box<R>),
    /// Wakes the writer so that it notices closing.
    Wake,
}

pub struct LogWriter<R> {
    /// Receives the records that a closed writer could not write. Without a receiver they are counted as lost, so this
    /// field must be dropped before the queue.
    unwritten: Mutex<Option<Receiver<Vec<Box<R>>>>>,
    queue: SyncSender<WriterMessage<R>>,
    lost: Count,
    closing: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// State that the writer's thread shares with the rest of the process.
struct Shared<R> {
    lost: Count,
    closing: Arc<AtomicBool>,
    unwritten: Sender<Vec<Box<R>>>,
}

impl<R: Send + 'static> LogWriter<R> {
    /// `name` is the log's name in messages about it; `lost` counts the records that were not written.
    pub fn start(
        name: &'static str,
        target: Box<dyn LogTarget>,
        encode: Encode<R>,
        lost: Count,
    ) -> io::Result<Self> {
        let (queue, records) = sync_channel(QUEUE);
        let closing = Arc::new(AtomicBool::new(false));
        let (send, unwritten) = channel();
        let shared = Shared { lost: lost.clone(), closing: Arc::clone(&closing), unwritten: send };
        let writing = WriterThread::new(name, records, target, encode, shared);
        let thread = thread::Builder::new().name(name.replace(' ', "-")).spawn(move || writing.run())?;
        Ok(Self {
            unwritten: Mutex::new(Some(unwritten)),
            queue,
            lost,
            closing,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub fn write(&self, record: Box<R>) {
        if self.queue.try_send(WriterMessage::Record(record)).is_err() {
            self.lost.inc();
        }
    }

    /// Writes the waiting records and ends the thread. Returns when that is done, or after `patience`. Remaining records
    /// are counted as lost.
    pub fn close(&self, timeout: Duration) {
        drop(self.take_unwritten());
        self.end(timeout);
    }

    /// As `close`, but returns the remaining records.
    pub fn hand_over(&self, patience: Duration) -> Vec<Box<R>> {
        let unwritten = self.take_unwritten();
        self.end(patience);
        unwritten.and_then(|unwritten| unwritten.try_recv().ok()).unwrap_or_default()
    }

    fn take_unwritten(&self) -> Option<Receiver<Vec<Box<R>>>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn end(&self, patience: Duration) {
        self.closing.store(true, Ordering::Release);
        // a writer with a full queue is awake
        if let Err(TrySendError::Disconnected(_)) = self.queue.try_send(WriterMessage::Wake) {
            return;
        }
        let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let start = Instant::now();
        while !thread.is_finished() && start.elapsed() < patience {
            thread::park_timeout(Duration::from_millis(2));
        }
    }
}

#[cfg(test)]
mod tests;
