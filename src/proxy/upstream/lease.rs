//! One HTTP/1.1 connection to the portal, leased to one request at a time.
//!
//! The connection has no task of its own: the request that holds it drives it, in the task of the client's
//! connection. That saves two task switches a request (`docs/PERFORMANCE.md`). Only an upload has a task for it, since
//! both directions must move even while the client does not read.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::Body as _;
use tokio::{
    io::AsyncWrite,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    ForwardError, OutgoingRequest,
    connect::PortalStream,
    http1::{self, BodyFrames, RequestFraming, ResponseHead, ResponseReader, UploadExchange, WireError},
    pool::ConnectionPool,
};

/// An idle connection retains the buffer of its heads up to this size.
const MAX_RETAINED_HEAD: usize = 8 * 1024;
/// The maximum plaintext length of one TLS record, in bytes (RFC 8446 §5.1).
const TLS_RECORD: usize = 16 * 1024;

/// Small, because it is moved several times per request.
pub struct Lease {
    connection: Box<Connection>,
    /// Since when it is unused, as far as the worker's sweep has noticed.
    pub(super) idle_since: Option<Instant>,
}

struct Connection {
    reader: ResponseReader<PortalStream>,
    head: Vec<u8>,
    deadline: Deadline,
}

/// Source of a response body.
pub enum BodySource {
    Lease(Lease),
    /// From the task of an upload.
    Task(BodyFrames),
}

/// Why there is no answer.
pub struct SendFailure {
    pub error: ForwardError,
    /// No byte of the request has been written, so it can be sent again.
    pub is_unsent: bool,
}

impl From<ForwardError> for SendFailure {
    fn from(error: ForwardError) -> Self {
        Self { error, is_unsent: false }
    }
}

impl Lease {
    pub fn new(stream: PortalStream) -> Self {
        Self::with_reader(ResponseReader::new(stream))
    }

    fn with_reader(reader: ResponseReader<PortalStream>) -> Self {
        let connection = Connection { reader, head: Vec::new(), deadline: Deadline::new(Instant::now()) };
        Self { connection: Box::new(connection), idle_since: None }
    }

    /// Whether a request can be sent at once: the portal has neither closed the connection nor sent unsolicited bytes.
    pub fn is_usable(&mut self, cx: &mut Context<'_>) -> bool {
        self.connection.reader.is_idle(cx)
    }

    /// Releases memory between two requests.
    pub fn shrink(&mut self) {
        self.idle_since = None;
        if self.connection.head.capacity() > MAX_RETAINED_HEAD {
            self.connection.head = Vec::new();
        }
        self.connection.reader.shrink();
    }

    /// Sends and waits for the head of the answer.
    pub async fn send(
        mut self,
        outgoing: &mut OutgoingRequest,
        timeout: Duration,
        pool: &Arc<ConnectionPool>,
    ) -> Result<(ResponseHead, BodySource), SendFailure> {
        let OutgoingRequest { request, added: upstream_headers, .. } = outgoing;
        let Connection { reader, head, deadline } = &mut *self.connection;
        let body = request.body();
        let framing = match body.size_hint().exact() {
            _ if body.is_end_stream() => RequestFraming::Empty,
            Some(length) => RequestFraming::Length(length),
            None => RequestFraming::Chunked,
        };
        head.clear();
        http1::write_head(head, request, framing, |out| upstream_headers.write_http1(out));
        // a small body is sent with the head, and needs no task
        let whole = body.complete_body();
        if let Some((data, trailers)) = whole {
            http1::write_body(head, framing, data, trailers);
        }
        let is_upload = framing != RequestFraming::Empty && whole.is_none();
        let to_head = *request.method() == Method::HEAD;
        let mut written = 0;
        deadline.set(Instant::now() + timeout);
        let wrote = poll_fn(|cx| {
            if let Poll::Ready(wrote) = poll_write_head(cx, &mut reader.io, head, &mut written) {
                return Poll::Ready(wrote.map_err(|error| broken(error.into())));
            }
            deadline.poll(cx).map(|()| Err(ForwardError::AnswerTimeout))
        });
        if let Err(error) = wrote.await {
            let is_unsent = is_unsent(written, head.len(), reader.io.is_tls()) && !error.is_timeout();
            return Err(SendFailure { error, is_unsent });
        }
        let body = request.body_mut().take();
        // frees memory while the request waits for the answer
        *request.headers_mut() = HeaderMap::new();
        if head.capacity() > MAX_RETAINED_HEAD {
            *head = Vec::new();
        }
        if is_upload {
            let pool = Arc::clone(pool);
            let Connection { reader, mut deadline, .. } = *self.connection;
            // the upload may use the connection longer than the answer
            let permit = outgoing.permit.take();
            let done = move |reader: Option<_>| {
                if let Some(reader) = reader {
                    pool.put(Self::with_reader(reader));
                }
                drop(permit);
            };
            let upload = http1::send(reader, body, framing, to_head, done);
            return upload_response_head(upload, &mut deadline, timeout).await;
        }
        drop(body);
        let head = poll_fn(|cx| {
            loop {
                match reader.poll_head(cx, to_head) {
                    Poll::Ready(Ok(head)) if head.is_interim() => {}
                    Poll::Ready(head) => return Poll::Ready(head.map_err(broken)),
                    Poll::Pending => break,
                }
            }
            deadline.poll(cx).map(|()| Err(ForwardError::AnswerTimeout))
        })
        .await?;
        Ok((head, BodySource::Lease(self)))
    }

