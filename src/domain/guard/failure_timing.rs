//! Delays refused logins, so that their response time does not differ from that of a wrong password.
//!
//! The password check of the portal cannot be performed by Doorward. Instead, a refusal takes as long as
//! one of the portal's last responses to wrong passwords, chosen at random, so that mean and variance are
//! equal. Before the first response, 250 ms are assumed.

use std::time::Duration;

const SAMPLES: usize = 16;
const DEFAULT_DELAY: Duration = Duration::from_millis(250);
/// Bounds how long a slow portal keeps connections open.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// The last response times for wrong passwords at one endpoint of one tenant.
#[derive(Debug, Default)]
pub struct FailureTiming {
    samples: [Duration; SAMPLES],
    /// Samples recorded so far.
    count: usize,
}

impl FailureTiming {
    pub fn record(&mut self, took: Duration) {
        if let Some(oldest) = self.samples.get_mut(self.count % SAMPLES) {
            *oldest = took.min(MAX_DELAY);
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Selects a sample by `random`.
    pub fn sample(&self, random: usize) -> Duration {
        let known = self.count.min(SAMPLES);
        random.checked_rem(known).and_then(|at| self.samples.get(at)).copied().unwrap_or(DEFAULT_DELAY)
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
        let mut pace = FailureTiming::default();
        assert_eq!(pace.sample(7), DEFAULT_DELAY);
        pace.record(millis(80));
        pace.record(millis(120));
        assert_eq!([0, 1, 2].map(|random| pace.sample(random)), [millis(80), millis(120), millis(80)]);
        for _ in 0..SAMPLES {
            pace.record(millis(10));
        }
        assert!((0..100).all(|random| pace.sample(random) == millis(10)), "the old ones are forgotten");
        pace.record(Duration::from_hours(1));
        assert!((0..100).all(|random| pace.sample(random) <= MAX_DELAY));
    }
}
