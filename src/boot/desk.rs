//! Governance as the management API needs it: the store that keeps it, and the tenants it comes into force for.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{
    clock,
    config::{TenantDirectory, governance::Set},
    domain::{
        audit::{Actor, Deed},
        governance::{self, Overrides, Refusal, Write, property},
        tenant::TenantId,
    },
    store::{GovernanceError, Store},
    web::management::desk::{Change, Desk, InForce, NotChanged, Wish},
};

pub struct Governed {
    pub store: Store,
    pub tenants: Arc<TenantDirectory>,
}

impl Desk for Governed {
    fn read<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Option<InForce>> {
        Box::pin(async move {
            let stored = self.store.governance().of(tenant).await;
            let stored = stored
                .inspect_err(|error| tracing::error!(%error, %tenant, "governance cannot be read"))
                .ok()?;
            let numbered = stored.overrides.iter().map(|(name, _)| name);
            let numbered =
                numbered.filter(|name| property(name).is_some_and(|known| known.property.name != *name));
            Some(InForce {
                version: stored.version,
                numbered: numbered.map(str::to_owned).collect(),
                value_of: Box::new(move |name| value_of(&stored.overrides, name)),
            })
        })
    }

    fn change<'a>(&'a self, tenant: &'a TenantId, change: Change) -> BoxFuture<'a, Result<u64, NotChanged>> {
        Box::pin(async move {
            let Change { wish, expected, actor } = change;
            let action = match wish {
                Wish::Update(_) => "governance.update",
                Wish::Revert(..) => "governance.revert",
            };
            let decide = |stored: &crate::store::Stored| -> Result<Vec<Write>, Refusal> {
                match &wish {
                    Wish::Update(changes) => {
                        governance::update(changes, &|name| value_of(&stored.overrides, name))
                    }
                    Wish::Revert(connector, names) => governance::revert(connector, names),
                }
            };
            let store = self.store.governance();
            let updated = store.update(tenant, expected, decide, (action, &actor), clock::millis()).await;
            let (stored, deeds) = updated.map_err(|error| match error {
                GovernanceError::Refused(refusal) => NotChanged::Refused(refusal),
                GovernanceError::Stale { version } => NotChanged::Stale { version },
                GovernanceError::Store(error) => {
                    tracing::error!(%error, %tenant, "governance cannot be changed");
                    NotChanged::Unavailable
                }
            })?;
            for deed in &deeds {
                log(tenant, &actor, deed);
            }
            self.tenants.govern(tenant, Set::new(stored.version, stored.overrides)).await;
            Ok(stored.version)
        })
    }

    fn record<'a>(&'a self, tenant: &'a TenantId, actor: Actor, deed: Deed) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            log(tenant, &actor, &deed);
            let recorded = self.store.audit().record(tenant, &actor, &[deed], clock::millis()).await;
            if let Err(error) = recorded {
                tracing::error!(%error, %tenant, "what was done is in the log only");
            }
        })
    }
}

fn log(tenant: &TenantId, actor: &Actor, deed: &Deed) {
    tracing::info!(
        target: "doorward::audit",
        action = deed.action,
        %tenant,
        %actor,
        address = actor.address.map(tracing::field::display),
        request_id = actor.request_id,
        target = deed.target,
        before = deed.before,
        after = deed.after,
        "changed"
    );
}

/// What an administrator has set, or else the catalogue's default.
fn value_of(overrides: &Overrides, name: &str) -> String {
    let default = || property(name).map_or("", |known| known.property.default);
    overrides.get(name).unwrap_or_else(default).to_owned()
}
