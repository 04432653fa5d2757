//! Response times of the portal to recent wrong passwords, per endpoint and tenant.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use moka::sync::Cache;

use crate::domain::{
    guard::{LoginGuard, failure_timing::FailureTiming},
    tenant::TenantId,
};

/// Endpoints tracked at a time.
const CAPACITY: u64 = 10_000;

pub(super) struct ResponseTimes {
    by_endpoint: Cache<u64, Arc<Mutex<FailureTiming>>>,
    hasher: RandomState,
}

impl Default for ResponseTimes {
    fn default() -> Self {
        Self { by_endpoint: Cache::builder().max_capacity(CAPACITY).build(), hasher: RandomState::new() }
    }
}

impl ResponseTimes {
    pub fn record(&self, tenant: &TenantId, guard: &LoginGuard, took: Duration) {
        let times = self.by_endpoint.get_with(self.key(tenant, guard), Arc::default);
        times.lock().unwrap_or_else(PoisonError::into_inner).record(took);
    }

    /// The delay of a refusal; `random` selects the sample.
    pub fn pick(&self, tenant: &TenantId, guard: &LoginGuard, random: usize) -> Duration {
        let times = self.by_endpoint.get(&self.key(tenant, guard)).unwrap_or_default();
        let times = times.lock().unwrap_or_else(PoisonError::into_inner);
        times.sample(random)
    }

    fn key(&self, tenant: &TenantId, guard: &LoginGuard) -> u64 {
        self.hasher.hash_one((tenant, &guard.endpoint.pattern, &guard.endpoint.methods))
    }
}
