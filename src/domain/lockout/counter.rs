//! One counter of failed attempts, and its lock.

/// 9999-12-31T23:59:59.999Z: no lock ends later, so every timestamp can be formatted.
pub const MAX_MILLIS: u64 = 253_402_300_799_999;

/// Timestamps in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// Failed attempts since the last success or lock (`failedLoginAttempts`).
    pub failures: u32,
    /// Locks in a row without a success between them (`failedLoginLockoutCount`): the exponent of the lock duration.
    pub lockouts: u32,
    pub locked_until: LockState,
    /// When the first of these `failures` was reserved; identifies the counting round.
    pub since: u64,
    pub last_failure: u64,
    /// How long after `since` the failures count, unless the counter is locked. Zero: until a success. The
    /// store uses it to select counters that can be deleted.
    pub window: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockState {
    #[default]
    None,
    /// Locked while now is before this moment.
    Until(u64),
    UntilAdmin,
}

/// A lock that is in force. Ordered by its duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockedUntil {
    /// Locked while now is before this moment.
    Time(u64),
    Admin,
}

impl LockState {
    /// Locked ⇔ now < until: the lock ends exactly at `until`.
    pub fn in_force(self, now: u64) -> Option<LockedUntil> {
        match self {
            Self::None => None,
            Self::Until(until) => (now < until).then_some(LockedUntil::Time(until)),
            Self::UntilAdmin => Some(LockedUntil::Admin),
        }
    }

    pub fn is_in_force(self, now: u64) -> bool {
        self.in_force(now).is_some()
    }
}

impl LockedUntil {
    /// The remaining minutes, rounded up, so never zero. `None`: until an administrator unlocks.
    pub fn minutes_left(self, now: u64) -> Option<u64> {
        match self {
            Self::Time(until) => Some(until.saturating_sub(now).div_ceil(60_000).max(1)),
            Self::Admin => None,
        }
    }
}

impl Counter {
    /// Resets an expired lock, and failures older than the window (zero: failures do not expire).
    pub(super) fn refresh(&mut self, window: u64, now: u64) {
        if !self.locked_until.is_in_force(now) {
            self.locked_until = LockState::None;
        }
        self.window = window;
        if window > 0 && now.saturating_sub(self.since) >= window {
            self.failures = 0;
            if self.locked_until == LockState::None {
                self.lockouts = 0;
            }
        }
    }
}
