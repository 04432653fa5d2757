//! A client's socket, clear or encrypted, with bytes that were read ahead put back in front.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{
    parse_error::explained,
    write_watch::{WriteLimits, WriteWatch},
};
use crate::proxy::ClientConnection;

/// Bytes the kernel accepts beyond the client's window; it would grow to megabytes.
const UNSENT_LOW_WATERMARK: u32 = 32 * 1024;
/// Plaintext that rustls accepts while the socket is blocked: one record. Its own limit is 64 KiB.
const TLS_WRITE_BUFFER: usize = 16 * 1024;

/// Operations that a connection's task needs of its socket.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The transport below, to wait for bytes without a buffer to put them in.
    fn tcp(&self) -> &TcpStream;

    /// Limits the kernel and TLS buffers for a client that does not read.
    fn limit_write_buffers(&mut self) {
        // a kernel without this option applies its own limit
        let _ = SockRef::from(self.tcp()).set_tcp_notsent_lowat(UNSENT_LOW_WATERMARK);
    }
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }

    fn limit_write_buffers(&mut self) {
        let (socket, tls) = self.get_mut();
        socket.limit_write_buffers();
        tls.set_buffer_limit(Some(TLS_WRITE_BUFFER));
    }
}

pub struct RewoundSocket<T> {
    socket: T,
    early: Bytes,
    connection: Arc<ClientConnection>,
    watch: WriteWatch,
    /// Requests whose answers are written completely.
    answered: u64,
    /// The rest of an answer that is written in place of hyper's.
    explanation: Option<Bytes>,
}

impl<T> RewoundSocket<T> {
    pub fn new(socket: T, early: Bytes, connection: &Arc<ClientConnection>, limits: WriteLimits) -> Self {
        Self {
            socket,
            early,
            connection: Arc::clone(connection),
            watch: WriteWatch::new(limits),
            answered: connection.requests_started(),
            explanation: None,
        }
    }

    /// The socket, and the unread part of the early bytes.
    pub fn into_parts(self) -> (T, Bytes) {
        (self.socket, self.early)
    }

    fn record_write<R>(
        &mut self,
        written: Poll<io::Result<R>>,
        bytes: impl FnOnce(&R) -> usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if let Poll::Ready(written) = written {
            let bytes = written.as_ref().map_or(0, bytes);
            if self.watch.record_progress(bytes) {
                self.connection.set_blocked(false);
            }
            return Poll::Ready(written);
        }
        self.connection.set_blocked(true);
        let stalled = self.watch.poll_too_slow(cx, || self.connection.stalled_answer());
        stalled.map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncWrite + Unpin> RewoundSocket<T> {
    fn poll_write_socket(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.record_write(written, |bytes| *bytes, cx)
    }

    /// Writes an answer in place of hyper's.
    fn poll_explain(&mut self, cx: &mut Context<'_>, mut rest: Bytes) -> Poll<io::Result<()>> {
        while !rest.is_empty() {
            self.explanation = Some(rest.clone());
            match ready!(self.poll_write_socket(cx, &rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => rest.advance(written),
            }
        }
        self.explanation = None;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for RewoundSocket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buf);
        }
        let take = self.early.len().min(buf.remaining());
        let bytes = self.early.split_to(take);
        buf.put_slice(bytes.chunk());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for RewoundSocket<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // no request is being answered: hyper writes of its own accord
        if self.connection.requests_started() == self.answered
            && let Some(answer) = self.explanation.take().or_else(|| explained(buf))
        {
            ready!(self.poll_explain(cx, answer))?;
            return Poll::Ready(Ok(buf.len()));
        }
        self.poll_write_socket(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.record_write(written, |bytes| *bytes, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        let flushed = self.record_write(flushed, |()| 0, cx);
        if matches!(flushed, Poll::Ready(Ok(()))) && !self.connection.has_request() {
            self.answered = self.connection.requests_started();
        }
        if flushed.is_ready() && self.connection.mark_flushed() {
            // hyper polls the response before it writes, so without this the response would wait for ever
            cx.waker().wake_by_ref();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
