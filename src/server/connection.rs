//! One client connection from its first byte to its last.
//!
//! A connection without a request holds no buffers: after a short idle time it is reduced to its socket
//! ("parked") and set up again when bytes arrive. An idle connection costs no more than its socket.

use std::{
    future::{Future, poll_fn},
    io::ErrorKind,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::server::TlsStream;

use super::{
    drain::{DrainPhase, DrainSignal},
    http2::serve_http2,
    socket::{RewoundSocket, Socket},
    write_watch::WriteLimits,
};
use crate::{
    config::model::LimitSettings,
    proxy::{ClientConnection, ProxyService, Worker},
};

/// Interval at which a connection checks whether it is idle, too slow, or has to be closed.
pub const TICK: Duration = Duration::from_millis(250);
/// The first check of a connection comes sooner: many send one request and are idle then, and each holds its
/// buffers until the next check.
const FIRST_TICK: Duration = Duration::from_millis(25);
/// Timeout of a lingering close.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// Larger than the unflushed bytes of a response: up to here hyper polls a waiting response for more, which then releases
/// its buffer.
const MIN_BUFFER_LIMIT: usize = 64 * 1024;
/// Bytes that a head may be longer than its limit to be refused with a page. hyper's own answer to a longer one has no body.
const EXCESS_HEADER_BYTES: usize = 32 * 1024;
const HYPER_DEFAULT_MAX_HEADERS: usize = 100;
const HTTP2_PREFACE: &[u8] = b"PRI";

/// A connection that is being served.
pub struct Serving<'a> {
    pub connection: Arc<ClientConnection>,
    pub worker: &'a Arc<Worker>,
    pub drain: DrainSignal,
    /// Of the time when the connection was accepted.
    pub limits: LimitSettings,
}

pub async fn serve_cleartext(
    mut stream: TcpStream,
    connection: Arc<ClientConnection>,
    worker: &Arc<Worker>,
    drain: DrainSignal,
) {
    let limits = worker.state.settings.load().limits.clone();
    let mut serving = Serving { connection, worker, drain, limits };
    stream.limit_write_buffers();
    match timeout(serving.limits.header_timeout, detect_http2(&stream)).await {
        Ok(Some((true, early))) => Box::pin(serve_http2(stream, early, &serving)).await,
        Ok(Some((false, early))) => serve_http1(stream, early, &mut serving).await,
        Ok(None) | Err(_) => {}
    }
}

pub async fn serve_tls(
    mut stream: TlsStream<TcpStream>,
    connection: Arc<ClientConnection>,
    worker: &Arc<Worker>,
    drain: DrainSignal,
) {
    let limits = worker.state.settings.load().limits.clone();
    let mut serving = Serving { connection, worker, drain, limits };
    stream.limit_write_buffers();
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        Box::pin(serve_http2(stream, Bytes::new(), &serving)).await;
    } else {
        serve_http1(stream, Bytes::new(), &mut serving).await;
    }
}

/// Reads the first bytes to detect HTTP/2; they are passed on. `None`: the client closed without sending anything.
async fn detect_http2(stream: &TcpStream) -> Option<(bool, Bytes)> {
    let mut first = BytesMut::with_capacity(HTTP2_PREFACE.len());
    loop {
        stream.readable().await.ok()?;
        let mut rest = [0; HTTP2_PREFACE.len()];
        let buffer = rest.get_mut(..HTTP2_PREFACE.len() - first.len())?;
        match stream.try_read(buffer) {
            Ok(0) => return None,
            Ok(read) => first.extend_from_slice(buffer.get(..read)?),
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => return None,
        }
        if !HTTP2_PREFACE.starts_with(&first) {
            return Some((false, first.freeze()));
        }
        if first.len() == HTTP2_PREFACE.len() {
            return Some((true, first.freeze()));
        }
    }
}

enum ConnectionEnd {
    Closed,
    /// Idle: the socket can be taken back.
    Parked,
    Upgraded,
}

async fn serve_http1<T: Socket>(mut socket: T, mut early: Bytes, serving: &mut Serving<'_>) {
    serving.connection.limit_unflushed();
    loop {
        // on the heap, and gone while the connection is parked
        let active = Box::pin(serve_active(socket, early, serving));
        let end;
        (end, socket, early) = active.await;
        match end {
            ConnectionEnd::Closed => break,
            ConnectionEnd::Upgraded => {
                if let Some(tunnel) = serving.connection.take_tunnel() {
                    let stopped = serving.drain.reached(DrainPhase::Terminated);
                    let _ = Box::pin(tunnel.run(&mut socket, early, stopped)).await;
                }
                if serving.drain.phase() < DrainPhase::Terminated {
                    return;
                }
                break;
            }
            ConnectionEnd::Parked if !early.is_empty() => {}
            ConnectionEnd::Parked => {
                serving.connection.park();
                let readable = tokio::select! {
                    ready = socket.tcp().readable() => ready.is_ok(),
                    () = sleep(serving.limits.keep_alive) => false,
                    () = serving.drain.reached(DrainPhase::Closing) => false,
                };
                if !readable {
                    break;
                }
            }
        }
    }
    let _ = timeout(LINGER_TIMEOUT, close_lingering(&mut socket)).await;
}

