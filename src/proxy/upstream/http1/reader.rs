//! What the portal sends, read as far as it is needed and no further.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, ReadBuf},
    task::coop::unconstrained,
};

use super::{
    WireError,
    answer::{self, Answer, Framing},
    chunked::{Chunked, Piece},
};

/// A buffer begins like this and grows with a body that fills it. What a client does not read is held here and once more in
/// hyper's write buffer, so it stays small (`docs/adr/0015-one-budget-for-buffered-bytes.md`).
const SMALL: usize = 8 * 1024;
const LARGE: usize = 24 * 1024;
/// So many 1xx before an answer, and no more.
pub const MAX_INTERIM: u32 = 32;
/// With less room than this a new buffer is begun.
const ROOM: usize = 2 * 1024;

pub struct Reader<R> {
    pub io: R,
    read: BytesMut,
    scanned: usize,
    wanted: usize,
    chunked: Chunked,
    /// 1xx since the last answer.
    interim: u32,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub fn new(io: R) -> Self {
        Self { io, read: BytesMut::new(), scanned: 0, wanted: SMALL, chunked: Chunked::Size, interim: 0 }
    }

    /// The same, on another way to the same connection.
    pub fn with_io<S>(self, change: impl FnOnce(R) -> S) -> Reader<S> {
        let Self { io, read, scanned, wanted, chunked, interim } = self;
        Reader { io: change(io), read, scanned, wanted, chunked, interim }
    }

    /// The socket, and what has been read beyond the last answer.
    pub fn into_parts(self) -> (R, Bytes) {
        (self.io, self.read.freeze())
    }

    /// The head of the next answer. Interim answers (1xx) come out like all others, but not without end.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>, to_head: bool) -> Poll<Result<Answer, WireError>> {
        loop {
            if !self.read.is_empty()
                && let Some(answer) = answer::take(&mut self.read, &mut self.scanned, to_head)?
            {
                self.chunked = Chunked::Size;
                self.interim = if answer.is_interim() { self.interim + 1 } else { 0 };
                if self.interim > MAX_INTERIM {
                    return Poll::Ready(Err(WireError::Malformed("interim answers without end")));
                }
                return Poll::Ready(Ok(answer));
            }
            if ready!(self.poll_fill(cx, 0))? == 0 {
                let nothing = self.read.is_empty();
                return Poll::Ready(Err(if nothing { WireError::NoAnswer } else { WireError::Closed }));
            }
        }
    }

    /// The next piece of the body; `None` at its end, when `framing` is `Empty`.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        framing: &mut Framing,
    ) -> Poll<Option<Result<Frame<Bytes>, WireError>>> {
        loop {
            let taken = match framing {
                Framing::Empty => return Poll::Ready(None),
                Framing::Length(left) if !self.read.is_empty() => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.read.len());
                    *framing = framing.after(here);
                    Some(Frame::data(self.read.split_to(here).freeze()))
                }
                Framing::UntilClose if !self.read.is_empty() => Some(Frame::data(self.read.split().freeze())),
                Framing::Length(_) | Framing::UntilClose => None,
                Framing::Chunked => match self.chunked.take(&mut self.read) {
                    Ok(Piece::Wanting) => None,
                    Ok(Piece::Data(data)) => Some(Frame::data(data)),
                    Ok(Piece::Trailers(trailers)) => {
                        *framing = Framing::Empty;
                        Some(Frame::trailers(trailers))
                    }
                    Ok(Piece::End) => {
                        *framing = Framing::Empty;
                        return Poll::Ready(None);
                    }
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
            };
            if let Some(frame) = taken {
                return Poll::Ready(Some(Ok(frame)));
            }
            let left = if let Framing::Length(left) = framing { *left } else { 0 };
            match ready!(self.poll_fill(cx, left)) {
                Ok(0) if *framing == Framing::UntilClose => {
                    *framing = Framing::Empty;
                    return Poll::Ready(None);
                }
                Ok(0) => return Poll::Ready(Some(Err(WireError::Closed))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    pub async fn answer(&mut self, to_head: bool) -> Result<Answer, WireError> {
        poll_fn(|cx| self.poll_answer(cx, to_head)).await
    }

    pub async fn frame(&mut self, framing: &mut Framing) -> Option<Result<Frame<Bytes>, WireError>> {
        poll_fn(|cx| self.poll_frame(cx, framing)).await
    }

    /// Between two answers: has the portal kept the connection open and said nothing? What it says before it was asked
    /// would be taken for the next answer (response splitting).
    pub fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.read.is_empty() {
            return false;
        }
        let mut one = [0];
        let mut buffer = ReadBuf::new(&mut one);
        let io = &mut self.io;
        // without tokio's budget: a task that has done much must not take a dirty connection for a quiet one
        let reading = unconstrained(poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, &mut buffer)));
        pin!(reading).poll(cx).is_pending()
    }

    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// A connection that is idle, or whose client reads nothing, keeps no buffer that a large body has left.
    pub fn rest(&mut self) {
        if self.wanted > SMALL && self.read.is_empty() {
            self.wanted = SMALL;
            self.read = BytesMut::new();
        }
    }

    /// `left` bytes are known to come, if that is known.
    fn poll_fill(&mut self, cx: &mut Context<'_>, left: u64) -> Poll<io::Result<usize>> {
        if self.read.capacity() - self.read.len() < ROOM {
            self.read.reserve(self.wanted);
        }
        let room = self.read.capacity() - self.read.len();
        let read = ready!(pin!(self.io.read_buf(&mut self.read)).poll(cx))?;
        if read == room {
            // the portal sends faster than we read: fewer and larger reads
            let left = usize::try_from(left).unwrap_or(LARGE);
            self.wanted = (self.wanted * 4).max(left).min(LARGE);
        }
        Poll::Ready(Ok(read))
    }
}
