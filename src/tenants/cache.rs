//! The policy cache: look-ups take no lock; `fill` loads one tenant at a time (single flight).

mod fill;
mod overrides;

use std::{
    collections::{BTreeMap, HashMap},
    hash::RandomState,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use moka::{notification::RemovalCause, policy::EvictionPolicy};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc::UnboundedSender},
};

use super::{
    TenantLookup,
    evaluate::{CachedTenant, TenantFileReader},
    host_index::{HostIndex, IndexCommand},
    single_flight::SingleFlight,
    watcher::{RegistryEvent, TenantWatcher},
};
use crate::{
    config::{
        governance::{OverrideMap, TenantOverrides},
        mistake::Mistake,
        model::Settings,
    },
    domain::tenant::TenantId,
};

/// Cached names of unknown tenants, which anonymous clients can create without limit: at most a few megabytes.
const NEGATIVE_CACHE_CAPACITY: u64 = 8192;
/// Files read at the same time, so that a flood of names cannot occupy all blocking threads.
const MAX_CONCURRENT_READS: usize = 32;

#[derive(Debug)]
pub struct TenantCache {
    pub reader: TenantFileReader,
    pub runtime: Handle,
    pub settings: ArcSwap<Settings>,
    pub overrides: OverrideMap,
    pub index: HostIndex,
    pub watcher: TenantWatcher,
    pub counters: ReloadCounters,
    pub entries: moka::sync::Cache<TenantId, Arc<CachedTenant>>,
    /// Until when each is unknown.
    unknown: moka::sync::Cache<TenantId, Instant>,
    /// Tenants in the cache whose file is not in force, and why.
    problems: Arc<Mutex<BTreeMap<TenantId, Mistake>>>,
    /// Counted up with each reload of `deployment.toml` and each flush: earlier entries are outdated at once.
    settings_version: AtomicU64,
    flush_version: AtomicU64,
    flights: Arc<SingleFlight<(TenantLookup, Versions)>>,
    /// Scheduled checks that have not begun, so that a burst of events causes one check.
    scheduled: Mutex<HashMap<TenantId, bool>>,
    read_slots: Semaphore,
    hasher: RandomState,
}

#[derive(Debug, Default)]
pub struct ReloadCounters {
    /// Checks of tenants' files.
    pub file_checks: AtomicU64,
    pub accepted: AtomicU64,
    pub failed: AtomicU64,
}

/// Counted up with each reload of `deployment.toml` and each flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub settings: u64,
    pub flush: u64,
}

/// Settings, versions and overrides that a policy is resolved with.
#[derive(Clone)]
struct ResolveContext {
    settings: Arc<Settings>,
    versions: Versions,
    /// The administrator overrides of the tenant.
    overrides: TenantOverrides,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FillTrigger {
    /// A caller needs the policy: a fresh entry is sufficient.
    Lookup,
    /// The file may have changed. `moved`: folders of its path may have been replaced.
    Recheck { path_changed: bool },
}

impl TenantCache {
    pub fn new(
        settings: Arc<Settings>,
        reader: TenantFileReader,
        runtime: Handle,
        index: HostIndex,
        events: UnboundedSender<RegistryEvent>,
    ) -> Self {
        let problems = Arc::new(Mutex::new(BTreeMap::new()));
        let evicted_problems = Arc::clone(&problems);
        let eviction_sender = events.clone();
        let entries = moka::sync::Cache::builder()
            .max_capacity(settings.tenancy.capacity.max(1))
            .eviction_listener(move |tenant: Arc<TenantId>, _, cause| {
                if cause != RemovalCause::Replaced {
                    evicted_problems.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant.as_ref());
                    // fails only while everything is being dropped
                    let _ = eviction_sender.send(RegistryEvent::Evicted(tenant.as_ref().clone()));
                }
            })
            .build();
        let unknown = moka::sync::Cache::builder()
            .max_capacity(NEGATIVE_CACHE_CAPACITY)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self {
            reader,
            runtime,
            settings: ArcSwap::new(settings),
            overrides: OverrideMap::default(),
            index,
            watcher: TenantWatcher::new(events),
            counters: ReloadCounters::default(),
            entries,
            unknown,
            problems,
            settings_version: AtomicU64::new(0),
            flush_version: AtomicU64::new(0),
            flights: SingleFlight::new(),
            scheduled: Mutex::new(HashMap::new()),
            read_slots: Semaphore::new(MAX_CONCURRENT_READS),
            hasher: RandomState::new(),
        }
    }

    /// The hot path: two look-ups at most, no lock, no allocation.
    pub fn lookup(self: &Arc<Self>, tenant: &TenantId) -> Option<TenantLookup> {
        let Some(entry) = self.entries.get(tenant) else {
            let until = self.unknown.get(tenant)?;
            return (Instant::now() < until).then_some(TenantLookup::Unknown);
        };
        let now = Instant::now();
        if entry.versions != self.versions() || now >= entry.stale_at {
            return None;
        }
        if now >= entry.refresh_at && !entry.is_refreshing.swap(true, Ordering::Relaxed) {
            self.schedule_recheck(tenant, false);
        }
        Some(TenantLookup::Tenant(Arc::clone(&entry.state.policy)))
    }

