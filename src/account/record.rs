//! What an administrator changes elsewhere than in the store, written down beside what is changed in it.

use super::Doors;
use crate::domain::{
    audit::{Actor, Deed},
    tenant::TenantId,
};

/// The store keeps no records now: nothing is to be changed.
#[derive(Debug)]
pub struct Unrecorded;

impl Doors {
    /// Before it happens, so that nothing happens that is not on record.
    pub async fn record(
        &self,
        tenant: &TenantId,
        actor: &Actor,
        deeds: &[Deed],
        now: u64,
    ) -> Result<(), Unrecorded> {
        self.0.store.audit().record(tenant, actor, deeds, now).await.map_err(|error| {
            tracing::error!(%error, %tenant, "what was to be changed cannot be written down, so it is not changed");
            Unrecorded
        })
    }

    /// After it has happened, in the log.
    pub fn tell(&self, tenant: &TenantId, actor: &Actor, deeds: &[Deed]) {
        for deed in deeds {
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
        }
    }
}
