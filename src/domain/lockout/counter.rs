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

impl LockState {
    /// Locked ⇔ now < until: the lock ends exactly at `until`.
    pub fn is_in_force(self, now: u64) -> bool {
        match self {
            Self::None => false,
            Self::Until(until) => now < until,
            Self::UntilAdmin => true,
        }
    }

    /// The remaining minutes, rounded up, so never zero while locked. `None`: not locked, or without expiry.
    pub fn minutes_left(self, now: u64) -> Option<u64> {
        match self {
            Self::Until(until) if now < until => Some((until - now).div_ceil(60_000)),
            _ => None,
        }
    }

    /// As [`Self::minutes_left`], in seconds, for `Retry-After`.
    pub fn seconds_left(self, now: u64) -> Option<u64> {
        match self {
            Self::Until(until) if now < until => Some((until - now).div_ceil(1000)),
            _ => None,
        }
    }

    /// Orders locks by how long they last.
    pub(super) fn duration_rank(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Until(until) => until.min(u64::MAX - 1),
            Self::UntilAdmin => u64::MAX,
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
