//! The wall clock. `domain` takes the time as an argument; callers read it here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::domain::time::{Timestamp, millis};

/// Tells the current time. Cheap to clone; the parts of a process share one.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// How many milliseconds a test has moved the clock forward; `None`: the system's clock as it is.
    advanced: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self { advanced: None }
    }

    /// For tests: starts with the system's time and also goes forward by `advance`.
    pub fn adjustable() -> Self {
        Self { advanced: Some(Arc::default()) }
    }

    pub fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp::EPOCH + since;
        match &self.advanced {
            None => now,
            Some(advanced) => now + Duration::from_millis(advanced.load(Ordering::Acquire)),
        }
    }

    /// Moves an adjustable clock and all its clones forward; the system's clock stays as it is.
    pub fn advance(&self, duration: Duration) {
        if let Some(advanced) = &self.advanced {
            advanced.fetch_add(millis(duration), Ordering::AcqRel);
        }
    }
}

/// Milliseconds since the epoch.
pub fn unix_millis() -> u64 {
    Clock::system().now().as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_an_adjustable_clock_move_together() {
        let (clock, start) = (Clock::adjustable(), Clock::system().now());
        let clone = clock.clone();
        clock.advance(Duration::from_hours(1));
        for now in [clock.now(), clone.now()] {
            assert!(
                (Duration::from_hours(1)..Duration::from_hours(2)).contains(&now.saturating_since(start))
            );
        }
    }

    #[test]
    fn the_systems_clock_cannot_be_moved() {
        let clock = Clock::system();
        clock.advance(Duration::from_hours(1));
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(clock.now().abs_diff(Timestamp::EPOCH + system) < Duration::from_mins(1));
    }
}
