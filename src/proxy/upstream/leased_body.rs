//! The body of a response, together with the connection it comes from.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::{
    http1::{Framing, WireError},
    lease::{BodySource, Deadline},
    pool::ConnectionPool,
};
use crate::{proxy::body::BodyError, sync::client_limits::Permit};

pub struct LeasedBody {
    /// `None` when the body has ended and the connection was returned to the pool, or closed.
    source: Option<BodySource>,
    framing: Framing,
    keep_alive: bool,
    pool: Arc<ConnectionPool>,
    idle_timeout: Duration,
    is_waiting: bool,
    /// For a response that comes from a task, which owns the deadline of the connection.
    deadline: Option<Deadline>,
    /// Counts the connection for its client while it is in use. During an upload its task holds the permit instead of this
    /// body, because the upload may continue after the portal's answer.
    permit: Option<Permit>,
}

impl LeasedBody {
    pub fn new(
        source: BodySource,
        framing: Framing,
        keep_alive: bool,
        pool: Arc<ConnectionPool>,
        idle_timeout: Duration,
    ) -> Self {
        let mut body = Self {
            source: Some(source),
            framing,
            keep_alive,
            pool,
            idle_timeout,
            is_waiting: false,
            deadline: None,
            permit: None,
        };
        if framing == Framing::Empty {
            body.return_connection();
        }
        body
    }

    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = match &mut self.source {
            None => return Poll::Ready(None),
            Some(BodySource::Lease(lease)) => lease.reader_and_deadline().0.poll_frame(cx, &mut self.framing),
            Some(BodySource::Task(frames)) => frames.poll_recv(cx).map(|frame| match frame {
                Some(Ok(frame)) => frame.map(Ok),
                Some(Err(error)) => Some(Err(error)),
                // the task was aborted: the body is incomplete
                None => Some(Err(WireError::Upload)),
            }),
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.is_waiting = false;
                if let (Some(BodySource::Task(_)), Some(data)) = (&self.source, frame.data_ref()) {
                    self.framing = self.framing.after(data.len());
                }
                if self.framing == Framing::Empty {
                    self.return_connection();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.framing = Framing::Empty;
                self.return_connection();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.source = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Pending => self.poll_idle(cx),
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let deadline = match &mut self.source {
            Some(BodySource::Lease(lease)) => lease.reader_and_deadline().1,
            _ => self.deadline.get_or_insert_with(|| Deadline::new(Instant::now())),
        };
        if !std::mem::replace(&mut self.is_waiting, true) {
            deadline.set(Instant::now() + self.idle_timeout);
        }
        if deadline.poll(cx).is_ready() {
            self.source = None;
            return Poll::Ready(Some(Err(BodyError::Idle(self.idle_timeout))));
        }
        Poll::Pending
    }

    fn return_connection(&mut self) {
        if let Some(BodySource::Lease(mut lease)) = self.source.take()
            && self.keep_alive
            // unsolicited bytes would be read as the next response
            && lease.reader_and_deadline().0.is_empty()
        {
            self.pool.put(lease);
        }
        self.permit = None;
    }

    pub fn hold_permit(&mut self, permit: Option<Permit>) {
        self.permit = permit.filter(|_| self.source.is_some());
    }

    /// Called while the client reads nothing.
    pub fn release_buffer(&mut self) {
        if let Some(BodySource::Lease(lease)) = &mut self.source {
            lease.reader_and_deadline().0.shrink();
        }
    }

    pub fn is_end_stream(&self) -> bool {
        self.framing == Framing::Empty
    }

    pub fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Empty => SizeHint::with_exact(0),
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Chunked | Framing::UntilClose => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::sync::mpsc;

    use super::{super::connection_slots::ConnectionSlots, *};

    /// The body of a response to an upload, whose task sends these frames and ends.
    async fn collect_frames(frames: &[Option<&'static str>]) -> Vec<Result<Bytes, String>> {
        let (give, source) = mpsc::channel(8);
        for frame in frames {
            give.send(Ok(frame.map(|data| Frame::data(Bytes::from_static(data.as_bytes()))))).await.unwrap();
        }
        drop(give);
        let pool = Arc::new(ConnectionPool::new(Duration::ZERO, ConnectionSlots::new(1)));
        let mut body =
            LeasedBody::new(BodySource::Task(source), Framing::Chunked, true, pool, Duration::from_secs(9));
        let mut all = Vec::new();
        while let Some(frame) = poll_fn(|cx| body.poll_frame(cx)).await {
            all.push(frame.map(|frame| frame.into_data().unwrap()).map_err(|error| error.to_string()));
        }
        all
    }

    #[tokio::test]
    async fn attack_truncated_response_looks_complete() {
        assert_eq!(collect_frames(&[Some("hello"), None]).await, [Ok("hello".into())]);
        let half = collect_frames(&[Some("hello")]).await;
        assert_eq!(half, [Ok("hello".into()), Err("the portal: the upload broke off".into())]);
    }
}
