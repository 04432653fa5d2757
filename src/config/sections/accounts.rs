//! `[accounts]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::{address::FilePath, store::StoreUrl},
};

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
