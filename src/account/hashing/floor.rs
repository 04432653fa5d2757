//! How long a refused sign-in takes at least, so that a clock does not tell whose password is kept in another system's form.
//!
//! A hash taken over from elsewhere (bcrypt, PBKDF2 …) takes longer to verify than one of ours, until its owner signs in.
//! Whoever is refused, for whatever reason, waits until the costliest of them would have been verified. That is known from
//! two sides: `know` what the costliest kind in the store takes on this machine, measured before the first attempt is
//! answered; `see` what verifications lately took, which is more while the machine is busy, and fades.

use std::time::{Duration, Instant};

/// Nobody is kept longer. What takes longer to verify than this can be told.
const LONGEST: Duration = Duration::from_secs(5);
/// What was seen and not seen again counts half after so long.
const FADES: Duration = Duration::from_mins(10);

#[derive(Debug, Default)]
pub(super) struct Floor {
    known: Duration,
    seen: Option<(Duration, Instant)>,
}

impl Floor {
    /// The costliest kind of hash in the store takes so long; zero: all are ours.
    pub(super) fn know(&mut self, takes: Duration) {
        self.known = takes;
    }

    /// A hash of another kind has just been verified, which took so long.
    pub(super) fn see(&mut self, took: Duration, now: Instant) {
        if took >= self.faded(now) {
            self.seen = Some((took, now));
        }
    }

    /// With a quarter more for whatever is slower than usual. Zero while there is nothing to hide.
    pub(super) fn of(&self, now: Instant) -> Duration {
        let most = self.known.max(self.faded(now));
        (most.saturating_mul(5) / 4).min(LONGEST)
    }

    fn faded(&self, now: Instant) -> Duration {
        let Some((took, at)) = self.seen else { return Duration::ZERO };
        let halvings = now.saturating_duration_since(at).as_secs() / FADES.as_secs();
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
    fn without_hashes_of_others_nobody_waits() {
        assert_eq!(Floor::default().of(Instant::now()), Duration::ZERO);
    }

    #[test]
    fn attack_the_first_guess_at_an_imported_account_takes_no_longer_than_others() {
        let mut floor = Floor::default();
        floor.know(millis(800));
        assert_eq!(floor.of(Instant::now()), millis(1000));
        // when the last of them has signed in
        floor.know(Duration::ZERO);
        assert_eq!(floor.of(Instant::now()), Duration::ZERO);
    }

    #[test]
    fn attack_who_makes_the_machine_busy_sees_no_more_than_before() {
        let (mut floor, start) = (Floor::default(), Instant::now());
        floor.know(millis(400));
        floor.see(millis(1600), start);
        // the very attempt that took so long is covered, too
        assert_eq!(floor.of(start), millis(2000));
        // less does not take it back
        floor.see(millis(500), start);
        for (minutes, floor_then) in [(9, 2000), (10, 1000), (20, 500), (30, 500), (u64::from(u32::MAX), 500)]
        {
            assert_eq!(floor.of(start + Duration::from_mins(minutes)), millis(floor_then), "{minutes}");
        }
        floor.see(millis(700), start + Duration::from_mins(20));
        assert_eq!(floor.of(start + Duration::from_mins(20)), millis(875));
    }

    #[test]
    fn nobody_waits_for_ever() {
        let (mut floor, now) = (Floor::default(), Instant::now());
        floor.see(Duration::MAX, now);
        assert_eq!(floor.of(now), LONGEST);
        floor.know(Duration::MAX);
        assert_eq!(floor.of(now), LONGEST);
    }
}
