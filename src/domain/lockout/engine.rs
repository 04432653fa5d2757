//! Reserve, record success, release: the operations on the counters of an attempt. Each runs inside one
//! transaction of the store.

use std::time::Duration;

use super::{
    Counter, CounterKey, LockState, LockedUntil, LockoutSettings, LockoutThreshold,
    forgiveness::{SpellingFailures, forgivable},
    management::{is_known, renew},
};
use crate::domain::time::{Timestamp, millis};

/// An attempt that has been counted as failed already and may now be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservedCounters {
    pub(super) entries: Vec<ReservedCounter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReservedCounter {
    pub key: CounterKey,
    before: Counter,
    pub after: Counter,
    /// The locks in a row when this attempt was counted: with `after.since`, the round it belongs to.
    pub lockouts: u32,
    pub max_attempts: u32,
}

/// An attempt that is rejected without verification. It is not counted, and does not extend a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockoutRefusal {
    /// The counter whose lock lasts longest.
    pub by: CounterKey,
    pub until: LockedUntil,
    /// When the attempt that completed the lock was reserved.
    pub since: Timestamp,
}

/// The counters that a success has reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SuccessSummary {
    /// WSO2's `failedLoginAttemptsBeforeSuccess`: the failures before, and `N` for each lock.
    pub failures_before: u64,
    /// The name had a lock, which has expired: the user may be notified.
    pub lock_had_ended: bool,
}

impl ReservedCounters {
    pub fn keys(&self) -> impl Iterator<Item = &CounterKey> {
        self.entries.iter().map(|entry| &entry.key)
    }

    /// The counters that this attempt has locked, unless it succeeds or is released.
    pub fn locks(&self) -> impl Iterator<Item = (&CounterKey, &Counter)> {
        let locking = |entry: &&ReservedCounter| entry.after.lockouts > entry.lockouts;
        self.entries.iter().filter(locking).map(|entry| (&entry.key, &entry.after))
    }

    /// The name's lock, when this attempt has set it.
    pub fn name_locked(&self) -> Option<&Counter> {
        self.locks().find(|(key, _)| key.is_name()).map(|(_, counter)| counter)
    }

    /// The network that a success of this attempt adds to the known networks of the account.
    pub fn new_network(&self) -> Option<&CounterKey> {
        let is_new =
            |entry: &&ReservedCounter| entry.key.is_known_network() && entry.before == Counter::default();
        self.entries.iter().find(is_new).map(|entry| &entry.key)
    }

    /// When the attempt was counted.
    pub(super) fn at(&self) -> Timestamp {
        self.entries.iter().map(|entry| entry.after.last_failure).max().unwrap_or_default()
    }
}

/// The limits of one kind of counter.
struct CounterRule {
    max_attempts: u32,
    window: Duration,
    /// The duration of the next lock; `None`: until an administrator unlocks.
    lock: Option<Duration>,
}

fn rule(settings: &LockoutSettings, key: &CounterKey, lockouts: u32) -> Option<CounterRule> {
    let fixed = |threshold: LockoutThreshold| CounterRule {
        max_attempts: threshold.max_attempts.max(1),
        window: stored_duration(threshold.window),
        lock: (!threshold.time.is_zero()).then(|| stored_duration(threshold.time)),
    };
    match key {
        CounterKey::Address { .. } => settings.address.map(fixed),
        CounterKey::AccountAddress { .. } => settings.account_and_address.map(fixed),
        CounterKey::Device { .. } => settings.device.map(fixed),
        // the limit covers two devices of one owner; more device cookies allow no further attempts
        CounterKey::Devices { .. } => settings.device.map(|threshold| {
            let max_attempts = threshold.max_attempts.max(1).saturating_mul(2);
            fixed(LockoutThreshold { max_attempts, ..threshold })
        }),
        CounterKey::Forgiven { .. } | CounterKey::KnownNetwork { .. } => None,
        CounterKey::Nameless { .. } | CounterKey::UnknownNetworks { .. } => {
            settings.enabled.then(|| fixed(settings.shared_threshold()))
        }
        CounterKey::PortalSession { .. } => {
            settings.enabled.then(|| fixed(settings.portal_session_threshold()))
        }
        CounterKey::Spelling { .. } => (settings.enabled || settings.account_and_address.is_some())
            .then_some(CounterRule { max_attempts: u32::MAX, window: Duration::ZERO, lock: None }),
        CounterKey::Account { .. }
        | CounterKey::PortalName { .. }
        | CounterKey::UnknownName { .. }
        | CounterKey::Confusable { .. } => settings.enabled.then(|| CounterRule {
            max_attempts: settings.max_attempts.max(1),
            window: Duration::ZERO,
            lock: settings.lock_duration(lockouts),
        }),
    }
}

