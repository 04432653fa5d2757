//! Tenant registry: one policy per tenant, cached with a TTL, refreshed when its file changes; the last good one is retained.
//!
//! `cache` serves look-ups, `tenant_folder` reads, `evaluate` decides, `single_flight` allows one read per tenant at a time,
//! `watcher` follows file changes, `host_index` maps names and hosts.

mod cache;
mod evaluate;
mod host_index;
mod single_flight;
mod tenant_folder;
#[cfg(test)]
mod tests;
pub mod watch;
mod watcher;
pub mod writer;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use tokio::{runtime::Handle, sync::mpsc::unbounded_channel, task::AbortHandle};

use self::{cache::TenantCache, evaluate::TenantFileReader, host_index::HostIndex, watcher::RegistryEvent};
use crate::{
    config::{
        governance::TenantOverrides,
        hosts::{self, HostLookup},
        mistake::Mistake,
        model::{Settings, TenantPolicy},
    },
    domain::tenant::TenantId,
};

pub use tenant_folder::{TENANT_CONF, folder_of};
pub use watcher::WatchHealth;

/// The result of a look-up.
#[derive(Debug, Clone)]
pub enum TenantLookup {
    Tenant(Arc<TenantPolicy>),
    /// No folder of that name, and not the default tenant.
    Unknown,
}

/// For metrics and `/config`.
#[derive(Debug, Clone)]
pub struct Status {
    /// Tenants in the cache.
    pub cached: u64,
    /// Reads of tenants' files, for their policies and for the host index.
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
pub struct TenantRegistry {
    cache: Arc<TenantCache>,
    watcher: AbortHandle,
    indexer: AbortHandle,
}

impl TenantRegistry {
    /// Reads no tenant file: each is read on first use. Background work runs on `runtime`.
    pub fn new(settings: Arc<Settings>, runtime: &Handle) -> Arc<Self> {
        Self::with_reader(settings, TenantFileReader::TENANT_FILE, runtime)
    }

    fn with_reader(settings: Arc<Settings>, reader: TenantFileReader, runtime: &Handle) -> Arc<Self> {
        let (event_sender, events) = unbounded_channel();
        let (command_sender, commands) = unbounded_channel();
        let index = HostIndex::new(&settings, command_sender);
        let cache = Arc::new(TenantCache::new(settings, reader, runtime.clone(), index, event_sender));
        // before the first read, so that no edit is missed
        cache.watcher.start(&cache.settings.load());
        let watcher = runtime.spawn(watcher::run(Arc::downgrade(&cache), events)).abort_handle();
        let index = runtime.spawn(host_index::run(Arc::downgrade(&cache), commands)).abort_handle();
        Arc::new(Self { cache, watcher, indexer: index })
    }

    /// From memory, for the hot path. `None`: call `load`.
    pub fn cached(&self, tenant: &TenantId) -> Option<TenantLookup> {
        self.cache.lookup(tenant)
    }

    /// From memory or disk; concurrent callers for one tenant share one read.
    pub async fn load(&self, tenant: &TenantId) -> TenantLookup {
        match self.cache.lookup(tenant) {
            Some(found) => found,
            None => self.cache.load(tenant).await,
        }
    }

    /// All tenants that have a folder, and the default one, sorted. Waits for the first listing after the start.
    pub async fn names(&self) -> Arc<[TenantId]> {
        // fails only at the end, and then the list is as good as it gets
        let _ = self.cache.index.is_listed.subscribe().wait_for(|listed| *listed).await;
        Arc::clone(&self.cache.index.snapshot.load().names)
    }

    /// More than one tenant exists.
    pub fn has_several_tenants(&self) -> bool {
        self.cache.index.snapshot.load().has_several_tenants
    }

    /// Finds the tenant of a host name, in any spelling, with or without port.
    pub fn find_by_host(&self, host: &str) -> HostLookup {
        let settings = self.cache.settings.load();
        hosts::find_tenant(&settings.tenancy, self.cache.index.snapshot.load().claims.as_deref(), host)
    }

    /// Another tenant whose file claims this host name (in its normal form).
    pub fn other_claimant(&self, host: &str, tenant: &TenantId) -> Option<TenantId> {
        self.cache.index.snapshot.load().claims.as_ref()?.other_claimant(host, tenant)
    }

    /// Whether all tenant files have been read for their host names since the start.
    pub fn is_index_ready(&self) -> bool {
        self.cache.index.snapshot.load().claims.is_some()
    }

    /// The settings that the current policies are resolved with.
    pub fn settings(&self) -> Arc<Settings> {
        self.cache.settings.load_full()
    }

    /// Checks a tenant's file now: when this returns, its content is in force in this process.
    pub async fn refresh(&self, tenant: &TenantId) -> TenantLookup {
        self.cache.refresh(tenant).await
    }

    /// Marks every entry as stale: each file is read again before its policy is returned.
    pub fn flush(&self) {
        self.cache.flush();
    }

    /// `deployment.toml` has changed. When this returns, every cached policy (also a last good one) is of the new settings;
    /// no look-up after the call begins gets one of the old. `capacity` needs a restart.
    pub async fn replace_settings(&self, settings: Arc<Settings>) {
        self.cache.replace_settings(settings).await;
        self.cache.watcher.send(RegistryEvent::SettingsReplaced);
    }

    /// Replaces a tenant's administrator overrides: when this returns, no look-up that begins gets a
    /// policy resolved with the previous ones.
    pub async fn set_overrides(&self, tenant: &TenantId, set: TenantOverrides) {
        self.cache.set_overrides(tenant, set).await;
    }

    /// Replaces the overrides of all tenants; tenants not named have none.
    pub async fn replace_all_overrides(&self, all: Vec<(TenantId, TenantOverrides)>) {
        self.cache.replace_all_overrides(all).await;
    }

    /// Preview of a tenant's policy with these overrides; `None` if the tenant is not in memory.
    pub fn preview_policy(&self, tenant: &TenantId, set: &TenantOverrides) -> Option<TenantPolicy> {
        self.cache.preview_policy(tenant, set)
    }

    /// The tenants whose file is not in force, with the reason.
    pub fn problems(&self) -> BTreeMap<TenantId, Mistake> {
        self.cache.problems()
    }

    pub fn status(&self) -> Status {
        let cache = &self.cache;
        cache.entries.run_pending_tasks();
        let listing = cache.index.snapshot.load();
        Status {
            cached: cache.entries.entry_count(),
            reads: cache.counters.file_checks.load(Ordering::Relaxed),
            index_reads: cache.index.file_reads.load(Ordering::Relaxed),
            reloads_ok: cache.counters.accepted.load(Ordering::Relaxed),
            reloads_failed: cache.counters.failed.load(Ordering::Relaxed),
            problems: cache.problems().len(),
            tenants: listing.names.len(),
            hosts: listing.claims.as_ref().map_or(0, |claims| claims.len()),
            watch: cache.watcher.health(),
            watched_folders: cache.watcher.folders(),
        }
    }
}

impl Drop for TenantRegistry {
    fn drop(&mut self) {
        self.watcher.abort();
        self.indexer.abort();
        self.cache.watcher.stop();
    }
}
