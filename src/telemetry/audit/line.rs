//! One audit event as text: JSON, or a message of syslog (RFC 5424) that carries the JSON.

use std::{fs, io::Write as _};

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

use crate::domain::time::Timestamp;

/// Facility `authpriv` (RFC 5424 §6.2.1).
const AUTHPRIV: u8 = 10;
/// Maximum length of a `MSGID`.
const MAX_MESSAGE_ID_BYTES: usize = 32;

/// As in RFC 5424 §6.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error = 3,
    Warning = 4,
    Informational = 6,
    Debug = 7,
}

#[derive(Debug, Clone)]
pub struct AuditLine {
    pub time: Timestamp,
    pub severity: Severity,
    /// In the order in which they were given; `message` is among them.
    pub fields: Vec<(&'static str, Value)>,
    pub request_id: Option<String>,
}

impl AuditLine {
    fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find_map(|(field, value)| (*field == name).then_some(value))
    }

    /// For programs; printable ASCII.
    fn message_id(&self) -> &str {
        let action = self.field("action").and_then(Value::as_str);
        let is_valid = |id: &&str| {
            (1..=MAX_MESSAGE_ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        };
        action.filter(is_valid).unwrap_or("-")
    }
}

impl Serialize for AuditLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &format!("{:.3}", self.time))?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        if let Some(request_id) = &self.request_id
            && self.field("request_id").is_none()
        {
            map.serialize_entry("request_id", request_id)?;
        }
        map.end()
    }
}

/// Host and process that send the messages.
#[derive(Debug, Clone)]
pub struct SyslogOrigin {
    host: String,
    process: u32,
}

impl SyslogOrigin {
    pub fn of_this_process() -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host: String = host.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
        Self { host: if host.is_empty() { "-".to_owned() } else { host }, process: std::process::id() }
    }
}

/// Writing to memory cannot fail, and an event can always be encoded as JSON.
pub fn as_json_line(line: &AuditLine, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(&mut *out, line);
    out.push(b'\n');
}

/// <https://www.rfc-editor.org/rfc/rfc5424#section-6>
pub fn as_syslog(line: &AuditLine, origin: &SyslogOrigin, out: &mut Vec<u8>) {
    let priority = AUTHPRIV * 8 + line.severity as u8;
    let (time, SyslogOrigin { host, process }, id) = (line.time, origin, line.message_id());
    let _ = write!(out, "<{priority}>1 {time:.3} {host} doorward {process} {id} - ");
    let _ = serde_json::to_writer(&mut *out, line);
}

/// With its length in front (RFC 6587 §3.4.1).
pub fn as_counted_syslog(line: &AuditLine, origin: &SyslogOrigin, out: &mut Vec<u8>) {
    let mut message = Vec::with_capacity(512);
    as_syslog(line, origin, &mut message);
    let _ = write!(out, "{} ", message.len());
    out.append(&mut message);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(action: &str) -> AuditLine {
        AuditLine {
            time: Timestamp::from_millis(1_795_903_200_123),
            severity: Severity::Warning,
            fields: vec![
                ("message", json!("account locked\nby wrong passwords")),
                ("action", json!(action)),
                ("user", json!("zoë")),
            ],
            request_id: Some("4711".to_owned()),
        }
    }

    fn text(encode: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    const JSON: &str = concat!(
        r#"{"time":"2026-11-28T22:00:00.123Z","message":"account locked\nby wrong passwords","#,
        r#""action":"lockout.set","user":"zoë","request_id":"4711"}"#
    );

    #[test]
    fn encodes_event_as_json_line_and_syslog_message() {
        let line = line("lockout.set");
        assert_eq!(text(|out| as_json_line(&line, out)), format!("{JSON}\n"));
        let origin = SyslogOrigin { host: "portal-1".to_owned(), process: 7 };
        let message = format!("<84>1 2026-11-28T22:00:00.123Z portal-1 doorward 7 lockout.set - {JSON}");
        assert_eq!(text(|out| as_syslog(&line, &origin, out)), message);
        let counted = text(|out| as_counted_syslog(&line, &origin, out));
        assert_eq!(counted, format!("{} {message}", message.len()));
    }

    #[test]
    fn omits_message_id_that_is_long_or_not_printable() {
        let long = "x".repeat(33);
        for (action, id) in [("login.failed", "login.failed"), ("", "-"), ("a b", "-"), (long.as_str(), "-")]
        {
            assert_eq!(line(action).message_id(), id);
        }
    }
}
