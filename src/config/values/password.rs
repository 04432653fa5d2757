//! The pattern of the password policy.

use crate::{config::text_form::TextForm, domain::password::JavaPattern};

impl TextForm for JavaPattern {
    const EXPECTED: &'static str = "a regular expression in Java's syntax";

    fn from_text(written: &str) -> Result<Self, String> {
        Self::compile(written).map_err(|problem| problem.to_string())
    }

    fn to_text(&self) -> String {
        self.source().to_owned()
    }
}
