//! The answer that a client received.

use super::message::{Headers, find};

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Headers,
    /// Interim answers (1xx) that came before, by status.
    pub interim: Vec<u16>,
    /// The body ended as its framing said.
    pub complete: bool,
}

/// Headers that differ between runs, or are irrelevant to the rule under test.
const VOLATILE: [&str; 4] = ["date", "x-request-id", "content-length", "connection"];

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// Where a redirect leads.
    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location").expect("a Location header")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.text()))
    }

    /// Status and headers as a snapshot: sorted, without values that differ between runs.
    pub fn head(&self) -> String {
        let reason = http::StatusCode::from_u16(self.status).ok().and_then(|s| s.canonical_reason());
        let mut lines: Vec<String> = self
            .headers
            .iter()
            .filter(|(name, _)| !VOLATILE.iter().any(|v| name.eq_ignore_ascii_case(v)))
            .map(|(name, value)| format!("\n{}: {value}", name.to_ascii_lowercase()))
            .collect();
        lines.sort();
        format!("{} {}{}", self.status, reason.unwrap_or_default(), lines.concat())
    }
}
