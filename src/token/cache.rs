//! Cache of verified and refused tokens, by their hash: answers almost every request that carries one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, policy::EvictionPolicy, sync::Cache};

use super::{TokenError, VerifiedToken, key_set_cache::CachedKeySet};
use crate::crypto::sha256;

/// How long a refusal is cached: long enough to blunt a client that repeats itself, short enough that a fix takes effect
/// without a noticeable delay.
const REFUSAL_SECONDS: u64 = 5;
const MAX_REFUSALS: u64 = 4096;

pub type TokenDigest = [u8; 32];

pub fn digest_token(token: &str) -> TokenDigest {
    sha256(token.as_bytes())
}

/// The token and the generation of the policy it was evaluated under: after an edit, or for another tenant, it is evaluated again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenKey {
    pub digest: TokenDigest,
    pub policy: u64,
}

/// A key set, and its generation when a token was verified with it.
pub struct KeyGeneration {
    pub keys: Arc<CachedKeySet>,
    pub generation: u64,
}

impl KeyGeneration {
    /// Whether the set is unchanged. Refreshes it when that is due.
    fn is_current(&self, now: u64) -> bool {
        self.keys.refresh_if_due(now);
        self.keys.generation() == self.generation
    }
}

/// A result and the keys it depends on.
pub struct CachedToken {
    pub result: Result<Arc<VerifiedToken>, TokenError>,
    /// The keys it was verified with; `None` for opaque tokens.
    pub keys: Option<KeyGeneration>,
    /// When the result expires.
    pub expires_at: u64,
    /// When the result was cached.
    pub cached_at: u64,
}

pub struct TokenCache {
    verified: Cache<TokenKey, Arc<CachedToken>>,
    refused: Cache<TokenKey, Arc<CachedToken>>,
}

impl TokenCache {
    pub fn new(capacity: u64) -> Self {
        let verified = Cache::builder().max_capacity(capacity).expire_after(CachedTokenExpiry).build();
        // a cache of their own: a flood of invalid tokens must not evict the valid ones
        let refused = Cache::builder()
            .max_capacity(capacity.min(MAX_REFUSALS))
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(CachedTokenExpiry)
            .build();
        Self { verified, refused }
    }

    pub fn get(&self, key: &TokenKey, now: u64) -> Option<Result<Arc<VerifiedToken>, TokenError>> {
        lookup(&self.verified, key, now).or_else(|| lookup(&self.refused, key, now))
    }

    /// Caches a verified token for as long as it is valid, at most until `until`.
    pub fn insert_verified(
        &self,
        key: TokenKey,
        verified: &Arc<VerifiedToken>,
        keys: Option<KeyGeneration>,
        now: u64,
        until: u64,
    ) {
        let (result, expires_at) = (Ok(Arc::clone(verified)), until.min(verified.user.expires_at));
        self.verified.insert(key, Arc::new(CachedToken { result, keys, expires_at, cached_at: now }));
    }

    /// Caches refusals that are expensive to find; never that a token could not be verified.
    pub fn insert_refused(&self, key: TokenKey, error: &TokenError, keys: Option<KeyGeneration>, now: u64) {
        if matches!(error, TokenError::Unavailable | TokenError::NotYetValid | TokenError::TooLong) {
            return;
        }
        let until = now.saturating_add(REFUSAL_SECONDS);
        let entry = CachedToken { result: Err(error.clone()), keys, expires_at: until, cached_at: now };
        self.refused.insert(key, Arc::new(entry));
    }

    /// Drops all entries.
    pub fn clear(&self) {
        self.verified.invalidate_all();
        self.refused.invalidate_all();
    }
}

fn lookup(
    cache: &Cache<TokenKey, Arc<CachedToken>>,
    key: &TokenKey,
    now: u64,
) -> Option<Result<Arc<VerifiedToken>, TokenError>> {
    let entry = cache.get(key)?;
    if let Some(keys) = &entry.keys
        && !keys.is_current(now)
    {
        return None;
    }
    if let Ok(verified) = &entry.result
        && now >= verified.user.expires_at
    {
        return Some(Err(TokenError::Expired));
    }
    // before `cached_at` the clock was set back: the result need not apply
    (entry.cached_at..entry.expires_at).contains(&now).then(|| entry.result.clone())
}

/// Evicts expired entries; whether a result still applies is decided by the caller's clock.
struct CachedTokenExpiry;

impl Expiry<TokenKey, Arc<CachedToken>> for CachedTokenExpiry {
    fn expire_after_create(&self, _: &TokenKey, entry: &Arc<CachedToken>, _: Instant) -> Option<Duration> {
        Some(Duration::from_secs(entry.expires_at.saturating_sub(entry.cached_at)))
    }

    fn expire_after_update(
        &self,
        key: &TokenKey,
        entry: &Arc<CachedToken>,
        updated_at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, entry, updated_at)
    }
}
