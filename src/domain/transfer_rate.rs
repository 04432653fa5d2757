//! Decides whether a peer transfers bytes fast enough.
//!
//! Time counts only while Doorward waits for the peer, and each byte it transfers is worth `1 / rate` seconds. A peer that
//! falls behind by more than the grace period is too slow. A faster peer accumulates no credit.

use core::time::Duration;

/// The minimum rate of one direction, as configured in `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinRate {
    /// 0: no minimum rate, only the grace period applies.
    pub bytes_per_second: u32,
    /// By how much a peer may fall behind.
    pub grace: Duration,
}

/// How far a peer is behind the minimum rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransferDebt(Duration);

impl TransferDebt {
    /// Records a wait for the peer, and the bytes that it transferred afterwards.
    pub fn record(&mut self, waited: Duration, bytes: usize, rate: MinRate) {
        let worth = match rate.bytes_per_second {
            0 => Duration::MAX,
            per_second => {
                let microseconds = (bytes as u64).saturating_mul(1_000_000) / u64::from(per_second);
                Duration::from_micros(microseconds)
            }
        };
        self.0 = self.0.saturating_add(waited).saturating_sub(worth);
    }

    pub const fn of(debt: Duration) -> Self {
        Self(debt)
    }

    pub const fn get(self) -> Duration {
        self.0
    }

    /// How long the peer may still transfer nothing.
    pub fn remaining_grace(self, rate: MinRate) -> Duration {
        rate.grace.saturating_sub(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    /// After how many steps of `seconds` with `bytes` each the peer is too slow, of at most 1,000.
    fn ended_after(rate: u32, seconds: u64, bytes: usize) -> Option<u32> {
        let rate = MinRate { bytes_per_second: rate, grace: GRACE };
        let (mut debt, step) = (TransferDebt::default(), Duration::from_secs(seconds));
        (1..=1000).find(|_| {
            let too_slow = debt.remaining_grace(rate) < step;
            debt.record(step, bytes, rate);
            too_slow
        })
    }

    #[test]
    fn a_peer_below_the_rate_is_too_slow_after_the_grace() {
        for (rate, seconds, bytes, ended) in [
            (240, 1, 240, None),
            (240, 1, 0, Some(31)),
            // one byte each second is worth next to nothing
            (240, 1, 1, Some(31)),
            // half the rate: half a second of debt each second
            (240, 1, 120, Some(60)),
            // large pieces with long pauses
            (240, 25, 6_000, None),
            (240, 31, 1 << 20, Some(1)),
            // without a rate only silence counts
            (0, 29, 1, None),
            (0, 31, 1, Some(1)),
        ] {
            assert_eq!(ended_after(rate, seconds, bytes), ended, "{rate} B/s, {bytes} in {seconds} s");
        }
    }

    #[test]
    fn a_fast_peer_saves_nothing_up() {
        let rate = MinRate { bytes_per_second: 240, grace: GRACE };
        let mut debt = TransferDebt::default();
        debt.record(Duration::from_secs(1), 1 << 30, rate);
        assert!(debt.get().is_zero());
        assert_eq!(debt.remaining_grace(rate), GRACE);
    }
}
