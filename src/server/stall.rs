//! Ends HTTP/2 streams whose client takes its answer too slowly, or not at all.
//!
//! A client can keep one stream's window shut while its connection is well: no socket is blocked, and hyper asks for no more
//! of the body, so nothing in the body can notice. Each stream has a task, and the task watches here.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, rt::Executor, service::Service as HyperService};
use tokio::time::{Instant, Sleep, sleep_until};

use super::write_watch::{WriteLimits, reserve};
use crate::{
    domain::{
        buffer_load::STALL_TIMEOUT,
        transfer_rate::{MinRate, TransferDebt},
    },
    proxy::{ResponseBody, Service},
    sync::{
        STALLED_STREAM_BYTES, StalledAnswer,
        client_limits::{ClientState, Permit},
    },
};

tokio::task_local! {
    /// How far the answer of this task's stream has come.
    static PROGRESS: Arc<Progress>;
}

/// One frame. An answer gives the next when hyper has room for it, which is one frame too.
pub const PIECE: usize = 16 * 1024;

/// Atomics because tasks may move; only the stream's task uses them.
struct Progress {
    rate: MinRate,
    since: Instant,
    /// Milliseconds after `since` at which the body was last polled.
    polled: AtomicU64,
    /// There is something to take, so it is the client that is waited for, not the portal.
    waits_for_client: AtomicBool,
    /// Bytes that the client was given when the body was last polled.
    given: AtomicUsize,
    /// Bytes that the body has not given yet; `usize::MAX` where its length is not known.
    left: AtomicUsize,
    /// The client for which the answer counts.
    client: OnceLock<Arc<ClientState>>,
    /// By how many milliseconds the client has fallen behind.
    debt: AtomicU64,
}

impl Progress {
    fn new(rate: MinRate) -> Self {
        Self {
            rate,
            since: Instant::now(),
            polled: AtomicU64::new(0),
            waits_for_client: AtomicBool::new(false),
            given: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            client: OnceLock::new(),
            debt: AtomicU64::new(0),
        }
    }

    /// The client has taken what it was given before; now it gets so many bytes, or nothing that there is.
    fn note(&self, given: Option<usize>) {
        let now = milliseconds(self.since.elapsed());
        if self.waits_for_client.load(Ordering::Relaxed) {
            let waited = now.saturating_sub(self.polled.load(Ordering::Relaxed));
            let mut debt = self.debt();
            debt.record(Duration::from_millis(waited), self.given.load(Ordering::Relaxed), self.rate);
            self.debt.store(milliseconds(debt.get()), Ordering::Relaxed);
        }
        self.polled.store(now, Ordering::Relaxed);
        self.given.store(given.unwrap_or(0), Ordering::Relaxed);
        self.waits_for_client.store(given.is_some(), Ordering::Relaxed);
    }

    fn set_left(&self, bytes: Option<u64>) {
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// The answer that waits while the client takes nothing. `opened_by`: the client of the connection.
    fn stalled_answer(&self, opened_by: &Arc<ClientState>) -> StalledAnswer {
        StalledAnswer {
            client: Arc::clone(self.client.get().unwrap_or(opened_by)),
            overhead: STALLED_STREAM_BYTES,
            unsent: self.given.load(Ordering::Relaxed),
            left: self.left.load(Ordering::Relaxed),
        }
    }

    fn debt(&self) -> TransferDebt {
        TransferDebt::of(Duration::from_millis(self.debt.load(Ordering::Relaxed)))
    }

    /// Since when the client is waited for, if it is.
    fn waits_since(&self) -> Option<Instant> {
        let polled = Duration::from_millis(self.polled.load(Ordering::Relaxed));
        self.waits_for_client.load(Ordering::Relaxed).then(|| self.since + polled)
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the task of a stream holds while its client is waited for.
#[derive(Default)]
struct Stall {
    timer: Option<Pin<Box<Sleep>>>,
    reservation: Option<Permit>,
}

impl Stall {
    /// Ready when the client is to be given up. A busy stream costs one comparison: the timer is moved only when it
    /// has fired.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>, progress: &Progress, streams: &Streams) -> Poll<()> {
        let limits = &streams.limits;
        let Some(since) = progress.waits_since() else {
            self.reservation = None;
            return Poll::Pending;
        };
        let is_new = self.reservation.is_none();
        let reservation =
            self.reservation.get_or_insert_with(|| reserve(&progress.stalled_answer(&streams.client)));
        if is_new && limits.must_end(reservation, Duration::ZERO) {
            return Poll::Ready(());
        }
        let end = since + limits.patience(progress.debt());
        // from time to time also to see whether others need the memory
        let next = |now: Instant| end.min(now + STALL_TIMEOUT);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next(since))));
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if end <= now || limits.must_end(reservation, now - since) {
                return Poll::Ready(());
            }
            timer.as_mut().reset(next(now));
        }
        Poll::Pending
    }
}

