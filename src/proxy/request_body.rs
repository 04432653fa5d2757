//! The body of a client's request: its first bytes are read at once, the rest is streamed to the portal.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{sync::Notify, time::sleep};

pub use super::upload_progress::{ClientFault, UploadProgress};
use super::{
    body::BodyError,
    connection::{ClientConnection, OpenBody},
    counted_bytes::counted,
    upload_watch::{UploadLimits, UploadWatch},
    upstream::StreamPermit,
    validation::fields::clean_trailers,
};
use crate::{
    domain::fairness::Resource,
    sync::{
        MAX_UNREAD_BODY_BYTES,
        client_limits::{ClientState, Permit},
    },
};

/// Bytes of a body that are read before a connection to the portal is taken; most forms and API calls are smaller.
const PREFIX_BYTES: usize = 16 * 1024;
/// Timeout for the rest of the prefix after its first bytes.
const PREFIX_TIMEOUT: Duration = Duration::from_millis(500);

/// A request body in transit, counted for its client until it has ended.
pub struct ArrivingBody {
    incoming: Incoming,
    permit: Option<Permit>,
}

impl ArrivingBody {
    pub const fn new(incoming: Incoming) -> Self {
        Self { incoming, permit: None }
    }

    pub fn hold_permit(&mut self, permit: Permit) {
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

/// The body as the client sends it.
pub enum ClientBody {
    Arriving(ArrivingBody),
    /// Already read, to find the user name of a sign-in; forwarded unchanged.
    Buffered(Option<Bytes>),
}

impl ClientBody {
    pub fn buffered(bytes: Bytes) -> Self {
        Self::Buffered(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    pub fn is_end_stream(&self) -> bool {
        match self {
            Self::Arriving(upload) => upload.is_end_stream(),
            Self::Buffered(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Arriving(upload) => upload.incoming.size_hint(),
            Self::Buffered(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self {
            Self::Arriving(upload) => upload.poll_frame(cx),
            Self::Buffered(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }
}

/// A client's body as it is forwarded to the portal.
pub struct RequestBody {
    incoming: ClientBody,
    http2: bool,
    /// `None` when there is no body.
    upload: Option<Box<UploadState>>,
}

/// State that only a request with a body has.
struct UploadState {
    prefix: BodyPrefix,
    progress: Arc<UploadProgress>,
    /// `Expect: 100-continue`: the body is not read before the portal sends `100 Continue`.
    continue_wait: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    continue_received: Option<Arc<Notify>>,
    open: Option<OpenBody>,
    /// Reservation for bytes of the body that wait to be read, for a connection to the portal, or to be written to it.
    reservation: Option<Permit>,
    /// The stream over which the body is sent, with HTTP/2 to the portal.
    stream: Option<Arc<StreamPermit>>,
    /// gRPC: the client may wait for the response before it sends, and send at any time.
    is_interactive: bool,
    /// A back end could take a trailer for an identity header of the operator's own.
    drops_trailers: bool,
    watch: UploadWatch,
}

/// The first bytes of a body, read before it is forwarded.
#[derive(Default)]
struct BodyPrefix {
    data: BytesMut,
    trailers: Option<HeaderMap>,
    /// The prefix is the complete body.
    is_complete: bool,
}

impl BodyPrefix {
    fn is_empty(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }

    fn take(&mut self) -> Option<Frame<Bytes>> {
        if self.data.is_empty() {
            return self.trailers.take().map(Frame::trailers);
        }
        Some(Frame::data(std::mem::take(&mut self.data).freeze()))
    }
}

impl RequestBody {
    pub fn new(
        incoming: ClientBody,
        version: Version,
        connection: &Arc<ClientConnection>,
        limits: UploadLimits,
    ) -> Self {
        let http2 = version == Version::HTTP_2;
        let upload = (!incoming.is_end_stream()).then(|| {
            let is_arriving = matches!(incoming, ClientBody::Arriving(_));
            Box::new(UploadState {
                prefix: BodyPrefix::default(),
                progress: Arc::default(),
                continue_wait: None,
                continue_received: None,
                open: is_arriving.then(|| connection.open_body()),
                reservation: None,
                stream: None,
                is_interactive: false,
                drops_trailers: false,
                watch: UploadWatch::new(limits),
            })
        });
        Self { incoming, http2, upload }
    }

    pub const fn empty() -> Self {
        Self { incoming: ClientBody::Buffered(None), http2: false, upload: None }
    }

    /// Takes the body and leaves an empty one.
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::empty())
    }

    /// Counts for the client the bytes of the body that may wait, until the body has been written to the portal.
    pub fn reserve(&mut self, client: &Arc<ClientState>) {
        let announced = self.incoming.size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok());
        if let Some(upload) = self.upload.as_mut().filter(|upload| upload.open.is_some()) {
            let bytes = announced.unwrap_or(usize::MAX).min(MAX_UNREAD_BODY_BYTES);
            upload.reservation = Some(client.reserve(Resource::BufferedBytes, bytes));
        }
    }

    /// Holds the stream until the body has been sent.
    pub fn hold_stream(&mut self, stream: &Arc<StreamPermit>) {
        if let Some(upload) = &mut self.upload {
            upload.stream = Some(Arc::clone(stream));
        }
    }

    /// For a call in which client and portal exchange messages: the body is forwarded as it arrives, and no minimum rate applies.
    pub fn set_interactive(&mut self) {
        if let Some(upload) = &mut self.upload {
            upload.is_interactive = true;
            upload.watch.ignore_rate();
        }
    }

    /// Part of the body has not been read yet.
    pub fn is_arriving(&self) -> bool {
        matches!(self.incoming, ClientBody::Arriving(_))
            && self.upload.as_ref().is_some_and(|upload| !upload.prefix.is_complete)
            && !self.incoming.is_end_stream()
    }

    /// Reads the first bytes of a body, so that a connection to the portal is taken only when there is something to send. Most
    /// bodies are complete by then, and a client that sends nothing holds no connection.
    pub async fn read_prefix(&mut self) -> Result<(), BodyError> {
        // a client that expects `100 Continue` waits for the portal's
        if self.upload.as_ref().is_none_or(|upload| upload.continue_wait.is_some() || upload.is_interactive) {
            return Ok(());
        }
        let mut prefix = BodyPrefix::default();
        let mut pause = pin!(sleep(PREFIX_TIMEOUT));
        while !self.incoming.is_end_stream() && !prefix.is_complete && prefix.data.len() < PREFIX_BYTES {
            let read = poll_fn(|cx| match self.poll_incoming(cx) {
                Poll::Pending if !prefix.is_empty() => pause.as_mut().poll(cx).map(|()| None),
                read => read.map(Some),
            });
            match read.await {
                None => break,
                Some(None) => prefix.is_complete = true,
                Some(Some(frame)) => match frame?.into_data() {
                    Ok(data) => prefix.data.extend_from_slice(&data),
                    Err(frame) => prefix.trailers = frame.into_trailers().ok(),
                },
            }
        }
        prefix.is_complete |= self.incoming.is_end_stream();
        if let Some(upload) = &mut self.upload {
            upload.prefix = prefix;
        }
        Ok(())
    }

    /// The data and the trailers, if the whole body has been read.
    pub fn complete_body(&self) -> Option<(&[u8], Option<&HeaderMap>)> {
        match (&self.incoming, &self.upload) {
            (ClientBody::Buffered(Some(data)), _) => Some((data, None)),
            (ClientBody::Arriving(_), Some(upload)) if upload.prefix.is_complete => {
                Some((&upload.prefix.data, upload.prefix.trailers.as_ref()))
            }
            _ => None,
        }
    }

    /// Delays the body until `continue_received` is notified, for at most `timeout` (RFC 9110 §10.1.1).
    pub fn defer_until_continue(&mut self, continue_received: Arc<Notify>, timeout: Duration) {
        if let Some(upload) = &mut self.upload {
            upload.continue_received = Some(Arc::clone(&continue_received));
            upload.continue_wait = Some(Box::pin(async move {
                let _ = tokio::time::timeout(timeout, continue_received.notified()).await;
            }));
        }
    }

    /// Notified when the portal sends `100 Continue`.
    pub fn continue_received(&self) -> Option<Arc<Notify>> {
        self.upload.as_ref()?.continue_received.clone()
    }

    /// How long the client may send nothing.
    pub fn idle_timeout(&self) -> Duration {
        self.upload.as_ref().map_or(Duration::ZERO, |upload| upload.watch.idle_timeout())
    }

    /// `None` when there is no body.
    /// Forwards no trailer of this body.
    pub fn drop_trailers(&mut self) {
        if let Some(upload) = &mut self.upload {
            upload.drops_trailers = true;
        }
    }

    pub fn progress(&self) -> Option<Arc<UploadProgress>> {
        self.upload.as_ref().map(|upload| Arc::clone(&upload.progress))
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(upload) = &mut self.upload else { return Poll::Ready(None) };
        match self.incoming.poll_frame(cx) {
            Poll::Ready(Some(Ok(mut frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                upload.watch.record_progress(bytes);
                upload.progress.add(bytes);
                if let Some(trailers) = frame.trailers_mut() {
                    if upload.drops_trailers {
                        trailers.clear();
                    } else {
                        clean_trailers(trailers);
                    }
                }
                if self.incoming.is_end_stream() {
                    upload.mark_ended();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                upload.progress.fail(ClientFault::Malformed);
                Poll::Ready(Some(Err(error.into())))
            }
            // hyper reports a stream that was reset without an error as ended
            Poll::Ready(None) if self.http2 && !self.incoming.is_end_stream() => {
                upload.progress.fail(ClientFault::Malformed);
                Poll::Ready(Some(Err(BodyError::Reset)))
            }
            Poll::Ready(None) => {
                upload.mark_ended();
                Poll::Ready(None)
            }
            Poll::Pending => upload.watch.poll_too_slow(cx).map(|error| {
                upload.progress.fail(ClientFault::Idle);
                Some(Err(error))
            }),
        }
    }
}

impl UploadState {
    fn mark_ended(&mut self) {
        if let Some(open) = &mut self.open {
            open.mark_complete();
        }
    }

    /// The last frame of the body. It holds the reservation, because it may still wait to be written to the portal.
    fn last(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match self.reservation.take() {
            Some(reservation) => frame.map_data(|data| counted(data, reservation)),
            None => frame,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(upload) = &mut self.upload {
            if let Some(wait) = &mut upload.continue_wait {
                if wait.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                upload.continue_wait = None;
            }
            if let Some(frame) = upload.prefix.take() {
                let is_last = upload.prefix.is_complete && upload.prefix.is_empty();
                return Poll::Ready(Some(Ok(if is_last { upload.last(frame) } else { frame })));
            }
            if upload.prefix.is_complete {
                return Poll::Ready(None);
            }
        }
        let this = &mut *self;
        let polled = this.poll_incoming(cx);
        match (polled, &mut this.upload) {
            (Poll::Ready(Some(Ok(frame))), Some(upload)) if this.incoming.is_end_stream() => {
                Poll::Ready(Some(Ok(upload.last(frame))))
            }
            (polled, _) => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.upload {
            None => true,
            Some(upload) => {
                upload.prefix.is_empty() && (upload.prefix.is_complete || self.incoming.is_end_stream())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.incoming.size_hint();
        let start = self.upload.as_ref().map_or(0, |upload| upload.prefix.data.len() as u64);
        match hint.exact() {
            Some(left) => hint = SizeHint::with_exact(left.saturating_add(start)),
            None => hint.set_lower(hint.lower().saturating_add(start)),
        }
        hint
    }
}
