//! A line of the log that is written once a second at most, or once in another interval, however often there is reason to.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub struct Seldom {
    /// When the last line was written; zero: never.
    last: AtomicU64,
    left_out: AtomicU64,
}

impl Seldom {
    /// Whether to write now, and how many lines were left out since the last one. `now` is in seconds.
    pub fn turn(&self, now: u64) -> Option<u64> {
        if self.last.swap(now, Ordering::Relaxed) == now {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }

    /// As [`Self::turn`], once in each `interval` from the last line on. Both are in one unit, which is the caller's.
    pub fn turn_each(&self, interval: u64, now: u64) -> Option<u64> {
        let is_due = |last: u64| (last == 0 || now.saturating_sub(last) >= interval).then_some(now);
        if self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_and_the_next_one_counts_what_was_left_out() {
        let line = Seldom::default();
        let turns = [7, 7, 7, 8, 9, 9].map(|now| line.turn(now));
        assert_eq!(turns, [Some(0), None, None, Some(2), Some(0), None]);
    }

    #[test]
    fn an_interval_begins_with_the_line_that_was_written() {
        let line = Seldom::default();
        let turns = [59, 60, 118, 119, 120, 179].map(|now| line.turn_each(60, now));
        assert_eq!(turns, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
