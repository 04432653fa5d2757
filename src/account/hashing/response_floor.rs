//! Response-time floor: the minimum duration of a refused login, so that timing does not disclose which
//! accounts have a foreign hash.
//!
//! An imported hash (bcrypt, PBKDF2 …) takes longer to verify than one of ours, until its owner signs in.
//! Every refusal waits until the costliest of them would have been verified. That time has two sources:
//! `set_calibrated`, the costliest method in the store, measured before the first attempt is answered; and
//! `observe`, recent verifications, which take longer under load, and decay.

use std::time::{Duration, Instant};

/// Maximum floor. A hash that takes longer can be detected by timing.
const MAX_FLOOR: Duration = Duration::from_secs(5);
/// An observed duration is halved after this time.
const HALF_LIFE: Duration = Duration::from_mins(10);

#[derive(Debug, Default)]
pub(super) struct ResponseTimeFloor {
    calibrated: Duration,
    observed: Option<(Duration, Instant)>,
}

impl ResponseTimeFloor {
    /// Sets the duration of the costliest method in the store; zero: all hashes are current.
    pub(super) fn set_calibrated(&mut self, takes: Duration) {
        self.calibrated = takes;
    }

    /// Records the duration of the verification of a foreign hash.
    pub(super) fn observe(&mut self, took: Duration, now: Instant) {
        if took >= self.decayed(now) {
            self.observed = Some((took, now));
        }
    }

    /// The floor, with a margin of 25 %. Zero without foreign hashes.
    pub(super) fn current(&self, now: Instant) -> Duration {
        let most = self.calibrated.max(self.decayed(now));
        (most.saturating_mul(5) / 4).min(MAX_FLOOR)
    }

    fn decayed(&self, now: Instant) -> Duration {
        let Some((took, at)) = self.observed else { return Duration::ZERO };
        let halvings = now.saturating_duration_since(at).as_secs() / HALF_LIFE.as_secs();
        1_u32.checked_shl(u32::try_from(halvings).unwrap_or(u32::MAX)).map_or(Duration::ZERO, |by| took / by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn floor_is_zero_without_foreign_hashes() {
        assert_eq!(ResponseTimeFloor::default().current(Instant::now()), Duration::ZERO);
    }

    #[test]
    fn attack_timing_of_the_first_guess_at_an_imported_account() {
        let mut floor = ResponseTimeFloor::default();
        floor.set_calibrated(millis(800));
        assert_eq!(floor.current(Instant::now()), millis(1000));
        // when the last owner of a foreign hash has signed in
        floor.set_calibrated(Duration::ZERO);
        assert_eq!(floor.current(Instant::now()), Duration::ZERO);
    }

    #[test]
    fn attack_timing_under_load_reveals_no_imported_account() {
        let (mut floor, start) = (ResponseTimeFloor::default(), Instant::now());
        floor.set_calibrated(millis(400));
        floor.observe(millis(1600), start);
        // the very attempt that took so long is covered, too
        assert_eq!(floor.current(start), millis(2000));
        // less does not take it back
        floor.observe(millis(500), start);
        for (minutes, floor_then) in [(9, 2000), (10, 1000), (20, 500), (30, 500), (u64::from(u32::MAX), 500)]
        {
            assert_eq!(floor.current(start + Duration::from_mins(minutes)), millis(floor_then), "{minutes}");
        }
        floor.observe(millis(700), start + Duration::from_mins(20));
        assert_eq!(floor.current(start + Duration::from_mins(20)), millis(875));
    }

    #[test]
    fn floor_has_an_upper_bound() {
        let (mut floor, now) = (ResponseTimeFloor::default(), Instant::now());
        floor.observe(Duration::MAX, now);
        assert_eq!(floor.current(now), MAX_FLOOR);
        floor.set_calibrated(Duration::MAX);
        assert_eq!(floor.current(now), MAX_FLOOR);
    }
}
