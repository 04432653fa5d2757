//! Resets HTTP/2 streams whose client reads the response too slowly, or not at all.
//!
//! A client can close one stream's window while its connection is healthy: no socket is blocked, and hyper polls no more
//! of the body, so the body cannot notice. Each stream has a task, and the task is watched here.

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
        time::millis,
        transfer_rate::{MinRate, TransferDebt},
    },
    proxy::{ProxyService, ResponseBody},
    sync::{
        STALLED_STREAM_BYTES, StalledAnswer,
        client_limits::{ClientState, Permit},
    },
};

tokio::task_local! {
    /// Progress of the response of this task's stream.
    static PROGRESS: Arc<StreamProgress>;
}

/// One frame. A response gives the next when hyper has space for it, which is one frame too.
pub const FRAME_BYTES: usize = 16 * 1024;

/// Atomics because tasks may move; only the stream's task uses them.
struct StreamProgress {
    rate: MinRate,
    since: Instant,
    /// Milliseconds after `since` at which the body was last polled.
    polled_at: AtomicU64,
    /// Data is available, so the stream waits for the client, not for the portal.
    waits_for_client: AtomicBool,
    /// Bytes offered to the client when the body was last polled.
    offered_bytes: AtomicUsize,
    /// Bytes that the body has not given yet; `usize::MAX` where its length is not known.
    left: AtomicUsize,
    /// The client for which the answer counts.
    client: OnceLock<Arc<ClientState>>,
    /// By how many milliseconds the client has fallen behind.
    debt: AtomicU64,
}

impl StreamProgress {
    fn new(rate: MinRate) -> Self {
        Self {
            rate,
            since: Instant::now(),
            polled_at: AtomicU64::new(0),
            waits_for_client: AtomicBool::new(false),
            offered_bytes: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            client: OnceLock::new(),
            debt: AtomicU64::new(0),
        }
    }

    /// The client has read the previous bytes; now it is offered `offered_bytes`, or none are available.
    fn record_poll(&self, offered_bytes: Option<usize>) {
        let now = millis(self.since.elapsed());
        if self.waits_for_client.load(Ordering::Relaxed) {
            let waited = now.saturating_sub(self.polled_at.load(Ordering::Relaxed));
            let mut debt = self.debt();
            debt.record(Duration::from_millis(waited), self.offered_bytes.load(Ordering::Relaxed), self.rate);
            self.debt.store(millis(debt.get()), Ordering::Relaxed);
        }
        self.polled_at.store(now, Ordering::Relaxed);
        self.offered_bytes.store(offered_bytes.unwrap_or(0), Ordering::Relaxed);
        self.waits_for_client.store(offered_bytes.is_some(), Ordering::Relaxed);
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
            unsent: self.offered_bytes.load(Ordering::Relaxed),
            left: self.left.load(Ordering::Relaxed),
        }
    }

    fn debt(&self) -> TransferDebt {
        TransferDebt::of(Duration::from_millis(self.debt.load(Ordering::Relaxed)))
    }

    /// Since when the stream waits for the client, if it does.
    fn waiting_since(&self) -> Option<Instant> {
        let polled = Duration::from_millis(self.polled_at.load(Ordering::Relaxed));
        self.waits_for_client.load(Ordering::Relaxed).then(|| self.since + polled)
    }
}

/// State of a stream's task while it waits for the client.
#[derive(Default)]
struct StreamStall {
    timer: Option<Pin<Box<Sleep>>>,
    reservation: Option<Permit>,
}

impl StreamStall {
    /// Ready when the stream has to be reset. A busy stream costs one comparison: the timer is reset only when it
    /// has fired.
    fn poll_too_slow(
        &mut self,
        cx: &mut Context<'_>,
        progress: &StreamProgress,
        streams: &StreamExecutor,
    ) -> Poll<()> {
        let limits = &streams.limits;
        let Some(since) = progress.waiting_since() else {
            self.reservation = None;
            return Poll::Pending;
        };
        let is_new = self.reservation.is_none();
        let reservation =
            self.reservation.get_or_insert_with(|| reserve(&progress.stalled_answer(&streams.client)));
        if is_new && limits.must_end(reservation, Duration::ZERO) {
            return Poll::Ready(());
        }
        let end = since + limits.time_left(progress.debt());
        // checks from time to time whether the buffer budget is exhausted
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

/// Runs each stream in a task of its own, and drops one that stalls: its client gets `RST_STREAM`, its connection to
/// the portal is closed.
#[derive(Clone)]
pub struct StreamExecutor {
    limits: WriteLimits,
    /// The client that opened the connection.
    client: Arc<ClientState>,
}

impl StreamExecutor {
    pub const fn new(limits: WriteLimits, client: Arc<ClientState>) -> Self {
        Self { limits, client }
    }
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(run_stream(stream, self.clone()));
    }
}

async fn run_stream(stream: impl Future<Output = ()>, streams: StreamExecutor) {
    let progress = Arc::new(StreamProgress::new(streams.limits.rate));
    let mut stream = pin!(PROGRESS.scope(Arc::clone(&progress), stream));
    let mut stall = StreamStall::default();
    poll_fn(|cx| match stream.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => stall.poll_too_slow(cx, &progress, &streams),
    })
    .await;
}

/// The pipeline, with responses that report their progress.
pub struct WatchedService(pub ProxyService);

impl HyperService<Request<Incoming>> for WatchedService {
    type Response = Response<WatchedBody<ResponseBody>>;
    type Error = Infallible;
    type Future = WatchedFuture;

    fn call(&self, request: Request<Incoming>) -> WatchedFuture {
        WatchedFuture(self.0.call(request))
    }
}

pub struct WatchedFuture(<ProxyService as HyperService<Request<Incoming>>>::Future);

impl Future for WatchedFuture {
    type Output = Result<Response<WatchedBody<ResponseBody>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let watched = |mut body: ResponseBody| {
            let client = body.take_client();
            WatchedBody::new(body, client)
        };
        self.0.as_mut().poll(cx).map_ok(|answer| answer.map(watched))
    }
}

/// Returns a frame's worth at a time and records when the next is polled.
pub struct WatchedBody<B> {
    body: B,
    remainder: Bytes,
    /// `None` outside a stream's task, where progress is not watched.
    progress: Option<Arc<StreamProgress>>,
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
            // the head is being sent, and the client has to read it first
            progress.record_poll(Some(0));
        }
        Self { body, remainder: Bytes::new(), progress }
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
        let mut polled = if this.remainder.is_empty() {
            Pin::new(&mut this.body).poll_frame(cx)
        } else {
            Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.remainder)))))
        };
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(data) = frame.data_mut()
            && data.len() > FRAME_BYTES
        {
            this.remainder = data.split_off(FRAME_BYTES);
        }
        if let Some(progress) = &this.progress {
            progress.set_left(this.size_hint().upper());
            progress.record_poll(match &polled {
                Poll::Ready(Some(Ok(frame))) => Some(frame.data_ref().map_or(0, Bytes::len)),
                Poll::Ready(_) => Some(0),
                Poll::Pending => None,
            });
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.remainder.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.remainder.len() as u64;
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
mod tests;
