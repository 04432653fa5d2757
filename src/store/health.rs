//! Health of the store: one task of the process checks it, and all calls read the result.
//!
//! Calls to an unavailable store fail at once, until a check succeeds. A single call cannot decide that:
//! under load it may wait for long although the store works.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use super::{CALL_TIMEOUT, Store, StoreError, dialect::Reachability};
use crate::{
    domain::time::{Timestamp, millis},
    telemetry::store_state::{StoreState, StoreStates},
};

/// If a pool provides no connection within this time, the server is checked without the pool.
const POOL_TIMEOUT: Duration = Duration::from_secs(1);
/// After this time without a write, a check tries one.
const WRITE_CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// Sessions that became idle during an outage of at most this length are extended.
pub const MAX_BRIDGED_OUTAGE: Duration = Duration::from_hours(1);

pub struct StoreHealth {
    state: watch::Sender<StoreState>,
    start: Instant,
    /// Milliseconds after `start` of the last change that was acknowledged.
    last_write: AtomicU64,
    /// A call has failed since the last check, so the next check tries a write.
    is_write_due: AtomicBool,
    /// Changes that the database refused so far.
    refused_changes: AtomicU64,
    /// The time of the last successful check before the current fault, in milliseconds since the epoch; 0: no fault.
    healthy_until: AtomicU64,
    /// The time of the last successful check, in milliseconds since the epoch.
    last_healthy: AtomicU64,
    check_requested: Notify,
}

impl StoreHealth {
    pub fn new() -> Self {
        Self {
            state: watch::Sender::default(),
            start: Instant::now(),
            last_write: AtomicU64::new(0),
            is_write_due: AtomicBool::new(false),
            refused_changes: AtomicU64::new(0),
            healthy_until: AtomicU64::new(0),
            last_healthy: AtomicU64::new(0),
            check_requested: Notify::new(),
        }
    }

    pub fn states(&self) -> StoreStates {
        self.state.subscribe()
    }

    pub fn down(&self) -> Option<StoreError> {
        self.state.borrow().down.as_deref().map(unavailable)
    }

    /// Returns when the store is found not to answer.
    pub async fn wait_until_down(&self) -> StoreError {
        let mut states = self.state.subscribe();
        let down = states.wait_for(|state| state.down.is_some()).await.map(|state| state.down.clone());
        match down {
            Ok(reason) => unavailable(reason.as_deref().unwrap_or_default()),
            // `self` owns the sender, which is never dropped while this runs
            Err(_) => std::future::pending().await,
        }
    }

    pub fn record_write(&self) {
        self.last_write.store(self.millis(), Ordering::Release);
    }

    /// A call has failed: the next check is due now.
    pub fn record_failure(&self, error: &StoreError) {
        if let StoreError::Unwritable(reason) = error {
            self.refused_changes.fetch_add(1, Ordering::AcqRel);
            // a full disk causes several errors: the first one is reported until a check finds another
            self.update(|state| {
                state.unwritable.get_or_insert_with(|| reason.as_str().into());
            });
        }
        self.is_write_due.store(true, Ordering::Release);
        self.check_requested.notify_one();
    }

    fn millis(&self) -> u64 {
        millis(self.start.elapsed())
    }

    fn update(&self, change: impl FnOnce(&mut StoreState)) {
        self.state.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            let (was, is) = (before.problem(), state.problem());
            match (&was, &is) {
                (None, Some(problem)) => tracing::error!(problem, "store fault"),
                (Some(_), None) => tracing::info!("store recovered"),
                (Some(was), Some(is)) if was != is => {
                    tracing::error!(problem = is, "store fault changed");
                }
                _ => {}
            }
            *state != before
        });
    }
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.to_owned())
}

impl Store {
    pub fn states(&self) -> StoreStates {
        self.health().states()
    }

    /// Returns when an early check of the store is requested.
    pub async fn wait_for_check_request(&self) {
        self.health().check_requested.notified().await;
    }

