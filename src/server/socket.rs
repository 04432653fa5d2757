//! A client's socket, clear or encrypted, with bytes that were read too early put back in front.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;

use crate::proxy::ClientConnection;

/// What a connection's task needs of its socket.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The transport below, to wait for bytes without a buffer to put them in.
    fn tcp(&self) -> &TcpStream;
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
}

pub struct Rewound<T> {
    socket: T,
    early: Bytes,
    connection: Arc<ClientConnection>,
    /// A client that takes nothing for this long is gone, or wants to hold us up.
    write_timeout: Duration,
    /// Since when the client has taken nothing; made only when it does.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<T> Rewound<T> {
    pub fn new(socket: T, early: Bytes, connection: &Arc<ClientConnection>, write_timeout: Duration) -> Self {
        Self { socket, early, connection: Arc::clone(connection), write_timeout, stalled: None }
    }

    /// The socket, and what of the early bytes nobody has read.
    pub fn into_parts(self) -> (T, Bytes) {
        (self.socket, self.early)
    }

    fn watched<R>(&mut self, written: Poll<io::Result<R>>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            if self.stalled.take().is_some() {
                self.connection.set_blocked(false);
            }
            return written;
        }
        self.connection.set_blocked(true);
        let write_timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(write_timeout)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Rewound<T> {
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

impl<T: AsyncWrite + Unpin> AsyncWrite for Rewound<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.watched(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.watched(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.watched(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
