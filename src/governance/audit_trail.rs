//! Audit records of administrator actions outside of the store, such as changes of files.

use crate::{
    domain::{
        audit::{Actor, AdminAction},
        tenant::TenantId,
    },
    store::Store,
};

/// The store cannot write audit records now: the change must not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit record cannot be written")]
pub struct AuditUnavailable;

/// Cheap to clone.
#[derive(Clone)]
pub struct AuditTrail {
    store: Store,
}

impl AuditTrail {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Records actions before they are performed, so that no change is unrecorded.
    pub async fn record(
        &self,
        tenant: &TenantId,
        actor: &Actor,
        actions: &[AdminAction],
        now: u64,
    ) -> Result<(), AuditUnavailable> {
        self.store.audit().record(tenant, actor, actions, now).await.map_err(|error| {
            tracing::error!(%error, %tenant, "change rejected: failed to write its audit record");
            AuditUnavailable
        })
    }

    /// Logs actions after they were performed.
    pub fn log(tenant: &TenantId, actor: &Actor, actions: &[AdminAction]) {
        for action in actions {
            tracing::info!(
                target: "doorward::audit",
                action = action.action,
                %tenant,
                %actor,
                address = actor.address.map(tracing::field::display),
                request_id = actor.request_id,
                // `target` is a key of every line already
                file = action.target,
                before = action.before,
                after = action.after,
                "file changed"
            );
        }
    }
}
