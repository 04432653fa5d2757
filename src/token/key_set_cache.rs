//! The issuers' keys in memory: one shared state per source, however many tenants name it. Keys are loaded before they are
//! needed, refreshed as they age, refreshed at once (but rarely) for an unknown key id, and retained while the issuer is down.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use futures_util::{StreamExt, stream};
use moka::policy::EvictionPolicy;

use super::{
    fetch::{self, FetchError, HttpClients},
    key_set::{InvalidKeySet, KeySet},
};
use crate::{
    config::model::{EgressPolicy, Issuer, KeySource},
    domain::time::Timestamp,
};

/// Sources cached; beyond that the least recently used is evicted and loaded again when needed.
const MAX_SOURCES: u64 = 10_000;
/// Sources read at the same time before ready.
const PRELOAD_CONCURRENCY: usize = 16;
/// Minimum time between two refreshes of a key file, and between two attempts to load the first keys.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const NEVER: u64 = u64::MAX;

/// Source of a key set: issuers with the same source share the keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeySetSource {
    File(PathBuf),
    Url(String, EgressPolicy),
    /// The issuer whose discovery document names the address.
    Discovery(String),
    /// As configured by a tenant; keys are not fetched from these ports.
    ConfinedDiscovery(String, Arc<[SocketAddr]>, EgressPolicy),
}

impl KeySetSource {
    fn of(issuer: &Issuer) -> Option<Self> {
        match &issuer.keys {
            KeySource::None => None,
            KeySource::File(path) => Some(Self::File(path.clone())),
            KeySource::Url(url) => Some(Self::Url(url.clone(), issuer.egress)),
            KeySource::Discovery => Some(Self::Discovery(issuer.issuer.clone())),
            KeySource::ConfinedDiscovery(ours) => {
                Some(Self::ConfinedDiscovery(issuer.issuer.clone(), Arc::clone(ours), issuer.egress))
            }
        }
    }

    const fn reach(&self) -> EgressPolicy {
        match self {
            Self::Url(_, reach) | Self::ConfinedDiscovery(_, _, reach) => *reach,
            Self::File(_) | Self::Discovery(_) => EgressPolicy::Unrestricted,
        }
    }

    /// The age at which keys are refreshed, and the minimum time between two refreshes.
    const fn refresh_intervals(&self) -> (Duration, Duration) {
        match self {
            Self::File(_) => (Duration::from_secs(5), MIN_INTERVAL),
            Self::Url(..) | Self::Discovery(_) | Self::ConfinedDiscovery(..) => {
                (Duration::from_mins(5), Duration::from_secs(10))
            }
        }
    }
}

impl std::fmt::Display for KeySetSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url, _) => f.write_str(url),
            Self::Discovery(issuer) | Self::ConfinedDiscovery(issuer, ..) => {
                write!(f, "discovery of {issuer}")
            }
        }
    }
}

/// State of one source for metrics and the private port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatus {
    pub source: String,
    pub keys: usize,
    /// Time since the keys were last read successfully; `None`: never.
    pub age: Option<Duration>,
    /// Failed refreshes since then.
    pub failures: u32,
}

pub struct KeySetCache {
    http: HttpClients,
    sources: moka::sync::Cache<KeySetSource, Arc<CachedKeySet>>,
}

impl KeySetCache {
    pub fn new(http: HttpClients) -> Self {
        let sources = moka::sync::Cache::builder()
            .max_capacity(MAX_SOURCES)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { http, sources }
    }

    /// The issuer's keys; `None` if none are configured.
    pub fn for_issuer(&self, issuer: &Issuer) -> Option<Arc<CachedKeySet>> {
        let source = KeySetSource::of(issuer)?;
        let http = self.http.reaching(source.reach());
        Some(self.sources.get_with(source.clone(), || Arc::new(CachedKeySet::new(source, http.clone()))))
    }

    /// Loads the keys of these issuers and returns the sources that could not be read.
    pub async fn preload(&self, issuers: &[Arc<Issuer>], now: Timestamp) -> Vec<String> {
        let mut slots: Vec<Arc<CachedKeySet>> = Vec::new();
        for slot in issuers.iter().filter_map(|issuer| self.for_issuer(issuer)) {
            if !slots.iter().any(|known| Arc::ptr_eq(known, &slot)) {
                slots.push(slot);
            }
        }
        stream::iter(slots)
            .map(|slot| async move { slot.keys(now).await.is_err().then(|| slot.source.to_string()) })
            .buffer_unordered(PRELOAD_CONCURRENCY)
            .filter_map(std::future::ready)
            .collect()
            .await
    }

