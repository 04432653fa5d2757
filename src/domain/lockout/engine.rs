//! Reserve, then verify: the three moves on the counters of an attempt. Each runs inside one transaction of the store.

use super::{
    Counter, CounterKey, Lock, LockoutSettings, MAX_MILLIS, Threshold,
    forgiveness::{Spelling, forgivable},
    management::{is_known, renew},
};

/// An attempt that has been counted as failed already and may now be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub key: CounterKey,
    before: Counter,
    pub after: Counter,
    /// The locks in a row when this attempt was counted: with `after.since`, the round it belongs to.
    pub lockouts: u32,
    pub max_attempts: u32,
}

/// An attempt that is not to be verified. It was counted nowhere, and prolongs nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The counter whose lock lasts longest.
    pub by: CounterKey,
    pub until: Lock,
    /// When the attempt that completed the lock was reserved.
    pub since: u64,
}

/// What a success ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Success {
    /// WSO2's `failedLoginAttemptsBeforeSuccess`: the failures before, and `N` for each lock.
    pub failures_before: u64,
    /// The name had been locked, and the time of the lock has passed: the owner may be told that it is open again.
    pub lock_had_ended: bool,
}

impl Reserved {
    pub fn keys(&self) -> impl Iterator<Item = &CounterKey> {
        self.entries.iter().map(|entry| &entry.key)
    }

    /// The counters this attempt has locked, should it stay failed.
    pub fn locks(&self) -> impl Iterator<Item = (&CounterKey, &Counter)> {
        let locking = |entry: &&Entry| entry.after.lockouts > entry.lockouts;
        self.entries.iter().filter(locking).map(|entry| (&entry.key, &entry.after))
    }

    /// The name's lock, when this attempt has set it.
    pub fn name_locked(&self) -> Option<&Counter> {
        self.locks().find(|(key, _)| key.is_name()).map(|(_, counter)| counter)
    }

    /// The network that a success of this attempt adds to the known networks of the account.
    pub fn new_network(&self) -> Option<&CounterKey> {
        let is_new = |entry: &&Entry| entry.key.is_known_network() && entry.before == Counter::default();
        self.entries.iter().find(is_new).map(|entry| &entry.key)
    }

    /// When the attempt was counted.
    pub(super) fn at(&self) -> u64 {
        self.entries.iter().map(|entry| entry.after.last_failure).max().unwrap_or_default()
    }

    /// Failures of this name so far and how many there may be: the context of code 17002.
    pub fn attempts(&self) -> Option<(u32, u32)> {
        let entry = self.entries.iter().find(|entry| entry.key.is_name())?;
        let failures =
            if entry.after.lockouts > entry.lockouts { entry.max_attempts } else { entry.after.failures };
        Some((failures, entry.max_attempts))
    }
}

/// How one kind of counter counts.
struct Rule {
    max_attempts: u32,
    window: u64,
    /// The length of the next lock after so many in a row; `None`: until an administrator unlocks.
    lock: Option<u64>,
}

fn rule(settings: &LockoutSettings, key: &CounterKey, lockouts: u32) -> Option<Rule> {
    let fixed = |threshold: Threshold| Rule {
        max_attempts: threshold.max_attempts.max(1),
        window: millis(threshold.window),
        lock: (!threshold.time.is_zero()).then(|| millis(threshold.time)),
    };
    match key {
        CounterKey::Address { .. } => settings.address.map(fixed),
        CounterKey::AccountAddress { .. } => settings.account_and_address.map(fixed),
        CounterKey::Device { .. } => settings.device.map(fixed),
        // two browsers of one owner may both be used up; a hoard of cookies is worth no more
        CounterKey::Devices { .. } => settings.device.map(|threshold| {
            let max_attempts = threshold.max_attempts.max(1).saturating_mul(2);
            fixed(Threshold { max_attempts, ..threshold })
        }),
        CounterKey::Forgiven { .. } | CounterKey::KnownNetwork { .. } => None,
        CounterKey::Nameless { .. } | CounterKey::UnknownNetworks { .. } => {
            settings.enabled.then(|| fixed(settings.shared_threshold()))
        }
        CounterKey::PortalSession { .. } => {
            settings.enabled.then(|| fixed(settings.portal_session_threshold()))
        }
        CounterKey::Spelling { .. } => (settings.enabled || settings.account_and_address.is_some())
            .then_some(Rule { max_attempts: u32::MAX, window: 0, lock: None }),
        CounterKey::Account { .. }
        | CounterKey::Portal { .. }
        | CounterKey::Unknown { .. }
        | CounterKey::Alike { .. } => settings.enabled.then(|| Rule {
            max_attempts: settings.max_attempts.max(1),
            window: 0,
            lock: settings.lock_millis(lockouts),
        }),
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    if duration.is_zero() { 0 } else { u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1) }
}

