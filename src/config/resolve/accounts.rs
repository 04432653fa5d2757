//! `[accounts]`

use std::ops::RangeInclusive;

use super::Scope;
use crate::config::{
    document::Key,
    model::{Accounts, Hashing, Store, StoreLocation},
    raw::{
        self,
        text::{As, Text},
        values::{address::FilePath, store::StoreUrl},
    },
};

/// Where accounts are kept when nothing is written.
const FILE: &str = "doorward.db";

/// A sign-in page of our own, which brings the browser back to where it wanted to go.
pub const OWN_SIGN_IN: &str = "/.doorward/sign-in?tenant={tenant}&to={return_path}";

pub fn accounts(raw: raw::accounts::Accounts, key: &Key, scope: &mut Scope<'_>) -> Accounts {
    let location = location(raw.store_url, raw.store_url_file, key, scope);
    let mut number = |name: &str, written: Option<u32>, default: u32, range: RangeInclusive<u32>| {
        let value = written.unwrap_or(default);
        in_range(&key.name(name), Some(value), range, scope);
        value
    };
    let parallel = number("hash_parallel", raw.hash_parallel, 0, 0..=1024) as usize;
    Accounts {
        enabled: raw.enabled.unwrap_or(false),
        hashing: Hashing {
            memory: number("hash_memory", raw.hash_memory, 19_456, 8_192..=131_072),
            iterations: number("hash_iterations", raw.hash_iterations, 2, 1..=100),
            parallel: if parallel == 0 {
                std::thread::available_parallelism().map_or(1, usize::from)
            } else {
                parallel
            },
            queue: number("hash_queue", raw.hash_queue, 100, 1..=100_000) as usize,
        },
        store: Store {
            location,
            max_connections: number("store_connections", raw.store_connections, 10, 1..=1_000),
        },
    }
}

fn location(
    written: Option<As<StoreUrl>>,
    file: Option<As<FilePath>>,
    key: &Key,
    scope: &mut Scope<'_>,
) -> StoreLocation {
    let beside = StoreLocation::Sqlite(scope.folder().join(FILE));
    let at = key.name(if file.is_some() { "store_url_file" } else { "store_url" });
    let url = match (written, file) {
        (None, None) => return beside,
        (written, file) => scope.secret(key, "store_url", written.map(|As(url)| As(url.0)), file),
    };
    // a secret that cannot be had has been told already
    let Some(url) = url else { return beside };
    StoreLocation::parse(url.expose(), scope.folder()).unwrap_or_else(|problem| {
        scope.mistake(&at, problem.to_string(), &format!("write {}", StoreUrl::WHAT));
        beside
    })
}

pub(super) fn in_range(key: &Key, written: Option<u32>, range: RangeInclusive<u32>, scope: &mut Scope<'_>) {
    if let Some(value) = written
        && !range.contains(&value)
    {
        scope.mistake(
            key,
            format!("{value} is out of range"),
            &format!("write a number from {} to {}", range.start(), range.end()),
        );
    }
}
