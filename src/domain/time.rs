//! Points in time. A rule takes the current time as an argument; `crate::clock` reads it.

use std::{
    fmt,
    ops::{Add, AddAssign, Sub},
    time::Duration,
};

/// A point in time, in milliseconds since the Unix epoch. Arithmetic saturates. Stored columns, cookies and JSON contain
/// numbers in a unit of their own: convert them with the function that names the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const EPOCH: Self = Self(0);
    /// 9999-12-30T22:00:00Z: the last one that can be formatted, because its year has four digits in every time zone.
    pub const MAX_FORMATTED: Self = Self(253_402_207_200_000);

    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds, rounded down.
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The time passed since `earlier`; zero if that is later, as after the clock was set back.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The time between two timestamps, in either order.
    pub const fn abs_diff(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

/// A duration in whole milliseconds, at most `u64::MAX`.
pub fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(duration.subsec_millis().into())
}

/// A duration in whole seconds, rounded up and at least one: a client that waits this long does not retry too early.
pub fn whole_seconds(duration: Duration) -> u64 {
    millis(duration).div_ceil(1000).max(1)
}

/// As [`whole_seconds`], in minutes.
pub fn whole_minutes(duration: Duration) -> u64 {
    millis(duration).div_ceil(60_000).max(1)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

/// RFC 3339 in UTC; a later timestamp than `MAX_FORMATTED` as its number.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::try_from(*self) {
            Ok(at) => at.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}

/// Fails for a timestamp after `MAX_FORMATTED`.
impl TryFrom<Timestamp> for jiff::Timestamp {
    type Error = jiff::Error;

    fn try_from(at: Timestamp) -> Result<Self, jiff::Error> {
        Self::from_millisecond(i64::try_from(at.0).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_small_as_a_number() {
        assert_eq!(size_of::<Timestamp>(), 8);
    }

    #[test]
    fn converts_between_seconds_and_milliseconds() {
        for (at, seconds, millis) in [
            (Timestamp::from_millis(1999), 1, 1999),
            (Timestamp::from_seconds(2), 2, 2000),
            (Timestamp::from_seconds(u64::MAX), u64::MAX / 1000, u64::MAX),
        ] {
            assert_eq!((at.as_seconds(), at.as_millis()), (seconds, millis));
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let (at, last) = (Timestamp::from_millis(1000), Timestamp::from_millis(u64::MAX));
        assert_eq!(at + Duration::from_micros(1500), Timestamp::from_millis(1001));
        assert_eq!(at + Duration::MAX, last);
        assert_eq!(last + Duration::from_secs(1), last);
        assert_eq!(at - Duration::from_secs(2), Timestamp::EPOCH);
        assert_eq!(at.saturating_since(Timestamp::from_millis(400)), Duration::from_millis(600));
        assert_eq!(at.saturating_since(last), Duration::ZERO);
        assert_eq!(at.abs_diff(Timestamp::from_millis(1600)), Duration::from_millis(600));
        assert_eq!(last.saturating_since(Timestamp::EPOCH), Duration::from_millis(u64::MAX));
    }

    /// wso2/product-is#24235
    #[test]
    fn remaining_time_is_rounded_up_and_never_zero() {
        for (left, seconds, minutes) in
            [(0, 1, 1), (1, 1, 1), (1000, 1, 1), (1001, 2, 1), (60_000, 60, 1), (60_001, 61, 2)]
        {
            let left = Duration::from_millis(left);
            assert_eq!((whole_seconds(left), whole_minutes(left)), (seconds, minutes), "{left:?}");
        }
    }

    #[test]
    fn displays_rfc_3339() {
        for (at, shown) in [
            (Timestamp::EPOCH, "1970-01-01T00:00:00Z"),
            (Timestamp::from_seconds(1_800_000_000), "2027-01-15T08:00:00Z"),
            (Timestamp::from_millis(1_800_000_000_120), "2027-01-15T08:00:00.12Z"),
            (Timestamp::MAX_FORMATTED, "9999-12-30T22:00:00Z"),
            (Timestamp::from_millis(u64::MAX), "18446744073709551615"),
        ] {
            assert_eq!(at.to_string(), shown);
        }
    }
}
