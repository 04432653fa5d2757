//! Tenant loader: returns policies from the cache, or reads the tenant's file, with one read per tenant at a time.

mod file_check;
mod fill;
mod overrides;

use std::{
    collections::HashMap,
    hash::RandomState,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{runtime::Handle, sync::Semaphore};

use super::{
    command::{CommandSender, RegistryCommand},
    index::HostIndex,
    policy_cache::{CacheLookup, PolicyCache, TenantLookup},
    reload_report::ReloadReport,
    sources::{TenantSources, Versions},
    tenant_state::ParseTenantFile,
    tenant_watch::{TenantWatcher, WatchKey, tenant_watcher},
};
use crate::{
    config::model::Settings,
    domain::tenant::TenantId,
    sync::{FlightPermit, SingleFlight},
};

/// Maximum number of concurrent file reads, so that requests with invented tenant names cannot occupy all blocking threads.
const MAX_CONCURRENT_READS: usize = 32;

/// Shared by the tenant registry, its background task, and the loads in progress.
#[derive(Debug)]
pub struct TenantLoader {
    pub cache: PolicyCache,
    pub sources: Arc<TenantSources>,
    pub index: HostIndex,
    pub report: Arc<ReloadReport>,
    pub watcher: TenantWatcher,
    pub parse: ParseTenantFile,
    pub commands: CommandSender,
    runtime: Handle,
    flights: Arc<SingleFlight<TenantId, (TenantLookup, Versions)>>,
    /// Tenants with a scheduled check that has not begun, so that a burst of events causes one check. The value: whether
    /// folders in the file's path may have been replaced.
    scheduled: Mutex<HashMap<TenantId, bool>>,
    read_slots: Semaphore,
    unwatch_lock: tokio::sync::Mutex<()>,
    hasher: RandomState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FillTrigger {
    /// A caller needs the policy: a fresh entry is sufficient.
    Lookup,
    /// The file may have changed. `path_changed`: folders in its path may have been replaced.
    Recheck { path_changed: bool },
}

impl TenantLoader {
    pub fn new(
        settings: Arc<Settings>,
        parse: ParseTenantFile,
        runtime: Handle,
        commands: CommandSender,
    ) -> Self {
        let report = Arc::new(ReloadReport::default());
        let (evicted, eviction_commands) = (Arc::clone(&report), commands.clone());
        let cache = PolicyCache::new(settings.tenancy.capacity, move |tenant| {
            evicted.forget_policy(tenant);
            eviction_commands.send(RegistryCommand::TenantEvicted(tenant.clone()));
        });
        let index = HostIndex::new(&settings);
        let sources = Arc::new(TenantSources::new(settings));
        Self {
            cache,
            watcher: tenant_watcher(Arc::clone(&sources), commands.clone()),
            sources,
            index,
            report,
            parse,
            commands,
            runtime,
            flights: SingleFlight::new(),
            scheduled: Mutex::new(HashMap::new()),
            read_slots: Semaphore::new(MAX_CONCURRENT_READS),
            unwatch_lock: tokio::sync::Mutex::new(()),
            hasher: RandomState::new(),
        }
    }

    /// Returns the cached policy without I/O, for the hot path; schedules a check if the entry is due.
    pub fn cached(self: &Arc<Self>, tenant: &TenantId) -> Option<TenantLookup> {
        match self.cache.lookup(tenant, &self.sources) {
            CacheLookup::Fresh(found) => Some(found),
            CacheLookup::RefreshDue(found) => {
                self.schedule_recheck(tenant, false);
                Some(found)
            }
            CacheLookup::Missing => None,
        }
    }

    /// Returns the policy, from disk if it is not cached. If the caller is cancelled, the read continues for later callers.
    pub async fn load(self: &Arc<Self>, tenant: &TenantId) -> TenantLookup {
        let permit = self.flights.acquire(tenant).await;
        let shared = permit.shared_result().filter(|(_, versions)| *versions == self.sources.versions());
        if let Some(found) = shared.map(|(found, _)| found).or_else(|| self.cached(tenant)) {
            return found;
        }
        self.spawn_fill(permit, tenant, FillTrigger::Lookup).await
    }

    /// Checks the file now, even if the cached entry is fresh.
    pub async fn refresh(self: &Arc<Self>, tenant: &TenantId) -> TenantLookup {
        let permit = self.flights.acquire(tenant).await;
        self.spawn_fill(permit, tenant, FillTrigger::Recheck { path_changed: true }).await
    }

    /// Fills in a task of its own, which continues if the caller is cancelled.
    async fn spawn_fill(
        self: &Arc<Self>,
        permit: FlightPermit<TenantId, (TenantLookup, Versions)>,
        tenant: &TenantId,
        trigger: FillTrigger,
    ) -> TenantLookup {
        let (this, wanted) = (Arc::clone(self), tenant.clone());
        let task = self.runtime.spawn(async move { this.fill(permit, &wanted, trigger).await });
        match task.await {
            Ok(found) => found,
            Err(_) => self.fallback_policy(tenant),
        }
    }

    /// Schedules a check of a cached tenant's file. `path_changed`: folders in its path may have been replaced.
    pub fn schedule_recheck(self: &Arc<Self>, tenant: &TenantId, path_changed: bool) {
        let mut scheduled = self.scheduled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(already) = scheduled.get_mut(tenant) {
            *already |= path_changed;
            return;
        }
        scheduled.insert(tenant.clone(), path_changed);
        let (this, tenant) = (Arc::clone(self), tenant.clone());
        self.runtime.spawn(async move {
            let permit = this.flights.acquire(&tenant).await;
            // an event after this removal schedules another check
            let path_changed = {
                let mut scheduled = this.scheduled.lock().unwrap_or_else(PoisonError::into_inner);
                scheduled.remove(&tenant).unwrap_or(path_changed)
            };
            if this.cache.contains(&tenant) {
                this.fill(permit, &tenant, FillTrigger::Recheck { path_changed }).await;
            }
        });
    }

    pub fn flush(&self) {
        self.sources.flush();
        self.cache.forget_all_unknown();
        self.commands.send(RegistryCommand::RereadFiles);
    }

    /// Replaces the settings. From the first statement on, no policy that was resolved with earlier settings is returned: a
    /// cached policy is resolved again when a request uses it, or by the loop below.
    pub async fn replace_settings(self: &Arc<Self>, settings: Arc<Settings>) {
        self.sources.replace_settings(settings);
        self.cache.forget_all_unknown();
        self.commands.send(RegistryCommand::SettingsReplaced);
        for tenant in self.cache.tenants() {
            let permit = self.flights.acquire(&tenant).await;
            if let Some(entry) = self.cache.get(&tenant)
                && entry.versions != self.sources.versions()
            {
                self.fill(permit, &tenant, FillTrigger::Lookup).await;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Removes the watch of an evicted tenant, unless it is cached again.
    pub fn unwatch_evicted(self: &Arc<Self>, tenant: TenantId) {
        let this = Arc::clone(self);
        self.runtime.spawn(async move {
            // one at a time, so that a client that requests many tenants cannot occupy the threads that read policies
            let _turn = this.unwatch_lock.lock().await;
            // waits for a load in progress, which may start a watch of the same tenant
            let _permit = this.flights.acquire(&tenant).await;
            if !this.cache.contains(&tenant) {
                let watching = Arc::clone(&this);
                let disarm = move || watching.watcher.disarm(&WatchKey::Tenant(tenant));
                // fails only when the runtime shuts down
                let _ = this.runtime.spawn_blocking(disarm).await;
            }
        });
    }

    #[cfg(test)]
    pub fn active_flights(&self) -> usize {
        self.flights.active()
    }
}
