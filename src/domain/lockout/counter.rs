//! One counter of failed attempts, and its lock.

use std::time::Duration;

use crate::domain::time::Timestamp;

/// The failed attempts of one name, address or browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// Failed attempts since the last success or lock (`failedLoginAttempts`).
    pub failures: u32,
    /// Locks in a row without a success between them (`failedLoginLockoutCount`): the exponent of the lock duration.
    pub lockouts: u32,
    pub locked_until: LockState,
    /// When the first of these `failures` was reserved; identifies the counting round.
    pub since: Timestamp,
    pub last_failure: Timestamp,
    /// How long after `since` the failures count, unless the counter is locked. Zero: until a success. The
    /// store uses it to select counters that can be deleted.
    pub window: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockState {
    #[default]
    None,
    /// Locked while now is before this moment.
    Until(Timestamp),
    UntilAdmin,
}

/// A lock that is in force. Ordered by its duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockedUntil {
    /// Locked while now is before this moment.
    Time(Timestamp),
    Admin,
}

impl LockState {
    /// Locked ⇔ now < until: the lock ends exactly at `until`.
    pub fn in_force(self, now: Timestamp) -> Option<LockedUntil> {
        match self {
            Self::None => None,
            Self::Until(until) => (now < until).then_some(LockedUntil::Time(until)),
            Self::UntilAdmin => Some(LockedUntil::Admin),
        }
    }

    pub fn is_in_force(self, now: Timestamp) -> bool {
        self.in_force(now).is_some()
    }
}

impl LockedUntil {
    /// The remaining time. `None`: until an administrator unlocks.
    pub fn remaining(self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Time(until) => Some(until.saturating_since(now)),
            Self::Admin => None,
        }
    }
}

impl Counter {
    /// Resets an expired lock, and failures older than the window (zero: failures do not expire).
    pub(super) fn refresh(&mut self, window: Duration, now: Timestamp) {
        if !self.locked_until.is_in_force(now) {
            self.locked_until = LockState::None;
        }
        self.window = window;
        if !window.is_zero() && now.saturating_since(self.since) >= window {
            self.failures = 0;
            if self.locked_until == LockState::None {
                self.lockouts = 0;
            }
        }
    }
}