    /// Refreshes every key file.
    pub async fn reload_files(&self, now: Timestamp) {
        for (source, slot) in &self.sources {
            if matches!(*source, KeySetSource::File(_)) {
                slot.refresh(now, Duration::ZERO, RefreshReason::Scheduled).await;
            }
        }
    }

    pub fn status(&self, now: Timestamp) -> Vec<KeyStatus> {
        self.sources.iter().map(|(_, slot)| slot.status(now)).collect()
    }
}

/// The keys are not loaded and cannot be fetched: not the same as a token without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysUnavailable;

#[derive(Debug)]
pub struct LoadedKeySet {
    pub set: KeySet,
    /// Unique in this process: another value means other keys.
    pub generation: u64,
}

/// One source's keys and the state of their refresh. All times are milliseconds since the epoch, as given by callers.
pub struct CachedKeySet {
    source: KeySetSource,
    http: reqwest::Client,
    loaded: ArcSwapOption<LoadedKeySet>,
    generation: AtomicU64,
    loaded_at: AtomicU64,
    /// When an unknown key id last caused a refresh.
    requested_at: AtomicU64,
    attempted_at: AtomicU64,
    failures: AtomicU32,
    /// Held during a refresh: one at a time.
    refresh_lock: tokio::sync::Mutex<()>,
    /// Completed refreshes, so that a caller that waited for one does not start another.
    completed_refreshes: AtomicU64,
    /// A background refresh is in progress.
    refreshing: AtomicBool,
}

/// Reason of a refresh. Refreshes for an unknown key id have a minimum interval of their own, since a
/// key may be rotated right after a scheduled one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RefreshReason {
    Scheduled,
    UnknownKeyId,
}

impl CachedKeySet {
    fn new(source: KeySetSource, http: reqwest::Client) -> Self {
        Self {
            source,
            http,
            loaded: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            loaded_at: AtomicU64::new(NEVER),
            attempted_at: AtomicU64::new(NEVER),
            requested_at: AtomicU64::new(NEVER),
            failures: AtomicU32::new(0),
            refresh_lock: tokio::sync::Mutex::new(()),
            completed_refreshes: AtomicU64::new(0),
            refreshing: AtomicBool::new(false),
        }
    }

    /// A result of another generation has to be verified again.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether the last refresh failed.
    pub fn is_failing(&self) -> bool {
        self.failures.load(Ordering::Acquire) > 0
    }

    /// The loaded keys, however old; they are fetched first if there are none.
    pub async fn keys(self: &Arc<Self>, now: Timestamp) -> Result<Arc<LoadedKeySet>, KeysUnavailable> {
        if let Some(loaded) = self.loaded.load_full() {
            self.refresh_if_due(now);
            return Ok(loaded);
        }
        self.refresh(now, MIN_INTERVAL, RefreshReason::Scheduled).await;
        self.loaded.load_full().ok_or(KeysUnavailable)
    }

    /// The keys after one more refresh, for a key id that is not among them. The refresh is shared by all waiting
    /// callers, and limited by the minimum interval, whatever key ids a flood of tokens invents.
    pub async fn refreshed_keys(self: &Arc<Self>, now: Timestamp) -> Option<Arc<LoadedKeySet>> {
        self.refresh(now, self.source.refresh_intervals().1, RefreshReason::UnknownKeyId).await;
        self.loaded.load_full()
    }

