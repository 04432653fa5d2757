//! How long a refused sign-in waits, so that a clock does not tell it from a wrong password.
//!
//! A foreign portal's password check cannot be done in its place. What can be done: answer as late as this portal lately
//! answered wrong passwords. A refusal waits as long as one of its last answers took, picked at random, so that not only the
//! mean but the spread looks alike. Before the first answer a quarter of a second is assumed.

use std::time::Duration;

const SAMPLES: usize = 16;
const ASSUMED: Duration = Duration::from_millis(250);
/// A slow portal does not make us keep connections for long.
const LONGEST: Duration = Duration::from_secs(5);

/// How long the last wrong passwords took at one endpoint of one tenant.
#[derive(Debug, Default)]
pub struct Pace {
    samples: [Duration; SAMPLES],
    /// Ever recorded.
    count: usize,
}

impl Pace {
    pub fn record(&mut self, took: Duration) {
        if let Some(oldest) = self.samples.get_mut(self.count % SAMPLES) {
            *oldest = took.min(LONGEST);
        }
        self.count = self.count.wrapping_add(1);
    }

    /// `random` picks.
    pub fn pick(&self, random: usize) -> Duration {
        let known = self.count.min(SAMPLES);
        random.checked_rem(known).and_then(|at| self.samples.get(at)).copied().unwrap_or(ASSUMED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_refusal_takes_as_long_as_one_of_the_last_wrong_passwords() {
        let mut pace = Pace::default();
        assert_eq!(pace.pick(7), ASSUMED);
        pace.record(millis(80));
        pace.record(millis(120));
        assert_eq!([0, 1, 2].map(|random| pace.pick(random)), [millis(80), millis(120), millis(80)]);
        for _ in 0..SAMPLES {
            pace.record(millis(10));
        }
        assert!((0..100).all(|random| pace.pick(random) == millis(10)), "the old ones are forgotten");
        pace.record(Duration::from_hours(1));
        assert!((0..100).all(|random| pace.pick(random) <= LONGEST));
    }
}
