//! The body of an answer, together with the connection it comes from.

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
    lease::{Deadline, Source},
    pool::Pool,
};
use crate::{proxy::body::BodyError, sync::client_limits::Permit};

pub struct LeasedBody {
    /// `None` when the body has ended and the connection is back in the pool, or gone.
    source: Option<Source>,
    framing: Framing,
    keep_alive: bool,
    pool: Arc<Pool>,
    idle_timeout: Duration,
    waiting: bool,
    /// For an answer that comes from a task, which keeps the connection's own.
    deadline: Option<Deadline>,
    /// Counts the connection for its client while it is in use. During an upload its task holds the permit instead of this
    /// body, because the upload may continue after the portal's answer.
    permit: Option<Permit>,
}

impl LeasedBody {
    pub fn new(
        source: Source,
        framing: Framing,
        keep_alive: bool,
        pool: Arc<Pool>,
        idle_timeout: Duration,
    ) -> Self {
        let mut body = Self {
            source: Some(source),
            framing,
            keep_alive,
            pool,
            idle_timeout,
            waiting: false,
            deadline: None,
            permit: None,
        };
        if framing == Framing::Empty {
            body.give_back();
        }
        body
    }

    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = match &mut self.source {
            None => return Poll::Ready(None),
            Some(Source::Lease(lease)) => lease.parts().0.poll_frame(cx, &mut self.framing),
            Some(Source::Task(frames)) => frames.poll_recv(cx).map(|frame| match frame {
                Some(Ok(frame)) => frame.map(Ok),
                Some(Err(error)) => Some(Err(error)),
                // the task has given up: what came so far is not all
                None => Some(Err(WireError::Upload)),
            }),
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = false;
                if let (Some(Source::Task(_)), Some(data)) = (&self.source, frame.data_ref()) {
                    self.framing = self.framing.after(data.len());
                }
                if self.framing == Framing::Empty {
                    self.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.framing = Framing::Empty;
                self.give_back();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.source = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Pending => self.poll_silence(cx),
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let deadline = match &mut self.source {
            Some(Source::Lease(lease)) => lease.parts().1,
            _ => self.deadline.get_or_insert_with(|| Deadline::new(Instant::now())),
        };
        if !std::mem::replace(&mut self.waiting, true) {
            deadline.set(Instant::now() + self.idle_timeout);
        }
        if deadline.poll(cx).is_ready() {
            self.source = None;
            return Poll::Ready(Some(Err(BodyError::Idle(self.idle_timeout))));
        }
        Poll::Pending
    }

    fn give_back(&mut self) {
        if let Some(Source::Lease(mut lease)) = self.source.take()
            && self.keep_alive
            // what nobody asked for would be the next one's answer
            && lease.parts().0.is_empty()
        {
            self.pool.put(lease);
        }
        self.permit = None;
    }

    pub fn hold(&mut self, permit: Option<Permit>) {
        self.permit = permit.filter(|_| self.source.is_some());
    }

    /// While the client takes nothing.
    pub fn release_buffer(&mut self) {
        if let Some(Source::Lease(lease)) = &mut self.source {
            lease.parts().0.rest();
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

    use super::{super::slots::Slots, *};

    /// The body of an answer to an upload, whose task says all this and ends.
    async fn told(frames: &[Option<&'static str>]) -> Vec<Result<Bytes, String>> {
        let (give, source) = mpsc::channel(8);
        for frame in frames {
            give.send(Ok(frame.map(|data| Frame::data(Bytes::from_static(data.as_bytes()))))).await.unwrap();
        }
        drop(give);
        let pool = Arc::new(Pool::new(Duration::ZERO, Slots::new(1)));
        let mut body =
            LeasedBody::new(Source::Task(source), Framing::Chunked, true, pool, Duration::from_secs(9));
        let mut all = Vec::new();
        while let Some(frame) = poll_fn(|cx| body.poll_frame(cx)).await {
            all.push(frame.map(|frame| frame.into_data().unwrap()).map_err(|error| error.to_string()));
        }
        all
    }

    #[tokio::test]
    async fn attack_half_an_answer_does_not_look_whole() {
        assert_eq!(told(&[Some("hello"), None]).await, [Ok("hello".into())]);
        let half = told(&[Some("hello")]).await;
        assert_eq!(half, [Ok("hello".into()), Err("the portal: the upload broke off".into())]);
    }
}