/// Runs each stream in a task of its own, and drops one that stalls: its client is sent `RST_STREAM`, its connection to
/// the portal is closed.
#[derive(Clone)]
pub struct Streams {
    limits: WriteLimits,
    /// The client that opened the connection.
    client: Arc<ClientState>,
}

impl Streams {
    pub const fn new(limits: WriteLimits, client: Arc<ClientState>) -> Self {
        Self { limits, client }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(watch(stream, self.clone()));
    }
}

async fn watch(stream: impl Future<Output = ()>, streams: Streams) {
    let progress = Arc::new(Progress::new(streams.limits.rate));
    let mut stream = pin!(PROGRESS.scope(Arc::clone(&progress), stream));
    let mut stall = Stall::default();
    poll_fn(|cx| match stream.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => stall.poll_too_slow(cx, &progress, &streams),
    })
    .await;
}

/// The pipeline, with answers that tell how far they have come.
pub struct Watched(pub Service);

impl HyperService<Request<Incoming>> for Watched {
    type Response = Response<WatchedBody<ResponseBody>>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        Answering(self.0.call(request))
    }
}

pub struct Answering(<Service as HyperService<Request<Incoming>>>::Future);

impl Future for Answering {
    type Output = Result<Response<WatchedBody<ResponseBody>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let watched = |mut body: ResponseBody| {
            let client = body.take_client();
            WatchedBody::new(body, client)
        };
        self.0.as_mut().poll(cx).map_ok(|answer| answer.map(watched))
    }
}

/// Hands out a frame's worth at a time and notes when it is asked for the next.
pub struct WatchedBody<B> {
    body: B,
    rest: Bytes,
    /// `None` outside a stream's task, where nobody watches.
    progress: Option<Arc<Progress>>,
}

