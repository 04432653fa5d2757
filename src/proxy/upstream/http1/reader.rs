//! Reads responses of the portal, as far as they are needed.

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
    chunked::{ChunkedDecoder, Piece},
    response_head::{self, Framing, ResponseHead},
};

/// Initial size of a buffer, which grows with a body that fills it. Data that a client does not read is held here and again in
/// hyper's write buffer, so it stays small (`docs/adr/0015-one-budget-for-buffered-bytes.md`).
const MIN_BUFFER: usize = 8 * 1024;
const MAX_BUFFER: usize = 24 * 1024;
/// Maximum number of interim responses (1xx) before a response.
pub const MAX_INTERIM: u32 = 32;
/// With less free space than this a new buffer is allocated.
const MIN_SPARE: usize = 2 * 1024;

pub struct ResponseReader<R> {
    pub io: R,
    read: BytesMut,
    scanned: usize,
    reserve_bytes: usize,
    chunked: ChunkedDecoder,
    /// Interim responses since the last final response.
    interim_count: u32,
}

impl<R: AsyncRead + Unpin> ResponseReader<R> {
    pub fn new(io: R) -> Self {
        Self {
            io,
            read: BytesMut::new(),
            scanned: 0,
            reserve_bytes: MIN_BUFFER,
            chunked: ChunkedDecoder::Size,
            interim_count: 0,
        }
    }

    /// The same reader over another half of the connection.
    pub fn with_io<S>(self, change: impl FnOnce(R) -> S) -> ResponseReader<S> {
        let Self { io, read, scanned, reserve_bytes: wanted, chunked, interim_count: interim } = self;
        ResponseReader {
            io: change(io),
            read,
            scanned,
            reserve_bytes: wanted,
            chunked,
            interim_count: interim,
        }
    }

    /// The socket, and the bytes read beyond the last response.
    pub fn into_parts(self) -> (R, Bytes) {
        (self.io, self.read.freeze())
    }

    /// The head of the next response. Interim responses (1xx) are returned too, up to a limit.
    pub fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        to_head: bool,
    ) -> Poll<Result<ResponseHead, WireError>> {
        loop {
            if !self.read.is_empty()
                && let Some(answer) = response_head::take_head(&mut self.read, &mut self.scanned, to_head)?
            {
                self.chunked = ChunkedDecoder::Size;
                self.interim_count = if answer.is_interim() { self.interim_count + 1 } else { 0 };
                if self.interim_count > MAX_INTERIM {
                    return Poll::Ready(Err(WireError::Malformed("interim answers without end")));
                }
                return Poll::Ready(Ok(answer));
            }
            if ready!(self.poll_fill(cx, 0))? == 0 {
                let nothing = self.read.is_empty();
                return Poll::Ready(Err(if nothing { WireError::NoResponse } else { WireError::Closed }));
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
                    Ok(Piece::Incomplete) => None,
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

    pub async fn read_head(&mut self, to_head: bool) -> Result<ResponseHead, WireError> {
        poll_fn(|cx| self.poll_head(cx, to_head)).await
    }

    pub async fn read_frame(&mut self, framing: &mut Framing) -> Option<Result<Frame<Bytes>, WireError>> {
        poll_fn(|cx| self.poll_frame(cx, framing)).await
    }

    /// Between two responses: whether the portal has kept the connection open and sent nothing. Unsolicited bytes
    /// would be read as the next response (response splitting).
    pub fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.read.is_empty() {
            return false;
        }
        let mut one = [0];
        let mut buffer = ReadBuf::new(&mut one);
        let io = &mut self.io;
        // without tokio's budget: a busy task must not take a connection with unread bytes for an idle one
        let reading = unconstrained(poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, &mut buffer)));
        pin!(reading).poll(cx).is_pending()
    }

    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// Releases a buffer that a large body has left, for an idle connection or a client that reads nothing.
    pub fn shrink(&mut self) {
        if self.reserve_bytes > MIN_BUFFER && self.read.is_empty() {
            self.reserve_bytes = MIN_BUFFER;
            self.read = BytesMut::new();
        }
    }

    /// `left` is the number of bytes still to come, if known.
    fn poll_fill(&mut self, cx: &mut Context<'_>, left: u64) -> Poll<io::Result<usize>> {
        if self.read.capacity() - self.read.len() < MIN_SPARE {
            self.read.reserve(self.reserve_bytes);
        }
        let spare = self.read.capacity() - self.read.len();
        let read = ready!(pin!(self.io.read_buf(&mut self.read)).poll(cx))?;
        if read == spare {
            // the portal sends faster than Doorward reads: fewer and larger reads
            let left = usize::try_from(left).unwrap_or(MAX_BUFFER);
            self.reserve_bytes = (self.reserve_bytes * 4).max(left).min(MAX_BUFFER);
        }
        Poll::Ready(Ok(read))
    }
}
