//! Pending login attempts: reserved, without an outcome. A reservation that reaches the limit locks at once, and an
//! outcome may remove that lock; so an attempt that meets such a lock waits for the outcome before it is rejected.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::domain::lockout::CounterKey;

/// Maximum number of waiting attempts; further ones get 429.
const MAX_WAITING: usize = 1024;

#[derive(Clone, Default)]
pub(super) struct PendingAttempts(Arc<Mutex<PendingState>>);

#[derive(Default)]
struct PendingState {
    counters: HashMap<CounterKey, PendingCounter>,
    /// The number of reservations that were uncounted, by a success or a release.
    refunds: u64,
    waiting: usize,
}

#[derive(Default)]
struct PendingCounter {
    reservations: usize,
    watches: usize,
    /// The number of the last refund on this counter.
    refunded: u64,
    outcome: Arc<Notify>,
}

/// A reservation without an outcome; dropping it signals the outcome.
pub(super) struct PendingReservation {
    pending: PendingAttempts,
    keys: Vec<CounterKey>,
    is_refund: bool,
}

/// An attempt that may have to wait.
pub(super) struct OutcomeWatch {
    pending: PendingAttempts,
    keys: Vec<CounterKey>,
    /// The number of the last refund before the attempt began.
    since: u64,
    waits: bool,
}

/// Whether a lock that an attempt has found may be removed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LockOutlook {
    /// The lock stays.
    Final,
    /// It may have been removed already.
    Released,
    /// It depends on pending attempts.
    Undecided,
}

impl PendingAttempts {
    fn state(&self) -> MutexGuard<'_, PendingState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called before the reservation can be seen by others.
    pub fn register<'k>(&self, keys: impl Iterator<Item = &'k CounterKey>) -> PendingReservation {
        let keys: Vec<_> = keys.cloned().collect();
        let mut state = self.state();
        for key in &keys {
            state.counters.entry(key.clone()).or_default().reservations += 1;
        }
        PendingReservation { pending: self.clone(), keys, is_refund: false }
    }

    /// Other pending attempts on this counter.
    pub fn others(&self, key: &CounterKey) -> u32 {
        let reservations = self.state().counters.get(key).map_or(0, |counted| counted.reservations);
        u32::try_from(reservations.saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// To be called before the attempt asks for a reservation.
    pub fn watch(&self, keys: &[CounterKey]) -> OutcomeWatch {
        let mut state = self.state();
        for key in keys {
            state.counters.entry(key.clone()).or_default().watches += 1;
        }
        OutcomeWatch { pending: self.clone(), keys: keys.to_vec(), since: state.refunds, waits: false }
    }
}

impl PendingState {
    fn change(&mut self, key: &CounterKey, change: impl FnOnce(&mut PendingCounter)) {
        let Entry::Occupied(mut found) = self.counters.entry(key.clone()) else { return };
        change(found.get_mut());
        if found.get().reservations == 0 && found.get().watches == 0 {
            found.remove();
        }
    }
}

impl PendingReservation {
    /// Marks the attempt as no longer counted as failed.
    pub fn into_refund(mut self) -> Self {
        self.is_refund = true;
        self
    }
}

impl Drop for PendingReservation {
    fn drop(&mut self) {
        let mut state = self.pending.state();
        state.refunds += u64::from(self.is_refund);
        let refunds = state.refunds;
        for key in &self.keys {
            state.change(key, |counted| {
                counted.reservations -= 1;
                if self.is_refund {
                    counted.refunded = refunds;
                }
                if self.is_refund || counted.reservations == 0 {
                    counted.outcome.notify_waiters();
                }
            });
        }
    }
}

impl OutcomeWatch {
    /// Signals the next outcome on this counter after the call of `notified`.
    pub fn outcome(&self, key: &CounterKey) -> Arc<Notify> {
        self.pending.state().counters.get(key).map(|counted| Arc::clone(&counted.outcome)).unwrap_or_default()
    }

    pub fn outlook(&mut self, key: &CounterKey) -> LockOutlook {
        let state = self.pending.state();
        match state.counters.get(key) {
            Some(counted) if counted.refunded > self.since => {
                self.since = state.refunds;
                LockOutlook::Released
            }
            Some(counted) if counted.reservations > 0 => LockOutlook::Undecided,
            _ => LockOutlook::Final,
        }
    }

    /// Counts this attempt as a waiting one, once; `false` if too many wait already.
    pub fn may_wait(&mut self) -> bool {
        let mut state = self.pending.state();
        if !self.waits && state.waiting < MAX_WAITING {
            state.waiting += 1;
            self.waits = true;
        }
        self.waits
    }
}

impl Drop for OutcomeWatch {
    fn drop(&mut self) {
        let mut state = self.pending.state();
        state.waiting -= usize::from(self.waits);
        for key in &self.keys {
            state.change(key, |counted| counted.watches -= 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::domain::{lockout::LoginSubject, tenant::TenantId};

    fn key(bucket: u16) -> CounterKey {
        CounterKey::of(TenantId::super_tenant(), LoginSubject::UnknownName(bucket))
    }

    #[test]
    fn a_lock_is_final_when_no_attempt_is_under_way() {
        let (pending, keys) = (PendingAttempts::default(), [key(1), key(2)]);
        let mut watch = pending.watch(&keys);
        assert_eq!(watch.outlook(&key(1)), LockOutlook::Final, "none");
        let (one, other) = (pending.register(keys.iter()), pending.register(keys.iter()));
        assert_eq!(watch.outlook(&key(1)), LockOutlook::Undecided);
        drop(one);
        assert_eq!(watch.outlook(&key(1)), LockOutlook::Undecided, "one has failed, one is under way");
        drop(other);
        assert_eq!(watch.outlook(&key(1)), LockOutlook::Final, "all have failed");
        drop(pending.register(keys.iter()).into_refund());
        assert_eq!(watch.outlook(&key(2)), LockOutlook::Released);
        assert_eq!(watch.outlook(&key(2)), LockOutlook::Final, "reported once");
        assert_eq!(pending.watch(&keys).outlook(&key(1)), LockOutlook::Final, "before this attempt asked");
        drop(watch);
        assert!(pending.state().counters.is_empty(), "nothing is left behind");
    }

    #[test]
    fn an_outcome_wakes_attempts_that_it_may_concern() {
        let (pending, keys) = (PendingAttempts::default(), [key(1)]);
        let watch = pending.watch(&keys);
        let wakes = |underway: PendingReservation, is_refund: bool| {
            let outcome = watch.outcome(&key(1));
            let notified = outcome.notified();
            drop(if is_refund { underway.into_refund() } else { underway });
            notified.now_or_never().is_some()
        };
        let (one, two, three) =
            (pending.register(keys.iter()), pending.register(keys.iter()), pending.register(keys.iter()));
        assert!(!wakes(one, false), "a failure among others changes nothing");
        assert!(wakes(two, true));
        assert!(wakes(three, false), "the last one");
    }

    #[test]
    fn only_so_many_attempts_wait() {
        let pending = PendingAttempts::default();
        let mut watches: Vec<_> = (0..=MAX_WAITING).map(|_| pending.watch(&[key(1)])).collect();
        let waiting = watches.iter_mut().filter_map(|watch| watch.may_wait().then_some(())).count();
        assert_eq!(waiting, MAX_WAITING);
        let last = watches.len() - 1;
        drop(watches.remove(0));
        assert!(watches[last - 1].may_wait(), "another attempt may wait");
    }
}
