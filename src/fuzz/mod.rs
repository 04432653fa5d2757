//! Fuzz targets: each reads untrusted bytes with one parser and asserts what must hold for every input.
//!
//! libFuzzer calls them from `fuzz/`; `tests` calls them with the seeds in `fuzz/corpus` and a fixed number of mutations.

mod chunked_body;
mod cookies;
mod deployment_toml;
mod forwarded;
mod guard_form;
mod http1_answer;
mod json_document;
mod jws;
mod password_pattern;
mod request_target;
#[cfg(test)]
mod tests;

use http::{HeaderName, HeaderValue, Request, header::HOST, request::Parts};

pub use self::{
    chunked_body::chunked_body, cookies::cookies, deployment_toml::deployment_toml, forwarded::forwarded,
    guard_form::guard_form, http1_answer::http1_answer, json_document::json_document, jws::jws,
    password_pattern::password_pattern, request_target::request_target,
};
use crate::{config::Mistake, proxy::validation::HeadLimits};

const LIMITS: HeadLimits = HeadLimits { max_target_bytes: 8 * 1024, max_header_bytes: usize::MAX };

/// The lines of an input, without their ends.
fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// `name: value`, as far as HTTP allows both.
fn header_line(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let name = HeaderName::from_bytes(name).ok()?;
    let value = HeaderValue::from_bytes(value.strip_prefix(b":")?.trim_ascii()).ok()?;
    Some((name, value))
}

/// The head of `GET / HTTP/1.1` with a `Host`.
fn request() -> Parts {
    let mut parts = Request::new(()).into_parts().0;
    parts.headers.insert(HOST, HeaderValue::from_static("portal.example"));
    parts
}

/// Whether a line and a column, both from 1, are in `text` or directly behind its last character.
fn is_in(text: &str, line: usize, column: usize) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let found = line.checked_sub(1).and_then(|index| text.split('\n').nth(index));
    found.is_some_and(|found| (1..=found.chars().count() + 1).contains(&column))
}

/// A refused file has at least one reason, each says something, and each place is in the file.
fn are_explained(mistakes: &[Mistake], text: &str) {
    assert!(!mistakes.is_empty(), "refused without a reason");
    for mistake in mistakes {
        assert!(!mistake.message.is_empty(), "{mistake:?}");
        if let (Some(line), Some(column)) = (mistake.line, mistake.column) {
            assert!(is_in(text, line, column), "{mistake:?} is not in the file");
        }
    }
    let places: Vec<_> = mistakes.iter().map(|mistake| (mistake.line, mistake.column)).collect();
    assert!(places.is_sorted(), "{mistakes:?} are not in the order of the file");
}
