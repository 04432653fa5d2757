//! The policies in memory. Look-ups take no lock and allocate nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use moka::{notification::RemovalCause, policy::EvictionPolicy};

use super::{
    sources::{ResolveContext, TenantSources, Versions},
    tenant_folder::FileStamp,
    tenant_state::TenantState,
};
use crate::{
    config::{governance::TenantOverrides, model::TenantPolicy},
    domain::tenant::TenantId,
};

/// Cached names of unknown tenants, which anonymous clients can create without limit: at most a few megabytes.
const NEGATIVE_CACHE_CAPACITY: u64 = 8192;

/// The result of a look-up.
#[derive(Debug, Clone)]
pub enum TenantLookup {
    Tenant(Arc<TenantPolicy>),
    /// No folder of that name, and not the default tenant.
    Unknown,
}

/// The result of a look-up in memory.
pub enum CacheLookup {
    Fresh(TenantLookup),
    /// Also to be refreshed in the background. Each entry says so once.
    RefreshDue(TenantLookup),
    /// Not in memory, or stale.
    Missing,
}

/// A cached tenant. Replaced as a whole, never changed.
#[derive(Debug)]
pub struct CachedTenant {
    pub state: TenantState,
    pub stamp: FileStamp,
    /// Which settings it was resolved with, and after which flush it was read.
    pub versions: Versions,
    /// The overrides it was resolved with.
    pub overrides: TenantOverrides,
    pub life: EntryLife,
    is_refreshing: AtomicBool,
}

/// How long an entry lives.
#[derive(Debug, Clone, Copy)]
pub struct EntryLife {
    /// From this time on the next look-up triggers a refresh in the background …
    pub refresh_at: Instant,
    /// … and from this time on it is not returned before it has been refreshed.
    pub stale_at: Instant,
}

impl CachedTenant {
    pub fn new(state: TenantState, stamp: FileStamp, context: &ResolveContext, life: EntryLife) -> Self {
        Self {
            state,
            stamp,
            versions: context.versions,
            overrides: context.overrides.clone(),
            life,
            is_refreshing: AtomicBool::new(false),
        }
    }

    /// Whether it was resolved with these settings and overrides.
    pub fn is_resolved_with(&self, context: &ResolveContext) -> bool {
        self.versions.settings == context.versions.settings && self.overrides.is_same(&context.overrides)
    }

    pub fn found(&self) -> TenantLookup {
        TenantLookup::Tenant(Arc::clone(self.state.policy()))
    }
}

#[derive(Debug)]
pub struct PolicyCache {
    entries: moka::sync::Cache<TenantId, Arc<CachedTenant>>,
    /// Until when each is unknown.
    unknown: moka::sync::Cache<TenantId, Instant>,
}

impl PolicyCache {
    /// `on_evicted` is called for each entry that goes and is not replaced.
    pub fn new(capacity: u64, on_evicted: impl Fn(&TenantId) + Send + Sync + 'static) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(capacity.max(1))
            .eviction_listener(move |tenant: Arc<TenantId>, _, cause| {
                if cause != RemovalCause::Replaced {
                    on_evicted(&tenant);
                }
            })
            .build();
        let unknown = moka::sync::Cache::builder()
            .max_capacity(NEGATIVE_CACHE_CAPACITY)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { entries, unknown }
    }

    /// The hot path: two look-ups at most, no lock, no allocation.
    pub fn lookup(&self, tenant: &TenantId, sources: &TenantSources) -> CacheLookup {
        let Some(entry) = self.entries.get(tenant) else {
            return match self.unknown.get(tenant) {
                Some(until) if Instant::now() < until => CacheLookup::Fresh(TenantLookup::Unknown),
                _ => CacheLookup::Missing,
            };
        };
        let now = Instant::now();
        if entry.versions != sources.versions() || now >= entry.life.stale_at {
            return CacheLookup::Missing;
        }
        if now >= entry.life.refresh_at && !entry.is_refreshing.swap(true, Ordering::Relaxed) {
            return CacheLookup::RefreshDue(entry.found());
        }
        CacheLookup::Fresh(entry.found())
    }

    /// The entry, however old.
    pub fn get(&self, tenant: &TenantId) -> Option<Arc<CachedTenant>> {
        self.entries.get(tenant)
    }

    pub fn contains(&self, tenant: &TenantId) -> bool {
        self.entries.contains_key(tenant)
    }

    pub fn insert(&self, tenant: &TenantId, entry: CachedTenant) {
        self.unknown.invalidate(tenant);
        self.entries.insert(tenant.clone(), Arc::new(entry));
    }

    pub fn insert_unknown(&self, tenant: &TenantId, ttl: Duration) {
        self.unknown.insert(tenant.clone(), Instant::now() + ttl);
        self.entries.invalidate(tenant);
    }

    pub fn forget_unknown(&self, tenant: &TenantId) {
        self.unknown.invalidate(tenant);
    }

    pub fn forget_all_unknown(&self) {
        self.unknown.invalidate_all();
    }

    pub fn tenants(&self) -> Vec<TenantId> {
        self.entries.iter().map(|(tenant, _)| tenant.as_ref().clone()).collect()
    }

    pub fn stamps(&self) -> Vec<(TenantId, FileStamp)> {
        self.entries.iter().map(|(tenant, entry)| (tenant.as_ref().clone(), entry.stamp)).collect()
    }

    pub fn len(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }

    #[cfg(test)]
    pub fn unknown_len(&self) -> u64 {
        self.unknown.run_pending_tasks();
        self.unknown.entry_count()
    }
}
