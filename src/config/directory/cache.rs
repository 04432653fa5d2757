//! The cached policies: looked up without a lock, filled by one reader at a time and tenant.

use std::{
    collections::{BTreeMap, HashMap},
    hash::RandomState,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use moka::{notification::RemovalCause, policy::EvictionPolicy};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc::UnboundedSender},
};

use super::{
    Found,
    disk::{self, Reading, Stamp},
    entry::{Case, Change, Entry, Reader, State, Verdict, closed},
    gate::{Gates, Pass},
    index::{Index, News},
    upkeep::{Event, Watching},
};
use crate::{
    config::{mistake::Mistake, model::Settings, watch::SETTLE},
    domain::tenant::TenantId,
};

/// Names of tenants that do not exist. At most a few megabytes, whatever strangers ask for.
const UNKNOWN_CAPACITY: u64 = 8192;
/// Files read at the same time: a flood of names must not take the blocking threads from everybody else.
const READERS: usize = 32;
/// A tenant with a broken file is looked at again this often even where nothing watches.
const RETRY_BROKEN: Duration = Duration::from_secs(10);
/// How often a file in the middle of an edit is looked at again before it counts as it is.
const MAX_LOOKS: usize = 5;

#[derive(Debug)]
pub struct Cache {
    pub reader: Reader,
    pub runtime: Handle,
    pub settings: ArcSwap<Settings>,
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

/// What one look came to.
struct Look {
    at: Instant,
    reading: Reading,
    stamp: Stamp,
    verdict: Verdict,
    doubtful: bool,
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