    /// The socket after `101 Switching Protocols`, and the bytes the portal has already sent.
    pub fn into_upgraded(self) -> (PortalStream, Bytes) {
        let (mut stream, early) = self.connection.reader.into_parts();
        stream.release_slot();
        (stream, early)
    }

    pub(super) fn reader_and_deadline(&mut self) -> (&mut ResponseReader<PortalStream>, &mut Deadline) {
        (&mut self.connection.reader, &mut self.connection.deadline)
    }
}

/// Whether an error proves that the portal has received no part of a request of `bytes` bytes, so that it can be sent
/// again. Over TLS, one write may send several records, and an error at the second hides that the first has been sent. A
/// partial record does not count, because the portal cannot decrypt it.
const fn is_unsent(written: usize, bytes: usize, is_tls: bool) -> bool {
    written == 0 && (!is_tls || bytes <= TLS_RECORD)
}

fn poll_write_head(
    cx: &mut Context<'_>,
    stream: &mut PortalStream,
    head: &[u8],
    written: &mut usize,
) -> Poll<io::Result<()>> {
    let mut stream = Pin::new(stream);
    while let Some(rest) = head.get(*written..).filter(|rest| !rest.is_empty()) {
        match ready!(stream.as_mut().poll_write(cx, rest))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            more => *written += more,
        }
    }
    stream.poll_flush(cx)
}

async fn upload_response_head(
    mut upload: UploadExchange,
    deadline: &mut Deadline,
    timeout: Duration,
) -> Result<(ResponseHead, BodySource), SendFailure> {
    let mut uploaded = 0;
    deadline.set(Instant::now() + timeout);
    let answer = poll_fn(|cx| {
        if let Poll::Ready(answer) = Pin::new(&mut upload.head).poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        while deadline.poll(cx).is_ready() {
            // the response timeout counts from the end of the upload
            if !upload.progress.as_ref().is_some_and(|progress| progress.has_progressed(&mut uploaded)) {
                return Poll::Ready(Err(ForwardError::AnswerTimeout));
            }
            deadline.set(Instant::now() + timeout);
        }
        Poll::Pending
    })
    .await?;
    let (answer, frames) = answer.unwrap_or(Err(WireError::Upload)).map_err(broken)?;
    Ok((answer, BodySource::Task(frames)))
}

fn broken(error: WireError) -> ForwardError {
    ForwardError::Broken(error.into())
}

/// A timer for the life of a connection. It is reset only when it fires too early: most requests have been answered long
/// before that, and resetting a timer costs more than reading the clock.
pub struct Deadline {
    due: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    pub fn new(now: Instant) -> Self {
        let due = now + Duration::from_mins(1);
        Self { due, timer: Box::pin(sleep_until(due)) }
    }

    pub fn set(&mut self, due: Instant) {
        self.due = due;
        if self.timer.deadline() > due {
            self.timer.as_mut().reset(due);
        }
    }

    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.due {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.due);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::oneshot, time::sleep};

    use super::*;
    use crate::proxy::request_body::UploadProgress;

    #[test]
    fn attack_request_over_tls_sent_twice_after_its_first_record() {
        for (written, bytes, is_tls, repeated) in [
            (0, 500, false, true),
            (0, 60_000, false, true),
            (1, 500, false, false),
            (0, 500, true, true),
            (0, TLS_RECORD, true, true),
            (0, TLS_RECORD + 1, true, false),
            (0, 60_000, true, false),
            (TLS_RECORD, 60_000, true, false),
        ] {
            assert_eq!(is_unsent(written, bytes, is_tls), repeated, "{written} of {bytes}, TLS: {is_tls}");
        }
    }

    /// The response timeout counts from the end of the upload.
    #[tokio::test(start_paused = true)]
    async fn response_timeout_counts_from_end_of_upload() {
        for (silence, answered) in [(500, true), (2_500, false)] {
            let (tell, answer) = oneshot::channel();
            let progress: Arc<UploadProgress> = Arc::default();
            let upload = UploadExchange { head: answer, progress: Some(Arc::clone(&progress)) };
            tokio::spawn(async move {
                sleep(Duration::from_millis(900)).await;
                progress.add(9);
                sleep(Duration::from_millis(silence)).await;
                let _ = tell.send(Err(WireError::NoResponse));
            });
            let mut deadline = Deadline::new(Instant::now());
            let got = upload_response_head(upload, &mut deadline, Duration::from_secs(1)).await;
            let in_time = !matches!(got, Err(SendFailure { error: ForwardError::AnswerTimeout, .. }));
            assert_eq!(in_time, answered, "silent for {silence} ms");
        }
    }
}
