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

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{
    ForwardError,
    connect::{Connector, PortalStream},
    lease::Lease,
    slots::{Grant, Home, Slots},
};
use crate::{config::model::Upstream, domain::client::Client, proxy::request_body::RequestBody};

/// Bytes of an answer that may wait for its client.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The largest there is (RFC 9113 §6.9.1): streams are limited, the connection never stalls.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// Bytes of a request's body that may wait for the portal.
const SEND_BUFFER: usize = 32 * 1024;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// Connections for one kind of requests.
pub struct Group {
    /// Streams of a connection.
    limit: usize,
    connections: Mutex<Vec<Open>>,
    /// One at a time opens a connection.
    opening: tokio::sync::Mutex<()>,
    /// A stream has ended.
    freed: Notify,
}

struct Open {
    connection: Arc<Connection>,
    /// Since when no request uses it, as far as the sweep has noticed.
    idle_since: Option<Instant>,
}

struct Connection {
    sender: SendRequest<RequestBody>,
    streams: AtomicUsize,
    /// What the portal allows at the moment.
    max_streams: Arc<AtomicUsize>,
}

/// The right to one stream, until request and answer have ended.
pub struct StreamPermit {
    connection: Arc<Connection>,
    group: Arc<Group>,
}

impl StreamPermit {
    pub fn sender(&self) -> SendRequest<RequestBody> {
        self.connection.sender.clone()
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.connection.streams.fetch_sub(1, Ordering::Relaxed);
        self.group.freed.notify_one();
    }
}

impl Group {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            connections: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            freed: Notify::new(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// A stream of a connection that is open. The first that has one, so that few connections stay in use.
    pub fn free(self: &Arc<Self>) -> Option<StreamPermit> {
        let mut connections = self.lock();
        connections.retain(|open| !open.connection.sender.is_closed());
        let connection = connections.iter().find(|open| open.connection.take(self.limit))?;
        Some(StreamPermit { connection: Arc::clone(&connection.connection), group: Arc::clone(self) })
    }

    /// A stream that comes free, or one of a new connection. `slots`: what a further connection counts against.
    pub async fn stream(
        self: &Arc<Self>,
        upstream: &Upstream,
        connector: &Connector,
        slots: Option<&Arc<Slots<Lease>>>,
        client: Client,
    ) -> Result<StreamPermit, ForwardError> {
        let mut opened = pin!(async {
            let _one = self.opening.lock().await;
            if let Some(permit) = self.free() {
                return Ok(permit);
            }
            self.open(upstream, connector, slots, client).await
        });
        loop {
            tokio::select! {
                biased;
                permit = &mut opened => return permit,
                () = self.freed.notified() => {
                    if let Some(permit) = self.free() {
                        return Ok(permit);
                    }
                }
            }
        }
    }

    async fn open(
        self: &Arc<Self>,
        upstream: &Upstream,
        connector: &Connector,
        slots: Option<&Arc<Slots<Lease>>>,
        client: Client,
    ) -> Result<StreamPermit, ForwardError> {
        let slot = match slots {
            None => None,
            // with a new `Home`, so that no used connection is handed to it
            Some(slots) => match slots.acquire(Home::new(), client, upstream.connect_timeout).await {
                Some(Grant::Slot(slot)) => Some(slot),
                Some(Grant::Used(_)) | None => return Err(ForwardError::TooMany),
            },
        };
        let connect = async {
            let stream = connector.connect().await.map_err(ForwardError::Connect)?;
            if stream.negotiated_http2() == Some(false) {
                return Err(ForwardError::Connect(io::Error::other(
                    "the portal does not offer HTTP/2; set http2 = false for this upstream",
                )));
            }
            let stream = match slot {
                Some(slot) => stream.counted(slot),
                None => stream,
            };
            handshake(stream).await.map_err(|error| ForwardError::Broken(error.into()))
        };
        let connection =
            timeout(upstream.connect_timeout, connect).await.map_err(|_| ForwardError::ConnectTimeout)??;
        let connection = Arc::new(connection);
        connection.streams.store(1, Ordering::Relaxed);
        self.lock().push(Open { connection: Arc::clone(&connection), idle_since: None });
        Ok(StreamPermit { connection, group: Arc::clone(self) })
    }

    /// Forgets connections that have not been used for `keep_alive`, but for `kept` of them; they close by themselves.
    pub fn close_idle(&self, now: Instant, keep_alive: Duration, kept: usize) {
        let mut connections = self.lock();
        let mut left = 0;
        connections.retain_mut(|open| {
            if open.connection.streams.load(Ordering::Relaxed) > 0 {
                open.idle_since = None;
            } else if now - *open.idle_since.get_or_insert(now) >= keep_alive && left >= kept {
                return false;
            }
            left += 1;
            true
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Takes one of its streams, if there is one.
    fn take(&self, limit: usize) -> bool {
        let limit = limit.min(self.max_streams.load(Ordering::Relaxed));
        let one_more = |streams| (streams < limit).then_some(streams + 1);
        self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }
}

async fn handshake(stream: PortalStream) -> hyper::Result<Connection> {
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
    Ok(Connection { sender, streams: AtomicUsize::new(0), max_streams })
}
