//! Where refusals are hidden among each other: one line before the slots for hashes of other systems.
//!
//! Those who have such a hash have to wait for each other there. Would nobody else, many guesses at once would show who they
//! are. So everybody whose password is not right stands in the same line for a turn of the same length, and whoever has nothing
//! to verify sleeps through it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::OwnedSemaphorePermit, time::sleep_until};

use super::queue::{Busy, BusyCause};

/// So long the last in the line waits at most for its turn; twice that, should all have passwords with two spellings.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Line(Arc<AtomicUsize>);

/// A place in the line, until it is dropped.
#[derive(Debug)]
pub(super) struct InLine(Arc<AtomicUsize>);

/// What an attempt that is refused has yet to wait for; for [`super::Hasher::hold_back`].
#[derive(Debug)]
pub struct Refusal(pub(super) Wait);

#[derive(Debug)]
pub(super) enum Wait {
    /// All hashes are ours: there is nothing to hide.
    Nothing,
    Turn(InLine),
    /// It has had its turn, which began then.
    HadTurn(Instant),
    /// The line was full.
    Full,
}

impl Refusal {
    /// Everybody who is not right is told the same while the line is full, and the attempt counts: whether it was compared
    /// with anything is not to be seen.
    pub fn turned_away(&self) -> Option<Busy> {
        matches!(self.0, Wait::Full).then_some(Busy { retry_after: PATIENCE, cause: BusyCause::Queue })
    }
}

impl Line {
    /// `None`: so many are there already that it would take too long, at so many at a time and so long each.
    pub(super) fn enter(&self, at_a_time: usize, each: Duration) -> Option<InLine> {
        let rounds = PATIENCE.as_micros().checked_div(each.as_micros());
        let rounds = rounds.and_then(|rounds| usize::try_from(rounds).ok()).unwrap_or(usize::MAX);
        let most = rounds.max(1).saturating_mul(at_a_time);
        let one_more = |standing| (standing < most).then_some(standing + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(InLine(Arc::clone(&self.0)))
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place and its slot. Shared by the work that is done in it, if any, and the time that has to pass.
pub(super) type Held = Arc<(InLine, OwnedSemaphorePermit)>;

/// Keeps the slot for the whole turn, also when the caller goes away: how soon it is free must not tell what it was for.
pub(super) fn keep(held: Held, began: Instant, each: Duration) {
    if !each.is_zero() {
        tokio::spawn(async move {
            let _held = held;
            sleep_until((began + each).into()).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_a_flood_does_not_make_refusals_wait_for_minutes() {
        for (at_a_time, each, most) in [(1, 100, 100), (4, 100, 400), (2, 4000, 4), (1, 60_000, 1)] {
            let (line, each) = (Line::default(), Duration::from_millis(each));
            let mut standing: Vec<InLine> = (0..most).map(|_| line.enter(at_a_time, each).unwrap()).collect();
            assert!(line.enter(at_a_time, each).is_none(), "{each:?}");
            standing.pop();
            standing.push(line.enter(at_a_time, each).unwrap());
        }
        assert!(Line::default().enter(1, Duration::ZERO).is_some(), "nothing is known yet of what it takes");
    }
}
