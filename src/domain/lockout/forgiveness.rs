//! Forgives failures of the client whose login at the portal succeeded, within an hourly limit.

use std::time::Duration;

use super::{
    Counter, CounterKey, LockState, LockoutSettings,
    engine::{ReservedCounter, ReservedCounters},
};
use crate::domain::time::Timestamp;

/// Successes at the portal forgive at most this many times `max_attempts` failures of a name within the
/// window. The portal has verified the password, not Doorward: a response that only looks like a success
/// allows no more attempts than this.
const FORGIVEN_ROUNDS: u32 = 2;
const FORGIVEN_WINDOW: Duration = Duration::from_hours(1);

/// The failures that a success may forgive; they are charged to the hourly limit.
pub(super) fn forgivable(
    settings: &LockoutSettings,
    reserved: &ReservedCounters,
    counters: &mut [(CounterKey, Counter)],
    spelling: SpellingFailures,
) -> SpellingFailures {
    let now = reserved.at();
    let Some((_, counter)) = counters.iter_mut().find(|(key, _)| key.is_forgiven()) else { return spelling };
    counter.refresh(FORGIVEN_WINDOW, now);
    let round = settings.max_attempts.max(1);
    let left = round.saturating_mul(FORGIVEN_ROUNDS).saturating_sub(counter.failures);
    // the attempt that succeeded was no failure
    let own = u32::from(spelling.has_this_attempt);
    let failures = spelling.failures.saturating_sub(own.saturating_add(spelling.pending)).min(left);
    let lockouts = spelling.lockouts.min((left - failures) / round);
    let spent = failures.saturating_add(lockouts.saturating_mul(round));
    if spent > 0 {
        if counter.failures == 0 {
            counter.since = now;
        }
        counter.failures = counter.failures.saturating_add(spent);
        counter.last_failure = now;
    }
    SpellingFailures { failures: failures.saturating_add(own), lockouts, ..spelling }
}

/// The failures of one client under one spelling of a name at the portal, which also count in shared counters.
pub(super) struct SpellingFailures {
    since: Timestamp,
    failures: u32,
    lockouts: u32,
    /// `false` if a concurrent success has already forgiven this attempt.
    pub has_this_attempt: bool,
    /// The attempts among the failures that have no outcome yet.
    pub pending: u32,
}

impl SpellingFailures {
    pub fn of(reserved: &ReservedCounters, counters: &[(CounterKey, Counter)]) -> Option<Self> {
        let entry = reserved.entries.iter().find(|entry| entry.key.is_spelling())?;
        let (_, counter) = counters.iter().find(|(key, _)| *key == entry.key)?;
        let (failures, lockouts) = if entry.is_completed_in(counter) || counter.is_locked() {
            (entry.max_attempts, counter.lockouts.saturating_sub(1))
        } else {
            (counter.failures, counter.lockouts)
        };
        let has_this_attempt = counter.since == entry.after.since;
        Some(Self { since: counter.since, failures, lockouts, has_this_attempt, pending: 0 })
    }

    /// Excludes this many other pending attempts.
    pub fn with_pending(self, underway: u32) -> Self {
        let own = u32::from(self.has_this_attempt);
        Self { pending: underway.min(self.failures.saturating_sub(own)), ..self }
    }

    pub fn forgive(&self, entry: &ReservedCounter, counter: &mut Counter) {
        let failures = if counter.since <= self.since {
            self.failures
        } else {
            // the round was restarted: how many earlier failures it includes is unknown
            u32::from(self.has_this_attempt && counter.since == entry.after.since)
        };
        if failures > 0 && (entry.is_completed_in(counter) || counter.is_locked()) {
            counter.failures = entry.max_attempts.saturating_sub(failures);
            counter.lockouts = counter.lockouts.saturating_sub(1);
            counter.locked_until = LockState::None;
        } else {
            counter.failures = counter.failures.saturating_sub(failures);
        }
        counter.lockouts = counter.lockouts.saturating_sub(self.lockouts);
    }
}
