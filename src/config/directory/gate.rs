//! One look at a tenant's file at a time: who comes while it is being read gets the same answer, and an older reading can
//! never overwrite a newer one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::OwnedMutexGuard;

use crate::domain::tenant::TenantId;

type Lock<T> = Arc<tokio::sync::Mutex<Option<(Instant, T)>>>;

/// Gates exist only while somebody stands at them.
#[derive(Debug)]
pub struct Gates<T>(Mutex<HashMap<TenantId, Lock<T>>>);

/// The right to read one tenant's file.
pub struct Pass<T> {
    gates: Arc<Gates<T>>,
    tenant: TenantId,
    arrived: Instant,
    lock: Option<Lock<T>>,
    held: Option<OwnedMutexGuard<Option<(Instant, T)>>>,
}

impl<T> Gates<T> {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(HashMap::new())))
    }

    pub async fn enter(self: &Arc<Self>, tenant: &TenantId) -> Pass<T> {
        let lock = {
            let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gates.entry(tenant.clone()).or_default())
        };
        // made before waiting, so that who gives up while waiting cleans up too
        let mut pass = Pass {
            gates: Arc::clone(self),
            tenant: tenant.clone(),
            arrived: Instant::now(),
            lock: Some(Arc::clone(&lock)),
            held: None,
        };
        pass.held = Some(lock.lock_owned().await);
        pass
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl<T: Clone> Pass<T> {
    /// What somebody else found while this one waited.
    pub fn found_meanwhile(&self) -> Option<T> {
        let (at, found) = self.held.as_ref()?.as_ref()?;
        (*at >= self.arrived).then(|| found.clone())
    }

    pub fn leave(mut self, found: T) {
        if let Some(held) = &mut self.held {
            **held = Some((Instant::now(), found));
        }
    }
}

impl<T> Drop for Pass<T> {
    fn drop(&mut self) {
        self.held = None;
        let mut gates = self.gates.0.lock().unwrap_or_else(PoisonError::into_inner);
        // this one and the table's: nobody else stands here. Counted and given back under the table's lock.
        if self.lock.take().is_some_and(|lock| Arc::strong_count(&lock) == 2) {
            gates.remove(&self.tenant);
        }
    }
}
