//! Where accounts are kept.

use std::path::Path;

use crate::config::{model::StoreLocation, raw::text::Text, secret::Secret};

/// `sqlite:doorward.db` or `postgres://user:password@host/database`, as written. It shows without user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl(pub Secret);

impl Text for StoreUrl {
    const WHAT: &'static str = "\"sqlite:FILE\" or \"postgres://USER:PASSWORD@HOST/DATABASE\"";

    fn read(written: &str) -> Result<Self, String> {
        StoreLocation::parse(written, Path::new("")).map_err(|problem| problem.to_string())?;
        Ok(Self(Secret::new(written)))
    }

    fn show(&self) -> String {
        let location = StoreLocation::parse(self.0.expose(), Path::new(""));
        location.map_or_else(|problem| problem.to_string(), |location| location.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back_and_has_no_password() {
        for (written, shown) in [
            ("sqlite:doorward.db", "sqlite:doorward.db"),
            ("sqlite:///var/lib/doorward/d.db", "sqlite:/var/lib/doorward/d.db"),
            ("postgres://u:geheim@db:5433/d?sslmode=require", "postgres://db:5433/d"),
        ] {
            let url = StoreUrl::read(written).unwrap();
            assert_eq!(url.show(), shown);
            assert!(!format!("{url:?}").contains("geheim"));
            assert_eq!(StoreUrl::read(shown).unwrap().show(), shown);
        }
        for written in
            ["", "doorward.db", "sqlite:", "mysql://u:geheim@db/d", "postgres://u:geheim@db:port/d"]
        {
            let problem = StoreUrl::read(written).unwrap_err();
            assert!(!problem.contains("geheim"), "{problem}");
        }
    }
}
