//! Applies administrator overrides: a tenant's policy is resolved again at once, without reading its file.

use std::{sync::Arc, time::Instant};

use super::{FillTrigger, TenantLoader};
use crate::{
    config::{governance::TenantOverrides, model::TenantPolicy, tenant_file},
    domain::tenant::TenantId,
    tenants::policy_cache::TenantLookup,
};

impl TenantLoader {
    /// When this returns, no look-up that begins gets a policy from before.
    pub async fn set_overrides(self: &Arc<Self>, tenant: &TenantId, set: TenantOverrides) {
        self.sources.overrides.insert(tenant, set);
        // also if nothing changed: an earlier call may have been cancelled between the two steps
        self.apply_overrides(tenant).await;
    }

    /// Replaces the overrides of all tenants; tenants not named have none.
    pub async fn replace_all_overrides(self: &Arc<Self>, all: Vec<(TenantId, TenantOverrides)>) {
        self.sources.overrides.replace(all);
        for (number, tenant) in self.cache.tenants().iter().enumerate() {
            self.apply_overrides(tenant).await;
            if number % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// A tenant's policy as it would be with something else set; `None` if the tenant is not in memory.
    pub fn preview_policy(&self, tenant: &TenantId, set: &TenantOverrides) -> Option<TenantPolicy> {
        let entry = self.cache.get(tenant)?;
        let conf = &entry.state.last_good()?.conf;
        let generation = entry.state.policy().generation;
        Some(tenant_file::resolve_with(&self.sources.settings(), tenant, conf, set, generation))
    }

    async fn apply_overrides(self: &Arc<Self>, tenant: &TenantId) {
        // waits for a load in progress, which may have used the previous overrides
        let permit = self.flights.acquire(tenant).await;
        if !self.has_current_overrides(tenant) {
            self.fill(permit, tenant, FillTrigger::Lookup).await;
        }
    }

    /// Resolves the policy again if overrides changed meanwhile. Runs after the insert into the cache, so that a later change
    /// finds the entry there.
    pub(super) fn with_current_overrides(&self, tenant: &TenantId, mut found: TenantLookup) -> TenantLookup {
        while let Some(entry) = self.cache.get(tenant) {
            let context = self.sources.context(tenant);
            if entry.overrides.is_same(&context.overrides) {
                break;
            }
            found = self.resolve_again(tenant, &entry, &context);
        }
        found
    }

    /// Whether the entry has the current overrides, or is stale and returned to no caller.
    fn has_current_overrides(&self, tenant: &TenantId) -> bool {
        let Some(entry) = self.cache.get(tenant) else { return true };
        entry.overrides.is_same(&self.sources.overrides.get(tenant))
            || entry.versions != self.sources.versions()
            || Instant::now() >= entry.life.stale_at
    }
}
