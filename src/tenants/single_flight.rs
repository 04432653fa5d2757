//! Single flight per tenant: callers that arrive while its file is being read share the result, and an older result can
//! never overwrite a newer one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::OwnedMutexGuard;

use crate::domain::tenant::TenantId;

type FlightSlot<T> = Arc<tokio::sync::Mutex<Option<(Instant, T)>>>;

/// A slot exists only while a caller holds it or waits for it.
#[derive(Debug)]
pub struct SingleFlight<T>(Mutex<HashMap<TenantId, FlightSlot<T>>>);

/// Permit to read one tenant's file.
pub struct FlightPermit<T> {
    slots: Arc<SingleFlight<T>>,
    tenant: TenantId,
    requested_at: Instant,
    slot: Option<FlightSlot<T>>,
    guard: Option<OwnedMutexGuard<Option<(Instant, T)>>>,
}

impl<T> SingleFlight<T> {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(HashMap::new())))
    }

    pub async fn acquire(self: &Arc<Self>, tenant: &TenantId) -> FlightPermit<T> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(tenant.clone()).or_default())
        };
        // created before waiting, so that a cancelled caller releases its slot too
        let mut permit = FlightPermit {
            slots: Arc::clone(self),
            tenant: tenant.clone(),
            requested_at: Instant::now(),
            slot: Some(Arc::clone(&slot)),
            guard: None,
        };
        permit.guard = Some(slot.lock_owned().await);
        permit
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl<T: Clone> FlightPermit<T> {
    /// The result that another caller published while this one waited.
    pub fn shared_result(&self) -> Option<T> {
        let (at, found) = self.guard.as_ref()?.as_ref()?;
        (*at >= self.requested_at).then(|| found.clone())
    }

    pub fn publish(mut self, found: T) {
        if let Some(held) = &mut self.guard {
            **held = Some((Instant::now(), found));
        }
    }
}

impl<T> Drop for FlightPermit<T> {
    fn drop(&mut self) {
        self.guard = None;
        let mut slots = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        // two references, this permit's and the map's, mean that no other caller is left. Checked under the map's lock.
        if self.slot.take().is_some_and(|lock| Arc::strong_count(&lock) == 2) {
            slots.remove(&self.tenant);
        }
    }
}
