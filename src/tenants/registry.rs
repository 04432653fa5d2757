//! The tenant registry as the rest of the program sees it.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{runtime::Handle, task::AbortHandle};

use super::{
    actor::RegistryActor,
    command::command_channel,
    index::{HostLookup, find_tenant},
    loader::TenantLoader,
    policy_cache::TenantLookup,
    tenant_state::ParseTenantFile,
};
use crate::{
    config::{
        governance::TenantOverrides,
        mistake::Mistake,
        model::{Settings, TenantPolicy},
        tenant_file,
    },
    domain::tenant::TenantId,
};

/// For metrics and `/config`.
#[derive(Debug, Clone)]
pub struct RegistryStatus {
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
    /// Tenants in the host index.
    pub tenants: usize,
}

/// All tenants. Background work ends when this is dropped.
#[derive(Debug)]
pub struct TenantRegistry {
    pub(super) loader: Arc<TenantLoader>,
    actor: AbortHandle,
}

impl TenantRegistry {
    /// Reads no tenant file: each is read on first use. Background work runs on `runtime`.
    pub fn new(settings: Arc<Settings>, runtime: &Handle) -> Arc<Self> {
        Self::with_parser(settings, tenant_file::parse, runtime)
    }

    pub(super) fn with_parser(
        settings: Arc<Settings>,
        parse: ParseTenantFile,
        runtime: &Handle,
    ) -> Arc<Self> {
        let (sender, commands) = command_channel();
        let loader = Arc::new(TenantLoader::new(settings, parse, runtime.clone(), sender));
        let actor = RegistryActor::new(Arc::clone(&loader), commands);
        let actor = runtime.spawn(actor.run()).abort_handle();
        Arc::new(Self { loader, actor })
    }

    /// From memory, for the hot path. `None`: call `load`.
    pub fn cached(&self, tenant: &TenantId) -> Option<TenantLookup> {
        self.loader.cached(tenant)
    }

    /// From memory or disk; concurrent callers for one tenant share one read.
    pub async fn load(&self, tenant: &TenantId) -> TenantLookup {
        match self.loader.cached(tenant) {
            Some(found) => found,
            None => self.loader.load(tenant).await,
        }
    }

    /// All tenants that have a folder, and the default one, sorted. Waits for the first listing after the start.
    pub async fn names(&self) -> Arc<[TenantId]> {
        self.loader.index.wait_until_listed().await;
        Arc::clone(&self.loader.index.snapshot().names)
    }

    /// More than one tenant exists.
    pub fn has_several_tenants(&self) -> bool {
        self.loader.index.snapshot().has_several_tenants
    }

    /// Finds the tenant of a host name, in any spelling, with or without port.
    pub fn find_by_host(&self, host: &str) -> HostLookup {
        let settings = self.loader.sources.settings();
        find_tenant(&settings.tenancy, self.loader.index.snapshot().claims.as_deref(), host)
    }

    /// Another tenant whose file claims this host name (in its normal form).
    pub fn other_claimant(&self, host: &str, tenant: &TenantId) -> Option<TenantId> {
        self.loader.index.snapshot().claims.as_ref()?.other_claimant(host, tenant)
    }

    /// Whether all tenant files have been read for their host names since the start.
    pub fn is_index_ready(&self) -> bool {
        self.loader.index.snapshot().claims.is_some()
    }

    /// The settings that the current policies are resolved with.
    pub fn settings(&self) -> Arc<Settings> {
        self.loader.sources.settings_arc()
    }

    /// Checks a tenant's file now: when this returns, its content is in force in this process.
    pub async fn refresh(&self, tenant: &TenantId) -> TenantLookup {
        self.loader.refresh(tenant).await
    }

    /// Marks every entry as stale: each file is read again before its policy is returned.
    pub fn flush(&self) {
        self.loader.flush();
    }

    /// `deployment.toml` has changed. When this returns, every cached policy (also a last good one) is of the new settings;
    /// no look-up after the call begins gets one of the old. `capacity` needs a restart.
    pub async fn replace_settings(&self, settings: Arc<Settings>) {
        self.loader.replace_settings(settings).await;
    }

    /// Replaces a tenant's administrator overrides: when this returns, no look-up that begins gets a
    /// policy resolved with the previous ones.
    pub async fn set_overrides(&self, tenant: &TenantId, set: TenantOverrides) {
        self.loader.set_overrides(tenant, set).await;
    }

    /// Replaces the overrides of all tenants; tenants not named have none.
    pub async fn replace_all_overrides(&self, all: Vec<(TenantId, TenantOverrides)>) {
        self.loader.replace_all_overrides(all).await;
    }

    /// Preview of a tenant's policy with these overrides; `None` if the tenant is not in memory.
    pub fn preview_policy(&self, tenant: &TenantId, set: &TenantOverrides) -> Option<TenantPolicy> {
        self.loader.preview_policy(tenant, set)
    }

    /// The tenants whose file is not in force, with the reason.
    pub fn problems(&self) -> BTreeMap<TenantId, Mistake> {
        let loader = &self.loader;
        loader.report.problems(|tenant| loader.cache.contains(tenant))
    }

    pub fn status(&self) -> RegistryStatus {
        let loader = &self.loader;
        let (counts, index) = (loader.report.counts(), loader.index.snapshot());
        RegistryStatus {
            cached: loader.cache.len(),
            reads: counts.file_checks,
            index_reads: counts.claim_reads,
            reloads_ok: counts.accepted,
            reloads_failed: counts.failed,
            problems: self.problems().len(),
            tenants: index.names.len(),
        }
    }
}

impl Drop for TenantRegistry {
    fn drop(&mut self) {
        self.actor.abort();
        self.loader.watcher.stop();
    }
}
