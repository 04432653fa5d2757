//! What an administrator has changed elsewhere than in the store, written down beside what is changed in it.

use super::Doors;
use crate::domain::{
    audit::{Actor, Deed},
    tenant::TenantId,
};

impl Doors {
    /// Of what has happened: where the store cannot keep it, the log has it.
    pub async fn record(&self, tenant: &TenantId, actor: &Actor, deed: Deed, now: u64) {
        tracing::info!(
            target: "doorward::audit",
            action = deed.action,
            %tenant,
            %actor,
            address = actor.address.map(tracing::field::display),
            request_id = actor.request_id,
            // `target` is a key of every line already
            file = deed.target,
            before = deed.before,
            after = deed.after,
            "a file was changed"
        );
        if let Err(error) = self.0.store.audit().record(tenant, actor, &[deed], now).await {
            tracing::error!(%error, %tenant, "the audit has a gap, which the log fills");
        }
    }
}
