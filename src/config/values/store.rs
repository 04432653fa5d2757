//! The URL of the store.

use std::path::Path;

use crate::config::{
    model::StoreLocation,
    secret::Secret,
    text_form::{InvalidValue, TextForm},
};

/// `sqlite:doorward.db` or `postgres://user:password@host/database`, as written. It shows without user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl(pub Secret);

impl TextForm for StoreUrl {
    const EXPECTED: &'static str = "\"sqlite:FILE\" or \"postgres://USER:PASSWORD@HOST/DATABASE\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        StoreLocation::parse(written, Path::new("")).map_err(|problem| InvalidValue::because(&problem))?;
        Ok(Self(Secret::new(written)))
    }

    fn to_text(&self) -> String {
        let location = StoreLocation::parse(self.0.expose(), Path::new(""));
        location.map_or_else(|problem| problem.to_string(), |location| location.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_url_round_trips_without_password() {
        for (written, shown) in [
            ("sqlite:doorward.db", "sqlite:doorward.db"),
            ("sqlite:///var/lib/doorward/d.db", "sqlite:/var/lib/doorward/d.db"),
            ("postgres://u:geheim@db:5433/d?sslmode=require", "postgres://db:5433/d"),
        ] {
            let url = StoreUrl::from_text(written).unwrap();
            assert_eq!(url.to_text(), shown);
            assert!(!format!("{url:?}").contains("geheim"));
            assert_eq!(StoreUrl::from_text(shown).unwrap().to_text(), shown);
        }
        for written in
            ["", "doorward.db", "sqlite:", "mysql://u:geheim@db/d", "postgres://u:geheim@db:port/d"]
        {
            let problem = StoreUrl::from_text(written).unwrap_err().to_string();
            assert!(!problem.contains("geheim"), "{problem}");
        }
    }
}
