//! The cached policies: looked up without a lock, filled (`fill`) by one reader at a time and tenant.

mod fill;
mod govern;

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
    Found,
    entry::{Entry, Reader},
    gate::Gates,
    index::{Index, News},
    upkeep::{Event, Watching},
};
use crate::{
    config::{
        governance::{Overlay, Set},
        mistake::Mistake,
        model::Settings,
    },
    domain::tenant::TenantId,
};

/// Names of tenants that do not exist. At most a few megabytes, whatever strangers ask for.
const UNKNOWN_CAPACITY: u64 = 8192;
/// Files read at the same time: a flood of names must not take the blocking threads from everybody else.
const READERS: usize = 32;

#[derive(Debug)]
pub struct Cache {
    pub reader: Reader,
    pub runtime: Handle,
    pub settings: ArcSwap<Settings>,
    pub overlay: Overlay,
    pub index: Index,
    pub watching: Watching,
    pub counters: Counters,
    pub tenants: moka::sync::Cache<TenantId, Arc<Entry>>,
    /// Until when each is unknown.
    unknown: moka::sync::Cache<TenantId, Instant>,
    /// Tenants in the cache whose file is not in force, and why.
    problems: Arc<Mutex<BTreeMap<TenantId, Mistake>>>,
    /// Counted up with each reload of `deployment.toml` and each flush: what was cached before is out of date at once.
    settings_version: AtomicU64,
    flush_version: AtomicU64,
    gates: Arc<Gates<(Found, Versions)>>,
    /// Looks that have not begun, so that a burst of events costs one.
    scheduled: Mutex<HashMap<TenantId, bool>>,
    slots: Semaphore,
    hasher: RandomState,
}

#[derive(Debug, Default)]
pub struct Counters {
    /// Looks at a tenant's file.
    pub reads: AtomicU64,
    pub accepted: AtomicU64,
    pub failed: AtomicU64,
}

/// Counted up with each reload of `deployment.toml` and each flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub settings: u64,
    pub flush: u64,
}

/// The state of the world a look belongs to.
#[derive(Clone)]
struct World {
    settings: Arc<Settings>,
    versions: Versions,
    /// What administrators have set for the tenant.
    set: Set,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Somebody needs the policy: what was read earlier will do while it is fresh.
    Use,
    /// The disk may have changed. `moved`: also folders on the way to the file.
    Look { moved: bool },
}