    /// Refreshes the keys in the background if they are due. Costs two loads otherwise.
    pub fn refresh_if_due(self: &Arc<Self>, now: Timestamp) {
        let (age, min_interval) = self.source.refresh_intervals();
        if is_within(&self.loaded_at, now, age)
            || is_within(&self.attempted_at, now, min_interval)
            || self.refreshing.load(Ordering::Relaxed)
        {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.refreshing.swap(true, Ordering::AcqRel) {
            let slot = Arc::clone(self);
            runtime.spawn(async move {
                slot.refresh_exclusively(
                    now,
                    min_interval,
                    RefreshReason::Scheduled,
                    slot.completed_refreshes.load(Ordering::Acquire),
                )
                .await;
                slot.refreshing.store(false, Ordering::Release);
            });
        }
    }

    /// Refreshes the source unless that was tried less than `min_interval` ago; waits for a refresh in progress.
    async fn refresh(self: &Arc<Self>, now: Timestamp, min_interval: Duration, reason: RefreshReason) {
        let ended = self.completed_refreshes.load(Ordering::Acquire);
        if is_within(self.last_attempt(reason), now, min_interval) && self.refresh_lock.try_lock().is_ok() {
            return;
        }
        let slot = Arc::clone(self);
        // a task of its own: a cancelled caller must not cancel it for the others
        let reading =
            tokio::spawn(async move { slot.refresh_exclusively(now, min_interval, reason, ended).await });
        if reading.await.is_err() {
            tracing::error!(source = %self.source, "refresh of keys was aborted");
        }
    }

    fn last_attempt(&self, reason: RefreshReason) -> &AtomicU64 {
        match reason {
            RefreshReason::Scheduled => &self.attempted_at,
            RefreshReason::UnknownKeyId => &self.requested_at,
        }
    }

    async fn refresh_exclusively(
        &self,
        now: Timestamp,
        min_interval: Duration,
        reason: RefreshReason,
        ended: u64,
    ) {
        let _turn = self.refresh_lock.lock().await;
        // a caller with `min_interval` zero knows of a change that a refresh in progress may have missed
        let was_shared = !min_interval.is_zero() && self.completed_refreshes.load(Ordering::Acquire) != ended;
        if was_shared || is_within(self.last_attempt(reason), now, min_interval) {
            return;
        }
        self.attempted_at.store(now.as_millis(), Ordering::Release);
        if reason == RefreshReason::UnknownKeyId {
            self.requested_at.store(now.as_millis(), Ordering::Release);
        }
        let read = match fetch::key_set(&self.http, &self.source).await {
            Ok(text) => KeySet::parse(&text).map_err(KeySetReadError::from),
            Err(error) => Err(error.into()),
        };
        match read {
            Ok(set) => self.accept(set, now),
            Err(error) => {
                let failures = self.failures.fetch_add(1, Ordering::AcqRel) + 1;
                let kept = self.loaded.load().is_some();
                tracing::warn!(source = %self.source, %error, failures, kept, "keys cannot be read");
            }
        }
        self.completed_refreshes.fetch_add(1, Ordering::AcqRel);
    }

    /// A well-formed set replaces the previous one, also an empty one: an issuer may withdraw its keys.
    fn accept(&self, set: KeySet, now: Timestamp) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.failures.store(0, Ordering::Release);
        self.loaded_at.store(now.as_millis(), Ordering::Release);
        if self.loaded.load().as_ref().is_some_and(|known| known.set.has_same_keys(&set)) {
            return;
        }
        for skipped in &set.skipped {
            tracing::info!(source = %self.source, kid = skipped.key_id, reason = skipped.reason, "a key is not used");
        }
        if set.is_empty() {
            tracing::warn!(source = %self.source, "the key set has no key that can be used");
        } else {
            tracing::info!(source = %self.source, keys = set.len(), "keys loaded");
        }
        let generation = NEXT.fetch_add(1, Ordering::Relaxed);
        self.loaded.store(Some(Arc::new(LoadedKeySet { set, generation })));
        self.generation.store(generation, Ordering::Release);
    }

    fn status(&self, now: Timestamp) -> KeyStatus {
        let loaded_at = self.loaded_at.load(Ordering::Acquire);
        KeyStatus {
            source: self.source.to_string(),
            keys: self.loaded.load().as_ref().map_or(0, |loaded| loaded.set.len()),
            age: (loaded_at != NEVER).then(|| now.saturating_since(Timestamp::from_millis(loaded_at))),
            failures: self.failures.load(Ordering::Acquire),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum KeySetReadError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Parse(#[from] InvalidKeySet),
}

/// A clock set back counts as time passed, so that it cannot delay refreshes for long.
fn is_within(moment: &AtomicU64, now: Timestamp, interval: Duration) -> bool {
    let moment = moment.load(Ordering::Acquire);
    moment != NEVER && now.abs_diff(Timestamp::from_millis(moment)) < interval
}
