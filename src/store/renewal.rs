//! Replaces database connections that were opened before the last fault.
//!
//! After a full disk SQLite rolls the transaction back by itself, and the driver's connection is left with the wrong
//! transaction depth; a connection opened to a read-only database or file stays read-only when the database no longer is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

#[derive(Clone)]
pub struct ConnectionRenewal(Arc<RenewalInner>);

struct RenewalInner {
    start: Instant,
    /// Milliseconds after `start`, plus one; 0: no fault yet.
    last_fault: AtomicU64,
}

impl ConnectionRenewal {
    pub fn new(start: Instant) -> Self {
        Self(Arc::new(RenewalInner { start, last_fault: AtomicU64::new(0) }))
    }

    /// Records a fault that would repeat on the same connection.
    pub fn record_fault(&self, at: Instant) {
        self.0.last_fault.fetch_max(self.millis(at), Ordering::AcqRel);
    }

    /// Whether a connection of this age was opened before the last fault.
    pub fn is_outdated(&self, age: Duration, now: Instant) -> bool {
        let opened = now.checked_sub(age).map_or(0, |opened| self.millis(opened));
        opened <= self.0.last_fault.load(Ordering::Acquire)
    }

    fn millis(&self, at: Instant) -> u64 {
        let millis = at.saturating_duration_since(self.0.start).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX - 1).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_opened_before_a_fault_are_replaced_once() {
        let start = Instant::now();
        let second = |number: u64| start + Duration::from_secs(number);
        let (renewal, age) = (ConnectionRenewal::new(start), Duration::from_secs(5));
        assert!(!renewal.is_outdated(age, second(5)), "no fault yet");
        renewal.record_fault(second(8));
        for (opened, outdated) in [(0, true), (7, true), (8, true), (9, false)] {
            let now = second(20);
            assert_eq!(renewal.is_outdated(now - second(opened), now), outdated, "opened at {opened}");
        }
        renewal.record_fault(second(3));
        assert!(!renewal.is_outdated(second(20) - second(9), second(20)), "an older fault changes nothing");
    }
}