    /// Loads the tenant, from disk if needed. The read continues if the caller is cancelled, for the next caller.
    pub async fn load(self: &Arc<Self>, tenant: &TenantId) -> TenantLookup {
        let permit = self.flights.acquire(tenant).await;
        let shared = permit.shared_result().filter(|(_, versions)| *versions == self.versions());
        if let Some(found) = shared.map(|(found, _)| found).or_else(|| self.lookup(tenant)) {
            return found;
        }
        let this = Arc::clone(self);
        let wanted = tenant.clone();
        let task = self.runtime.spawn(async move { this.fill(permit, &wanted, FillTrigger::Lookup).await });
        match task.await {
            Ok(found) => found,
            Err(_) => self.fallback_policy(tenant, &self.settings.load()),
        }
    }

    /// Schedules a check of a cached tenant's file. `moved`: folders of its path may have been replaced.
    pub fn schedule_recheck(self: &Arc<Self>, tenant: &TenantId, moved: bool) {
        let mut scheduled = self.scheduled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(already) = scheduled.get_mut(tenant) {
            *already |= moved;
            return;
        }
        scheduled.insert(tenant.clone(), moved);
        let (this, tenant) = (Arc::clone(self), tenant.clone());
        self.runtime.spawn(async move {
            let permit = this.flights.acquire(&tenant).await;
            // an event from here on needs another check
            let moved = {
                let mut scheduled = this.scheduled.lock().unwrap_or_else(PoisonError::into_inner);
                scheduled.remove(&tenant).unwrap_or(moved)
            };
            if this.entries.contains_key(&tenant) {
                this.fill(permit, &tenant, FillTrigger::Recheck { path_changed: moved }).await;
            }
        });
    }

    /// Checks the file now, even if the entry is fresh.
    pub async fn refresh(self: &Arc<Self>, tenant: &TenantId) -> TenantLookup {
        let permit = self.flights.acquire(tenant).await;
        let (this, wanted) = (Arc::clone(self), tenant.clone());
        let task = self.runtime.spawn(async move {
            this.fill(permit, &wanted, FillTrigger::Recheck { path_changed: true }).await
        });
        match task.await {
            Ok(found) => found,
            Err(_) => self.fallback_policy(tenant, &self.settings.load()),
        }
    }

    pub fn forget_unknown(&self, tenant: &TenantId) {
        self.unknown.invalidate(tenant);
    }

    pub fn forget_all_unknown(&self) {
        self.unknown.invalidate_all();
    }

    pub fn flush(&self) {
        self.flush_version.fetch_add(1, Ordering::AcqRel);
        self.forget_all_unknown();
        self.index.send(IndexCommand::Reread);
    }

    /// From here on no policy of earlier settings is returned; each is resolved again on its next use, at the latest here.
    pub async fn replace_settings(self: &Arc<Self>, settings: Arc<Settings>) {
        let before = self.settings.swap(settings);
        self.settings_version.fetch_add(1, Ordering::AcqRel);
        if before.tenancy.folder != self.settings.load().tenancy.folder {
            // other files altogether
            self.flush_version.fetch_add(1, Ordering::AcqRel);
            self.index.send(IndexCommand::Reread);
        }
        self.forget_all_unknown();
        self.index.send(IndexCommand::Rescan);
        let cached: Vec<Arc<TenantId>> = self.entries.iter().map(|(tenant, _)| tenant).collect();
        for tenant in cached {
            let permit = self.flights.acquire(&tenant).await;
            if let Some(entry) = self.entries.get(tenant.as_ref())
                && entry.versions != self.versions()
            {
                self.fill(permit, &tenant, FillTrigger::Lookup).await;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The tenants whose file is not in force, with the reason: of those in memory, and of those whose file was read for
    /// its host names only.
    pub fn problems(&self) -> BTreeMap<TenantId, Mistake> {
        let mut problems = self.index.problems().clone();
        problems.retain(|tenant, _| !self.entries.contains_key(tenant));
        problems.extend(self.lock_problems().clone());
        problems
    }

    /// Removes the watch of an evicted tenant, unless it is cached again.
    pub async fn unwatch_evicted(self: &Arc<Self>, tenant: TenantId) {
        let permit = self.flights.acquire(&tenant).await;
        if !self.entries.contains_key(&tenant) {
            let this = Arc::clone(self);
            // fails only at the end of the runtime
            let _ = self.runtime.spawn_blocking(move || this.watcher.disarm(&tenant)).await;
        }
        drop(permit);
    }

    #[cfg(test)]
    pub fn active_flights(&self) -> usize {
        self.flights.len()
    }

    #[cfg(test)]
    pub fn unknown_len(&self) -> u64 {
        self.unknown.run_pending_tasks();
        self.unknown.entry_count()
    }

    fn lock_problems(&self) -> std::sync::MutexGuard<'_, BTreeMap<TenantId, Mistake>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn versions(&self) -> Versions {
        Versions {
            settings: self.settings_version.load(Ordering::Acquire),
            flush: self.flush_version.load(Ordering::Acquire),
        }
    }

    fn context(&self, tenant: &TenantId) -> ResolveContext {
        // the versions first: settings newer than their number are only resolved once more
        let versions = self.versions();
        ResolveContext {
            settings: self.settings.load_full(),
            versions,
            overrides: self.overrides.get(tenant),
        }
    }
}
