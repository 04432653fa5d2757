//! Whether the store works: one task of the process checks it, and all calls read the result.
//!
//! Calls to a store that does not answer fail at once, until a check finds that it answers again. A call does not decide that
//! by itself: under load it may wait for long although the store works.

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

use super::{PATIENCE, Store, StoreError, dialect::Unreachable};
use crate::telemetry::store_state::{StoreState, StoreStates};

/// If a pool gives no connection for so long, the server is checked without the pool.
const POOL: Duration = Duration::from_secs(1);
/// Without a change for so long a write is tried.
const WRITE_EVERY: Duration = Duration::from_secs(10);
/// Sessions that would have ended by idleness in an outage of at most this long are prolonged.
pub const LONGEST_CUT: Duration = Duration::from_hours(1);

pub struct Health {
    state: watch::Sender<StoreState>,
    start: Instant,
    /// Milliseconds after `start` of the last change that was acknowledged.
    written: AtomicU64,
    /// A call has failed since the last check, so the next check tries a write.
    is_write_due: AtomicBool,
    /// Changes that the database refused so far.
    refused_changes: AtomicU64,
    /// The last moment before the present fault at which all was well, in milliseconds since the epoch; 0: no fault.
    well_until: AtomicU64,
    /// The last moment at which all was well.
    last_well: AtomicU64,
    doubt: Notify,
}

impl Health {
    pub fn new() -> Self {
        Self {
            state: watch::Sender::default(),
            start: Instant::now(),
            written: AtomicU64::new(0),
            is_write_due: AtomicBool::new(false),
            refused_changes: AtomicU64::new(0),
            well_until: AtomicU64::new(0),
            last_well: AtomicU64::new(0),
            doubt: Notify::new(),
        }
    }

    pub fn states(&self) -> StoreStates {
        self.state.subscribe()
    }

    pub fn down(&self) -> Option<StoreError> {
        self.state.borrow().down.as_deref().map(unavailable)
    }

    /// Returns when the store is found not to answer.
    pub async fn goes_down(&self) -> StoreError {
        let mut states = self.state.subscribe();
        let down = states.wait_for(|state| state.down.is_some()).await.map(|state| state.down.clone());
        match down {
            Ok(reason) => unavailable(reason.as_deref().unwrap_or_default()),
            // the sender is ours, and does not go away
            Err(_) => std::future::pending().await,
        }
    }

    pub fn wrote(&self) {
        self.written.store(self.millis(), Ordering::Release);
    }

    /// A call has failed: the next check is due now.
    pub fn failed(&self, error: &StoreError) {
        if let StoreError::Unwritable(reason) = error {
            self.refused_changes.fetch_add(1, Ordering::AcqRel);
            // a full disk causes several errors: the first one is reported until a check finds another
            self.update(|state| {
                state.unwritable.get_or_insert_with(|| reason.as_str().into());
            });
        }
        self.is_write_due.store(true, Ordering::Release);
        self.doubt.notify_one();
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn update(&self, change: impl FnOnce(&mut StoreState)) {
        self.state.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            let (was, is) = (before.problem(), state.problem());
            match (&was, &is) {
                (None, Some(problem)) => tracing::error!(problem, "the store of accounts has a fault"),
                (Some(_), None) => tracing::info!("the store of accounts works again"),
                (Some(was), Some(is)) if was != is => {
                    tracing::error!(problem = is, "the store of accounts has another fault");
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

    /// Returns when a check of the store is due before its time.
    pub async fn doubted(&self) {
        self.health().doubt.notified().await;
    }

    /// Checks whether the store answers and accepts changes. `now`: milliseconds since the epoch.
    pub async fn check(&self, now: u64) -> StoreState {
        let health = self.health();
        let refused_before = health.refused_changes.load(Ordering::Acquire);
        let lost = self.database().verify().err().map(|error| error.to_string().into());
        let down = self.answers().await.err().map(Arc::from);
        let unwritable = if lost.is_none() && down.is_none() { self.takes_changes().await } else { None };
        let is_well = lost.is_none() && down.is_none() && unwritable.is_none();
        let cut = health.well_until.load(Ordering::Acquire);
        if is_well && cut > 0 {
            self.database().renewal.record_fault(Instant::now());
            if let Err(error) = with_timeout(self.sessions().bridge(cut, now)).await {
                tracing::warn!(%error, "cannot prolong sessions that ended while the store did not answer");
                return self.states().borrow().clone();
            }
            health.well_until.store(0, Ordering::Release);
        } else if is_well {
            health.last_well.store(now, Ordering::Release);
        } else if cut == 0 {
            health.well_until.store(health.last_well.load(Ordering::Acquire).max(1), Ordering::Release);
        }
        health.update(|state| {
            // a change that was refused during the check overrides the result of the check
            let is_refused = health.refused_changes.load(Ordering::Acquire) != refused_before;
            let refused = state.unwritable.take().filter(|_| is_refused);
            *state = StoreState { down, unwritable: unwritable.or(refused), lost };
        });
        self.states().borrow().clone()
    }

    async fn answers(&self) -> Result<(), String> {
        let asking = sqlx::query("SELECT last FROM change_clock").fetch_one(self.read());
        if self.health().down().is_none()
            && let Ok(Ok(_)) = timeout(POOL, asking).await
        {
            return Ok(());
        }
        match self.database().ask_directly().await {
            Ok(()) => Ok(()),
            Err(Unreachable::Full(reason)) => {
                tracing::warn!(
                    reason,
                    "the store gives this process no more connections: lower accounts.store_connections or raise the limit"
                );
                Ok(())
            }
            Err(Unreachable::Down(reason)) => Err(reason),
        }
    }

    /// Why not, if it does not.
    async fn takes_changes(&self) -> Option<Arc<str>> {
        let health = self.health();
        let known = health.state.borrow().unwritable.clone();
        let since = health.millis().saturating_sub(health.written.load(Ordering::Acquire));
        let is_due = health.is_write_due.swap(false, Ordering::AcqRel);
        if known.is_none() && !is_due && Duration::from_millis(since) < WRITE_EVERY {
            return None;
        }
        match with_timeout(self.change_a_row()).await {
            Ok(()) => {}
            // all connections are in use: that says nothing about the store
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
    let late = |_| Err(unavailable(&format!("no answer within {} seconds", PATIENCE.as_secs())));
    timeout(PATIENCE, work).await.unwrap_or_else(late)
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
        let health = Health::new();
        health.failed(&full());
        health.failed(&StoreError::Unwritable("disk I/O error".to_owned()));
        assert_eq!(health.state.borrow().unwritable.as_deref(), Some("disk is full"));
    }
}