/// Counts the attempt as failed, and locks at the limit, before anybody has looked at the password. `bypass`: the
/// account has the role that is never locked; its address is, or the role would be an open door to guess at.
pub fn reserve(
    settings: &LockoutSettings,
    counters: &mut [(CounterKey, Counter)],
    bypass: bool,
    now: u64,
) -> Result<Reserved, Refused> {
    let mut devices = counters.iter().filter(|(key, _)| key.is_device()).peekable();
    let known_device = settings.device.is_some()
        && devices.peek().is_some()
        && devices.all(|(_, counter)| !counter.locked_until.in_force(now));
    // failures from unknown networks do not lock the account at a known one
    let known_network =
        counters.iter().any(|(key, counter)| key.is_known_network() && is_known(counter, now));
    let applies = |key: &CounterKey| !(known_network && matches!(key, CounterKey::UnknownNetworks { .. }));
    // A known browser answers for itself alone, and has itself to blame; a locked one is a stranger like all others.
    let concerned = |key: &CounterKey| applies(key) && key.is_device() == known_device;
    // Its guesses are its address's too, so that a thief of cookies locks out where he sits; it is not stopped by that, or
    // strangers next to the owner could lock the owner out.
    let counted =
        |key: &CounterKey| applies(key) && if known_device { !key.is_name() } else { !key.is_device() };
    let exempt = |key: &CounterKey| bypass && !matches!(key, CounterKey::Address { .. });

    let locked = counters
        .iter()
        .filter(|(key, counter)| concerned(key) && !exempt(key) && counter.locked_until.in_force(now))
        .max_by_key(|(_, counter)| counter.locked_until.order());
    if let Some((by, counter)) = locked {
        return Err(Refused { by: by.clone(), until: counter.locked_until, since: counter.last_failure });
    }

    let mut entries = Vec::with_capacity(counters.len());
    for (key, counter) in counters.iter_mut().filter(|(key, _)| counted(key)) {
        let before = *counter;
        if key.is_record() {
            // held with the others, and changed by a success only
            entries.push(Entry { key: key.clone(), before, after: before, lockouts: 0, max_attempts: 0 });
            continue;
        }
        let Some(rule) = rule(settings, key, before.lockouts) else { continue };
        counter.refresh(rule.window, now);
        let lockouts = counter.lockouts;
        counter.count(&rule, !exempt(key), now);
        entries.push(Entry {
            key: key.clone(),
            before,
            after: *counter,
            lockouts,
            max_attempts: rule.max_attempts,
        });
    }
    begin_anew(&mut entries, counters, now);
    Ok(Reserved { entries })
}

/// A spelling whose failures have all ended in locks begins with this attempt: they are in no round any more that a success
/// could take them off from, only in the ladder.
fn begin_anew(entries: &mut [Entry], counters: &mut [(CounterKey, Counter)], now: u64) {
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
    /// Its last round has ended with a lock, whichever attempt it was that completed it.
    pub(super) fn is_locked(&self) -> bool {
        self.failures == 0 && self.lockouts > 0 && self.locked_until != Lock::None
    }

    fn count(&mut self, rule: &Rule, may_lock: bool, now: u64) {
        if self.failures == 0 {
            self.since = now;
        }
        self.failures = self.failures.saturating_add(1);
        self.last_failure = now;
        if may_lock && self.failures >= rule.max_attempts {
            self.failures = 0;
            self.lockouts = self.lockouts.saturating_add(1);
            self.locked_until = match rule.lock {
                Some(length) => Lock::Until(now.saturating_add(length).min(MAX_MILLIS)),
                None => Lock::UntilAdmin,
            };
        }
    }
}

