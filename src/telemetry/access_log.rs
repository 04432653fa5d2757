//! One line of JSON a request, written by a thread of its own: a slow disk or terminal never holds up a request.

mod target;

use std::{
    io::{self, BufWriter, Write},
    net::IpAddr,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use serde::Serialize;

use self::target::{LogFile, Target};
use super::metrics::Count;

/// Lines that may wait for the writer; more are dropped and counted.
const QUEUE: usize = 16 * 1024;
/// How often the writer looks whether somebody (logrotate) has moved its file away.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Serialize)]
pub struct Entry {
    /// RFC 3339, UTC
    #[serde(serialize_with = "rfc3339")]
    pub time: jiff::Timestamp,
    pub request_id: String,
    pub client: Option<IpAddr>,
    pub method: String,
    pub host: String,
    /// Without the query, which may hold what nobody should read in a log.
    pub path: String,
    pub protocol: &'static str,
    pub tenant: Option<String>,
    pub user: Option<String>,
    pub status: u16,
    /// What became of it, in the words of `doorward_requests_total`.
    pub decision: &'static str,
    pub reason: &'static str,
    pub rule: Option<Arc<str>>,
    pub user_agent: Option<String>,
    pub bytes_sent: u64,
    pub duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn rfc3339<S: serde::Serializer>(time: &jiff::Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

pub struct AccessLog {
    queue: SyncSender<Box<Entry>>,
    dropped: Count,
}

impl AccessLog {
    /// `dropped` counts the lines that found no place in the queue.
    pub fn stdout(dropped: Count) -> io::Result<Arc<Self>> {
        Self::start(io::stdout(), dropped)
    }

    /// Follows the path, not the file: one that is moved away or removed is replaced by a new one within a second.
    pub fn file(path: &Path, dropped: Count) -> io::Result<Arc<Self>> {
        Self::start(LogFile::open(path)?, dropped)
    }

    fn start(target: impl Target + Send + 'static, dropped: Count) -> io::Result<Arc<Self>> {
        let (queue, entries) = sync_channel(QUEUE);
        thread::Builder::new().name("access-log".into()).spawn(move || write_all(&entries, target))?;
        Ok(Arc::new(Self { queue, dropped }))
    }

    pub fn write(&self, entry: Box<Entry>) {
        if self.queue.try_send(entry).is_err() {
            self.dropped.inc();
        }
    }
}

/// Flushes whenever nothing waits, so that a line is never late. Ends when nobody can send any more.
fn write_all<T: Target>(entries: &Receiver<Box<Entry>>, target: T) {
    let mut target = BufWriter::with_capacity(64 * 1024, target);
    loop {
        let mut next = match entries.recv_timeout(LOOK) {
            Ok(entry) => Some(entry),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // before the line, which then goes to the new file
        target.get_mut().refresh();
        while let Some(entry) = next {
            // nobody is left to be told when the log itself cannot be written
            let _ = serde_json::to_writer(&mut target, &entry);
            let _ = target.write_all(b"\n");
            next = entries.try_recv().ok();
        }
        let _ = target.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Target for &mut Vec<u8> {
        fn refresh(&mut self) {}
    }

    #[test]
    fn an_entry_is_one_line_of_json_without_the_query() {
        let mut line = Vec::new();
        let (queue, entries) = sync_channel(1);
        queue.send(Box::new(Entry { path: "/a\"b\n".into(), status: 302, ..Entry::default() })).unwrap();
        drop(queue);
        write_all(&entries, &mut line);
        let text = String::from_utf8(line).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["path"], "/a\"b\n");
    }

    #[test]
    fn a_full_queue_drops_lines_and_never_blocks() {
        let (queue, entries) = sync_channel(1);
        let log = AccessLog { queue, dropped: Count::default() };
        for _ in 0..3 {
            log.write(Box::default());
        }
        assert_eq!(log.dropped.get(), 2);
        drop(entries);
    }
}
