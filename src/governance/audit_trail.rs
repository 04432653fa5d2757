//! Audit records of administrator actions outside of the store, such as changes of files.

use crate::{
    domain::{
        audit::{Actor, AdminAction},
        tenant::TenantId,
        time::Timestamp,
    },
    store::{Store, StoreError},
    telemetry::audit::AUDIT_TARGET,
};

/// Cheap to clone.
#[derive(Clone)]
pub struct AuditTrail {
    store: Store,
}

impl AuditTrail {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Records actions before they are performed, so that no change is unrecorded: on an error, it must not be made.
    pub async fn record(
        &self,
        tenant: &TenantId,
        actor: &Actor,
        actions: &[AdminAction],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.store.audit().record(tenant, actor, actions, now).await
    }

    /// Logs actions after they were performed.
    pub fn log(tenant: &TenantId, actor: &Actor, actions: &[AdminAction]) {
        for action in actions {
            tracing::info!(
                target: AUDIT_TARGET,
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
