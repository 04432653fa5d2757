//! The index as the actor maintains it: one record a tenant. Pure; reads nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    claims::HostClaims,
    reader::{ClaimOutcome, ClaimReading, KnownFile},
    snapshot::IndexSnapshot,
};
use crate::{domain::tenant::TenantId, tenants::tenant_folder::FileStamp};

/// The hosts that a valid tenant file claims.
#[derive(Debug)]
pub struct HostsClaimed {
    pub tenant: TenantId,
    pub stamp: FileStamp,
    pub hosts: Vec<String>,
}

#[derive(Debug, Default)]
pub struct IndexRecords {
    tenants: BTreeMap<TenantId, IndexedTenant>,
    /// All files have been read once.
    is_complete: bool,
}

#[derive(Debug, Default)]
struct IndexedTenant {
    /// `None`: to be read.
    stamp: Option<FileStamp>,
    hosts: Vec<String>,
    /// The file has been valid at least once, so `hosts` is known.
    was_readable: bool,
}

impl IndexRecords {
    pub fn names(&self) -> impl Iterator<Item = &TenantId> {
        self.tenants.keys()
    }

    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub fn mark_complete(&mut self) {
        self.is_complete = true;
    }

    /// Returns whether the tenant is new.
    pub fn add(&mut self, tenant: &TenantId) -> bool {
        let is_new = !self.tenants.contains_key(tenant);
        if is_new {
            self.tenants.insert(tenant.clone(), IndexedTenant::default());
        }
        is_new
    }

    /// Returns whether the tenant was known.
    pub fn remove(&mut self, tenant: &TenantId) -> bool {
        self.tenants.remove(tenant).is_some()
    }

    /// Removes all others. Returns whether there were any.
    pub fn retain(&mut self, names: &BTreeSet<TenantId>) -> bool {
        let before = self.tenants.len();
        self.tenants.retain(|tenant, _| names.contains(tenant));
        before != self.tenants.len()
    }

    /// From here on each file counts as changed.
    pub fn forget_stamps(&mut self) {
        self.tenants.values_mut().for_each(|record| record.stamp = None);
    }

    /// The tenant's file, for the next read.
    pub fn known_file(&self, tenant: &TenantId) -> KnownFile {
        let stamp = self.tenants.get(tenant).and_then(|record| record.stamp);
        KnownFile { tenant: tenant.clone(), stamp }
    }

    /// Returns whether claims changed. An invalid file keeps the hosts of its last valid content.
    pub fn apply_reading(&mut self, reading: ClaimReading) -> bool {
        let Some(record) = self.tenants.get_mut(&reading.tenant) else { return false };
        record.stamp = Some(reading.stamp);
        match reading.outcome {
            ClaimOutcome::Hosts(hosts) => record.replace_hosts(hosts),
            ClaimOutcome::Invalid(_) | ClaimOutcome::Unknown => false,
        }
    }

    /// `None` if the tenant has not been listed: its folder is announced by another command. Otherwise whether claims changed.
    pub fn apply_claims(&mut self, claimed: HostsClaimed) -> Option<bool> {
        let record = self.tenants.get_mut(&claimed.tenant)?;
        record.stamp = Some(claimed.stamp);
        Some(record.replace_hosts(claimed.hosts))
    }

    pub fn snapshot(&self, default: &TenantId) -> IndexSnapshot {
        let mut names: Vec<TenantId> = self.tenants.keys().cloned().collect();
        if let Err(place) = names.binary_search(default) {
            names.insert(place, default.clone());
        }
        let claims = self.is_complete.then(|| {
            let mut claims = HostClaims::default();
            for (tenant, record) in &self.tenants {
                record.hosts.iter().for_each(|host| claims.insert(host, tenant));
                if !record.was_readable {
                    claims.mark_incomplete();
                }
            }
            Arc::new(claims)
        });
        IndexSnapshot { has_several_tenants: names.len() > 1, names: names.into(), claims }
    }
}

impl IndexedTenant {
    fn replace_hosts(&mut self, hosts: Vec<String>) -> bool {
        let changed = self.hosts != hosts || !self.was_readable;
        self.hosts = hosts;
        self.was_readable = true;
        changed
    }
}
