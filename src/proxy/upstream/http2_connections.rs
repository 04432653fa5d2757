//! HTTP/2 connections to one upstream, and how many requests each carries.

use std::{
    future::poll_fn,
    io,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{
    ForwardError,
    connect::{PortalStream, UpstreamConnector},
    connection_slots::{ConnectionSlots, SlotGrant, WorkerId},
    lease::Lease,
};
use crate::{
    config::model::Upstream, domain::client::ClientPrefix, proxy::request_body::RequestBody,
    sync::client_limits::Permit,
};

/// Bytes of a response that may wait for its client.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The largest there is (RFC 9113 §6.9.1): streams are limited, the connection never stalls.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// Bytes of a request body that may wait for the portal.
const SEND_BUFFER: usize = 32 * 1024;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// An attempt to open a connection, polled by all requests that wait for it. It continues when the request that began it is
/// cancelled, and is dropped when no request waits for it.
type OpenAttempt = BoxFuture<'static, Result<(), OpenError>>;

/// Connections for one kind of requests.
pub struct Http2Connections {
    /// Streams of a connection.
    max_streams: usize,
    connections: Mutex<Vec<PooledHttp2Connection>>,
    /// The attempt that is under way: there is at most one.
    attempt: Mutex<Option<WeakShared<OpenAttempt>>>,
    /// A stream has ended.
    stream_ended: Notify,
}

/// The parameters for opening a connection.
pub struct Opener<'a> {
    pub upstream: &'a Arc<Upstream>,
    pub connector: &'a UpstreamConnector,
    /// Counts all connections except the first one of a worker.
    pub slots: &'a Arc<ConnectionSlots<Lease>>,
    pub is_first: bool,
    pub client: ClientPrefix,
}

/// Why a connection could not be opened, for each request that waited for it.
#[derive(Debug, Clone)]
enum OpenError {
    Connect(Arc<io::Error>),
    ConnectTimeout,
    TooMany,
    Handshake(Arc<hyper::Error>),
}

impl From<OpenError> for ForwardError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Connect(error) => Self::Connect(io::Error::new(error.kind(), error)),
            OpenError::ConnectTimeout => Self::ConnectTimeout,
            OpenError::TooMany => Self::TooMany,
            OpenError::Handshake(error) => Self::Broken(error.into()),
        }
    }
}

struct PooledHttp2Connection {
    connection: Arc<Http2Connection>,
    /// Since when no request uses it, as of the last sweep.
    idle_since: Option<Instant>,
}

struct Http2Connection {
    sender: SendRequest<RequestBody>,
    streams: AtomicUsize,
    /// The limit that the portal allows at the moment.
    max_streams: Arc<AtomicUsize>,
}

/// The right to one stream, until request and response have ended.
pub struct StreamPermit {
    connection: Arc<Http2Connection>,
    group: Arc<Http2Connections>,
    /// Counts the stream for its client.
    client: Option<Permit>,
}

impl StreamPermit {
    #[must_use]
    pub fn counted(mut self, client: Option<Permit>) -> Self {
        self.client = client;
        self
    }

    pub fn sender(&self) -> SendRequest<RequestBody> {
        self.connection.sender.clone()
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.connection.streams.fetch_sub(1, Ordering::Relaxed);
        self.group.stream_ended.notify_one();
    }
}

