//! One client connection from its first byte to its last.
//!
//! A connection without a request holds no buffers: after a short silence it is taken apart down to its socket
//! ("parked") and put together again when bytes arrive. 5,000 idle connections cost what their sockets cost.

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
    drain::{DrainSignal, Phase},
    http2::serve_http2,
    socket::{Rewound, Socket},
    write_watch::WriteLimits,
};
use crate::{
    config::model::Limits,
    proxy::{ClientConnection, Service, Worker},
};

/// How often a connection looks whether it is idle, too slow, or has to go.
pub const TICK: Duration = Duration::from_millis(250);
/// A connection that has just woken up is looked at sooner: many make one request and fall silent, and each holds its
/// buffers until somebody looks.
const FIRST_TICK: Duration = Duration::from_millis(25);
/// How long a client may take to notice the end of its connection.
const GOODBYE: Duration = Duration::from_secs(1);
/// More than an answer gives before it is flushed: up to here hyper asks an answer that waits for more, which then gives back
/// what it holds.
const MIN_BUFFER_LIMIT: usize = 64 * 1024;
const HYPERS_MAX_HEADERS: usize = 100;
const HTTP2_PREFACE: &[u8] = b"PRI";

pub async fn serve_clear(
    mut stream: TcpStream,
    connection: Arc<ClientConnection>,
    worker: &Arc<Worker>,
    drain: DrainSignal,
) {
    let limits = worker.gate.settings.load().limits.clone();
    stream.limit_write_buffers();
    match timeout(limits.header_timeout, first_bytes(&stream)).await {
        Ok(Some((true, early))) => {
            Box::pin(serve_http2(stream, early, connection, worker, drain, &limits)).await;
        }
        Ok(Some((false, early))) => serve_http1(stream, early, connection, worker, drain, &limits).await,
        Ok(None) | Err(_) => {}
    }
}

pub async fn serve_encrypted(
    mut stream: TlsStream<TcpStream>,
    connection: Arc<ClientConnection>,
    worker: &Arc<Worker>,
    drain: DrainSignal,
) {
    let limits = worker.gate.settings.load().limits.clone();
    stream.limit_write_buffers();
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        Box::pin(serve_http2(stream, Bytes::new(), connection, worker, drain, &limits)).await;
    } else {
        serve_http1(stream, Bytes::new(), connection, worker, drain, &limits).await;
    }
}