/// As the store has it: in whole milliseconds, at least one unless the duration is zero.
fn stored_duration(duration: Duration) -> Duration {
    if duration.is_zero() { Duration::ZERO } else { Duration::from_millis(millis(duration).max(1)) }
}

/// Counts the attempt as failed before the password is verified, and locks at the limit. `bypass`: the account has
/// the role that is never locked; its address counter still locks, or the role would allow unlimited attempts.
pub fn reserve(
    settings: &LockoutSettings,
    counters: &mut [(CounterKey, Counter)],
    bypass: bool,
    now: Timestamp,
) -> Result<ReservedCounters, LockoutRefusal> {
    let mut devices = counters.iter().filter(|(key, _)| key.is_device()).peekable();
    let known_device = settings.device.is_some()
        && devices.peek().is_some()
        && devices.all(|(_, counter)| !counter.locked_until.is_in_force(now));
    // failures from unknown networks do not lock the account at a known one
    let known_network =
        counters.iter().any(|(key, counter)| key.is_known_network() && is_known(counter, now));
    let applies = |key: &CounterKey| !(known_network && matches!(key, CounterKey::UnknownNetworks { .. }));
    // A known device is checked by its own counters only; a locked device counts as an unknown one.
    let can_reject = |key: &CounterKey| applies(key) && key.is_device() == known_device;
    // Attempts of a known device also count for its address, so that a stolen cookie locks that address; the address
    // lock does not apply to the device, or other clients at the address could lock out the owner.
    let counted =
        |key: &CounterKey| applies(key) && if known_device { !key.is_name() } else { !key.is_device() };
    let exempt = |key: &CounterKey| bypass && !matches!(key, CounterKey::Address { .. });

    let locked = counters
        .iter()
        .filter(|(key, _)| can_reject(key) && !exempt(key))
        .filter_map(|(key, counter)| Some((key, counter, counter.locked_until.in_force(now)?)))
        .max_by_key(|(_, _, until)| *until);
    if let Some((by, counter, until)) = locked {
        return Err(LockoutRefusal { by: by.clone(), until, since: counter.last_failure });
    }

    let mut entries = Vec::with_capacity(counters.len());
    for (key, counter) in counters.iter_mut().filter(|(key, _)| counted(key)) {
        let before = *counter;
        if key.is_record() {
            // locked together with the others, and changed by a success only
            entries.push(ReservedCounter {
                key: key.clone(),
                before,
                after: before,
                lockouts: 0,
                max_attempts: 0,
            });
            continue;
        }
        let Some(rule) = rule(settings, key, before.lockouts) else { continue };
        counter.refresh(rule.window, now);
        let lockouts = counter.lockouts;
        counter.count(&rule, !exempt(key), now);
        entries.push(ReservedCounter {
            key: key.clone(),
            before,
            after: *counter,
            lockouts,
            max_attempts: rule.max_attempts,
        });
    }
    restart_spelling_round(&mut entries, counters, now);
    Ok(ReservedCounters { entries })
}

/// Restarts the round of a spelling whose failures have all ended in locks: a success can no longer
/// subtract them from a round, only from the number of locks.
fn restart_spelling_round(
    entries: &mut [ReservedCounter],
    counters: &mut [(CounterKey, Counter)],
    now: Timestamp,
) {
    let shared = || entries.iter().filter(|entry| entry.key.is_shared());
    let Some(oldest) = shared().map(|entry| entry.after.since).min() else { return };
    let limit = shared().map(|entry| entry.max_attempts).max().unwrap_or(u32::MAX);
    let is_own = |key: &CounterKey| matches!(key, CounterKey::Spelling { .. });
    let Some(entry) = entries.iter_mut().find(|entry| is_own(&entry.key)) else { return };
    let Some((_, counter)) = counters.iter_mut().find(|(key, _)| *key == entry.key) else { return };
    if counter.since < oldest {
        let whole_round = entry.before.failures >= limit;
        counter.lockouts = counter.lockouts.saturating_add(u32::from(whole_round));
        (counter.failures, counter.since) = (1, now);
        (entry.after, entry.lockouts) = (*counter, counter.lockouts);
    }
}

