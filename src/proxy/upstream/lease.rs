//! One HTTP/1.1 connection to the portal, lent to one request at a time.
//!
//! The connection has no task of its own: the request that holds it drives it, in the task of the client's
//! connection. That saves two task switches a request (`docs/PERFORMANCE.md`). Only an upload gets a task for it, since
//! both directions must move even while the client does not read.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, Connection, Parts, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep};

use super::{ForwardError, connect::PortalStream, pool::Pool};
use crate::proxy::body::{BodyError, RequestBody, UploadProgress};

type Wire = Connection<TokioIo<PortalStream>, RequestBody>;

pub struct Lease {
    sender: SendRequest<RequestBody>,
    driver: Driver,
    /// One timer for the life of the connection: moving it is cheap, making it is not.
    deadline: Pin<Box<Sleep>>,
    pub(super) idle_since: Instant,
}

enum Driver {
    /// Driven by whoever holds the lease.
    Holder(Box<Wire>),
    /// Nothing more will come; after an upgrade the socket is still in it.
    Ended(Box<Wire>),
    /// Driven by a task of its own, or gone.
    Task,
}

impl Driver {
    /// Moves the connection on, as far as it goes without waiting.
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Self::Holder(wire) = self
            && wire.poll_without_shutdown(cx).is_ready()
            && let Self::Holder(wire) = std::mem::replace(self, Self::Task)
        {
            *self = Self::Ended(wire);
        }
    }
}

impl Lease {
    pub async fn open(stream: PortalStream) -> Result<Self, hyper::Error> {
        let (sender, connection) = Builder::new().writev(false).handshake(TokioIo::new(stream)).await?;
        let now = Instant::now();
        Ok(Self {
            sender,
            driver: Driver::Holder(Box::new(connection)),
            deadline: Box::pin(sleep(Duration::from_mins(1))),
            idle_since: now,
        })
    }

    /// Whether a request can be sent at once: not closed by the portal in the meantime.
    pub fn poll_usable(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        match self.driver {
            Driver::Holder(_) => {
                self.driver.poll(cx);
                Poll::Ready(self.sender.is_ready())
            }
            Driver::Task => self.sender.poll_ready(cx).map(|ready| ready.is_ok()),
            Driver::Ended(_) => Poll::Ready(false),
        }
    }

    /// Sends and waits for the head of the answer. An error that gives the request back means that not a byte of it has
    /// been written. (No `async fn`: the request is handed over at once and takes no place in the future.)
    pub fn send(
        &mut self,
        request: Request<RequestBody>,
        timeout: Duration,
    ) -> impl Future<Output = Result<Response<Incoming>, Unanswered>> + Send + '_ {
        let upload = request.body().progress();
        if upload.is_some()
            && let Driver::Holder(connection) = std::mem::replace(&mut self.driver, Driver::Task)
        {
            tokio::spawn(async move {
                // its errors reach the request through the sender
                let _ = connection.await;
            });
        }
        self.deadline.as_mut().reset(Instant::now() + timeout);
        let answer = self.sender.try_send_request(request);
        let (driver, deadline) = (&mut self.driver, &mut self.deadline);
        async move {
            let mut answer = pin!(answer);
            let mut uploaded = 0;
            poll_fn(|cx| {
                driver.poll(cx);
                let mut answered = answer.as_mut().poll(cx);
                if answered.is_pending() && matches!(driver, Driver::Ended(_)) {
                    // closed by the portal before it took the request, which only the end of the wire gives back
                    *driver = Driver::Task;
                    answered = answer.as_mut().poll(cx);
                }
                if let Poll::Ready(answer) = answered {
                    return Poll::Ready(answer.map_err(|mut error| {
                        let message = error.take_message().map(Box::new);
                        (ForwardError::Broken(error.into_error()), message)
                    }));
                }
                while deadline.as_mut().poll(cx).is_ready() {
                    // the answer's time counts from the end of the upload
                    if !still_uploading(upload.as_deref(), &mut uploaded) {
                        return Poll::Ready(Err((ForwardError::AnswerTimeout, None)));
                    }
                    deadline.as_mut().reset(Instant::now() + timeout);
                }
                Poll::Pending
            })
            .await
        }
    }

    /// Takes the socket back after `101 Switching Protocols`; bytes the portal has already sent come with it.
    pub async fn into_upgraded(self) -> Option<(PortalStream, Bytes)> {
        let Parts { io, read_buf, .. } = match self.driver {
            Driver::Ended(wire) => wire.into_parts(),
            Driver::Holder(wire) => wire.without_shutdown().await.ok()?,
            Driver::Task => return None,
        };
        let mut stream = io.into_inner();
        stream.count_no_more();
        Some((stream, read_buf))
    }
}

/// Why there is no answer, and the request where it can be sent again.
type Unanswered = (ForwardError, Option<Box<Request<RequestBody>>>);

fn still_uploading(upload: Option<&UploadProgress>, seen: &mut u64) -> bool {
    let Some(upload) = upload else { return false };
    let moved = std::mem::replace(seen, upload.bytes()) != upload.bytes();
    moved && !upload.is_finished()
}

/// The body of an answer, together with the connection it comes from.
pub struct LeasedBody {
    incoming: Incoming,
    lease: Option<Lease>,
    upload: Option<Arc<UploadProgress>>,
    pool: Arc<Pool>,
    idle_timeout: Duration,
    waiting: bool,
}

impl LeasedBody {
    pub fn new(
        incoming: Incoming,
        lease: Lease,
        upload: Option<Arc<UploadProgress>>,
        pool: Arc<Pool>,
        idle_timeout: Duration,
    ) -> Self {
        let mut body = Self { incoming, lease: Some(lease), upload, pool, idle_timeout, waiting: false };
        if body.incoming.is_end_stream() {
            body.give_back();
        }
        body
    }

    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if polled.is_pending()
            && let Some(lease) = &mut self.lease
        {
            lease.driver.poll(cx);
            polled = Pin::new(&mut self.incoming).poll_frame(cx);
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = false;
                if self.incoming.is_end_stream() {
                    self.finish(cx);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.finish(cx);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.lease = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Pending => self.poll_silence(cx),
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(lease) = &mut self.lease else { return Poll::Pending };
        if !std::mem::replace(&mut self.waiting, true) {
            lease.deadline.as_mut().reset(Instant::now() + self.idle_timeout);
        }
        if lease.deadline.as_mut().poll(cx).is_ready() {
            self.lease = None;
            return Poll::Ready(Some(Err(BodyError::Idle(self.idle_timeout))));
        }
        Poll::Pending
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        if let Some(lease) = &mut self.lease {
            lease.driver.poll(cx);
        }
        self.give_back();
    }

    fn give_back(&mut self) {
        // a portal that answered before it read the whole upload leaves a connection nobody can use
        let uploaded = self.upload.as_ref().is_none_or(|upload| upload.is_finished());
        if let Some(lease) = self.lease.take()
            && uploaded
            && !matches!(lease.driver, Driver::Ended(_))
        {
            self.pool.put(lease);
        }
    }

    pub fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
