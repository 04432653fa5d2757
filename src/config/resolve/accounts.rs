//! `[accounts]`

use std::ops::RangeInclusive;

use crate::config::document_context::DocumentContext;
use crate::config::{
    document::KeyPath,
    model::{AccountSettings, HashingSettings, StoreLocation, StoreSettings},
    sections,
    text_form::{AsText, TextForm},
    values::{address::FilePath, store::StoreUrl},
};

/// The default store file.
const DEFAULT_STORE_FILE: &str = "doorward.db";

/// A sign-in page of our own, which brings the browser back to where it wanted to go.
pub const OWN_SIGN_IN: &str = "/.doorward/sign-in?tenant={tenant}&to={return_path}";

pub fn accounts(
    raw: sections::accounts::AccountsSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> AccountSettings {
    let location = store_location(raw.store_url, raw.store_url_file, key, scope);
    let mut number = |name: &str, written: Option<u32>, default: u32, range: RangeInclusive<u32>| {
        let value = written.unwrap_or(default);
        check_range(&key.name(name), Some(value), range, scope);
        value
    };
    let parallel = number("hash_parallel", raw.hash_parallel, 0, 0..=1024) as usize;
    AccountSettings {
        enabled: raw.enabled.unwrap_or(false),
        hashing: HashingSettings {
            memory: number("hash_memory", raw.hash_memory, 19_456, 8_192..=131_072),
            iterations: number("hash_iterations", raw.hash_iterations, 2, 1..=100),
            parallel: if parallel == 0 {
                std::thread::available_parallelism().map_or(1, usize::from)
            } else {
                parallel
            },
            queue: number("hash_queue", raw.hash_queue, 100, 1..=100_000) as usize,
        },
        store: StoreSettings {
            location,
            max_connections: number("store_connections", raw.store_connections, 10, 1..=1_000),
        },
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
        scope.mistake(&at, problem.to_string(), &format!("write {}", StoreUrl::EXPECTED));
        default_location
    })
}

pub(super) fn check_range(
    key: &KeyPath,
    written: Option<u32>,
    range: RangeInclusive<u32>,
    scope: &mut DocumentContext<'_>,
) {
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
