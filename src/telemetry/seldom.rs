//! A line of the log that is written once a second at most, however often there is reason to.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub struct Seldom {
    /// In which second the last line was written.
    second: AtomicU64,
    left_out: AtomicU64,
}

impl Seldom {
    /// Whether to write now, and how many lines were left out since the last one. `now` is in seconds.
    pub fn turn(&self, now: u64) -> Option<u64> {
        if self.second.swap(now, Ordering::Relaxed) == now {
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
}