impl Cache {
    pub fn new(
        settings: Arc<Settings>,
        reader: Reader,
        runtime: Handle,
        index: Index,
        events: UnboundedSender<Event>,
    ) -> Self {
        let problems = Arc::new(Mutex::new(BTreeMap::new()));
        let left = Arc::clone(&problems);
        let gone = events.clone();
        let tenants = moka::sync::Cache::builder()
            .max_capacity(settings.tenancy.capacity.max(1))
            .eviction_listener(move |tenant: Arc<TenantId>, _, cause| {
                if cause != RemovalCause::Replaced {
                    left.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant.as_ref());
                    // fails only while everything is being dropped
                    let _ = gone.send(Event::Left(tenant.as_ref().clone()));
                }
            })
            .build();
        let unknown = moka::sync::Cache::builder()
            .max_capacity(UNKNOWN_CAPACITY)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self {
            reader,
            runtime,
            settings: ArcSwap::new(settings),
            overlay: Overlay::default(),
            index,
            watching: Watching::new(events),
            counters: Counters::default(),
            tenants,
            unknown,
            problems,
            settings_version: AtomicU64::new(0),
            flush_version: AtomicU64::new(0),
            gates: Gates::new(),
            scheduled: Mutex::new(HashMap::new()),
            slots: Semaphore::new(READERS),
            hasher: RandomState::new(),
        }
    }

    /// The hot path: two look-ups at most, no lock, no allocation.
    pub fn get(self: &Arc<Self>, tenant: &TenantId) -> Option<Found> {
        let Some(entry) = self.tenants.get(tenant) else {
            let until = self.unknown.get(tenant)?;
            return (Instant::now() < until).then_some(Found::Unknown);
        };
        let now = Instant::now();
        if entry.versions != self.versions() || now >= entry.stale_at {
            return None;
        }
        if now >= entry.refresh_at && !entry.refreshing.swap(true, Ordering::Relaxed) {
            self.schedule(tenant, false);
        }
        Some(Found::Tenant(Arc::clone(&entry.state.policy)))
    }

    /// Finds the tenant, from disk if need be. The reading goes on when the caller gives up, so that the next one has it.
    pub async fn load(self: &Arc<Self>, tenant: &TenantId) -> Found {
        let pass = self.gates.enter(tenant).await;
        let meanwhile = pass.found_meanwhile().filter(|(_, versions)| *versions == self.versions());
        if let Some(found) = meanwhile.map(|(found, _)| found).or_else(|| self.get(tenant)) {
            return found;
        }
        let this = Arc::clone(self);
        let wanted = tenant.clone();
        let task = self.runtime.spawn(async move { this.fill(pass, &wanted, Why::Use).await });
        match task.await {
            Ok(found) => found,
            Err(_) => self.without_a_look(tenant, &self.settings.load()),
        }
    }

    /// Has the file of a cached tenant looked at again soon. `moved`: folders on the way to it may be other ones now.
    pub fn schedule(self: &Arc<Self>, tenant: &TenantId, moved: bool) {
        let mut scheduled = self.scheduled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(already) = scheduled.get_mut(tenant) {
            *already |= moved;
            return;
        }
        scheduled.insert(tenant.clone(), moved);
        let (this, tenant) = (Arc::clone(self), tenant.clone());
        self.runtime.spawn(async move {
            let pass = this.gates.enter(&tenant).await;
            // an event from here on needs another look
            let moved = {
                let mut scheduled = this.scheduled.lock().unwrap_or_else(PoisonError::into_inner);
                scheduled.remove(&tenant).unwrap_or(moved)
            };
            if this.tenants.contains_key(&tenant) {
                this.fill(pass, &tenant, Why::Look { moved }).await;
            }
        });
    }

    /// Looks at the file now, whatever is known of it.
    pub async fn refresh(self: &Arc<Self>, tenant: &TenantId) -> Found {
        let pass = self.gates.enter(tenant).await;
        let (this, wanted) = (Arc::clone(self), tenant.clone());
        let task =
            self.runtime.spawn(async move { this.fill(pass, &wanted, Why::Look { moved: true }).await });
        match task.await {
            Ok(found) => found,
            Err(_) => self.without_a_look(tenant, &self.settings.load()),
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
        self.index.tell(News::Reread);
    }

    /// From here on no policy of earlier settings is given out; each is resolved again on its next use, at the latest here.
    pub async fn replace_settings(self: &Arc<Self>, settings: Arc<Settings>) {
        let before = self.settings.swap(settings);
        self.settings_version.fetch_add(1, Ordering::AcqRel);
        if before.tenancy.folder != self.settings.load().tenancy.folder {
            // other files altogether
            self.flush_version.fetch_add(1, Ordering::AcqRel);
            self.index.tell(News::Reread);
        }
        self.forget_all_unknown();
        self.index.tell(News::Rescan);
        let cached: Vec<Arc<TenantId>> = self.tenants.iter().map(|(tenant, _)| tenant).collect();
        for tenant in cached {
            let pass = self.gates.enter(&tenant).await;
            if let Some(entry) = self.tenants.get(tenant.as_ref())
                && entry.versions != self.versions()
            {
                self.fill(pass, &tenant, Why::Use).await;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The tenants whose file is not in force, with the reason: of those in memory, and of those whose file was read for
    /// its host names only.
    pub fn problems(&self) -> BTreeMap<TenantId, Mistake> {
        let mut problems = self.index.problems().clone();
        problems.retain(|tenant, _| !self.tenants.contains_key(tenant));
        problems.extend(self.problems_lock().clone());
        problems
    }

    /// A tenant that left the cache needs no watch, unless it is back already.
    pub async fn release(self: &Arc<Self>, tenant: TenantId) {
        let pass = self.gates.enter(&tenant).await;
        if !self.tenants.contains_key(&tenant) {
            let this = Arc::clone(self);
            // fails only at the end of the runtime
            let _ = self.runtime.spawn_blocking(move || this.watching.disarm(&tenant)).await;
        }
        drop(pass);
    }

    #[cfg(test)]
    pub fn gates_open(&self) -> usize {
        self.gates.len()
    }

    #[cfg(test)]
    pub fn unknown_len(&self) -> u64 {
        self.unknown.run_pending_tasks();
        self.unknown.entry_count()
    }

    fn problems_lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<TenantId, Mistake>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn versions(&self) -> Versions {
        Versions {
            settings: self.settings_version.load(Ordering::Acquire),
            flush: self.flush_version.load(Ordering::Acquire),
        }
    }

    fn world(&self, tenant: &TenantId) -> World {
        // the versions first: settings newer than their number are only resolved once more
        let versions = self.versions();
        World { settings: self.settings.load_full(), versions, set: self.overlay.of(tenant) }
    }
}
