//! Detects a client that reads responses too slowly, over a connection's socket.

use std::{
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    config::model::LimitSettings,
    domain::{
        fairness::Resource,
        transfer_rate::{MinRate, TransferDebt},
    },
    sync::{BufferBudget, StalledAnswer, client_limits::Permit},
};

/// Limits for slow readers.
#[derive(Debug, Clone)]
pub struct WriteLimits {
    pub timeout: Duration,
    pub rate: MinRate,
    buffers: Arc<BufferBudget>,
}

impl WriteLimits {
    pub fn new(limits: &LimitSettings, buffers: &Arc<BufferBudget>) -> Self {
        Self::of(limits.write_timeout, limits.download_rate, Arc::clone(buffers))
    }

    pub const fn of(timeout: Duration, rate: MinRate, buffers: Arc<BufferBudget>) -> Self {
        Self { timeout, rate, buffers }
    }

    /// How long a client with this debt may read nothing.
    pub fn time_left(&self, debt: TransferDebt) -> Duration {
        if self.rate.bytes_per_second == 0 {
            return self.timeout;
        }
        self.timeout.min(debt.remaining_grace(self.rate))
    }

    /// Whether an answer must end because its client has taken nothing for this time, so that others are served.
    pub fn must_end(&self, reservation: &Permit, waited: Duration) -> bool {
        let timeout = self.buffers.load(reservation.client()).stall_timeout();
        timeout.is_some_and(|timeout| waited >= timeout)
    }
}

/// Reserves the bytes of a response whose client reads nothing.
pub fn reserve(answer: &StalledAnswer) -> Permit {
    answer.client.reserve(Resource::BufferedBytes, answer.bytes())
}

pub struct WriteWatch {
    limits: WriteLimits,
    /// Created when the client first reads nothing.
    stall: Option<Box<WriteStall>>,
}

struct WriteStall {
    debt: TransferDebt,
    timer: Pin<Box<Sleep>>,
    /// Since when the client reads nothing, while it does.
    blocked: Option<BlockedWrite>,
}

struct BlockedWrite {
    since: Instant,
    reservation: Permit,
}

impl WriteWatch {
    pub fn new(limits: WriteLimits) -> Self {
        Self { limits, stall: None }
    }

    /// The client read bytes. Returns whether it had been blocked.
    pub fn record_progress(&mut self, bytes: usize) -> bool {
        let Some(stall) = &mut self.stall else { return false };
        let blocked = stall.blocked.take();
        let waited = blocked.as_ref().map_or(Duration::ZERO, |blocked| blocked.since.elapsed());
        stall.debt.record(waited, bytes, self.limits.rate);
        blocked.is_some()
    }

    /// Called while the client takes nothing of `answer`. Ready when the answer must end.
    pub fn poll_too_slow(
        &mut self,
        cx: &mut Context<'_>,
        answer: impl FnOnce() -> StalledAnswer,
    ) -> Poll<()> {
        let limits = &self.limits;
        let stall = self.stall.get_or_insert_with(|| {
            let timer = Box::pin(sleep_until(Instant::now() + limits.timeout));
            Box::new(WriteStall { debt: TransferDebt::default(), timer, blocked: None })
        });
        let waiting = stall.blocked.get_or_insert_with(|| {
            let since = Instant::now();
            stall.timer.as_mut().reset(since + limits.time_left(stall.debt));
            BlockedWrite { since, reservation: reserve(&answer()) }
        });
        if limits.must_end(&waiting.reservation, waiting.since.elapsed()) {
            return Poll::Ready(());
        }
        stall.timer.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::{
        domain::{buffer_load::STALLED_ANSWER_BYTES, fairness::ResourceLimit},
        sync::client_limits::{ClientRegistry, ClientState},
    };

    fn limits(bytes_per_second: u32, budget: usize) -> WriteLimits {
        let rate = MinRate { bytes_per_second, grace: Duration::from_mins(1) };
        WriteLimits::of(
            Duration::from_mins(1),
            rate,
            BufferBudget::new(ResourceLimit { client: budget, all: budget }),
        )
    }

    fn answer(client: &Arc<ClientState>) -> StalledAnswer {
        StalledAnswer { client: Arc::clone(client), overhead: 0, unsent: 0, left: usize::MAX }
    }

    /// Seconds until a client is disconnected that reads `bytes` after each pause of `pause` seconds; at most an hour.
    async fn seconds_until_disconnect(limits: WriteLimits, pause: u64, bytes: usize) -> u64 {
        let clients = ClientRegistry::default();
        let seconds = served_to(clients.all(), limits, pause, bytes).await;
        assert_eq!(clients.all().held(Resource::BufferedBytes), 0, "released");
        seconds
    }

    async fn served_to(client: &Arc<ClientState>, limits: WriteLimits, pause: u64, bytes: usize) -> u64 {
        let (start, mut watch) = (Instant::now(), WriteWatch::new(limits));
        let pause = Duration::from_secs(pause);
        while start.elapsed() < Duration::from_hours(1) {
            let given_up = timeout(pause, async {
                loop {
                    // the connection's task ticks
                    let polled = poll_fn(|cx| watch.poll_too_slow(cx, || answer(client)));
                    let tick = timeout(Duration::from_millis(250), polled);
                    if tick.await.is_ok() {
                        return;
                    }
                }
            });
            if given_up.await.is_ok() {
                return start.elapsed().as_secs();
            }
            watch.record_progress(bytes);
            sleep(Duration::from_millis(1)).await;
        }
        3600
    }

    #[tokio::test(start_paused = true)]
    async fn attack_slow_read() {
        for (rate, pause, bytes, seconds) in [
            // nothing at all
            (240, 100_000, 0, 60),
            (0, 100_000, 0, 60),
            // a byte every ten seconds
            (240, 10, 1, 60),
            // without a minimum rate that is enough
            (0, 10, 1, 3600),
            // a slow link, and a fast one with long pauses
            (240, 10, 2_500, 3600),
            (240, 50, 16_384, 3600),
        ] {
            let taken = seconds_until_disconnect(limits(rate, usize::MAX), pause, bytes).await;
            assert!(taken.abs_diff(seconds) <= 1, "{rate} B/s, {bytes} bytes each {pause} s: {taken} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn disconnects_sooner_if_buffer_budget_is_exhausted() {
        assert_eq!(seconds_until_disconnect(limits(240, STALLED_ANSWER_BYTES + 1), 100_000, 0).await, 60);
        assert_eq!(seconds_until_disconnect(limits(240, STALLED_ANSWER_BYTES), 100_000, 0).await, 5);
    }

    /// Beside answers that began before the client reached its share.
    #[tokio::test(start_paused = true)]
    async fn attack_one_client_holds_the_buffers_of_all() {
        let mut limits = limits(240, 0);
        let share = ResourceLimit { client: 4 * STALLED_ANSWER_BYTES, all: 8 * STALLED_ANSWER_BYTES };
        limits.buffers = BufferBudget::new(share);
        let clients = ClientRegistry::default();
        let [greedy, other] = [[192, 0, 2, 1], [198, 51, 100, 1]].map(|ip| clients.by_address(ip.into()));
        for (held, seconds, others) in [(2, 60, 60), (4, 5, 60), (6, 0, 60), (7, 0, 5)] {
            let _held: Vec<_> = (0..held).map(|_| reserve(&answer(&greedy))).collect();
            assert_eq!(served_to(&greedy, limits.clone(), 100_000, 0).await, seconds, "{held}");
            assert_eq!(served_to(&other, limits.clone(), 100_000, 0).await, others, "{held}");
        }
    }
}
