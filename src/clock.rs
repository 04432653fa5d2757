//! The wall clock. `domain` takes the time as an argument; callers read it here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::domain::time::{Timestamp, millis};

/// Returns the current time. Cheap to clone; the parts of a process share one.
#[derive(Debug, Clone)]
pub struct Clock(TimeSource);

#[derive(Debug, Clone)]
enum TimeSource {
    System,
    Adjustable(Arc<AdjustableClock>),
}

#[derive(Debug)]
struct AdjustableClock {
    start: Timestamp,
    started: Instant,
    /// How far it was moved forward, in milliseconds.
    advanced: AtomicU64,
}

impl Clock {
    /// The clock of the system.
    pub const fn system() -> Self {
        Self(TimeSource::System)
    }

    /// For tests: runs from `start` on, and `advance` moves it forward.
    pub fn adjustable(start: Timestamp) -> Self {
        let clock = AdjustableClock { start, started: Instant::now(), advanced: AtomicU64::new(0) };
        Self(TimeSource::Adjustable(Arc::new(clock)))
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            TimeSource::System => {
                Timestamp::EPOCH + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
            }
            TimeSource::Adjustable(clock) => {
                let advanced = Duration::from_millis(clock.advanced.load(Ordering::Acquire));
                clock.start + clock.started.elapsed() + advanced
            }
        }
    }

    /// Moves an adjustable clock and its clones forward; the clock of the system stays as it is.
    pub fn advance(&self, duration: Duration) {
        if let TimeSource::Adjustable(clock) = &self.0 {
            clock.advanced.fetch_add(millis(duration), Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_an_adjustable_clock_move_together() {
        let start = Timestamp::from_seconds(1_800_000_000);
        let clock = Clock::adjustable(start);
        let clone = clock.clone();
        clock.advance(Duration::from_hours(1));
        for now in [clock.now(), clone.now()] {
            assert!(
                (Duration::from_hours(1)..Duration::from_hours(2)).contains(&now.saturating_since(start))
            );
        }
    }

    #[test]
    fn the_clock_of_the_system_cannot_be_moved() {
        let clock = Clock::system();
        clock.advance(Duration::from_hours(1));
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(clock.now().abs_diff(Timestamp::EPOCH + system) < Duration::from_mins(1));
    }
}