impl Counter {
    /// The last round has ended with a lock, set by any attempt.
    pub(super) fn is_locked(&self) -> bool {
        self.failures == 0 && self.lockouts > 0 && self.locked_until != LockState::None
    }

    fn count(&mut self, rule: &CounterRule, may_lock: bool, now: Timestamp) {
        if self.failures == 0 {
            self.since = now;
        }
        self.failures = self.failures.saturating_add(1);
        self.last_failure = now;
        if may_lock && self.failures >= rule.max_attempts {
            self.failures = 0;
            self.lockouts = self.lockouts.saturating_add(1);
            self.locked_until = match rule.lock {
                Some(length) => LockState::Until((now + length).min(Timestamp::MAX_FORMATTED)),
                None => LockState::UntilAdmin,
            };
        }
    }
}

/// The password was correct: resets the counters of the name, of the name at this address, and of the
/// devices. The address counter only releases this attempt, or an attacker with one account could reset it
/// between attempts at others; a known device resets nothing for other clients at its address. A success at
/// the portal subtracts the failures of the same client and spelling, limited per hour by [`forgivable`]:
/// only a success at Doorward's own login proves the account. `pending` other attempts of the client with this
/// spelling are at the portal: they are not forgiven, and stay counted until their own outcome.
pub fn record_success(
    settings: &LockoutSettings,
    reserved: &ReservedCounters,
    counters: &mut [(CounterKey, Counter)],
    pending: u32,
) -> SuccessSummary {
    let mut success = SuccessSummary::default();
    let known_device = reserved.keys().any(CounterKey::is_device);
    let spelling = SpellingFailures::of(reserved, counters)
        .map(|spelling| forgivable(settings, reserved, counters, spelling.with_pending(pending)));
    for entry in &reserved.entries {
        if entry.key.is_name() {
            let of_locks = u64::from(entry.lockouts).saturating_mul(u64::from(settings.max_attempts.max(1)));
            success.failures_before = of_locks.saturating_add(u64::from(entry.before.failures));
            success.lock_had_ended = matches!(entry.before.locked_until, LockState::Until(_));
        }
        let Some((_, counter)) = counters.iter_mut().find(|(key, _)| *key == entry.key) else { continue };
        match &spelling {
            _ if entry.key.is_forgiven() => {}
            _ if entry.key.is_known_network() => renew(counter, reserved.at()),
            Some(spelling) if entry.key.is_spelling() && spelling.pending > 0 => {
                (counter.failures, counter.lockouts) = (spelling.pending, 0);
            }
            // the portal's user of this name may be another person than the owner of the account
            Some(spelling)
                if entry.key.is_shared() || matches!(entry.key, CounterKey::AccountAddress { .. }) =>
            {
                spelling.forgive(entry, counter);
            }
            _ if entry.key.is_network() || (known_device && !entry.key.is_device()) => {
                entry.release(counter);
            }
            _ => *counter = Counter::default(),
        }
    }
    success
}

/// The password was not verified: uncounts this attempt, and removes the lock that it has set.
pub fn release(reserved: &ReservedCounters, counters: &mut [(CounterKey, Counter)]) {
    // a failure that a success has forgiven is not subtracted twice
    let forgiven =
        SpellingFailures::of(reserved, counters).is_some_and(|spelling| !spelling.has_this_attempt);
    let is_untouched =
        |entry: &&ReservedCounter| entry.key.is_record() || (forgiven && entry.key.is_shared());
    for entry in reserved.entries.iter().filter(|entry| !is_untouched(entry)) {
        if let Some((_, counter)) = counters.iter_mut().find(|(key, _)| *key == entry.key) {
            entry.release(counter);
        }
    }
}

impl ReservedCounter {
    fn release(&self, counter: &mut Counter) {
        if *counter == self.after {
            *counter = self.before;
        } else if counter.since != self.after.since {
            // a new counting round has begun, which does not include this attempt
        } else if counter.lockouts == self.lockouts {
            counter.failures = counter.failures.saturating_sub(1);
        } else if self.is_completed_in(counter) {
            // other attempts have completed the round, and would not have without this one
            counter.lockouts = self.lockouts;
            counter.locked_until = LockState::None;
            counter.failures = self.max_attempts.saturating_sub(1);
        }
    }

    /// The round of this attempt has ended with a lock, set by this or another attempt.
    pub fn is_completed_in(&self, counter: &Counter) -> bool {
        counter.since == self.after.since
            && counter.lockouts == self.lockouts.saturating_add(1)
            && counter.failures == 0
    }
}
