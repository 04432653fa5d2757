//! The pattern of the password policy.

use crate::{
    config::text_form::{InvalidValue, TextForm},
    domain::password::JavaPattern,
};

impl TextForm for JavaPattern {
    const EXPECTED: &'static str = "a regular expression in Java's syntax";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        Self::compile(written).map_err(|problem| InvalidValue::because(&problem))
    }

    fn to_text(&self) -> String {
        self.source().to_owned()
    }
}