    /// Checks whether the store answers and accepts changes.
    pub async fn check(&self, now: Timestamp) -> StoreState {
        let health = self.health();
        let refused_before = health.refused_changes.load(Ordering::Acquire);
        let lost = self.database().verify().err().map(|error| error.to_string().into());
        let down = self.check_connection().await;
        let unwritable = if lost.is_none() && down.is_none() { self.check_writable().await } else { None };
        let is_well = lost.is_none() && down.is_none() && unwritable.is_none();
        let outage_start = health.healthy_until.load(Ordering::Acquire);
        if is_well && outage_start > 0 {
            self.database().renewal.record_fault(Instant::now());
            let outage_start = Timestamp::from_millis(outage_start);
            if let Err(error) = with_timeout(self.sessions().extend_after_outage(outage_start, now)).await {
                tracing::warn!(%error, "cannot prolong sessions that ended while the store did not answer");
                return self.states().borrow().clone();
            }
            health.healthy_until.store(0, Ordering::Release);
        } else if is_well {
            health.last_healthy.store(now.as_millis(), Ordering::Release);
        } else if outage_start == 0 {
            health.healthy_until.store(health.last_healthy.load(Ordering::Acquire).max(1), Ordering::Release);
        }
        health.update(|state| {
            // a change that was refused during the check overrides the result of the check
            let is_refused = health.refused_changes.load(Ordering::Acquire) != refused_before;
            let refused = state.unwritable.take().filter(|_| is_refused);
            *state = StoreState { down, unwritable: unwritable.or(refused), lost };
        });
        self.states().borrow().clone()
    }

    /// Checks whether the store answers; returns the reason if it does not.
    async fn check_connection(&self) -> Option<Arc<str>> {
        let asking = sqlx::query("SELECT last FROM change_clock").fetch_one(self.read());
        if self.health().down().is_none()
            && let Ok(Ok(_)) = timeout(POOL_TIMEOUT, asking).await
        {
            return None;
        }
        match self.database().check_without_pool().await {
            Reachability::Answers => None,
            Reachability::Full(reason) => {
                tracing::warn!(
                    reason,
                    "the server refuses further connections: lower accounts.store_connections or raise the limit"
                );
                None
            }
            Reachability::Down(reason) => Some(reason.into()),
        }
    }

    /// Checks whether the store accepts changes; returns the reason if it does not.
    async fn check_writable(&self) -> Option<Arc<str>> {
        let health = self.health();
        let known = health.state.borrow().unwritable.clone();
        let since = health.millis().saturating_sub(health.last_write.load(Ordering::Acquire));
        let is_due = health.is_write_due.swap(false, Ordering::AcqRel);
        if known.is_none() && !is_due && Duration::from_millis(since) < WRITE_CHECK_INTERVAL {
            return None;
        }
        match with_timeout(self.change_a_row()).await {
            Ok(()) => {}
            // all connections are in use: not a fault of the store
            Err(StoreError::Exhausted(_)) => return known,
            Err(error) => {
                self.database().renewal.record_fault(Instant::now());
                return Some(error.reason().into());
            }
        }
        // a full disk may still take a small change, but those of users are larger
        match known {
            Some(reason) if !self.has_space().await => Some(reason),
            _ => None,
        }
    }

    async fn change_a_row(&self) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE change_clock SET last = last").execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// Whether the disk of the database takes more new pages than a change needs.
    async fn has_space(&self) -> bool {
        match with_timeout(self.database().probe_space()).await {
            Ok(()) => true,
            // the probe failed for another reason than space
            Err(error) => !error.is_fault(),
        }
    }
}

/// Ends a step of a check that neither succeeds nor fails.
async fn with_timeout<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| Err(unavailable(&format!("no answer within {} seconds", CALL_TIMEOUT.as_secs())));
    timeout(CALL_TIMEOUT, work).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn full() -> StoreError {
        StoreError::Unwritable("disk is full".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_does_not_end_times_out() {
        let error = with_timeout::<()>(pending()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert!(with_timeout(async { Ok(7) }).await.is_ok_and(|seven| seven == 7));
    }

    #[test]
    fn a_fault_is_reported_with_its_first_reason() {
        let health = StoreHealth::new();
        health.record_failure(&full());
        health.record_failure(&StoreError::Unwritable("disk I/O error".to_owned()));
        assert_eq!(health.state.borrow().unwritable.as_deref(), Some("disk is full"));
    }
}
