//! Writes records on a thread of its own: a slow or full disk, pipe or terminal never delays a request.
//!
//! Records wait in a bounded queue while the target cannot be written. One that finds no room is lost and counted; no
//! record stays incomplete: it is completed, cut back or written again before the next one.

mod batch;
mod incident;
mod log_file;
mod syslog;
mod syslog_tls;
mod target;
mod writing;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::{log_file::LogFile, syslog::Syslog, target::Stdout, writing::Writing};
pub use self::{syslog::SyslogAddress, target::Target};
use super::metrics::Count;

/// Records that may wait for the target; more are lost and counted.
const QUEUE: usize = 16 * 1024;

/// Standard output, or whatever file is at a path.
pub fn stdout() -> io::Result<Box<dyn Target>> {
    Ok(Box::new(Stdout::open()?))
}

pub fn file(path: &Path) -> io::Result<Box<dyn Target>> {
    Ok(Box::new(LogFile::open(path)?))
}

pub fn syslog(address: SyslogAddress) -> Box<dyn Target> {
    Box::new(Syslog::new(address))
}

/// Appends one whole record with what ends it.
pub type Encode<R> = Box<dyn Fn(&R, &mut Vec<u8>) + Send>;

enum Message<R> {
    Record(Box<R>),
    /// The writer is to notice that it is being closed.
    Wake,
}

pub struct LogWriter<R> {
    queue: SyncSender<Message<R>>,
    lost: Count,
    closing: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<R: Send + 'static> LogWriter<R> {
    /// `name` is the log's name in messages about it; `lost` counts the records that were not written.
    pub fn start(
        name: &'static str,
        target: Box<dyn Target>,
        encode: Encode<R>,
        lost: Count,
    ) -> io::Result<Self> {
        let (queue, records) = sync_channel(QUEUE);
        let closing = Arc::new(AtomicBool::new(false));
        let writing = Writing::new(name, records, target, encode, (lost.clone(), Arc::clone(&closing)));
        let thread = thread::Builder::new().name(name.replace(' ', "-")).spawn(move || writing.run())?;
        Ok(Self { queue, lost, closing, thread: Mutex::new(Some(thread)) })
    }

    pub fn write(&self, record: Box<R>) {
        if self.queue.try_send(Message::Record(record)).is_err() {
            self.lost.inc();
        }
    }

    /// Writes the waiting records, and ends. Returns when that is done, or after `patience`.
    pub fn close(&self, patience: Duration) {
        self.closing.store(true, Ordering::Release);
        // a writer whose queue is full is awake
        if let Err(TrySendError::Disconnected(_)) = self.queue.try_send(Message::Wake) {
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
