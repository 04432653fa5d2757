//! Single flight: callers that ask for a key while it is being loaded share the result, and an older result can never
//! overwrite a newer one.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::OwnedMutexGuard;

type FlightSlot<T> = Arc<tokio::sync::Mutex<Option<(Instant, T)>>>;

/// A slot exists only while a caller holds it or waits for it.
#[derive(Debug)]
pub struct SingleFlight<K, T>(Mutex<HashMap<K, FlightSlot<T>>>);

/// Permit to load one key.
pub struct FlightPermit<K: Eq + Hash, T> {
    slots: Arc<SingleFlight<K, T>>,
    key: K,
    requested_at: Instant,
    slot: Option<FlightSlot<T>>,
    guard: Option<OwnedMutexGuard<Option<(Instant, T)>>>,
}

impl<K: Clone + Eq + Hash, T> SingleFlight<K, T> {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(HashMap::new())))
    }

    pub async fn acquire(self: &Arc<Self>, key: &K) -> FlightPermit<K, T> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(key.clone()).or_default())
        };
        // created before waiting, so that a cancelled caller releases its slot too
        let mut permit = FlightPermit {
            slots: Arc::clone(self),
            key: key.clone(),
            requested_at: Instant::now(),
            slot: Some(Arc::clone(&slot)),
            guard: None,
        };
        permit.guard = Some(slot.lock_owned().await);
        permit
    }

    /// Keys that a caller holds or waits for.
    #[cfg(test)]
    pub fn active(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl<K: Eq + Hash, T: Clone> FlightPermit<K, T> {
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

impl<K: Eq + Hash, T> Drop for FlightPermit<K, T> {
    fn drop(&mut self) {
        self.guard = None;
        let mut slots = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        // two references, this permit's and the map's, mean that no other caller is left. Checked under the map's lock.
        if self.slot.take().is_some_and(|lock| Arc::strong_count(&lock) == 2) {
            slots.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_callers_share_the_result_of_the_first() {
        let flights = SingleFlight::<&str, u32>::new();
        let first = flights.acquire(&"key").await;
        assert_eq!(first.shared_result(), None);
        let mut second = Box::pin(flights.acquire(&"key"));
        assert!(futures_util::poll!(&mut second).is_pending());
        let other_key = flights.acquire(&"other").await;
        first.publish(7);
        assert_eq!(second.await.shared_result(), Some(7));
        drop(other_key);
        assert_eq!(flights.acquire(&"key").await.shared_result(), None, "a later caller loads again");
        assert_eq!(flights.active(), 0);
    }

    #[tokio::test]
    async fn a_cancelled_caller_releases_its_slot() {
        let flights = SingleFlight::<&str, u32>::new();
        let first = flights.acquire(&"key").await;
        let mut second = Box::pin(flights.acquire(&"key"));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(second);
        drop(first);
        assert_eq!(flights.active(), 0);
    }
}
