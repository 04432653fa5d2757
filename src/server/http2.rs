//! One client connection that speaks HTTP/2, from its first stream to its GOAWAY.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, sleep};

use super::{
    connection::{Serving, TICK, max_readable_head},
    drain::DrainPhase,
    socket::{RewoundSocket, Socket},
    stream_stall::{FRAME_BYTES, StreamExecutor, WatchedService},
    write_watch::WriteLimits,
};
use crate::proxy::ProxyService;

/// A client that does not close after GOAWAY is disconnected after this.
const HTTP2_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a request's body that may wait to be read; `MAX_UNREAD_BODY_BYTES` counts them.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 256 * 1024;

pub async fn serve_http2<T: Socket>(socket: T, early: Bytes, serving: &Serving<'_>) {
    let Serving { connection, worker, drain, limits } = serving;
    let write_limits = WriteLimits::new(limits, &worker.state.buffers);
    let mut builder =
        http2::Builder::new(StreamExecutor::new(write_limits.clone(), Arc::clone(connection.client_state())));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_send_buf_size(FRAME_BYTES)
        .max_header_list_size(u32::try_from(max_readable_head(limits)).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(Duration::from_secs(20));
    let io = TokioIo::new(RewoundSocket::new(socket, early, connection, write_limits));
    let mut http = pin!(builder.serve_connection(io, WatchedService(ProxyService::new(worker, connection))));
    let mut tick = pin!(sleep(TICK));
    let since = Instant::now();
    let mut idle_since = since;
    let mut seen = 0;
    let mut closing_since: Option<Instant> = None;
    poll_fn(|cx| {
        loop {
            if http.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if tick.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            tick.as_mut().reset(Instant::now() + TICK);
            if connection.is_busy() || connection.requests_started() != seen {
                seen = connection.requests_started();
                idle_since = Instant::now();
            }
            // no request at all, or no end after GOAWAY: neither may hold a connection for ever
            let never_requested = seen == 0 && since.elapsed() >= limits.header_timeout;
            let overdue = closing_since.is_some_and(|since| since.elapsed() >= HTTP2_CLOSE_TIMEOUT)
                && !connection.is_busy();
            if never_requested || overdue {
                return Poll::Ready(());
            }
            let idle = idle_since.elapsed() >= limits.keep_alive;
            // a new connection is closed after its first request: it was opened before the load balancer noticed the drain
            let must_reconnect = match drain.phase() {
                DrainPhase::Serving => false,
                DrainPhase::Draining => seen > 0,
                DrainPhase::Closing | DrainPhase::Terminated => true,
            };
            if closing_since.is_none() && (idle || must_reconnect) {
                closing_since = Some(Instant::now());
                http.as_mut().graceful_shutdown();
            }
        }
    })
    .await;
}
