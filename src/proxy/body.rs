//! Bodies on their way through: streamed, never buffered, but for the sign-ins that are guarded.

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
use http::Version;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{
    sync::Notify,
    time::{Instant, Sleep, sleep},
};

pub use super::upload_progress::{ClientFault, UploadProgress};
use super::{
    account::Account,
    connection::{ClientConnection, OpenBody},
    headers::clean_response_trailers,
    hygiene::fields::clean_trailers,
    upstream::{LeasedBody, WireError},
};
use crate::sync::client_limits::Permit;

/// Why a body broke off. The peer sees an aborted message, never a short one that looks whole.
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
    #[error("a local page broke off: {0}")]
    Local(#[from] axum::Error),
}

/// A request body that arrives, counted for its client until it has arrived.
pub struct ArrivingBody {
    incoming: Incoming,
    permit: Option<Permit>,
}

impl ArrivingBody {
    pub const fn new(incoming: Incoming) -> Self {
        Self { incoming, permit: None }
    }

    pub fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    pub fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if self.permit.is_some() && polled.is_ready() && self.incoming.is_end_stream() {
            self.permit = None;
        }
        polled
    }
}

/// What a client sends.
pub enum ClientBody {
    Coming(ArrivingBody),
    /// Read already, to know whose sign-in it is; sent on as it came.
    Here(Option<Bytes>),
}

