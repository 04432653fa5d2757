//! Validates property values, and converts them into the canonical form in which they are stored.

use url::Url;

use super::{ExpiryRule, Kind, Property, update_refusal::printable};
use crate::domain::{account::LoginAttribute, password::JavaPattern};

/// No value is longer, whatever it is.
const MAX_VALUE_CHARS: usize = 2048;

/// The placeholder of WSO2's product configuration for "the portal's own origin".
const WSO2_OWN_ORIGIN: &str = "${protocol}://${host}:${port}/.*";

/// The problem of a value, and the accepted values. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(pub(super) String);

impl BadValue {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl Property {
    /// The one form of a value: `TRUE` is `true`, ` 05` is `5`.
    pub fn check(&self, value: &str) -> Result<String, BadValue> {
        if value.chars().count() > MAX_VALUE_CHARS {
            return Err(BadValue::new(format!(
                "longer than {MAX_VALUE_CHARS} characters: give a shorter one"
            )));
        }
        if value.chars().any(char::is_control) {
            return Err(BadValue::new("has a line break or another control character: give one line"));
        }
        let trimmed = value.trim();
        if let Some(meant) = self.blank_value().filter(|_| trimmed.is_empty() && !self.is_secret()) {
            return Ok(meant.to_owned());
        }
        match self.kind {
            Kind::Boolean => {
                Some(trimmed.to_ascii_lowercase()).filter(|word| word == "true" || word == "false")
            }
            Kind::Integer { min, max, never } => integer(trimmed, min, max, never),
            Kind::Days { most, max } => days(trimmed, most, max),
            Kind::CallbackPattern if is_own_origin(trimmed) => Some(String::new()),
            // a blank at the end of a pattern is a character like any other
            Kind::PasswordPattern | Kind::CallbackPattern | Kind::AnswerPattern => {
                JavaPattern::compile(value).map_err(|problem| BadValue::new(problem.to_string()))?;
                Some(value.to_owned())
            }
            Kind::OtpFormat => is_otp_format(trimmed).then(|| trimmed.to_owned()),
            Kind::Url { .. } => is_web_url(trimmed).then(|| trimmed.to_owned()),
            Kind::Choice(words) => {
                words.iter().find(|word| word.eq_ignore_ascii_case(trimmed)).map(|word| (*word).to_owned())
            }
            Kind::Claims => claims(trimmed),
            Kind::ExpiryRule => Some(ExpiryRule::parse(trimmed)?.to_string()),
            Kind::DateFormat => is_date_format(trimmed).then(|| trimmed.to_owned()),
            Kind::Text { most, .. } => {
                // blanks may well belong to a secret
                let text = if self.is_secret() { value } else { trimmed };
                let length = text.chars().count();
                if length > most {
                    return Err(BadValue::new(format!("has {length} characters: give at most {most}")));
                }
                Some(text.to_owned())
            }
            Kind::Link if value == self.default => Some(value.to_owned()),
            Kind::Link => return Err(BadValue::new("is a link that cannot be changed: leave it out")),
        }
        .ok_or_else(|| {
            let unit = self.unit.map(|unit| format!(" ({unit})")).unwrap_or_default();
            BadValue::new(format!(
                "\"{}\" is not possible: give {}{unit}",
                printable(value),
                self.kind.bounds()
            ))
        })
    }

    fn blank_value(&self) -> Option<&'static str> {
        match self.kind {
            Kind::PasswordPattern
            | Kind::AnswerPattern
            | Kind::Claims
            | Kind::Text { blank_is_default: true, .. } => Some(self.default),
            Kind::CallbackPattern
            | Kind::ExpiryRule
            | Kind::Url { may_be_blank: true }
            | Kind::Text { blank_is_default: false, .. } => Some(""),
            _ => None,
        }
    }
}

fn integer(written: &str, min: u32, max: u32, never: bool) -> Option<String> {
    let digits = written.strip_prefix(['-', '+']).unwrap_or(written);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    if written.starts_with('-') && !significant.is_empty() {
        return never.then(|| "-1".to_owned());
    }
    let number = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    (min..=max).contains(&number).then(|| number.to_string())
}

/// In ascending order, each once.
fn days(written: &str, most: usize, max: u32) -> Option<String> {
    let mut numbers = written
        .split(',')
        .map(|day| integer(day.trim(), 1, max, false)?.parse().ok())
        .collect::<Option<Vec<u32>>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    let texts: Vec<_> = numbers.iter().map(u32::to_string).collect();
    (texts.len() <= most).then(|| texts.join(","))
}

fn claims(written: &str) -> Option<String> {
    let mut uris: Vec<&str> = Vec::new();
    for uri in written.split(',').map(str::trim) {
        LoginAttribute::from_claim(uri)?;
        if !uris.contains(&uri) {
            uris.push(uri);
        }
    }
    Some(uris.join(","))
}

fn is_web_url(written: &str) -> bool {
    Url::parse(written).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            // `https:/host` is read as a URL too
            && written.as_bytes().get(url.scheme().len()..).is_some_and(|rest| rest.starts_with(b"://"))
            && !written.contains(char::is_whitespace)
    })
}

fn is_own_origin(pattern: &str) -> bool {
    pattern.replace('\\', "") == WSO2_OWN_ORIGIN
}

/// `[…]{n}` of WSO2's three ranges.
fn is_otp_format(written: &str) -> bool {
    let parts = written
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix('}'))
        .and_then(|rest| rest.split_once("]{"));
    let Some((mut ranges, length)) = parts else { return false };
    let mut count = 0;
    while let Some(rest) = ["a-z", "A-Z", "0-9"].iter().find_map(|range| ranges.strip_prefix(range)) {
        ranges = rest;
        count += 1;
    }
    let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    ranges.is_empty()
        && (1..=3).contains(&count)
        && digits
        && length.parse::<u32>().is_ok_and(|length| (4..=32).contains(&length))
}

fn is_date_format(written: &str) -> bool {
    let letters: Vec<char> = written.chars().collect();
    let allowed = letters.iter().all(|c| matches!(c, 'd' | 'M' | 'y' | 'E' | ' ' | '-' | '/' | '.' | ','));
    let short = letters.chunk_by(|a, b| a == b).all(|run| run.len() <= 4);
    allowed && short && ['d', 'M', 'y'].iter().all(|needed| letters.contains(needed)) && letters.len() <= 32
}
