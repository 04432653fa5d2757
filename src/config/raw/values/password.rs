//! What a password must match.

use crate::{config::raw::text::Text, domain::password::Pattern};

impl Text for Pattern {
    const WHAT: &'static str = "a regular expression in Java's syntax";

    fn read(written: &str) -> Result<Self, String> {
        Self::compile(written).map_err(|problem| problem.to_string())
    }

    fn show(&self) -> String {
        self.source().to_owned()
    }
}
