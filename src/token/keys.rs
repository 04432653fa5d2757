//! The issuers' keys in memory: one shared state per source, however many tenants name it. Keys are read before they are
//! needed, read again as they age, read at once (but rarely) for an unknown key id, and kept while the issuer is down.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use futures_util::{StreamExt, stream};
use moka::policy::EvictionPolicy;

use super::{
    fetch::{self, FetchError, HttpClients},
    keyset::{KeySet, NotAKeySet},
};
use crate::config::model::{Issuer, KeySource, Reach};

/// Sources kept; beyond that the one unused for longest is forgotten and read again when needed.
const MAX_SOURCES: u64 = 10_000;
/// Sources read at the same time before ready.
const PRELOAD_WIDTH: usize = 16;
const NEVER: u64 = u64::MAX;

/// Where keys come from: tenants whose issuers agree in this share the keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    File(PathBuf),
    Url(String, Reach),
    /// The issuer whose discovery document names the address.
    Discovery(String),
    /// As named by a tenant; keys are not read at these ports.
    ConfinedDiscovery(String, Arc<[SocketAddr]>, Reach),
}

impl Source {
    fn of(issuer: &Issuer) -> Option<Self> {
        match &issuer.keys {
            KeySource::None => None,
            KeySource::File(path) => Some(Self::File(path.clone())),
            KeySource::Url(url) => Some(Self::Url(url.clone(), issuer.reach)),
            KeySource::Discovery => Some(Self::Discovery(issuer.issuer.clone())),
            KeySource::ConfinedDiscovery(ours) => {
                Some(Self::ConfinedDiscovery(issuer.issuer.clone(), Arc::clone(ours), issuer.reach))
            }
        }
    }

    const fn reach(&self) -> Reach {
        match self {
            Self::Url(_, reach) | Self::ConfinedDiscovery(_, _, reach) => *reach,
            Self::File(_) | Self::Discovery(_) => Reach::Everywhere,
        }
    }

    /// Seconds: the age at which keys are read again, and the least time between two readings.
    const fn pace(&self) -> (u64, u64) {
        match self {
            Self::File(_) => (5, 1),
            Self::Url(..) | Self::Discovery(_) | Self::ConfinedDiscovery(..) => (300, 10),
        }
    }
}

impl std::fmt::Display for Source {
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

/// What metrics and the private port say of one source.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct KeyStatus {
    pub source: String,
    pub keys: usize,
    /// Seconds since the keys were last read successfully; `None`: never.
    pub age: Option<u64>,
    /// Readings that failed since then.
    pub failures: u32,
}

pub struct Keys {
    http: HttpClients,
    slots: moka::sync::Cache<Source, Arc<Slot>>,
}

impl Keys {
    pub fn new(http: HttpClients) -> Self {
        let slots = moka::sync::Cache::builder()
            .max_capacity(MAX_SOURCES)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { http, slots }
    }

    /// The issuer's keys; `None` where it has none by configuration.
    pub fn of(&self, issuer: &Issuer) -> Option<Arc<Slot>> {
        let source = Source::of(issuer)?;
        let http = self.http.reaching(source.reach());
        Some(self.slots.get_with(source.clone(), || Arc::new(Slot::new(source, http.clone()))))
    }

    /// Reads the keys of these issuers and names the sources that could not be read.
    pub async fn preload(&self, issuers: &[Arc<Issuer>], now: u64) -> Vec<String> {
        let mut slots: Vec<Arc<Slot>> = Vec::new();
        for slot in issuers.iter().filter_map(|issuer| self.of(issuer)) {
            if !slots.iter().any(|known| Arc::ptr_eq(known, &slot)) {
                slots.push(slot);
            }
        }
        stream::iter(slots)
            .map(|slot| async move { slot.keys(now).await.is_err().then(|| slot.source.to_string()) })
            .buffer_unordered(PRELOAD_WIDTH)
            .filter_map(std::future::ready)
            .collect()
            .await
    }

    /// Reads every key file again.
    pub async fn reload_files(&self, now: u64) {
        for (source, slot) in &self.slots {
            if matches!(*source, Source::File(_)) {
                slot.read_again(now, 0, Clock::Regular).await;
            }
        }
    }

    pub fn status(&self, now: u64) -> Vec<KeyStatus> {
        self.slots.iter().map(|(_, slot)| slot.status(now)).collect()
    }
}

/// The keys are not there and cannot be had: not the same as a token without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotLoaded;

#[derive(Debug)]
pub struct Loaded {
    pub set: KeySet,
    /// Unique in this process: another one means other keys.
    pub generation: u64,
}

/// One source's keys and the state of reading them. All times are in seconds since the epoch, as given by callers.
pub struct Slot {
    source: Source,
    http: reqwest::Client,
    loaded: ArcSwapOption<Loaded>,
    generation: AtomicU64,
    loaded_at: AtomicU64,
    /// When an unknown key id last made us look.
    demanded_at: AtomicU64,
    tried_at: AtomicU64,
    failures: AtomicU32,
    /// Held while reading: one reader at a time.
    turn: tokio::sync::Mutex<()>,
    /// Readings that have ended, so that whoever waited for one does not start another.
    ended: AtomicU64,
    /// A reading in the background is on its way.
    refreshing: AtomicBool,
}

/// Which earlier readings a new one keeps its distance from. Looks for an unknown key id are counted by themselves, since a
/// key may be rotated right after a regular reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    Regular,
    OnDemand,
}

