//! Where accounts, sessions and counters are kept: a file of SQLite, or a PostgreSQL server.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;
use url::Url;

use super::secret::Secret;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    pub location: StoreLocation,
    /// Connections kept at most. SQLite: those that read; there is one that writes beside them.
    pub max_connections: u32,
}

#[derive(Clone, PartialEq, Eq)]
pub enum StoreLocation {
    Sqlite(PathBuf),
    /// May hold a password.
    Postgres(Secret),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    #[error(
        "a store is `sqlite:doorward.db` (a file, beside the configuration unless its path is absolute) or \
         `postgres://user:password@host/database`"
    )]
    Unknown,
    #[error("a store of SQLite is a file: in memory it would be lost at the next start")]
    InMemory,
    #[error(
        "after the path of a SQLite file nothing may follow; write `?` and `#` in its name as %3F and %23"
    )]
    Parameters,
    #[error("the path of the SQLite file is not UTF-8 when its %-signs are read")]
    NotUtf8,
    #[error(
        "PostgreSQL's URL has no parameter `{0}` that is known here; the server is verified as `sslmode` and `sslrootcert` say"
    )]
    Parameter(String),
    #[error("`sslmode` is one of {}", SSL_MODES.join(", "))]
    SslMode,
    #[error(
        "the address of the PostgreSQL server ends within the password: write `/`, `?`, `#` and `@` in it as %2F, %3F, %23 and %40"
    )]
    Password,
    #[error("not an address of a PostgreSQL server: {0}")]
    Postgres(url::ParseError),
}

impl StoreLocation {
    /// Reads a URL as written in a file in `folder`.
    pub fn parse(url: &str, folder: &Path) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = url.trim().split_once(':').ok_or(StoreUrlError::Unknown)?;
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => sqlite_location(rest.strip_prefix("//").unwrap_or(rest), folder),
            "postgres" | "postgresql" => {
                // before any message can have a piece of the password in it
                if splits_password(rest) {
                    return Err(StoreUrlError::Password);
                }
                let parsed = Url::parse(url.trim()).map_err(StoreUrlError::Postgres)?;
                if parsed.cannot_be_a_base() {
                    return Err(StoreUrlError::Unknown);
                }
                check_parameters(&parsed)?;
                Ok(Self::Postgres(Secret::new(url.trim())))
            }
            _ => Err(StoreUrlError::Unknown),
        }
    }
}

/// An unescaped `/` or `#` in the password makes `user` the host, and the log would show the rest of the password.
fn splits_password(rest: &str) -> bool {
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, _) = rest.split_once('?').unwrap_or((rest, ""));
    let path = rest.strip_prefix("//").unwrap_or(rest).split_once('/').map_or("", |(_, path)| path);
    path.contains('@') || fragment.contains('@')
}

/// Parameters of the client library, which ignores unknown ones: a misspelt `sslmode` would disable server verification.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

fn check_parameters(url: &Url) -> Result<(), StoreUrlError> {
    for (name, value) in url.query_pairs() {
        if !PARAMETERS.contains(&name.as_ref()) && !name.starts_with("options[") {
            // `12?34@host` has a piece of a password here
            if url.query().is_some_and(|query| query.contains('@')) {
                return Err(StoreUrlError::Password);
            }
            return Err(StoreUrlError::Parameter(name.chars().take(40).collect()));
        }
        let is_mode = matches!(name.as_ref(), "sslmode" | "ssl-mode");
        if is_mode && !SSL_MODES.contains(&value.to_ascii_lowercase().as_str()) {
            return Err(StoreUrlError::SslMode);
        }
    }
    Ok(())
}

fn sqlite_location(path: &str, folder: &Path) -> Result<StoreLocation, StoreUrlError> {
    if path.contains(['?', '#']) {
        return Err(if path.contains("mode=memory") {
            StoreUrlError::InMemory
        } else {
            StoreUrlError::Parameters
        });
    }
    let path = percent_decode_str(path).decode_utf8().map_err(|_| StoreUrlError::NotUtf8)?;
    match path.as_ref() {
        "" => Err(StoreUrlError::Unknown),
        ":memory:" => Err(StoreUrlError::InMemory),
        path => Ok(StoreLocation::Sqlite(folder.join(path))),
    }
}

