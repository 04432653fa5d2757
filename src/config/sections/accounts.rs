//! `[accounts]`

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::core_count;
use crate::config::{
    document::KeyPath,
    document_context::DocumentContext,
    secret::Secret,
    store::{StoreLocation, StoreSettings},
    text_form::{AsText, TextForm},
    values::{address::FilePath, store::StoreUrl},
};

/// The default store file.
const DEFAULT_STORE_FILE: &str = "doorward.db";

/// Doorward's own accounts: sign-in, and the store of accounts and sessions.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct AccountsSection {
    /// Enable accounts and sessions, and sign-in on Doorward's own page.
    #[schemars(extend("default" = false, "x-restart" = true))]
    pub enabled: Option<bool>,
    /// The store: a SQLite file, created at the first start, for one instance; PostgreSQL where several instances share it.
    #[schemars(extend("default" = "sqlite:doorward.db", "x-restart" = true))]
    pub store_url: Option<AsText<StoreUrl>>,
    /// A file with that URL, for one that has a password in it; a line break at its end does not count. Like `store_url` it
    /// is read at the start.
    #[schemars(extend("x-default" = "none"))]
    pub store_url_file: Option<AsText<FilePath>>,
    /// Connections to the store at a time, 1 to 1000. With PostgreSQL half of them only read, and at least one reads and one writes.
    #[schemars(extend("default" = 10, "x-restart" = true))]
    pub store_connections: Option<u32>,
    /// Memory of one password hash (argon2id) in KiB, 8192 to 131072. A password is hashed anew at its next sign-in
    /// after this or `hash_iterations` changed.
    #[schemars(extend("default" = 19456, "x-source" = "OWASP Password Storage Cheat Sheet", "x-restart" = true))]
    pub hash_memory: Option<u32>,
    /// Rounds of one password hash, 1 to 100.
    #[schemars(extend("default" = 2, "x-source" = "OWASP Password Storage Cheat Sheet", "x-restart" = true))]
    pub hash_iterations: Option<u32>,
    /// Passwords hashed at a time, at most 1024; 0 means one a core this process may use. Hashes that were imported from
    /// another system are verified beside them, half as many at a time.
    #[schemars(extend("default" = 0, "x-restart" = true))]
    pub hash_parallel: Option<u32>,
    /// Passwords that may wait to be hashed, 1 to 100000; further attempts get 429. So does a client (an
    /// address, or an IPv6 /64) that occupies a quarter of this and of `hash_parallel`, so that others are served.
    #[schemars(extend("default" = 100, "x-restart" = true))]
    pub hash_queue: Option<u32>,
}

/// Accounts of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    pub enabled: bool,
    pub store: StoreSettings,
    pub hashing: HashingSettings,
}

/// How passwords are hashed (argon2id), and how many at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashingSettings {
    /// KiB.
    pub memory: u32,
    pub iterations: u32,
    /// 0 has been replaced by the number of cores this process may use.
    pub parallel: usize,
    /// Hashes that may wait.
    pub queue: usize,
}

impl AccountsSection {
    pub fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> AccountSettings {
        let location = store_location(self.store_url, self.store_url_file, key, scope);
        let mut number = |name: &str, written: Option<u32>, default: u32, range: RangeInclusive<u32>| {
            scope.bounded(&key.name(name), written, default, range)
        };
        let parallel = number("hash_parallel", self.hash_parallel, 0, 0..=1024) as usize;
        AccountSettings {
            enabled: self.enabled.unwrap_or(false),
            hashing: HashingSettings {
                memory: number("hash_memory", self.hash_memory, 19_456, 8_192..=131_072),
                iterations: number("hash_iterations", self.hash_iterations, 2, 1..=100),
                parallel: if parallel == 0 { core_count() } else { parallel },
                queue: number("hash_queue", self.hash_queue, 100, 1..=100_000) as usize,
            },
            store: StoreSettings {
                location,
                max_connections: number("store_connections", self.store_connections, 10, 1..=1_000),
            },
        }
    }
}

fn store_location(
    written: Option<AsText<StoreUrl>>,
    file: Option<AsText<FilePath>>,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> StoreLocation {
    let default_location = StoreLocation::Sqlite(scope.folder().join(DEFAULT_STORE_FILE));
    let at = key.name(if file.is_some() { "store_url_file" } else { "store_url" });
    let url = match (written, file) {
        (None, None) => return default_location,
        (written, file) => scope.secret(key, "store_url", written.map(|AsText(url)| AsText(url.0)), file),
    };
    // an unreadable secret has been reported already
    let Some(url) = url else { return default_location };
    StoreLocation::parse(url.expose(), scope.folder()).unwrap_or_else(|problem| {
        scope.mistake(&at, problem.to_string(), &StoreUrl::remedy());
        default_location
    })
}

impl From<&AccountSettings> for AccountsSection {
    fn from(accounts: &AccountSettings) -> Self {
        let number = |value: usize| u32::try_from(value).ok();
        let hashing = &accounts.hashing;
        Self {
            enabled: Some(accounts.enabled),
            store_url: Some(AsText(StoreUrl(Secret::new(accounts.store.location.to_string())))),
            store_url_file: None,
            store_connections: Some(accounts.store.max_connections),
            hash_memory: Some(hashing.memory),
            hash_iterations: Some(hashing.iterations),
            hash_parallel: number(hashing.parallel),
            hash_queue: number(hashing.queue),
        }
    }
}

/// Each key that needs a restart, and whether it has changed.
pub fn restart_keys(old: &AccountSettings, new: &AccountSettings) -> Vec<(&'static str, bool)> {
    let (store, new_store) = (&old.store, &new.store);
    let (hashing, new_hashing) = (&old.hashing, &new.hashing);
    vec![
        ("accounts.enabled", old.enabled != new.enabled),
        ("accounts.store_url", store.location != new_store.location),
        ("accounts.store_connections", store.max_connections != new_store.max_connections),
        ("accounts.hash_memory", hashing.memory != new_hashing.memory),
        ("accounts.hash_iterations", hashing.iterations != new_hashing.iterations),
        ("accounts.hash_parallel", hashing.parallel != new_hashing.parallel),
        ("accounts.hash_queue", hashing.queue != new_hashing.queue),
    ]
}
