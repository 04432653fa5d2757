//! Cache of verified and refused tokens, by their hash: answers almost every request that carries one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, policy::EvictionPolicy, sync::Cache};

use super::{TokenError, VerifiedToken, key_set_cache::CachedKeySet};
use crate::{crypto::sha256, domain::time::Timestamp};

/// How long a refusal is cached: long enough to blunt a client that repeats itself, short enough that a fix takes effect
/// without a noticeable delay.
const REFUSAL_TTL: Duration = Duration::from_secs(5);
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
    fn is_current(&self, now: Timestamp) -> bool {
        self.keys.refresh_if_due(now);
        self.keys.generation() == self.generation
    }
}

/// A result and the keys it depends on.
pub struct CachedToken {
    pub result: Result<Arc<VerifiedToken>, TokenError>,
    /// The keys it was verified with; `None` for opaque tokens.
    pub keys: Option<KeyGeneration>,
    pub validity: CachePeriod,
}

/// When a cached result may be used.
#[derive(Debug, Clone, Copy)]
pub struct CachePeriod {
    pub cached_at: Timestamp,
    pub expires_at: Timestamp,
}

impl CachePeriod {
    /// Requests read the clock when they arrive, so that one may find what a later one has cached.
    const OVERLAP: Duration = Duration::from_secs(1);

    /// Not long before `cached_at`: the clock was set back then, and the result need not apply.
    pub fn contains(self, now: Timestamp) -> bool {
        now + Self::OVERLAP > self.cached_at && now < self.expires_at
    }

    pub fn length(self) -> Duration {
        self.expires_at.saturating_since(self.cached_at)
    }
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

    pub fn get(&self, key: &TokenKey, now: Timestamp) -> Option<Result<Arc<VerifiedToken>, TokenError>> {
        lookup(&self.verified, key, now).or_else(|| lookup(&self.refused, key, now))
    }

    /// Caches a verified token for as long as it is valid, at most until `until`.
    pub fn insert_verified(
        &self,
        key: TokenKey,
        verified: &Arc<VerifiedToken>,
        keys: Option<KeyGeneration>,
        now: Timestamp,
        until: Timestamp,
    ) {
        let (result, expires_at) = (Ok(Arc::clone(verified)), until.min(verified.user.expires_at));
        let validity = CachePeriod { cached_at: now, expires_at };
        self.verified.insert(key, Arc::new(CachedToken { result, keys, validity }));
    }

    /// Caches refusals that are expensive to find; never that a token could not be verified.
    pub fn insert_refused(
        &self,
        key: TokenKey,
        error: &TokenError,
        keys: Option<KeyGeneration>,
        now: Timestamp,
    ) {
        if matches!(error, TokenError::Unavailable | TokenError::NotYetValid | TokenError::TooLong) {
            return;
        }
        let validity = CachePeriod { cached_at: now, expires_at: now + REFUSAL_TTL };
        let entry = CachedToken { result: Err(error.clone()), keys, validity };
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
    now: Timestamp,
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
    entry.validity.contains(now).then(|| entry.result.clone())
}

/// Evicts expired entries; whether a result still applies is decided by the caller's clock.
struct CachedTokenExpiry;

impl Expiry<TokenKey, Arc<CachedToken>> for CachedTokenExpiry {
    fn expire_after_create(&self, _: &TokenKey, entry: &Arc<CachedToken>, _: Instant) -> Option<Duration> {
        Some(entry.validity.length())
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
