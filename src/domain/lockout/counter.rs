//! One counter of wrong guesses, and the lock it may carry.

/// 9999-12-31T23:59:59.999Z: no lock ends later, so every moment can be written and shown.
pub const MAX_MILLIS: u64 = 253_402_300_799_999;

/// Moments are milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// Wrong guesses since the last success or lock (`failedLoginAttempts`).
    pub failures: u32,
    /// Locks in a row without a success between them (`failedLoginLockoutCount`): the exponent of the ladder.
    pub lockouts: u32,
    pub locked_until: Lock,
    /// When the first of these `failures` was; it names the round of counting.
    pub since: u64,
    pub last_failure: u64,
    /// How long after `since` it still says something, unless it is locked. Zero: until a success. With it whoever keeps
    /// counters can tell which he may throw away.
    pub window: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lock {
    #[default]
    None,
    /// Locked while now is before this moment.
    Until(u64),
    UntilAdmin,
}

impl Lock {
    /// Locked ⇔ now < until: at the very moment it ends, the lock is gone.
    pub fn in_force(self, now: u64) -> bool {
        match self {
            Self::None => false,
            Self::Until(until) => now < until,
            Self::UntilAdmin => true,
        }
    }

    /// How long from now, rounded up so that it is never zero while the lock holds. `None`: not locked, or without end.
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

    /// Which of two locks lasts longer.
    pub(super) fn order(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Until(until) => until.min(u64::MAX - 1),
            Self::UntilAdmin => u64::MAX,
        }
    }
}

impl Counter {
    /// Drops what time has made void: a lock that has ended, and failures older than the window (zero: none are).
    pub(super) fn refresh(&mut self, window: u64, now: u64) {
        if !self.locked_until.in_force(now) {
            self.locked_until = Lock::None;
        }
        self.window = window;
        if window > 0 && now.saturating_sub(self.since) >= window {
            self.failures = 0;
            if self.locked_until == Lock::None {
                self.lockouts = 0;
            }
        }
    }
}
