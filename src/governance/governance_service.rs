//! Governance overrides of tenants: stored, in force in this process when a call returns, and in others
//! when they read the change feed.

use std::{sync::Arc, time::Duration};

use tokio::time::{interval, sleep};

use super::{
    effective_properties::EffectiveProperties,
    pending_refresh::{PendingRefresh, StaleOverrides},
};
use crate::{
    config::governance,
    domain::{
        audit::{Actor, AdminAction},
        governance::{ChangeContext, Connector, PropertyWrite, UpdateRefusal, revert, update},
        tenant::TenantId,
    },
    store::{GovernanceStoreError, Store, StoreChange, StoreError, VersionedOverrides},
    telemetry::audit::AUDIT_TARGET,
    tenants::{TenantLookup, TenantRegistry},
};

/// Interval of the full refresh, which repairs lost notifications.
const FULL_REFRESH_INTERVAL: Duration = Duration::from_mins(15);
/// Retry interval while the store is unavailable.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Why a change was rejected.
#[derive(Debug, thiserror::Error)]
pub enum GovernanceServiceError {
    #[error("there is no such tenant")]
    NoTenant,
    #[error("{}", .0.description())]
    Refused(UpdateRefusal),
    #[error("these settings were changed concurrently: they are at version {version}")]
    Stale { version: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A handle, cheap to clone.
#[derive(Clone)]
pub struct GovernanceService(Arc<GovernanceInner>);

struct GovernanceInner {
    store: Store,
    tenants: Arc<TenantRegistry>,
    /// Held from the query to its application, so that an older result cannot replace a newer one.
    refresh_guard: tokio::sync::Mutex<()>,
    pending: PendingRefresh,
}

impl GovernanceService {
    pub fn new(store: Store, tenants: Arc<TenantRegistry>) -> Self {
        let (refresh_guard, pending) = Default::default();
        Self(Arc::new(GovernanceInner { store, tenants, refresh_guard, pending }))
    }

    pub async fn read(&self, tenant: &TenantId) -> Result<EffectiveProperties, GovernanceServiceError> {
        match self.0.tenants.load(tenant).await {
            TenantLookup::Tenant(policy) => Ok(EffectiveProperties(policy)),
            TenantLookup::Unknown => Err(GovernanceServiceError::NoTenant),
        }
    }

    /// Changes properties of one or several connectors atomically.
    pub async fn patch(
        &self,
        context: &ChangeContext<'_>,
        changes: &[(&'static Connector, Vec<(String, String)>)],
    ) -> Result<EffectiveProperties, GovernanceServiceError> {
        let before = self.read(context.tenant).await?;
        let decide = |stored: &VersionedOverrides| {
            // on top of the stored overrides, which may be newer than those in force here
            let set = governance::TenantOverrides::new(stored.version, stored.overrides.clone());
            let current = self.0.tenants.preview_policy(context.tenant, &set);
            let current = current.as_ref().unwrap_or(&before.0);
            update(changes, &|name| governance::effective_value(current, name))
        };
        self.change(context, "governance.update", decide).await
    }

    /// Reverts properties of one or several connectors to the values of the files, atomically.
    pub async fn revert(
        &self,
        context: &ChangeContext<'_>,
        reverted: &[(&'static Connector, Vec<String>)],
    ) -> Result<EffectiveProperties, GovernanceServiceError> {
        self.read(context.tenant).await?;
        let decide = |_: &VersionedOverrides| revert(reverted);
        self.change(context, "governance.revert", decide).await
    }

    async fn change(
        &self,
        context: &ChangeContext<'_>,
        action: &'static str,
        decide: impl FnOnce(&VersionedOverrides) -> Result<Vec<PropertyWrite>, UpdateRefusal>,
    ) -> Result<EffectiveProperties, GovernanceServiceError> {
        let refresh_guard = self.0.refresh_guard.lock().await;
        let done = self.0.store.governance().update(context, action, decide).await;
        let (stored, actions) = done.map_err(|error| match error {
            GovernanceStoreError::Refused(refusal) => GovernanceServiceError::Refused(refusal),
            GovernanceStoreError::Stale { version } => GovernanceServiceError::Stale { version },
            GovernanceStoreError::Store(error) => GovernanceServiceError::Store(error),
        })?;
        log_actions(&stored, &actions, context.actor);
        self.apply(stored).await;
        drop(refresh_guard);
        self.read(context.tenant).await
    }

    /// Applies the stored overrides of all tenants in this process.
    pub async fn refresh_all(&self) -> Result<(), StoreError> {
        let _guard = self.0.refresh_guard.lock().await;
        let all = self.0.store.governance().all().await?;
        let sets = all.into_iter().map(|stored| {
            (stored.tenant, governance::TenantOverrides::new(stored.version, stored.overrides))
        });
        self.0.tenants.replace_all_overrides(sets.collect()).await;
        Ok(())
    }

    async fn refresh(&self, tenant: &TenantId) -> Result<(), StoreError> {
        let _guard = self.0.refresh_guard.lock().await;
        let stored = self.0.store.governance().of(tenant).await?;
        self.apply(stored).await;
        Ok(())
    }

    async fn apply(&self, stored: VersionedOverrides) {
        let set = governance::TenantOverrides::new(stored.version, stored.overrides);
        self.0.tenants.set_overrides(&stored.tenant, set).await;
    }

    /// Enqueues a change of another replica for `run`.
    pub fn enqueue(&self, change: &StoreChange) {
        self.0.pending.add(change);
    }

    /// Applies enqueued changes, for as long as it is polled. While the store is unavailable, the previous
    /// overrides stay in force.
    pub async fn run(&self) {
        let mut full_refresh = interval(FULL_REFRESH_INTERVAL);
        full_refresh.tick().await;
        loop {
            tokio::select! {
                () = self.0.pending.added() => {}
                _ = full_refresh.tick() => self.enqueue(&StoreChange::Everything),
            }
            let mut is_error_logged = false;
            while let Err(error) = self.refresh_pending().await {
                if !is_error_logged {
                    is_error_logged = true;
                    tracing::error!(%error, "failed to read governance overrides; the previous ones stay in force");
                }
                sleep(RETRY_INTERVAL).await;
            }
        }
    }

    async fn refresh_pending(&self) -> Result<(), StoreError> {
        let mut stale = self.0.pending.take();
        let done = self.refresh_stale(&mut stale).await;
        if done.is_err() {
            self.0.pending.put_back(stale);
        }
        done
    }

    /// Removes from `stale` what has been read.
    async fn refresh_stale(&self, stale: &mut StaleOverrides) -> Result<(), StoreError> {
        if stale.everything {
            return self.refresh_all().await;
        }
        while let Some(tenant) = stale.tenants.pop_first() {
            if let Err(error) = self.refresh(&tenant).await {
                stale.tenants.insert(tenant);
                return Err(error);
            }
        }
        Ok(())
    }
}

fn log_actions(stored: &VersionedOverrides, actions: &[AdminAction], actor: &Actor) {
    for AdminAction { action, target, before, after } in actions {
        tracing::info!(
            target: AUDIT_TARGET,
            action,
            tenant = %stored.tenant,
            version = stored.version,
            %actor,
            address = actor.address.map(tracing::field::display),
            request_id = actor.request_id,
            property = target,
            before,
            after,
            "a setting was changed"
        );
    }
}