    /// The tenants whose file is not in force, with the reason.
    pub fn problems(&self) -> BTreeMap<TenantId, Mistake> {
        self.problems_lock().clone()
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

    fn world(&self) -> World {
        // the versions first: settings newer than their number are only resolved once more
        let versions = self.versions();
        World { settings: self.settings.load_full(), versions }
    }

    async fn fill(self: &Arc<Self>, pass: Pass<(Found, Versions)>, tenant: &TenantId, why: Why) -> Found {
        let world = self.world();
        let before = self.tenants.get(tenant);
        let resolvable = before.as_deref().filter(|entry| {
            why == Why::Use
                && entry.versions.flush == world.versions.flush
                && entry.versions.settings != world.versions.settings
                && Instant::now() < entry.stale_at
        });
        let found = if let Some(entry) = resolvable {
            self.resolve_again(tenant, entry, &world)
        } else {
            let moved = why == Why::Look { moved: true };
            match self.look_until_sure(tenant, before.clone(), &world, moved).await {
                Some(look) => self.accept(tenant, before.as_deref(), look, &world),
                None => self.without_a_look(tenant, &world.settings),
            }
        };
        pass.leave((found.clone(), world.versions));
        found
    }

    /// The runtime is shutting down, or the reader panicked: the last policy, or closed. Never open.
    fn without_a_look(&self, tenant: &TenantId, settings: &Settings) -> Found {
        tracing::error!(%tenant, "a tenant's file could not be looked at");
        let last = self.tenants.get(tenant).map(|entry| Arc::clone(&entry.state.policy));
        Found::Tenant(last.unwrap_or_else(|| closed(self.reader, settings, tenant, "could not be looked at")))
    }

    async fn look_until_sure(
        self: &Arc<Self>,
        tenant: &TenantId,
        before: Option<Arc<Entry>>,
        world: &World,
        moved: bool,
    ) -> Option<Look> {
        let mut look = self.look(tenant, before.clone(), world, moved).await?;
        for _ in 1..MAX_LOOKS {
            if !look.doubtful {
                break;
            }
            tokio::time::sleep(SETTLE).await;
            let again = self.look(tenant, before.clone(), world, moved).await?;
            let same = again.reading == look.reading;
            look = again;
            if same {
                break;
            }
        }
        Some(look)
    }

    /// One look at the disk, on a blocking thread; watched before it is read, so that no edit falls between.
    async fn look(
        self: &Arc<Self>,
        tenant: &TenantId,
        before: Option<Arc<Entry>>,
        world: &World,
        moved: bool,
    ) -> Option<Look> {
        let _slot = self.slots.acquire().await.ok()?;
        let (this, tenant, world) = (Arc::clone(self), tenant.clone(), world.clone());
        let task = self.runtime.spawn_blocking(move || {
            let root = &world.settings.tenancy.folder;
            // strangers' names are not watched one by one: the folder of all tenants tells when one appears
            if before.is_some() || disk::has_folder(root, &tenant) {
                this.watching.arm(root, &tenant, moved);
            }
            this.counters.reads.fetch_add(1, Ordering::Relaxed);
            let at = Instant::now();
            let (reading, stamp) = disk::read(root, &tenant);
            let case = Case {
                reader: this.reader,
                settings: &world.settings,
                tenant: &tenant,
                before: before.as_ref().map(|entry| &entry.state),
                same_settings: before
                    .as_ref()
                    .is_some_and(|entry| entry.versions.settings == world.versions.settings),
                hasher: &this.hasher,
            };
            let verdict = case.judge(&reading);
            let doubtful = case.is_doubtful(&reading, &verdict);
            if matches!(verdict, Verdict::Unknown) {
                this.watching.disarm(&tenant);
            }
            Look { at, reading, stamp, verdict, doubtful }
        });
        task.await.ok()
    }

    fn accept(&self, tenant: &TenantId, before: Option<&Entry>, look: Look, world: &World) -> Found {
        match look.verdict {
            Verdict::Unknown => {
                if before.is_some() {
                    tracing::info!(%tenant, "the tenant's folder is gone");
                    self.index.tell(News::Touched(tenant.clone()));
                }
                self.unknown.insert(tenant.clone(), Instant::now() + world.settings.tenancy.negative_ttl);
                self.tenants.invalidate(tenant);
                Found::Unknown
            }
            Verdict::Known(state, change) => {
                self.report(tenant, before.is_some(), &state, &change);
                let said = matches!(look.reading, Reading::Text(_) | Reading::Absent) && state.is_of_file();
                if said && change != Change::Nothing {
                    let hosts = state.good.as_ref().map(|good| good.conf.hosts.clone()).unwrap_or_default();
                    self.index.tell(News::Claims(tenant.clone(), look.stamp, hosts));
                }
                self.unknown.invalidate(tenant);
                self.keep(tenant, state, (look.stamp, look.at), world)
            }
        }
    }

    fn resolve_again(&self, tenant: &TenantId, entry: &Entry, world: &World) -> Found {
        let case = Case {
            reader: self.reader,
            settings: &world.settings,
            tenant,
            before: Some(&entry.state),
            same_settings: false,
            hasher: &self.hasher,
        };
        let fresh = Entry {
            state: case.again(&entry.state),
            stamp: entry.stamp,
            versions: world.versions,
            refresh_at: entry.refresh_at,
            stale_at: entry.stale_at.min(Instant::now() + world.settings.tenancy.ttl),
            refreshing: AtomicBool::new(false),
        };
        let found = Found::Tenant(Arc::clone(&fresh.state.policy));
        self.tenants.insert(tenant.clone(), Arc::new(fresh));
        found
    }

    fn keep(&self, tenant: &TenantId, state: State, (stamp, at): (Stamp, Instant), world: &World) -> Found {
        let ttl = world.settings.tenancy.ttl;
        let (life, ahead) = if state.is_of_file() {
            (ttl, ttl / 4 * 3)
        } else {
            (ttl.min(RETRY_BROKEN), ttl.min(RETRY_BROKEN) / 2)
        };
        let found = Found::Tenant(Arc::clone(&state.policy));
        let entry = Entry {
            state,
            stamp,
            versions: world.versions,
            refresh_at: at + ahead,
            stale_at: at + life,
            refreshing: AtomicBool::new(false),
        };
        self.tenants.insert(tenant.clone(), Arc::new(entry));
        found
    }

    /// Says once what changed.
    fn report(&self, tenant: &TenantId, reload: bool, state: &State, change: &Change) {
        let mut problems = self.problems_lock();
        match &state.policy.problem {
            Some(problem) => problems.insert(tenant.clone(), problem.clone()),
            None => problems.remove(tenant),
        };
        drop(problems);
        match change {
            Change::Broken(mistakes) => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                let in_force = if state.good.is_some() { "the last good policy stays" } else { "closed" };
                for mistake in mistakes {
                    tracing::error!(%tenant, in_force, "{mistake}");
                }
            }
            // the file is fine, but not together with deployment.toml
            Change::Accepted if let Some(problem) = &state.policy.problem => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%tenant, "{problem}");
            }
            Change::Accepted if reload => {
                self.counters.accepted.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%tenant, generation = state.policy.generation, "the tenant's file is in force");
            }
            Change::Recovered => {
                self.counters.accepted.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%tenant, "the tenant's file is good again");
            }
            _ => {}
        }
    }
}