impl Http2Connections {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            max_streams: limit,
            connections: Mutex::default(),
            attempt: Mutex::default(),
            stream_ended: Notify::new(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// A free stream of an open connection. The first connection that has one, so that few connections stay in use.
    pub fn try_acquire_stream(self: &Arc<Self>) -> Option<StreamPermit> {
        let mut connections = self.lock();
        connections.retain(|open| !open.connection.sender.is_closed());
        let connection = connections.iter().find(|open| open.connection.try_take_stream(self.max_streams))?;
        let connection = Arc::clone(&connection.connection);
        Some(StreamPermit { connection, group: Arc::clone(self), client: None })
    }

    /// A stream that becomes free, or one of a new connection. All requests that wait share one attempt to open a connection, so
    /// that a portal that does not answer delays each of them by one `connect_timeout`.
    pub async fn acquire_stream(self: &Arc<Self>, opener: &Opener<'_>) -> Result<StreamPermit, ForwardError> {
        let until = Instant::now() + opener.upstream.connect_timeout;
        loop {
            let mut attempt = self.join_attempt(opener);
            let result = loop {
                tokio::select! {
                    biased;
                    result = &mut attempt => break result,
                    () = self.stream_ended.notified() => {
                        if let Some(permit) = self.try_acquire_stream() {
                            return Ok(permit);
                        }
                    }
                }
            };
            result?;
            // other requests may have taken its streams
            if let Some(permit) = self.try_acquire_stream() {
                return Ok(permit);
            }
            if Instant::now() >= until {
                return Err(ForwardError::TooMany);
            }
        }
    }

    /// The attempt that is under way, or a new one.
    fn join_attempt(self: &Arc<Self>, opener: &Opener<'_>) -> Shared<OpenAttempt> {
        let mut current = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = current.as_ref().and_then(WeakShared::upgrade);
        if let Some(attempt) = under_way.filter(|attempt| attempt.peek().is_none()) {
            return attempt;
        }
        let is_counted = !opener.is_first || !self.is_empty();
        let slots = is_counted.then(|| Arc::clone(opener.slots));
        let (upstream, connector) = (Arc::clone(opener.upstream), opener.connector.clone());
        let (group, client) = (Arc::clone(self), opener.client);
        let attempt = async move {
            let connection = open(&upstream, &connector, slots, client).await?;
            group.lock().push(PooledHttp2Connection { connection: Arc::new(connection), idle_since: None });
            Ok(())
        };
        let attempt = attempt.boxed().shared();
        *current = attempt.downgrade();
        attempt
    }

    /// Drops connections that have not been used for `keep_alive`, but for `min_idle` of them; they close by themselves.
    pub fn close_idle(&self, now: Instant, keep_alive: Duration, min_idle: usize) {
        let mut connections = self.lock();
        let mut remaining = 0;
        connections.retain_mut(|open| {
            if open.connection.streams.load(Ordering::Relaxed) > 0 {
                open.idle_since = None;
            } else if now - *open.idle_since.get_or_insert(now) >= keep_alive && remaining >= min_idle {
                return false;
            }
            remaining += 1;
            true
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PooledHttp2Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Http2Connection {
    /// Takes one of its streams, if there is one.
    fn try_take_stream(&self, limit: usize) -> bool {
        let limit = limit.min(self.max_streams.load(Ordering::Relaxed));
        let one_more = |streams| (streams < limit).then_some(streams + 1);
        self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }
}

async fn open(
    upstream: &Upstream,
    connector: &UpstreamConnector,
    slots: Option<Arc<ConnectionSlots<Lease>>>,
    client: ClientPrefix,
) -> Result<Http2Connection, OpenError> {
    let slot = match slots {
        None => None,
        // with a new `WorkerId`, so that no reused connection is handed over
        Some(slots) => match slots.acquire(WorkerId::new(), client, upstream.connect_timeout).await {
            Some(SlotGrant::Slot(slot)) => Some(slot),
            Some(SlotGrant::Reused(_)) | None => return Err(OpenError::TooMany),
        },
    };
    let connect = async {
        let stream = connector.connect().await.map_err(|error| OpenError::Connect(Arc::new(error)))?;
        if stream.negotiated_http2() == Some(false) {
            return Err(OpenError::Connect(Arc::new(io::Error::other(
                "the portal does not offer HTTP/2; set http2 = false for this upstream",
            ))));
        }
        let stream = match slot {
            Some(slot) => stream.with_slot(slot),
            None => stream,
        };
        handshake(stream).await.map_err(|error| OpenError::Handshake(Arc::new(error)))
    };
    timeout(upstream.connect_timeout, connect).await.map_err(|_| OpenError::ConnectTimeout)?
}

async fn handshake(stream: PortalStream) -> hyper::Result<Http2Connection> {
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .handshake(TokioIo::new(stream))
        .await?;
    let max_streams = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
    let allowed = Arc::clone(&max_streams);
    tokio::spawn(async move {
        let mut connection = pin!(connection);
        // its errors reach each request through the sender
        let _ = poll_fn(|cx| {
            let polled = connection.as_mut().poll(cx);
            allowed.store(connection.current_max_send_streams(), Ordering::Relaxed);
            polled
        })
        .await;
    });
    Ok(Http2Connection { sender, streams: AtomicUsize::new(0), max_streams })
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::config::model::UpstreamTarget;

    const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

    /// A portal that accepts connections and never answers the TLS handshake.
    fn silent() -> (std::net::TcpListener, Arc<Upstream>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let target = UpstreamTarget::Tls {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
        };
        let upstream = Upstream {
            path: "/".to_owned(),
            target,
            http2: true,
            host: None,
            max_connections: 1,
            connect_timeout: CONNECT_TIMEOUT,
            header_timeout: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            keep_alive: Duration::ZERO,
        };
        (listener, Arc::new(upstream))
    }

    fn client() -> ClientPrefix {
        ClientPrefix::of([192, 0, 2, 1].into())
    }

    #[tokio::test(start_paused = true)]
    async fn attack_requests_queue_up_for_a_portal_that_does_not_answer() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (listener, upstream) = silent();
        let (connector, slots) = (UpstreamConnector::new(&upstream).unwrap(), ConnectionSlots::new(1));
        let opener = |is_first| {
            let (upstream, connector, slots) = (&upstream, &connector, &slots);
            Opener { upstream, connector, slots, is_first, client: client() }
        };
        let (first, further) = (opener(true), opener(false));
        let group = Http2Connections::new(10);
        let start = Instant::now();
        // the request that began the attempt is cancelled, the attempt continues
        let cancelled = timeout(CONNECT_TIMEOUT / 4, group.acquire_stream(&first));
        let (cancelled, results) =
            tokio::join!(cancelled, join_all((0..50).map(|_| group.acquire_stream(&first))));
        assert!(cancelled.is_err());
        assert!(results.iter().all(|result| matches!(result, Err(ForwardError::ConnectTimeout))));
        assert!(start.elapsed() < CONNECT_TIMEOUT * 3 / 2, "{:?}", start.elapsed());
        assert!(listener.accept().is_ok() && listener.accept().is_err(), "one connection");

        // with all connections in use the error is `TooMany`
        let _in_use = slots.acquire(WorkerId::new(), client(), CONNECT_TIMEOUT).await;
        let start = Instant::now();
        let results = join_all((0..50).map(|_| group.acquire_stream(&further))).await;
        assert!(results.iter().all(|result| matches!(result, Err(ForwardError::TooMany))));
        assert!(start.elapsed() < CONNECT_TIMEOUT * 3 / 2, "{:?}", start.elapsed());
    }
}