/// Reads the first bytes, to tell the protocols apart; they are handed on. `None`: the client left without a word.
async fn first_bytes(stream: &TcpStream) -> Option<(bool, Bytes)> {
    let mut first = BytesMut::with_capacity(HTTP2_PREFACE.len());
    loop {
        stream.readable().await.ok()?;
        let mut rest = [0; HTTP2_PREFACE.len()];
        let room = rest.get_mut(..HTTP2_PREFACE.len() - first.len())?;
        match stream.try_read(room) {
            Ok(0) => return None,
            Ok(read) => first.extend_from_slice(room.get(..read)?),
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

enum End {
    Closed,
    /// Idle: the socket can be taken back.
    Parked,
    Upgraded,
}

async fn serve_http1<T: Socket>(
    mut socket: T,
    mut early: Bytes,
    connection: Arc<ClientConnection>,
    worker: &Arc<Worker>,
    mut drain: DrainSignal,
    limits: &Limits,
) {
    connection.limit_unflushed();
    loop {
        // on the heap, and gone while the connection is parked
        let active = Box::pin(serve_active(socket, early, &connection, worker, &drain, limits));
        let end;
        (end, socket, early) = active.await;
        match end {
            End::Closed => break,
            End::Upgraded => {
                if let Some(tunnel) = connection.take_tunnel() {
                    let stopped = drain.reached(Phase::Gone);
                    let _ = Box::pin(tunnel.run(&mut socket, early, stopped)).await;
                }
                if drain.phase() < Phase::Gone {
                    return;
                }
                break;
            }
            End::Parked if !early.is_empty() => {}
            End::Parked => {
                connection.park();
                let readable = tokio::select! {
                    ready = socket.tcp().readable() => ready.is_ok(),
                    () = sleep(limits.keep_alive) => false,
                    () = drain.reached(Phase::Closing) => false,
                };
                if !readable {
                    break;
                }
            }
        }
    }
    let _ = timeout(GOODBYE, say_goodbye(&mut socket)).await;
}

/// A client that still sends would be reset by a plain close, and might never read its answer (RFC 9112 §9.6). One that has
/// left, or leaves when we do, keeps nobody waiting.
async fn say_goodbye<T: Socket>(socket: &mut T) {
    if socket.shutdown().await.is_ok() {
        let mut unread = BytesMut::with_capacity(4096);
        while matches!(socket.read_buf(&mut unread).await, Ok(1..)) {
            unread.clear();
        }
    }
}

/// From the first byte of a request to the next silence.
async fn serve_active<T: Socket>(
    socket: T,
    early: Bytes,
    connection: &Arc<ClientConnection>,
    worker: &Arc<Worker>,
    drain: &DrainSignal,
    limits: &Limits,
) -> (End, T, Bytes) {
    let mut builder = http1::Builder::new();
    if limits.max_headers != HYPERS_MAX_HEADERS {
        // any number but the built-in one is paid for with an allocation a request
        builder.max_headers(limits.max_headers);
    }
    let mut http = builder
        .half_close(false)
        .writev(false)
        .max_buf_size(limits.max_header_bytes.max(MIN_BUFFER_LIMIT))
        .max_header_size(limits.max_header_bytes)
        .header_read_timeout(None)
        .serve_connection(
            TokioIo::new(Rewound::new(
                socket,
                early,
                connection,
                WriteLimits::new(limits, &worker.gate.buffers),
            )),
            Service::new(worker, connection),
        );
    let end = drive_http1(&mut http, connection, drain, limits).await;
    let (socket, early) = taken_apart(http);
    (end, socket, early)
}

/// The socket, and what was read of the next request.
fn taken_apart<T: Socket>(http: Http1<T>) -> (T, Bytes) {
    let http1::Parts { io, read_buf, .. } = http.into_parts();
    let (socket, unread) = io.into_inner().into_parts();
    // even an empty rest keeps the whole buffer it was read into
    let early = match (read_buf.is_empty(), unread.is_empty()) {
        (true, true) => Bytes::new(),
        (false, true) => read_buf,
        (_, false) => [read_buf, unread].concat().into(),
    };
    (socket, early)
}

type Http1<T> = http1::Connection<TokioIo<Rewound<T>>, Service>;

async fn drive_http1<T: Socket>(
    http: &mut Http1<T>,
    connection: &ClientConnection,
    drain: &DrainSignal,
    limits: &Limits,
) -> End {
    let first = connection.started();
    let mut seen = first;
    let head_deadline = Instant::now() + limits.header_timeout;
    let mut pause = FIRST_TICK;
    let mut tick = pin!(sleep(pause));
    let mut parking = false;
    let mut leaving = false;
    poll_fn(|cx| {
        loop {
            match http.poll_without_shutdown(cx) {
                Poll::Ready(Ok(())) if parking && !connection.is_spoiled() => {
                    return Poll::Ready(End::Parked);
                }
                Poll::Ready(Ok(())) if connection.has_tunnel() => return Poll::Ready(End::Upgraded),
                Poll::Ready(_) => return Poll::Ready(End::Closed),
                // also while parking: the end of an answer may still be on its way to a slow reader
                Poll::Pending => {}
            }
            if tick.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            pause = (pause * 2).min(TICK);
            tick.as_mut().reset(Instant::now() + pause);
            connection.note_tick();
            if parking {
                continue;
            }
            let started = connection.started();
            let silent = !connection.is_busy() && started == seen;
            seen = started;
            if silent && started == first {
                // not one whole head yet
                if Instant::now() >= head_deadline {
                    return Poll::Ready(End::Closed);
                }
            } else if silent {
                parking = true;
                Pin::new(&mut *http).graceful_shutdown();
            } else if !leaving && drain.phase() >= Phase::Closing {
                leaving = true;
                Pin::new(&mut *http).graceful_shutdown();
            }
        }
    })
    .await
}
