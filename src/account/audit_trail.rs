//! Writes audit records of administrator actions outside of the store.

use super::AccountServices;
use crate::domain::{
    audit::{Actor, AdminAction},
    tenant::TenantId,
};

/// The store cannot write audit records now: the change must not be made.
#[derive(Debug)]
pub struct AuditUnavailable;

impl AccountServices {
    /// Records actions before they are performed, so that no change is unrecorded.
    pub async fn record_actions(
        &self,
        tenant: &TenantId,
        actor: &Actor,
        actions: &[AdminAction],
        now: u64,
    ) -> Result<(), AuditUnavailable> {
        self.0.store.audit().record(tenant, actor, actions, now).await.map_err(|error| {
            tracing::error!(%error, %tenant, "change rejected: failed to write its audit record");
            AuditUnavailable
        })
    }

    /// Logs actions after they were performed.
    pub fn log_actions(&self, tenant: &TenantId, actor: &Actor, actions: &[AdminAction]) {
        for deed in actions {
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
                "file changed"
            );
        }
    }
}
