//! One line of JSON a request.

use std::{io, net::IpAddr, path::Path, sync::Arc, time::Duration};

use serde::Serialize;

use super::{
    log_writer::{self, LogTarget, LogWriter},
    metrics::Count,
};
use crate::domain::time::Timestamp;

#[derive(Debug, Default, Serialize)]
pub struct AccessLogEntry {
    /// RFC 3339, UTC
    #[serde(serialize_with = "rfc3339")]
    pub time: Timestamp,
    pub request_id: String,
    pub client: Option<IpAddr>,
    pub method: String,
    pub host: String,
    /// Without the query, which may contain secrets.
    pub path: String,
    pub protocol: &'static str,
    pub tenant: Option<String>,
    pub user: Option<String>,
    pub status: u16,
    /// The outcome, in the words of `doorward_requests_total`.
    pub decision: &'static str,
    pub reason: &'static str,
    pub rule: Option<Arc<str>>,
    pub user_agent: Option<String>,
    pub bytes_sent: u64,
    pub duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn rfc3339<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

pub struct AccessLog(LogWriter<AccessLogEntry>);

impl AccessLog {
    /// `lost` counts the lines that could not be written.
    pub fn stdout(lost: Count) -> io::Result<Arc<Self>> {
        Self::start(log_writer::stdout()?, lost)
    }

    /// Follows the path, not the file: a file that is moved away or removed is replaced by a new one within a second.
    pub fn file(path: &Path, lost: Count) -> io::Result<Arc<Self>> {
        Self::start(log_writer::file(path)?, lost)
    }

    fn start(target: Box<dyn LogTarget>, lost: Count) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self(LogWriter::start("access log", target, Box::new(encode), lost)?)))
    }

    pub fn write(&self, entry: Box<AccessLogEntry>) {
        self.0.write(entry);
    }

    /// Writes the queued entries, for at most `timeout`.
    pub fn close(&self, timeout: Duration) {
        self.0.close(timeout);
    }
}

/// An entry can always be encoded as JSON, and writing to memory cannot fail.
fn encode(entry: &AccessLogEntry, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(&mut *out, entry);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_entry_as_one_json_line() {
        let mut line = Vec::new();
        encode(
            &AccessLogEntry { path: "/a\"b\n".into(), status: 302, ..AccessLogEntry::default() },
            &mut line,
        );
        let text = String::from_utf8(line).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["path"], "/a\"b\n");
    }
}
