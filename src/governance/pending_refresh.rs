//! Changes of other replicas that are not yet applied here.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use tokio::sync::{Notify, futures::Notified};

use crate::{domain::tenant::TenantId, store::StoreChange};

#[derive(Default)]
pub(super) struct PendingRefresh {
    stale: Mutex<StaleOverrides>,
    wake: Notify,
}

/// The tenants whose overrides have to be read again.
#[derive(Default)]
pub(super) struct StaleOverrides {
    pub everything: bool,
    pub tenants: BTreeSet<TenantId>,
}

impl PendingRefresh {
    pub fn add(&self, change: &StoreChange) {
        match change {
            StoreChange::GovernanceChanged(tenant) => {
                self.lock().tenants.insert(tenant.clone());
            }
            StoreChange::Everything => self.lock().everything = true,
            StoreChange::SessionEnded(_)
            | StoreChange::SessionsChanged(_)
            | StoreChange::AccountChanged(_) => return,
        }
        self.wake.notify_one();
    }

    /// Completes when there is something to refresh.
    pub fn added(&self) -> Notified<'_> {
        self.wake.notified()
    }

    pub fn take(&self) -> StaleOverrides {
        std::mem::take(&mut *self.lock())
    }

    /// Adds what could not be read.
    pub fn put_back(&self, mut failed: StaleOverrides) {
        let mut stale = self.lock();
        stale.everything |= failed.everything;
        stale.tenants.append(&mut failed.tenants);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, StaleOverrides> {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
