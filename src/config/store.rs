//! Where accounts, sessions and counters are kept: a file of SQLite, or a PostgreSQL server.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;
use url::Url;

use super::secret::Secret;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
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
pub enum BadStoreUrl {
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
        "PostgreSQL's URL has no parameter `{0}` that is known here; how the server is proved is `sslmode` and `sslrootcert`"
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
    pub fn parse(url: &str, folder: &Path) -> Result<Self, BadStoreUrl> {
        let (scheme, rest) = url.trim().split_once(':').ok_or(BadStoreUrl::Unknown)?;
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => sqlite(rest.strip_prefix("//").unwrap_or(rest), folder),
            "postgres" | "postgresql" => {
                // before any message can have a piece of the password in it
                if cut_in_the_password(rest) {
                    return Err(BadStoreUrl::Password);
                }
                let parsed = Url::parse(url.trim()).map_err(BadStoreUrl::Postgres)?;
                if parsed.cannot_be_a_base() {
                    return Err(BadStoreUrl::Unknown);
                }
                parameters(&parsed)?;
                Ok(Self::Postgres(Secret::new(url.trim())))
            }
            _ => Err(BadStoreUrl::Unknown),
        }
    }
}

/// Who writes `p/w` or `p#w` before the `@` has named a host `user`, and shows the rest to whoever reads the log.
fn cut_in_the_password(rest: &str) -> bool {
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, _) = rest.split_once('?').unwrap_or((rest, ""));
    let path = rest.strip_prefix("//").unwrap_or(rest).split_once('/').map_or("", |(_, path)| path);
    path.contains('@') || fragment.contains('@')
}

/// What the library we ask with knows. It leaves out what it does not: a misspelt `sslmode` would mean no proof of the server.
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

fn parameters(url: &Url) -> Result<(), BadStoreUrl> {
    for (name, value) in url.query_pairs() {
        if !PARAMETERS.contains(&name.as_ref()) && !name.starts_with("options[") {
            // `12?34@host` has a piece of a password here
            if url.query().is_some_and(|query| query.contains('@')) {
                return Err(BadStoreUrl::Password);
            }
            return Err(BadStoreUrl::Parameter(name.chars().take(40).collect()));
        }
        let is_mode = matches!(name.as_ref(), "sslmode" | "ssl-mode");
        if is_mode && !SSL_MODES.contains(&value.to_ascii_lowercase().as_str()) {
            return Err(BadStoreUrl::SslMode);
        }
    }
    Ok(())
}

fn sqlite(path: &str, folder: &Path) -> Result<StoreLocation, BadStoreUrl> {
    if path.contains(['?', '#']) {
        return Err(if path.contains("mode=memory") {
            BadStoreUrl::InMemory
        } else {
            BadStoreUrl::Parameters
        });
    }
    let path = percent_decode_str(path).decode_utf8().map_err(|_| BadStoreUrl::NotUtf8)?;
    match path.as_ref() {
        "" => Err(BadStoreUrl::Unknown),
        ":memory:" => Err(BadStoreUrl::InMemory),
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

    fn shown(url: &str) -> Result<String, BadStoreUrl> {
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
    fn what_is_no_store_says_so() {
        for (url, mistake) in [
            ("", BadStoreUrl::Unknown),
            ("doorward.db", BadStoreUrl::Unknown),
            ("sqlite:", BadStoreUrl::Unknown),
            ("mysql://db/doorward", BadStoreUrl::Unknown),
            ("postgres:doorward", BadStoreUrl::Unknown),
            ("sqlite::memory:", BadStoreUrl::InMemory),
            ("sqlite://x?mode=memory", BadStoreUrl::InMemory),
            ("sqlite:a.db?mode=ro", BadStoreUrl::Parameters),
            ("sqlite:%ff.db", BadStoreUrl::NotUtf8),
            ("postgres://db/x?sslmod=verify-full", BadStoreUrl::Parameter("sslmod".to_owned())),
            ("postgres://db/x?sslmode=verify_full", BadStoreUrl::SslMode),
        ] {
            assert_eq!(shown(url), Err(mistake), "{url}");
        }
        assert!(matches!(shown("postgres://[::1"), Err(BadStoreUrl::Postgres(_))));
    }

    #[test]
    fn a_password_that_ends_the_address_is_named_and_not_shown() {
        for url in [
            "postgres://ann:ge/heim@db/doorward",
            "postgres://ann:ge@h/eim@db/doorward",
            "postgres://ann:1234#heim@db/doorward",
            "postgres://ann:1234?heim@db/doorward",
            "postgres://ann:ge/he=im@db/doorward",
            "postgres://ann:1234?he=im@db/doorward",
            "postgres://ann:ge#heim@db/doorward",
        ] {
            assert_eq!(shown(url), Err(BadStoreUrl::Password), "{url}");
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
    fn a_password_does_not_print() {
        let location = StoreLocation::parse("postgres://ann:geheim@db/doorward", Path::new("/")).unwrap();
        assert!(!format!("{location:?} {location}").contains("geheim"));
    }
}
