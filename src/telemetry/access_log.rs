//! One line of JSON a request.

use std::{io, net::IpAddr, path::Path, sync::Arc, time::Duration};

use serde::Serialize;

use super::{
    log_writer::{self, LogWriter, Target},
    metrics::Count,
};

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

pub struct AccessLog(LogWriter<Entry>);

impl AccessLog {
    /// `lost` counts the lines that could not be written.
    pub fn stdout(lost: Count) -> io::Result<Arc<Self>> {
        Self::start(log_writer::stdout()?, lost)
    }

    /// Follows the path, not the file: one that is moved away or removed is replaced by a new one within a second.
    pub fn file(path: &Path, lost: Count) -> io::Result<Arc<Self>> {
        Self::start(log_writer::file(path)?, lost)
    }

    fn start(target: Box<dyn Target>, lost: Count) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self(LogWriter::start("access log", target, Box::new(encode), lost)?)))
    }

    pub fn write(&self, entry: Box<Entry>) {
        self.0.write(entry);
    }

    /// Writes the lines that wait, as far as that takes no longer than `patience`.
    pub fn close(&self, patience: Duration) {
        self.0.close(patience);
    }
}

/// An entry has nothing that JSON cannot hold, and memory takes every write.
fn encode(entry: &Entry, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(&mut *out, entry);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_of_json_without_the_query() {
        let mut line = Vec::new();
        encode(&Entry { path: "/a\"b\n".into(), status: 302, ..Entry::default() }, &mut line);
        let text = String::from_utf8(line).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["path"], "/a\"b\n");
    }
}