impl Slot {
    fn new(source: Source, http: reqwest::Client) -> Self {
        Self {
            source,
            http,
            loaded: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            loaded_at: AtomicU64::new(NEVER),
            tried_at: AtomicU64::new(NEVER),
            demanded_at: AtomicU64::new(NEVER),
            failures: AtomicU32::new(0),
            turn: tokio::sync::Mutex::new(()),
            ended: AtomicU64::new(0),
            refreshing: AtomicBool::new(false),
        }
    }

    /// What was verified under another generation has to be verified again.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether the last reading failed.
    pub fn is_failing(&self) -> bool {
        self.failures.load(Ordering::Acquire) > 0
    }

    /// The keys at hand, however old; they are read first if there are none.
    pub async fn keys(self: &Arc<Self>, now: u64) -> Result<Arc<Loaded>, NotLoaded> {
        if let Some(loaded) = self.loaded.load_full() {
            self.look_after(now);
            return Ok(loaded);
        }
        self.read_again(now, 1, Clock::Regular).await;
        self.loaded.load_full().ok_or(NotLoaded)
    }

    /// The keys after one more look at the source, for a key id that is not among them. The look is shared by all who
    /// wait, and not repeated within the source's pace, whatever key ids a flood of tokens invents.
    pub async fn newer_keys(self: &Arc<Self>, now: u64) -> Option<Arc<Loaded>> {
        self.read_again(now, self.source.pace().1, Clock::OnDemand).await;
        self.loaded.load_full()
    }

    /// Reads the keys again in the background if they are due. Two loads where they are not.
    pub fn look_after(self: &Arc<Self>, now: u64) {
        let (age, apart) = self.source.pace();
        if is_within(&self.loaded_at, now, age)
            || is_within(&self.tried_at, now, apart)
            || self.refreshing.load(Ordering::Relaxed)
        {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.refreshing.swap(true, Ordering::AcqRel) {
            let slot = Arc::clone(self);
            runtime.spawn(async move {
                slot.read_in_turn(now, apart, Clock::Regular, slot.ended.load(Ordering::Acquire)).await;
                slot.refreshing.store(false, Ordering::Release);
            });
        }
    }

    /// Reads the source unless that was tried less than `apart` seconds ago; waits for a reading that is under way.
    async fn read_again(self: &Arc<Self>, now: u64, apart: u64, clock: Clock) {
        let ended = self.ended.load(Ordering::Acquire);
        if is_within(self.last(clock), now, apart) && self.turn.try_lock().is_ok() {
            return;
        }
        let slot = Arc::clone(self);
        // a task of its own: a caller who hangs up must not cancel it for the others
        let reading = tokio::spawn(async move { slot.read_in_turn(now, apart, clock, ended).await });
        if reading.await.is_err() {
            tracing::error!(source = %self.source, "reading keys was aborted");
        }
    }

    fn last(&self, clock: Clock) -> &AtomicU64 {
        match clock {
            Clock::Regular => &self.tried_at,
            Clock::OnDemand => &self.demanded_at,
        }
    }

    async fn read_in_turn(&self, now: u64, apart: u64, clock: Clock, ended: u64) {
        let _turn = self.turn.lock().await;
        // whoever insists (`apart` 0) knows of a change that a reading under way may have missed
        let was_shared = apart > 0 && self.ended.load(Ordering::Acquire) != ended;
        if was_shared || is_within(self.last(clock), now, apart) {
            return;
        }
        self.tried_at.store(now, Ordering::Release);
        if clock == Clock::OnDemand {
            self.demanded_at.store(now, Ordering::Release);
        }
        let read = match fetch::key_set(&self.http, &self.source).await {
            Ok(text) => KeySet::parse(&text).map_err(ReadError::from),
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
        self.ended.fetch_add(1, Ordering::AcqRel);
    }

    /// A well-formed set counts as it is, also an empty one: an issuer that withdraws its keys means it.
    fn accept(&self, set: KeySet, now: u64) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.failures.store(0, Ordering::Release);
        self.loaded_at.store(now, Ordering::Release);
        if self.loaded.load().as_ref().is_some_and(|known| known.set.has_same_keys(&set)) {
            return;
        }
        for skipped in &set.skipped {
            tracing::info!(source = %self.source, kid = skipped.key_id, reason = skipped.reason, "a key is not used");
        }
        if set.is_empty() {
            tracing::warn!(source = %self.source, "the key set has no key that can be used");
        } else {
            tracing::info!(source = %self.source, keys = set.len(), "keys are loaded");
        }
        let generation = NEXT.fetch_add(1, Ordering::Relaxed);
        self.loaded.store(Some(Arc::new(Loaded { set, generation })));
        self.generation.store(generation, Ordering::Release);
    }

    fn status(&self, now: u64) -> KeyStatus {
        let loaded_at = self.loaded_at.load(Ordering::Acquire);
        KeyStatus {
            source: self.source.to_string(),
            keys: self.loaded.load().as_ref().map_or(0, |loaded| loaded.set.len()),
            age: (loaded_at != NEVER).then(|| now.saturating_sub(loaded_at)),
            failures: self.failures.load(Ordering::Acquire),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Parse(#[from] NotAKeySet),
}

/// A clock set back counts as time passed, so that it cannot stop readings for long.
fn is_within(moment: &AtomicU64, now: u64, seconds: u64) -> bool {
    let moment = moment.load(Ordering::Acquire);
    moment != NEVER && now.abs_diff(moment) < seconds
}
