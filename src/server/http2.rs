//! One client connection that speaks HTTP/2, from its first stream to its goodbye.

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
    connection::TICK,
    drain::{DrainSignal, Phase},
    socket::{Rewound, Socket},
    stall::{PIECE, Streams, Watched},
    write_watch::WriteLimits,
};
use crate::{
    config::model::Limits,
    proxy::{ClientConnection, Service, Worker},
};

/// A client that does not answer our goodbye is left behind after this.
const HTTP2_GOODBYE: Duration = Duration::from_secs(5);

/// Bytes of a request's body that may wait to be read; `MAX_UNREAD_BODY_BYTES` counts them.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 256 * 1024;

pub async fn serve_http2<T: Socket>(
    socket: T,
    early: Bytes,
    connection: Arc<ClientConnection>,
    worker: &Arc<Worker>,
    drain: DrainSignal,
    limits: &Limits,
) {
    let write_limits = WriteLimits::new(limits, &worker.gate.buffers);
    let mut builder =
        http2::Builder::new(Streams::new(write_limits.clone(), Arc::clone(connection.client())));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_send_buf_size(PIECE)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(Duration::from_secs(20));
    let io = TokioIo::new(Rewound::new(socket, early, &connection, write_limits));
    let mut http = pin!(builder.serve_connection(io, Watched(Service::new(worker, &connection))));
    let mut tick = pin!(sleep(TICK));
    let since = Instant::now();
    let mut silent_since = since;
    let mut seen = 0;
    let mut leaving: Option<Instant> = None;
    poll_fn(|cx| {
        loop {
            if http.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if tick.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            tick.as_mut().reset(Instant::now() + TICK);
            if connection.is_busy() || connection.started() != seen {
                seen = connection.started();
                silent_since = Instant::now();
            }
            // no request at all, or no end to the goodbye: neither may hold a connection for ever
            let mute = seen == 0 && since.elapsed() >= limits.header_timeout;
            let overdue =
                leaving.is_some_and(|since| since.elapsed() >= HTTP2_GOODBYE) && !connection.is_busy();
            if mute || overdue {
                return Poll::Ready(());
            }
            let idle = silent_since.elapsed() >= limits.keep_alive;
            // a new connection is moved after its first request: it was opened before the load balancer noticed the drain
            let moves = match drain.phase() {
                Phase::Serving => false,
                Phase::Leaving => seen > 0,
                Phase::Closing | Phase::Gone => true,
            };
            if leaving.is_none() && (idle || moves) {
                leaving = Some(Instant::now());
                http.as_mut().graceful_shutdown();
            }
        }
    })
    .await;
}
