//! Equalises the response time of refusals: one wait queue before the slots for foreign hashes.
//!
//! Verifications of foreign hashes wait for each other there. If no other attempt waited, many parallel attempts
//! would disclose which accounts have one. So every attempt with a wrong password waits in the same queue for a turn
//! of the same length, and an attempt without a hash to verify sleeps during its turn.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::OwnedSemaphorePermit, time::sleep_until};

use super::hash_queue::{BusyCause, HasherBusy};

/// Maximum wait for a turn; twice that if all passwords have two spellings.
const MAX_WAIT: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct WaitQueue(Arc<AtomicUsize>);

/// A place in the wait queue, released on drop.
#[derive(Debug)]
pub(super) struct WaitQueuePlace(Arc<AtomicUsize>);

/// The remaining delay of a refused attempt; see [`super::PasswordHasher::delay_refusal`].
#[derive(Debug)]
pub struct DelayedRefusal(pub(super) RefusalDelay);

#[derive(Debug)]
pub(super) enum RefusalDelay {
    /// All hashes are current: no delay is needed.
    None,
    Queued(WaitQueuePlace),
    /// The turn has been taken; it began at this time.
    TurnTaken(Instant),
    /// The queue was full.
    Full,
}

impl DelayedRefusal {
    /// While the queue is full, every attempt with a wrong password gets the same error and is counted, so
    /// that the response does not disclose whether a hash was compared.
    pub fn busy(&self) -> Option<HasherBusy> {
        matches!(self.0, RefusalDelay::Full)
            .then_some(HasherBusy { retry_after: MAX_WAIT, cause: BusyCause::Queue })
    }
}

impl WaitQueue {
    /// `None` if the queue would take longer than [`MAX_WAIT`], with `concurrency` turns at a time of length `turn`.
    pub(super) fn enter(&self, concurrency: usize, turn: Duration) -> Option<WaitQueuePlace> {
        let rounds = MAX_WAIT.as_micros().checked_div(turn.as_micros());
        let rounds = rounds.and_then(|rounds| usize::try_from(rounds).ok()).unwrap_or(usize::MAX);
        let most = rounds.max(1).saturating_mul(concurrency);
        let one_more = |standing| (standing < most).then_some(standing + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(WaitQueuePlace(Arc::clone(&self.0)))
    }
}

impl Drop for WaitQueuePlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place and its slot, shared by the work in the slot, if any, and the timer of the turn.
pub(super) type SlotGuard = Arc<(WaitQueuePlace, OwnedSemaphorePermit)>;

/// Holds the slot for the whole turn, also if the caller is cancelled: its release must not disclose its use.
pub(super) fn hold_slot_for_turn(held: SlotGuard, began: Instant, turn: Duration) {
    if !turn.is_zero() {
        tokio::spawn(async move {
            let _held = held;
            sleep_until((began + turn).into()).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_a_flood_does_not_make_refusals_wait_for_minutes() {
        for (at_a_time, each, most) in [(1, 100, 100), (4, 100, 400), (2, 4000, 4), (1, 60_000, 1)] {
            let (line, each) = (WaitQueue::default(), Duration::from_millis(each));
            let mut standing: Vec<WaitQueuePlace> =
                (0..most).map(|_| line.enter(at_a_time, each).unwrap()).collect();
            assert!(line.enter(at_a_time, each).is_none(), "{each:?}");
            standing.pop();
            standing.push(line.enter(at_a_time, each).unwrap());
        }
        assert!(
            WaitQueue::default().enter(1, Duration::ZERO).is_some(),
            "nothing is known yet of what it takes"
        );
    }
}
