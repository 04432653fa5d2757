//! Detects a client that sends its body too slowly, or not at all.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::body::BodyError;
use crate::domain::transfer_rate::{MinRate, TransferDebt};

#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// How long the client may send nothing.
    pub idle_timeout: Duration,
    pub rate: MinRate,
}

impl UploadLimits {
    /// Without a minimum rate, where another timeout limits the duration of a body.
    pub const fn idle_only(idle_timeout: Duration) -> Self {
        Self { idle_timeout, rate: MinRate { bytes_per_second: 0, grace: idle_timeout } }
    }
}

pub struct UploadWatch {
    limits: UploadLimits,
    debt: TransferDebt,
    /// Since when the client has sent nothing.
    waiting_since: Option<Instant>,
    /// Created when the client sends nothing for the first time.
    timer: Option<Pin<Box<Sleep>>>,
}

impl UploadWatch {
    pub const fn new(limits: UploadLimits) -> Self {
        Self { limits, debt: TransferDebt::of(Duration::ZERO), waiting_since: None, timer: None }
    }

    pub const fn idle_timeout(&self) -> Duration {
        self.limits.idle_timeout
    }

    pub const fn ignore_rate(&mut self) {
        self.limits.rate.bytes_per_second = 0;
    }

    pub fn record_progress(&mut self, bytes: usize) {
        let waited = self.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        self.debt.record(waited, bytes, self.limits.rate);
    }

    pub fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let UploadLimits { idle_timeout, rate } = self.limits;
        let time_left = match rate.bytes_per_second {
            0 => idle_timeout,
            _ => idle_timeout.min(self.debt.remaining_grace(rate)),
        };
        let is_new = self.waiting_since.is_none();
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(since + time_left)));
        if is_new {
            timer.as_mut().reset(since + time_left);
        }
        timer.as_mut().poll(cx).map(|()| {
            if time_left < idle_timeout { BodyError::TooSlow } else { BodyError::Idle(idle_timeout) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::timeout;

    use super::*;

    /// Seconds after which the upload of a client is aborted that sends `bytes` each `pause` seconds; at most an hour.
    async fn seconds_until_abort(bytes_per_second: u32, pause: u64, bytes: usize) -> u64 {
        let rate = MinRate { bytes_per_second, grace: Duration::from_mins(1) };
        let mut watch = UploadWatch::new(UploadLimits { idle_timeout: Duration::from_mins(5), rate });
        let (start, pause) = (Instant::now(), Duration::from_secs(pause));
        while start.elapsed() < Duration::from_hours(1) {
            if timeout(pause, poll_fn(|cx| watch.poll_too_slow(cx))).await.is_ok() {
                break;
            }
            watch.record_progress(bytes);
        }
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn attack_slow_upload() {
        for (rate, pause, bytes, seconds) in [
            (240, 10, 1, 60),
            (240, 1000, 1, 60),
            (240, 10, 2_400, 3600),
            (240, 59, 16_384, 3600),
            // without a rate the idle timeout applies
            (0, 10, 1, 3600),
            (0, 1000, 1, 300),
        ] {
            let taken = seconds_until_abort(rate, pause, bytes).await;
            assert!(taken.abs_diff(seconds) <= 60, "{rate} B/s, {bytes} bytes each {pause} s: {taken} s");
        }
    }
}
