//! What administrators set comes into force: each tenant's policy is resolved again at once, without a look at its file.

use std::{sync::Arc, time::Instant};

use super::{Cache, Why};
use crate::{
    config::{directory::Found, governance::Set, model::TenantPolicy},
    domain::tenant::TenantId,
};

impl Cache {
    /// When this returns, no look-up that begins gets a policy from before.
    pub async fn govern(self: &Arc<Self>, tenant: &TenantId, set: Set) {
        self.overlay.put(tenant, set);
        // also where that was no news: somebody may have given up between the two
        self.settle(tenant).await;
    }

    /// The same for all tenants; those not named have nothing set.
    pub async fn govern_all(self: &Arc<Self>, all: Vec<(TenantId, Set)>) {
        self.overlay.replace(all);
        let cached: Vec<Arc<TenantId>> = self.tenants.iter().map(|(tenant, _)| tenant).collect();
        for (number, tenant) in cached.iter().enumerate() {
            self.settle(tenant).await;
            if number % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// A tenant's policy as it would be with something else set; `None` if the tenant is not in memory.
    pub fn would_be(&self, tenant: &TenantId, set: &Set) -> Option<TenantPolicy> {
        let entry = self.tenants.get(tenant)?;
        let conf = Arc::clone(&entry.state.good.as_ref()?.conf);
        Some((self.reader.resolve)(&self.settings.load(), tenant, &conf, set, entry.state.policy.generation))
    }

    async fn settle(self: &Arc<Self>, tenant: &TenantId) {
        // behind whoever is reading for this tenant now, and may have looked at what was set before
        let pass = self.gates.enter(tenant).await;
        if !self.is_settled(tenant) {
            self.fill(pass, tenant, Why::Use).await;
        }
    }

    /// What was found, resolved again if something was set in the meantime. After the cache has it: whoever sets something
    /// from here on finds it there.
    pub(super) fn up_to_date(&self, tenant: &TenantId, mut found: Found) -> Found {
        while let Some(entry) = self.tenants.get(tenant) {
            let world = self.world(tenant);
            if entry.set.is(&world.set) {
                break;
            }
            found = self.resolve_again(tenant, &entry, &world);
        }
        found
    }

    /// Nobody is answered from what was resolved with anything else.
    fn is_settled(&self, tenant: &TenantId) -> bool {
        let Some(entry) = self.tenants.get(tenant) else { return true };
        entry.set.is(&self.overlay.of(tenant))
            || entry.versions != self.versions()
            || Instant::now() >= entry.stale_at
    }
}
