//! What a success at the portal's sign-in forgives: the failures of the client that succeeded, within an hourly bound.

use super::{
    Counter, CounterKey, Lock, LockoutSettings,
    engine::{Entry, Reserved},
};

/// Successes at the portal forgive at most so many times `max_attempts` failures of a name within the window. The portal, and not
/// Doorward, has verified the password: an answer that only looks like a success is worth no more guesses than this.
const FORGIVEN_ROUNDS: u32 = 2;
const FORGIVEN_WINDOW: u64 = 60 * 60 * 1000;

/// What of this a success may forgive, which is counted.
pub(super) fn forgivable(
    settings: &LockoutSettings,
    reserved: &Reserved,
    counters: &mut [(CounterKey, Counter)],
    spelling: Spelling,
) -> Spelling {
    let now = reserved.at();
    let Some((_, counter)) = counters.iter_mut().find(|(key, _)| key.is_forgiven()) else { return spelling };
    counter.refresh(FORGIVEN_WINDOW, now);
    let round = settings.max_attempts.max(1);
    let left = round.saturating_mul(FORGIVEN_ROUNDS).saturating_sub(counter.failures);
    // the attempt that succeeded was no failure
    let own = u32::from(spelling.has_this_attempt);
    let failures = spelling.failures.saturating_sub(own.saturating_add(spelling.underway)).min(left);
    let lockouts = spelling.lockouts.min((left - failures) / round);
    let spent = failures.saturating_add(lockouts.saturating_mul(round));
    if spent > 0 {
        if counter.failures == 0 {
            counter.since = now;
        }
        counter.failures = counter.failures.saturating_add(spent);
        counter.last_failure = now;
    }
    Spelling { failures: failures.saturating_add(own), lockouts, ..spelling }
}

/// What one client has failed under one spelling of a name at the portal, and so in the counters it shares with others.
pub(super) struct Spelling {
    since: u64,
    failures: u32,
    lockouts: u32,
    /// Not, if a success next to this attempt has forgiven it already.
    pub has_this_attempt: bool,
    /// Of the failures, attempts that have no outcome yet.
    pub underway: u32,
}

impl Spelling {
    pub fn of(reserved: &Reserved, counters: &[(CounterKey, Counter)]) -> Option<Self> {
        let entry = reserved.entries.iter().find(|entry| entry.key.is_spelling())?;
        let (_, counter) = counters.iter().find(|(key, _)| *key == entry.key)?;
        let (failures, lockouts) = if entry.is_completed_in(counter) || counter.is_locked() {
            (entry.max_attempts, counter.lockouts.saturating_sub(1))
        } else {
            (counter.failures, counter.lockouts)
        };
        let has_this_attempt = counter.since == entry.after.since;
        Some(Self { since: counter.since, failures, lockouts, has_this_attempt, underway: 0 })
    }

    /// With so many other attempts under way.
    pub fn among(self, underway: u32) -> Self {
        let own = u32::from(self.has_this_attempt);
        Self { underway: underway.min(self.failures.saturating_sub(own)), ..self }
    }

    pub fn forgive(&self, entry: &Entry, counter: &mut Counter) {
        let failures = if counter.since <= self.since {
            self.failures
        } else {
            // it has begun anew meanwhile: how many of the earlier failures are in it is unknown
            u32::from(self.has_this_attempt && counter.since == entry.after.since)
        };
        if failures > 0 && (entry.is_completed_in(counter) || counter.is_locked()) {
            counter.failures = entry.max_attempts.saturating_sub(failures);
            counter.lockouts = counter.lockouts.saturating_sub(1);
            counter.locked_until = Lock::None;
        } else {
            counter.failures = counter.failures.saturating_sub(failures);
        }
        counter.lockouts = counter.lockouts.saturating_sub(self.lockouts);
    }
}