/// A plain close would reset a client that still sends, and it might never read its response (RFC 9112 §9.6). A client
/// that has closed, or closes in reply, causes no delay.
async fn close_lingering<T: Socket>(socket: &mut T) {
    if socket.shutdown().await.is_ok() {
        let mut unread = BytesMut::with_capacity(4096);
        while matches!(socket.read_buf(&mut unread).await, Ok(1..)) {
            unread.clear();
        }
    }
}

/// From the first byte of a request to the next idle time.
async fn serve_active<T: Socket>(
    socket: T,
    early: Bytes,
    serving: &Serving<'_>,
) -> (ConnectionEnd, T, Bytes) {
    let Serving { connection, worker, drain, limits } = serving;
    let mut builder = http1::Builder::new();
    if limits.max_headers != HYPER_DEFAULT_MAX_HEADERS {
        // any number but the built-in one costs an allocation a request
        builder.max_headers(limits.max_headers);
    }
    let max_head = max_readable_head(limits);
    let mut http = builder
        .half_close(false)
        .writev(false)
        .max_buf_size(max_head)
        .max_header_size(max_head)
        .header_read_timeout(None)
        .serve_connection(
            TokioIo::new(RewoundSocket::new(
                socket,
                early,
                connection,
                WriteLimits::new(limits, &worker.state.buffers),
            )),
            ProxyService::new(worker, connection),
        );
    let end = drive_http1(&mut http, connection, drain, limits).await;
    let (socket, early) = into_socket(http);
    (end, socket, early)
}

/// Validation refuses heads that are longer than `limits.max_header_bytes` (`proxy::validation`).
pub fn max_readable_head(limits: &LimitSettings) -> usize {
    (limits.max_header_bytes + EXCESS_HEADER_BYTES).max(MIN_BUFFER_LIMIT)
}

/// The socket, and the bytes read of the next request.
fn into_socket<T: Socket>(http: Http1Server<T>) -> (T, Bytes) {
    let http1::Parts { io, read_buf, .. } = http.into_parts();
    let (socket, unread) = io.into_inner().into_parts();
    // even an empty rest holds the whole buffer it was read into
    let early = match (read_buf.is_empty(), unread.is_empty()) {
        (true, true) => Bytes::new(),
        (false, true) => read_buf,
        (_, false) => [read_buf, unread].concat().into(),
    };
    (socket, early)
}

type Http1Server<T> = http1::Connection<TokioIo<RewoundSocket<T>>, ProxyService>;

async fn drive_http1<T: Socket>(
    http: &mut Http1Server<T>,
    connection: &ClientConnection,
    drain: &DrainSignal,
    limits: &LimitSettings,
) -> ConnectionEnd {
    let first = connection.requests_started();
    let mut seen = first;
    let head_deadline = Instant::now() + limits.header_timeout;
    let mut pause = FIRST_TICK;
    let mut tick = pin!(sleep(pause));
    let mut parking = false;
    let mut is_closing = false;
    poll_fn(|cx| {
        loop {
            match http.poll_without_shutdown(cx) {
                Poll::Ready(Ok(())) if parking && !connection.has_abandoned_body() => {
                    return Poll::Ready(ConnectionEnd::Parked);
                }
                Poll::Ready(Ok(())) if connection.has_tunnel() => {
                    return Poll::Ready(ConnectionEnd::Upgraded);
                }
                Poll::Ready(_) => return Poll::Ready(ConnectionEnd::Closed),
                // also while parking: the end of a response may still be in transit to a slow reader
                Poll::Pending => {}
            }
            if tick.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            pause = (pause * 2).min(TICK);
            tick.as_mut().reset(Instant::now() + pause);
            connection.record_tick();
            if parking {
                continue;
            }
            let started = connection.requests_started();
            let is_idle = !connection.is_busy() && started == seen;
            seen = started;
            if is_idle && started == first {
                // no complete head yet
                if Instant::now() >= head_deadline {
                    return Poll::Ready(ConnectionEnd::Closed);
                }
            } else if is_idle {
                parking = true;
                Pin::new(&mut *http).graceful_shutdown();
            } else if !is_closing && drain.phase() >= DrainPhase::Closing {
                is_closing = true;
                Pin::new(&mut *http).graceful_shutdown();
            }
        }
    })
    .await
}
