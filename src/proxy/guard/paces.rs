//! How long wrong passwords lately took, an endpoint and tenant each.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use moka::sync::Cache;

use crate::domain::{
    guard::{Guard, pace::Pace},
    tenant::TenantId,
};

/// Endpoints remembered at a time.
const CAPACITY: u64 = 10_000;

pub(super) struct Paces {
    paces: Cache<u64, Arc<Mutex<Pace>>>,
    hasher: RandomState,
}

impl Default for Paces {
    fn default() -> Self {
        Self { paces: Cache::builder().max_capacity(CAPACITY).build(), hasher: RandomState::new() }
    }
}

impl Paces {
    pub fn record(&self, tenant: &TenantId, guard: &Guard, took: Duration) {
        let pace = self.paces.get_with(self.key(tenant, guard), Arc::default);
        pace.lock().unwrap_or_else(PoisonError::into_inner).record(took);
    }

    /// How long a refusal waits; `random` picks.
    pub fn pick(&self, tenant: &TenantId, guard: &Guard, random: usize) -> Duration {
        let pace = self.paces.get(&self.key(tenant, guard)).unwrap_or_default();
        let pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.pick(random)
    }

    fn key(&self, tenant: &TenantId, guard: &Guard) -> u64 {
        self.hasher.hash_one((tenant, &guard.endpoint.pattern, &guard.endpoint.methods))
    }
}