/// Without what must stay secret: `sqlite:/var/lib/doorward.db`, `postgres://db.example.com:5432/doorward`.
impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => {
                let Ok(url) = Url::parse(url.expose()) else { return f.write_str("postgres:********") };
                write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
                if let Some(port) = url.port() {
                    write!(f, ":{port}")?;
                }
                f.write_str(url.path())
            }
        }
    }
}

impl fmt::Debug for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> Result<String, StoreUrlError> {
        StoreLocation::parse(url, Path::new("/etc/doorward")).map(|location| location.to_string())
    }

    #[test]
    fn a_store_is_a_file_or_a_server() {
        for (url, location) in [
            ("sqlite:doorward.db", "sqlite:/etc/doorward/doorward.db"),
            ("sqlite://doorward.db", "sqlite:/etc/doorward/doorward.db"),
            ("sqlite:///var/lib/doorward.db", "sqlite:/var/lib/doorward.db"),
            ("sqlite:/var/lib/a%3Fb%20c.db", "sqlite:/var/lib/a?b c.db"),
            (" postgres://db/doorward ", "postgres://db/doorward"),
            ("postgresql://ann:geheim@db:5433/doorward?sslmode=require", "postgres://db:5433/doorward"),
            (
                "postgres://db/x?sslmode=verify-full&sslrootcert=/etc/ca.crt&options[search_path]=d",
                "postgres://db/x",
            ),
            ("postgres:///doorward?host=/run/postgresql&password=geheim", "postgres:///doorward"),
        ] {
            assert_eq!(shown(url).as_deref(), Ok(location), "{url}");
        }
    }

    #[test]
    fn rejects_urls_that_are_not_a_store() {
        for (url, mistake) in [
            ("", StoreUrlError::Unknown),
            ("doorward.db", StoreUrlError::Unknown),
            ("sqlite:", StoreUrlError::Unknown),
            ("mysql://db/doorward", StoreUrlError::Unknown),
            ("postgres:doorward", StoreUrlError::Unknown),
            ("sqlite::memory:", StoreUrlError::InMemory),
            ("sqlite://x?mode=memory", StoreUrlError::InMemory),
            ("sqlite:a.db?mode=ro", StoreUrlError::Parameters),
            ("sqlite:%ff.db", StoreUrlError::NotUtf8),
            ("postgres://db/x?sslmod=verify-full", StoreUrlError::Parameter("sslmod".to_owned())),
            ("postgres://db/x?sslmode=verify_full", StoreUrlError::SslMode),
        ] {
            assert_eq!(shown(url), Err(mistake), "{url}");
        }
        assert!(matches!(shown("postgres://[::1"), Err(StoreUrlError::Postgres(_))));
    }

    #[test]
    fn rejects_unescaped_password_without_showing_it() {
        for url in [
            "postgres://ann:ge/heim@db/doorward",
            "postgres://ann:ge@h/eim@db/doorward",
            "postgres://ann:1234#heim@db/doorward",
            "postgres://ann:1234?heim@db/doorward",
            "postgres://ann:ge/he=im@db/doorward",
            "postgres://ann:1234?he=im@db/doorward",
            "postgres://ann:ge#heim@db/doorward",
        ] {
            assert_eq!(shown(url), Err(StoreUrlError::Password), "{url}");
        }
        for url in [
            "postgres://ann:ge@heim@db/doorward",
            "postgres://db/doorward?user=ann@db",
            "postgres://db/x?application_name=a&user=ann@db",
        ] {
            assert!(shown(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn store_location_does_not_print_its_password() {
        let location = StoreLocation::parse("postgres://ann:geheim@db/doorward", Path::new("/")).unwrap();
        assert!(!format!("{location:?} {location}").contains("geheim"));
    }
}
