//! The tenants: one policy each, cached with a TTL, refreshed when its file changes, last good kept.
//!
//! `cache` answers look-ups, `disk` reads, `entry` decides what a reading means, `gate` lets one read at a time and tenant,
//! `upkeep` follows the disk, `index` knows all names and hosts.

mod cache;
mod disk;
mod entry;
mod gate;
mod index;
#[cfg(test)]
mod tests;
mod upkeep;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use tokio::{runtime::Handle, sync::mpsc::unbounded_channel, task::AbortHandle};

use self::{cache::Cache, entry::Reader, index::Index, upkeep::Event};
use super::{
    governance::Set,
    hosts::{self, HostFound},
    mistake::Mistake,
    model::{Settings, TenantPolicy},
};
use crate::domain::tenant::TenantId;

pub use disk::{FILE, folder_of};
pub use upkeep::WatchHealth;

/// What a look-up found.
#[derive(Debug, Clone)]
pub enum Found {
    Tenant(Arc<TenantPolicy>),
    /// No folder of that name, and not the default tenant.
    Unknown,
}

/// For metrics and `/config`.
#[derive(Debug, Clone)]
pub struct Status {
    /// Tenants in the cache.
    pub cached: u64,
    /// Looks at tenants' files, for their policy and for the host index.
    pub reads: u64,
    pub index_reads: u64,
    /// Changed files that came into force, and those that could not.
    pub reloads_ok: u64,
    pub reloads_failed: u64,
    /// Tenants whose file is not in force.
    pub problems: usize,
    /// Tenants and host names in the index.
    pub tenants: usize,
    pub hosts: usize,
    pub watch: WatchHealth,
    pub watched_folders: usize,
}

/// All tenants. Background work ends when this is dropped.
#[derive(Debug)]
pub struct TenantDirectory {
    cache: Arc<Cache>,
    upkeep: AbortHandle,
    index: AbortHandle,
}

impl TenantDirectory {
    /// Reads no tenant's file: those are read when they are first asked for. Background work runs on `runtime`.
    pub fn new(settings: Arc<Settings>, runtime: &Handle) -> Arc<Self> {
        Self::with_reader(settings, Reader::TENANT_FILE, runtime)
    }

    fn with_reader(settings: Arc<Settings>, reader: Reader, runtime: &Handle) -> Arc<Self> {
        let (events_in, events) = unbounded_channel();
        let (news_in, news) = unbounded_channel();
        let index = Index::new(&settings, news_in);
        let cache = Arc::new(Cache::new(settings, reader, runtime.clone(), index, events_in));
        // before anything is read, so that no edit falls between
        cache.watching.start(&cache.settings.load());
        let upkeep = runtime.spawn(upkeep::run(Arc::downgrade(&cache), events)).abort_handle();
        let index = runtime.spawn(index::keep(Arc::downgrade(&cache), news)).abort_handle();
        Arc::new(Self { cache, upkeep, index })
    }

    /// From memory: what the hot path asks first. `None` means: ask `load`.
    pub fn cached(&self, tenant: &TenantId) -> Option<Found> {
        self.cache.get(tenant)
    }

    /// From memory or disk; concurrent callers for one tenant share one read.
    pub async fn load(&self, tenant: &TenantId) -> Found {
        match self.cache.get(tenant) {
            Some(found) => found,
            None => self.cache.load(tenant).await,
        }
    }

    /// All tenants that have a folder, and the default one, sorted. Waits for the first listing after the start.
    pub async fn names(&self) -> Arc<[TenantId]> {
        // fails only at the end, and then the list is as good as it gets
        let _ = self.cache.index.listed.subscribe().wait_for(|listed| *listed).await;
        Arc::clone(&self.cache.index.listing.load().names)
    }

    /// More than one tenant exists.
    pub fn several(&self) -> bool {
        self.cache.index.listing.load().several
    }

    /// Whose host name this is, in any spelling, with or without port.
    pub fn by_host(&self, host: &str) -> HostFound {
        let settings = self.cache.settings.load();
        hosts::find(&settings.tenancy, self.cache.index.listing.load().claims.as_deref(), host)
    }

    /// Another tenant whose file claims this host name (in its normal form).
    pub fn claimed_by_another(&self, host: &str, tenant: &TenantId) -> Option<TenantId> {
        self.cache.index.listing.load().claims.as_ref()?.by_another(host, tenant)
    }

    /// Whether all tenant files have been read for their host names since the start.
    pub fn index_ready(&self) -> bool {
        self.cache.index.listing.load().claims.is_some()
    }

    /// What `deployment.toml` says, of the same moment as the policies.
    pub fn settings(&self) -> Arc<Settings> {
        self.cache.settings.load_full()
    }

    /// Looks at a tenant's file now: when this returns, what it says is in force here.
    pub async fn refresh(&self, tenant: &TenantId) -> Found {
        self.cache.refresh(tenant).await
    }

    /// From here on every file is read again before it is answered from.
    pub fn flush(&self) {
        self.cache.flush();
    }

    /// `deployment.toml` has changed. When this returns, every cached policy (also a last good one) is of the new settings;
    /// no look-up after the call begins gets one of the old. `capacity` needs a restart.
    pub async fn replace_settings(&self, settings: Arc<Settings>) {
        self.cache.replace_settings(settings).await;
        self.cache.watching.tell(Event::Reconfigured);
    }

    /// What administrators have set for a tenant is this from here on: when this returns, no look-up that begins gets a
    /// policy from before.
    pub async fn govern(&self, tenant: &TenantId, set: Set) {
        self.cache.govern(tenant, set).await;
    }

    /// The same for all tenants; those not named have nothing set.
    pub async fn govern_all(&self, all: Vec<(TenantId, Set)>) {
        self.cache.govern_all(all).await;
    }

    /// A tenant's policy as it would be with this set; `None` if the tenant is not in memory.
    pub fn would_be(&self, tenant: &TenantId, set: &Set) -> Option<TenantPolicy> {
        self.cache.would_be(tenant, set)
    }

    /// The tenants whose file is not in force, with the reason.
    pub fn problems(&self) -> BTreeMap<TenantId, Mistake> {
        self.cache.problems()
    }

    pub fn status(&self) -> Status {
        let cache = &self.cache;
        cache.tenants.run_pending_tasks();
        let listing = cache.index.listing.load();
        Status {
            cached: cache.tenants.entry_count(),
            reads: cache.counters.reads.load(Ordering::Relaxed),
            index_reads: cache.index.reads.load(Ordering::Relaxed),
            reloads_ok: cache.counters.accepted.load(Ordering::Relaxed),
            reloads_failed: cache.counters.failed.load(Ordering::Relaxed),
            problems: cache.problems().len(),
            tenants: listing.names.len(),
            hosts: listing.claims.as_ref().map_or(0, |claims| claims.len()),
            watch: cache.watching.health(),
            watched_folders: cache.watching.folders(),
        }
    }
}

impl Drop for TenantDirectory {
    fn drop(&mut self) {
        self.upkeep.abort();
        self.index.abort();
        self.cache.watching.stop();
    }
}
