//! Tokens whose answer is known, by their hash: the way of almost every request that carries one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::digest;
use moka::{Expiry, policy::EvictionPolicy, sync::Cache};

use super::{TokenError, Verified, keys::Slot};

/// How long a refusal is remembered: long enough to blunt a client that repeats itself, short enough that nobody who
/// repairs something waits for it.
const REFUSAL_SECONDS: u64 = 5;
const MAX_REFUSALS: u64 = 4096;

pub type Digest = [u8; digest::SHA256_OUTPUT_LEN];

pub fn digest_of(token: &str) -> Digest {
    let mut bytes = Digest::default();
    let hash = digest::digest(&digest::SHA256, token.as_bytes());
    for (to, from) in bytes.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    bytes
}

/// The token and the policy it was judged by: another tenant, or the same after an edit, judges anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub digest: Digest,
    pub policy: u64,
}

/// An answer and what it rests on.
pub struct Entry {
    pub answer: Result<Arc<Verified>, TokenError>,
    /// The keys it was verified with and their generation; `None` for opaque tokens.
    pub keys: Option<(Arc<Slot>, u64)>,
    /// When the answer has to be found again.
    pub until: u64,
    /// When it was found.
    pub since: u64,
}

pub struct TokenCache {
    verified: Cache<Key, Arc<Entry>>,
    refused: Cache<Key, Arc<Entry>>,
}

impl TokenCache {
    pub fn new(capacity: u64) -> Self {
        let verified = Cache::builder().max_capacity(capacity).expire_after(OwnLifetime).build();
        // their own room: a flood of bad tokens must not push out the good ones
        let refused = Cache::builder()
            .max_capacity(capacity.min(MAX_REFUSALS))
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(OwnLifetime)
            .build();
        Self { verified, refused }
    }

    pub fn get(&self, key: &Key, now: u64) -> Option<Result<Arc<Verified>, TokenError>> {
        answer(&self.verified, key, now).or_else(|| answer(&self.refused, key, now))
    }

    pub fn remember_verified(
        &self,
        key: Key,
        verified: &Arc<Verified>,
        keys: Option<(Arc<Slot>, u64)>,
        now: u64,
        until: u64,
    ) {
        let answer = Ok(Arc::clone(verified));
        self.verified.insert(key, Arc::new(Entry { answer, keys, until, since: now }));
    }

    /// Remembers refusals that cost something to find; never that an answer could not be found.
    pub fn remember_refused(&self, key: Key, error: &TokenError, keys: Option<(Arc<Slot>, u64)>, now: u64) {
        if matches!(error, TokenError::Unavailable | TokenError::NotYetValid | TokenError::TooLong) {
            return;
        }
        let until = now.saturating_add(REFUSAL_SECONDS);
        let entry = Entry { answer: Err(error.clone()), keys, until, since: now };
        self.refused.insert(key, Arc::new(entry));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.verified.invalidate_all();
        self.refused.invalidate_all();
    }
}

fn answer(cache: &Cache<Key, Arc<Entry>>, key: &Key, now: u64) -> Option<Result<Arc<Verified>, TokenError>> {
    let entry = cache.get(key)?;
    if let Some((slot, generation)) = &entry.keys {
        slot.look_after(now);
        if slot.generation() != *generation {
            return None;
        }
    }
    if let Ok(verified) = &entry.answer
        && now >= verified.user.expires_at
    {
        return Some(Err(TokenError::Expired));
    }
    // before `since` the clock was set back: what was true then need not be true now
    (entry.since..entry.until).contains(&now).then(|| entry.answer.clone())
}

/// Frees the memory of what is over; the answer itself is bound to the caller's clock.
struct OwnLifetime;

impl Expiry<Key, Arc<Entry>> for OwnLifetime {
    fn expire_after_create(&self, _: &Key, entry: &Arc<Entry>, _: Instant) -> Option<Duration> {
        Some(Duration::from_secs(entry.until.saturating_sub(entry.since)))
    }

    fn expire_after_update(
        &self,
        key: &Key,
        entry: &Arc<Entry>,
        updated_at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, entry, updated_at)
    }
}