impl ClientBody {
    pub fn here(bytes: Bytes) -> Self {
        Self::Here(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    pub fn is_end_stream(&self) -> bool {
        match self {
            Self::Coming(upload) => upload.is_end_stream(),
            Self::Here(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Coming(upload) => upload.incoming.size_hint(),
            Self::Here(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self {
            Self::Coming(upload) => upload.poll_frame(cx),
            Self::Here(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }
}

/// A client's body on its way to the portal.
pub struct RequestBody {
    incoming: ClientBody,
    progress: Option<Arc<UploadProgress>>,
    /// `Expect: 100-continue`: the body is not asked for before the portal wants it.
    gate: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    wanted: Option<Arc<Notify>>,
    open: Option<OpenBody>,
    http2: bool,
    idle: Idle,
}

impl RequestBody {
    pub fn new(
        incoming: ClientBody,
        version: Version,
        connection: &Arc<ClientConnection>,
        idle_timeout: Duration,
    ) -> Self {
        let http2 = version == Version::HTTP_2;
        let is_there = !incoming.is_end_stream();
        let is_coming = is_there && matches!(incoming, ClientBody::Coming(_));
        let open = is_coming.then(|| connection.open_body());
        let progress = is_there.then(Arc::default);
        Self { incoming, progress, gate: None, wanted: None, open, http2, idle: Idle::new(idle_timeout) }
    }

    fn ended(&mut self) {
        if let Some(open) = &mut self.open {
            open.has_ended();
        }
    }

    fn failed(&self, fault: ClientFault) {
        if let Some(progress) = &self.progress {
            progress.fail(fault);
        }
    }

    /// Holds the body back until `wanted` is notified, at most `patience` long (RFC 9110 §10.1.1).
    pub fn wait_for(&mut self, wanted: Arc<Notify>, patience: Duration) {
        self.wanted = Some(Arc::clone(&wanted));
        self.gate = Some(Box::pin(async move {
            let _ = tokio::time::timeout(patience, wanted.notified()).await;
        }));
    }

    /// To be notified when the portal says `100 Continue`.
    pub fn wanted(&self) -> Option<Arc<Notify>> {
        self.wanted.clone()
    }

    /// The longest silence.
    pub fn idle_timeout(&self) -> Duration {
        self.idle.timeout
    }

    /// `None` when there is no body.
    pub fn progress(&self) -> Option<Arc<UploadProgress>> {
        self.progress.clone()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(gate) = &mut self.gate {
            if gate.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.gate = None;
        }
        let this = &mut *self;
        match this.incoming.poll_frame(cx) {
            Poll::Ready(Some(Ok(mut frame))) => {
                this.idle.progressed();
                if let Some(trailers) = frame.trailers_mut() {
                    clean_trailers(trailers);
                }
                if let Some(progress) = &this.progress {
                    progress.add(frame.data_ref().map_or(0, Bytes::len));
                }
                if this.incoming.is_end_stream() {
                    this.ended();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.failed(ClientFault::Malformed);
                Poll::Ready(Some(Err(error.into())))
            }
            // a stream that is reset without an error looks ended to hyper, and is not
            Poll::Ready(None) if this.http2 && !this.incoming.is_end_stream() => {
                this.failed(ClientFault::Malformed);
                Poll::Ready(Some(Err(BodyError::Reset)))
            }
            Poll::Ready(None) => {
                this.ended();
                Poll::Ready(None)
            }
            Poll::Pending => this.idle.poll_expired(cx).map(|error| {
                this.failed(ClientFault::Idle);
                Some(Err(error))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// An answer's body on its way to the client. Dropping it ends the request's account.
pub struct ResponseBody {
    kind: Kind,
    account: Option<Account>,
}

enum Kind {
    Whole(Option<Bytes>),
    /// From an HTTP/1.1 portal connection, which goes back to the pool when the body has ended.
    Leased(LeasedBody),
    /// From an HTTP/2 portal connection.
    Shared(Incoming, Idle),
    /// From our own pages.
    Local(axum::body::Body),
    /// The start has been read already, to know what it says.
    Begun(VecDeque<Frame<Bytes>>, Box<ResponseBody>),
}

impl ResponseBody {
    pub fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    pub fn whole(bytes: Bytes) -> Self {
        Self { kind: Kind::Whole((!bytes.is_empty()).then_some(bytes)), account: None }
    }

    pub fn leased(body: LeasedBody) -> Self {
        Self { kind: Kind::Leased(body), account: None }
    }

    pub fn shared(incoming: Incoming, idle_timeout: Duration) -> Self {
        Self { kind: Kind::Shared(incoming, Idle::new(idle_timeout)), account: None }
    }

    pub fn local(body: axum::body::Body) -> Self {
        Self { kind: Kind::Local(body), account: None }
    }

    /// `read` has been taken out of `rest`, and comes first.
    pub fn begun(read: VecDeque<Frame<Bytes>>, rest: Self) -> Self {
        Self { kind: Kind::Begun(read, Box::new(rest)), account: None }
    }

    /// The account is closed when this body ends or is dropped.
    #[must_use]
    pub fn with_account(mut self, account: Account) -> Self {
        self.account = Some(account);
        self
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
        let polled = match &mut this.kind {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Leased(body) => body.poll_frame(cx),
            Kind::Shared(incoming, idle) => match Pin::new(incoming).poll_frame(cx) {
                Poll::Ready(frame) => {
                    idle.progressed();
                    Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
                }
                Poll::Pending => idle.poll_expired(cx).map(|error| Some(Err(error))),
            },
            Kind::Local(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
            }
            Kind::Begun(read, rest) => match read.pop_front() {
                Some(frame) => Poll::Ready(Some(Ok(frame))),
                None => Pin::new(rest.as_mut()).poll_frame(cx),
            },
        };
        let polled = polled.map_ok(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                clean_response_trailers(trailers);
            }
            frame
        });
        if let (Poll::Ready(frame), Some(account)) = (&polled, &mut this.account) {
            match frame {
                Some(Ok(frame)) => account.sent(frame.data_ref().map_or(0, Bytes::len)),
                Some(Err(error)) => account.broke_off(error),
                None => {}
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Leased(body) => body.is_end_stream(),
            Kind::Shared(incoming, _) => incoming.is_end_stream(),
            Kind::Local(body) => body.is_end_stream(),
            Kind::Begun(read, rest) => read.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Leased(body) => body.size_hint(),
            Kind::Shared(incoming, _) => incoming.size_hint(),
            Kind::Local(body) => body.size_hint(),
            Kind::Begun(read, rest) => {
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

/// Notices silence. The timer is made only when a body has to wait for the first time.
pub struct Idle {
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    progressed: bool,
}

impl Idle {
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, timer: None, progressed: false }
    }

    pub fn progressed(&mut self) {
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
