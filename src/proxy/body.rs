//! Response bodies on their way to the client, and the errors that abort a body.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    access_watch::{AccessWatch, ResponseWatch},
    headers::clean_response_trailers,
    request_log::RequestRecord,
    upstream::{LeasedBody, StreamPermit, WireError},
};
use crate::sync::client_limits::ClientState;

/// Why a body was aborted. The peer sees an aborted message, never a short one that looks complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the portal: {0}")]
    Portal(#[from] WireError),
    #[error("the client reset its stream in the middle of a body")]
    Reset,
    #[error("silence in the middle of a body for {0:?}")]
    Idle(Duration),
    #[error("the client sends its body at less than limits.min_upload_rate")]
    TooSlow,
    #[error(
        "the request is no longer allowed: its session or token has ended, or the tenant's policy has changed"
    )]
    AccessEnded,
    #[error("a local page broke off: {0}")]
    Local(#[from] axum::Error),
}

/// The body of a response. Dropping it closes the request record.
pub struct ResponseBody {
    kind: Kind,
    watch: Option<Box<ResponseWatch>>,
    record: Option<RequestRecord>,
}

enum Kind {
    Whole(Option<Bytes>),
    /// From an HTTP/1.1 portal connection, which is returned to the pool when the body has ended.
    Leased(LeasedBody),
    /// From an HTTP/2 portal connection.
    Http2(Http2Body),
    /// From Doorward's own pages.
    Local(axum::body::Body),
    /// The first frames have been read already, to evaluate the response.
    Prefixed(VecDeque<Frame<Bytes>>, Box<ResponseBody>),
}

#[expect(dead_code, reason = "permits are held, not read")]
struct Http2Body {
    incoming: Incoming,
    idle: IdleTimer,
    /// The stream is in use as long as this exists.
    stream: Arc<StreamPermit>,
}

impl Kind {
    /// Releases the memory of an empty buffer.
    fn release_buffer(&mut self) {
        match self {
            Self::Leased(body) => body.release_buffer(),
            Self::Prefixed(_, rest) => rest.kind.release_buffer(),
            Self::Whole(_) | Self::Http2(..) | Self::Local(_) => {}
        }
    }
}

impl ResponseBody {
    pub fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    pub fn whole(bytes: Bytes) -> Self {
        Self::of(Kind::Whole((!bytes.is_empty()).then_some(bytes)))
    }

    pub fn leased(body: LeasedBody) -> Self {
        Self::of(Kind::Leased(body))
    }

    pub fn http2(incoming: Incoming, idle_timeout: Duration, stream: Arc<StreamPermit>) -> Self {
        let idle = IdleTimer::new(idle_timeout);
        Self::of(Kind::Http2(Http2Body { incoming, idle, stream }))
    }

    pub fn local(body: axum::body::Body) -> Self {
        Self::of(Kind::Local(body))
    }

    /// `read` was taken out of `rest` and is sent first.
    pub fn prefixed(read: VecDeque<Frame<Bytes>>, rest: Self) -> Self {
        Self::of(Kind::Prefixed(read, Box::new(rest)))
    }

    const fn of(kind: Kind) -> Self {
        Self { kind, watch: None, record: None }
    }

    /// A long response is aborted when the request would no longer be allowed.
    pub fn watch_access(&mut self, watch: impl FnOnce() -> AccessWatch) {
        if !self.is_end_stream() {
            self.watch = ResponseWatch::of(self.size_hint().exact(), watch);
        }
    }

    /// The request record is closed when this body ends or is dropped.
    #[must_use]
    pub fn with_record(mut self, record: RequestRecord) -> Self {
        record.connection().set_answer_left(self.size_hint().upper());
        self.record = Some(record);
        self
    }

    /// The client for which the answer counts while it waits to be read.
    pub fn take_client(&mut self) -> Option<Arc<ClientState>> {
        self.record.as_mut()?.take_client()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(record) = &this.record
            && record.connection().must_flush()
        {
            if record.connection().is_stalled() {
                this.kind.release_buffer();
            }
            // the socket wakes the task when everything is written
            return Poll::Pending;
        }
        let polled = match &mut this.kind {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Leased(body) => body.poll_frame(cx),
            Kind::Http2(Http2Body { incoming, idle, .. }) => match Pin::new(incoming).poll_frame(cx) {
                Poll::Ready(frame) => {
                    idle.record_progress();
                    Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
                }
                Poll::Pending => idle.poll_expired(cx).map(|error| Some(Err(error))),
            },
            Kind::Local(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
            }
            Kind::Prefixed(read, rest) => match read.pop_front() {
                Some(frame) => Poll::Ready(Some(Ok(frame))),
                None => Pin::new(rest.as_mut()).poll_frame(cx),
            },
        };
        let polled = if let Some(watch) = &mut this.watch
            && !matches!(polled, Poll::Ready(None))
            && watch.poll_ended(cx, polled.is_pending()).is_ready()
        {
            Poll::Ready(Some(Err(BodyError::AccessEnded)))
        } else {
            polled
        };
        let polled = polled.map_ok(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                clean_response_trailers(trailers);
            }
            frame
        });
        if let (Poll::Ready(frame), Some(record)) = (&polled, &mut this.record) {
            match frame {
                Some(Ok(frame)) => record.record_sent(frame.data_ref().map_or(0, Bytes::len)),
                Some(Err(error)) => record.record_error(error),
                None => {}
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Leased(body) => body.is_end_stream(),
            Kind::Http2(Http2Body { incoming, .. }) => incoming.is_end_stream(),
            Kind::Local(body) => body.is_end_stream(),
            Kind::Prefixed(read, rest) => read.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Leased(body) => body.size_hint(),
            Kind::Http2(Http2Body { incoming, .. }) => incoming.size_hint(),
            Kind::Local(body) => body.size_hint(),
            Kind::Prefixed(read, rest) => {
                let read = read.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum::<u64>();
                let rest = rest.size_hint();
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower().saturating_add(read));
                if let Some(upper) = rest.upper() {
                    hint.set_upper(upper.saturating_add(read));
                }
                hint
            }
        }
    }
}

/// Idle timeout of a body. The timer is created when a body has to wait for the first time.
pub struct IdleTimer {
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    progressed: bool,
}

impl IdleTimer {
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, timer: None, progressed: false }
    }

    pub fn record_progress(&mut self) {
        self.progressed = true;
    }

    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if std::mem::take(&mut self.progressed) {
            timer.as_mut().reset(Instant::now() + timeout);
        }
        timer.as_mut().poll(cx).map(|()| BodyError::Idle(timeout))
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseBody")
    }
}
