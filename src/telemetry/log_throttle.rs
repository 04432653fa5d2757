//! A line of the log that is written once a second at most, or once in another interval, however often there is reason to.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::domain::time::Timestamp;

#[derive(Debug, Default)]
pub struct LogThrottle {
    /// When the last line was written: for `admit` in seconds since the epoch, for `admit_each` in milliseconds; zero: never.
    last: AtomicU64,
    suppressed: AtomicU64,
}

impl LogThrottle {
    /// Whether to write now, and how many lines were suppressed since the last one.
    pub fn admit(&self, now: Timestamp) -> Option<u64> {
        let second = now.as_seconds();
        if self.last.swap(second, Ordering::Relaxed) == second {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }

    /// As [`Self::admit`], once in each `interval` from the last line on.
    pub fn admit_each(&self, interval: Duration, now: Timestamp) -> Option<u64> {
        let is_due = |last: u64| {
            let is_due = last == 0 || now.saturating_since(Timestamp::from_millis(last)) >= interval;
            is_due.then_some(now.as_millis())
        };
        if self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due).is_err() {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_one_line_a_second_and_counts_suppressed_ones() {
        let line = LogThrottle::default();
        let turns = [7, 7, 7, 8, 9, 9].map(|now| line.admit(Timestamp::from_seconds(now)));
        assert_eq!(turns, [Some(0), None, None, Some(2), Some(0), None]);
    }

    #[test]
    fn an_interval_begins_with_the_line_that_was_written() {
        let line = LogThrottle::default();
        let turns = [59, 60, 118, 119, 120, 179]
            .map(|now| line.admit_each(Duration::from_mins(1), Timestamp::from_seconds(now)));
        assert_eq!(turns, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
