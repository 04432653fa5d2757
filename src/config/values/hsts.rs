//! `Strict-Transport-Security` (RFC 6797 §6.1).

use crate::config::text_form::{InvalidValue, TextForm};

/// `None`: no such header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hsts(pub Option<String>);

impl TextForm for Hsts {
    const EXPECTED: &'static str =
        "\"max-age=31536000\", with \"; includeSubDomains\" and \"; preload\" behind it, or \"\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        if written.is_empty() {
            return Ok(Self(None));
        }
        let mut directives = written.split(';').map(str::trim);
        let max_age = directives.next().and_then(|first| first.strip_prefix("max-age="));
        let is_number = max_age.is_some_and(|age| age.parse::<u32>().is_ok());
        let is_known = |directive: &str| {
            directive.eq_ignore_ascii_case("includeSubDomains") || directive.eq_ignore_ascii_case("preload")
        };
        if is_number && directives.all(is_known) {
            Ok(Self(Some(written.to_owned())))
        } else {
            Err(InvalidValue::new(format!("{written:?} is no value of Strict-Transport-Security")))
        }
    }

    fn to_text(&self) -> String {
        self.0.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_known_hsts_directives() {
        for written in ["", "max-age=0", "max-age=31536000; includeSubDomains; preload", "max-age=1;preload"]
        {
            assert_eq!(Hsts::from_text(written).unwrap().to_text(), written);
        }
        for written in [
            "31536000",
            "max-age",
            "max-age=",
            "max-age=1y",
            "max-age=-1",
            "max-age=1\r\nx: y",
            "max-age=1; x",
            "includeSubDomains",
        ] {
            assert!(Hsts::from_text(written).is_err(), "{written:?}");
        }
    }
}