impl<B: Body> WatchedBody<B> {
    fn new(body: B, client: Option<Arc<ClientState>>) -> Self {
        let progress = PROGRESS.try_with(Arc::clone).ok();
        if let Some(progress) = &progress {
            if let Some(client) = client {
                // set once per stream
                let _ = progress.client.set(client);
            }
            progress.set_left(body.size_hint().upper());
            // the head is on its way, and the first byte is the client's to ask for
            progress.note(Some(0));
        }
        Self { body, rest: Bytes::new(), progress }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for WatchedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let mut polled = if this.rest.is_empty() {
            Pin::new(&mut this.body).poll_frame(cx)
        } else {
            Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.rest)))))
        };
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(data) = frame.data_mut()
            && data.len() > PIECE
        {
            this.rest = data.split_off(PIECE);
        }
        if let Some(progress) = &this.progress {
            progress.set_left(this.size_hint().upper());
            progress.note(match &polled {
                Poll::Ready(Some(Ok(frame))) => Some(frame.data_ref().map_or(0, Bytes::len)),
                Poll::Ready(_) => Some(0),
                Poll::Pending => None,
            });
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        match hint.upper() {
            Some(upper) => {
                let lower = hint.lower();
                hint.set_upper(upper + rest);
                hint.set_lower(lower + rest);
            }
            None => hint.set_lower(hint.lower() + rest),
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::{
        domain::fairness::{Resource, Share},
        sync::{BufferBudget, STALLED_ANSWER_BYTES, client_limits::ClientRegistry},
    };

    const OFF: u32 = 0;

    fn streams(bytes_per_second: u32, share: Share, client: &Arc<ClientState>) -> Streams {
        let rate = MinRate { bytes_per_second, grace: Duration::from_mins(1) };
        let limits = WriteLimits::of(Duration::from_mins(1), rate, BufferBudget::new(share));
        Streams::new(limits, Arc::clone(client))
    }

    /// One byte at a time, each this long after it was asked for.
    struct Portal {
        delay: Duration,
        next: Option<Pin<Box<Sleep>>>,
    }

    impl Body for Portal {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let at = Instant::now() + self.delay;
            let next = self.next.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if next.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.next = None;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    /// How long a stream lives whose portal and client take so long for each piece, of which there are ten of a byte.
    async fn lives(portal: u64, client: u64, rate: u32) -> u64 {
        let unlimited = Share { client: usize::MAX, all: usize::MAX };
        lives_in(portal, client, streams(rate, unlimited, ClientRegistry::default().all())).await
    }

    async fn lives_in(portal: u64, client: u64, streams: Streams) -> u64 {
        let start = Instant::now();
        let stream = async move {
            let delay = Duration::from_secs(portal);
            let mut body = WatchedBody::new(Portal { delay, next: None }, None);
            for _ in 0..10 {
                sleep(Duration::from_secs(client)).await;
                poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            }
        };
        watch(stream, streams).await;
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn attack_a_client_that_never_opens_its_window() {
        assert_eq!(lives(0, 100_000, OFF).await, 60);
        assert_eq!(lives(0, 100_000, 240).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_little_now_and_then_is_served_where_no_rate_is_set() {
        assert_eq!(lives(0, 50, OFF).await, 500);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_portal_is_not_the_clients_fault() {
        assert_eq!(lives(100, 1, OFF).await, 1010);
        assert_eq!(lives(100, 50, OFF).await, 1500);
        // one second of ten bytes, and a thousand seconds of the portal's
        assert_eq!(lives(100, 1, 240).await, 1010);
    }

    #[tokio::test(start_paused = true)]
    async fn attack_a_stream_that_takes_a_byte_now_and_then() {
        assert_eq!(lives(0, 50, 240).await, 60);
        assert_eq!(lives(100, 50, 240).await, 160);
    }

    #[tokio::test(start_paused = true)]
    async fn attack_one_client_holds_the_buffers_of_all() {
        const STALLED: usize = STALLED_ANSWER_BYTES;
        let clients = ClientRegistry::default();
        let [greedy, other] = [[192, 0, 2, 1], [198, 51, 100, 1]].map(|ip| clients.by_address(ip.into()));
        let share = Share { client: 4 * STALLED, all: 8 * STALLED };
        for (held, seconds, others) in [(2, 60, 60), (4, 5, 60), (6, 0, 60), (7, 0, 5)] {
            let _held = greedy.reserve(Resource::BufferedBytes, held * STALLED);
            assert_eq!(lives_in(0, 100_000, streams(OFF, share, &greedy)).await, seconds, "{held}");
            assert_eq!(lives_in(0, 100_000, streams(OFF, share, &other)).await, others, "{held}");
        }
        assert_eq!(clients.all().held(Resource::BufferedBytes), 0);
    }

    #[tokio::test]
    async fn a_large_piece_is_handed_out_in_frames_and_nothing_is_lost() {
        use http_body_util::{BodyExt, Full};

        let sent: Bytes = (0..3 * PIECE + 5).map(|n| n.to_le_bytes()[0]).collect();
        let mut body = WatchedBody::new(Full::new(sent.clone()), None);
        let (mut received, mut frames) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            received.extend_from_slice(&frame.unwrap().into_data().unwrap());
            frames += 1;
            let left = (sent.len() - received.len()) as u64;
            assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(left), left == 0));
        }
        assert_eq!((received, frames), (sent.to_vec(), 4));
    }
}
