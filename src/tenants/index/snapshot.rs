//! The index as look-ups read it.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use super::claims::HostClaims;
use crate::{config::model::Settings, domain::tenant::TenantId, tenants::tenant_folder};

/// Replaced as a whole.
#[derive(Debug)]
pub struct IndexSnapshot {
    /// Sorted; the default tenant is always among them.
    pub names: Arc<[TenantId]>,
    pub has_several_tenants: bool,
    /// `None` until all files have been read once.
    pub claims: Option<Arc<HostClaims>>,
}

#[derive(Debug)]
pub struct HostIndex {
    snapshot: ArcSwap<IndexSnapshot>,
    /// Becomes true with the first complete list of names.
    is_listed: watch::Sender<bool>,
}

impl HostIndex {
    /// Reads only as many folder names as it takes to know whether there are several tenants.
    pub fn new(settings: &Settings) -> Self {
        let default = settings.tenancy.default_tenant.clone();
        let other = tenant_folder::list_folders(&settings.tenancy.folder)
            .ok()
            .and_then(|mut folders| folders.find(|tenant| *tenant != default));
        let snapshot =
            IndexSnapshot { names: Arc::from([default]), has_several_tenants: other.is_some(), claims: None };
        Self { snapshot: ArcSwap::from_pointee(snapshot), is_listed: watch::Sender::new(false) }
    }

    pub fn snapshot(&self) -> Guard<Arc<IndexSnapshot>> {
        self.snapshot.load()
    }

    pub fn publish(&self, snapshot: IndexSnapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }

    pub fn is_listed(&self) -> bool {
        *self.is_listed.borrow()
    }

    pub fn mark_listed(&self) {
        self.is_listed.send_replace(true);
    }

    pub async fn wait_until_listed(&self) {
        // fails only at the end, and then the list is as good as it gets
        let _ = self.is_listed.subscribe().wait_for(|listed| *listed).await;
    }
}