/// The password was right: the name, the name at this address and the devices start anew. An address only gets this
/// attempt back, or whoever has one account could clear the way for guesses at all others; and a known browser clears nothing
/// for other clients at its address. A success at the portal takes off what the same client had failed under the same spelling, and of
/// that no more in an hour than [`forgivable`] says: only a success at Doorward's own sign-in proves whose account it is.
pub fn succeed(
    settings: &LockoutSettings,
    reserved: &Reserved,
    counters: &mut [(CounterKey, Counter)],
) -> Success {
    succeed_among(settings, reserved, counters, 0)
}

/// As [`succeed`], while so many other attempts of the client with this spelling are under way at the portal: they are no
/// failures to forgive, and stay counted until their own outcome.
pub fn succeed_among(
    settings: &LockoutSettings,
    reserved: &Reserved,
    counters: &mut [(CounterKey, Counter)],
    underway: u32,
) -> Success {
    let mut success = Success::default();
    let known_device = reserved.keys().any(CounterKey::is_device);
    let spelling = Spelling::of(reserved, counters)
        .map(|spelling| forgivable(settings, reserved, counters, spelling.among(underway)));
    for entry in &reserved.entries {
        if entry.key.is_name() {
            let of_locks = u64::from(entry.lockouts).saturating_mul(u64::from(settings.max_attempts.max(1)));
            success.failures_before = of_locks.saturating_add(u64::from(entry.before.failures));
            success.lock_had_ended = matches!(entry.before.locked_until, Lock::Until(_));
        }
        let Some((_, counter)) = counters.iter_mut().find(|(key, _)| *key == entry.key) else { continue };
        match &spelling {
            _ if entry.key.is_forgiven() => {}
            _ if entry.key.is_known_network() => renew(counter, reserved.at()),
            Some(spelling) if entry.key.is_spelling() && spelling.underway > 0 => {
                (counter.failures, counter.lockouts) = (spelling.underway, 0);
            }
            // whom the portal knows by this name may be another than the account's owner
            Some(spelling)
                if entry.key.is_shared() || matches!(entry.key, CounterKey::AccountAddress { .. }) =>
            {
                spelling.forgive(entry, counter);
            }
            _ if entry.key.is_network() || (known_device && !entry.key.is_device()) => {
                entry.take_back(counter);
            }
            _ => *counter = Counter::default(),
        }
    }
    success
}

/// The password was never verified: exactly this attempt is taken back, and the lock it has set.
pub fn cancel(reserved: &Reserved, counters: &mut [(CounterKey, Counter)]) {
    // what a success has forgiven is not taken back a second time
    let forgiven = Spelling::of(reserved, counters).is_some_and(|spelling| !spelling.has_this_attempt);
    let is_untouched = |entry: &&Entry| entry.key.is_record() || (forgiven && entry.key.is_shared());
    for entry in reserved.entries.iter().filter(|entry| !is_untouched(entry)) {
        if let Some((_, counter)) = counters.iter_mut().find(|(key, _)| *key == entry.key) {
            entry.take_back(counter);
        }
    }
}

impl Entry {
    fn take_back(&self, counter: &mut Counter) {
        if *counter == self.after {
            *counter = self.before;
        } else if counter.since != self.after.since {
            // another round of counting has begun, and this attempt is not in it
        } else if counter.lockouts == self.lockouts {
            counter.failures = counter.failures.saturating_sub(1);
        } else if self.is_completed_in(counter) {
            // others have completed the round: without this attempt they would not have
            counter.lockouts = self.lockouts;
            counter.locked_until = Lock::None;
            counter.failures = self.max_attempts.saturating_sub(1);
        }
    }

    /// The round this attempt was counted in has ended with a lock, by this attempt or by others.
    pub fn is_completed_in(&self, counter: &Counter) -> bool {
        counter.since == self.after.since
            && counter.lockouts == self.lockouts.saturating_add(1)
            && counter.failures == 0
    }
}
