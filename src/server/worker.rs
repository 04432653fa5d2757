//! One thread, one single-threaded runtime, all listeners.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinSet, yield_now},
    time::{interval, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    connection,
    drain::{DrainPhase, DrainSignal},
    listen::Listener,
    proxy_protocol::{AnnouncedSource, ProxyHeaderError, read_proxy_header},
    tls::Certificates,
};
use crate::{
    config::descriptors::MANAGEMENT_CONNECTIONS,
    domain::fairness::{Limit, Resource},
    proxy::{
        AcceptedSocket, AdmittedClient, ClientConnection, ListenerKind, ProxyState, Worker, admit_connection,
    },
    telemetry::metrics::ConnectionFault,
};

/// A longer TLS handshake is aborted, so that it does not hold a connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for WebSockets to be closed at the end of the drain.
const TUNNEL_CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Detects a client that vanished without closing, also behind an open WebSocket.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_mins(1)).with_interval(Duration::from_secs(15));

pub fn start(
    number: usize,
    listeners: Vec<Listener>,
    state: Arc<ProxyState>,
    connection_counts: Arc<ConnectionCounts>,
    drain: DrainSignal,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
        runtime.block_on(run(listeners, Arc::new(Worker::new(state)), connection_counts, drain));
        // connections that outlived the drain end here
        runtime.shutdown_timeout(Duration::from_millis(100));
    })
}

async fn run(
    listeners: Vec<Listener>,
    worker: Arc<Worker>,
    connection_counts: Arc<ConnectionCounts>,
    mut drain: DrainSignal,
) {
    let of_burst_queue = Arc::clone(&worker);
    tokio::spawn(async move { of_burst_queue.burst_queue.run().await });
    let mut accepting = JoinSet::new();
    for listener in listeners {
        match TcpListener::from_std(listener.socket) {
            Ok(socket) => {
                let port = WorkerListener {
                    kind: listener.kind,
                    worker: Arc::clone(&worker),
                    connection_counts: Arc::clone(&connection_counts),
                    drain: drain.clone(),
                };
                accepting.spawn(accept(socket, listener.tls, port));
            }
            Err(error) => tracing::error!(%error, "a listener cannot be used by this worker"),
        }
    }
    let mut tick = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = tick.tick() => worker.sweep(),
            () = drain.reached(DrainPhase::Closing) => break,
        }
    }
    accepting.shutdown().await;
    let has_tunnels = || worker.state.open_upgrades() > 0;
    let mut closes_tunnels = has_tunnels();
    while connection_counts.has_any() && drain.phase() < DrainPhase::Terminated {
        closes_tunnels = has_tunnels();
        tokio::select! {
            _ = tick.tick() => {}
            () = drain.reached(DrainPhase::Terminated) => {}
            () = sleep(Duration::from_millis(20)) => {}
        }
    }
    if closes_tunnels {
        let _ = timeout(TUNNEL_CLOSE_TIMEOUT, async {
            while connection_counts.has_any() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

/// The open connections of all workers.
#[derive(Default)]
pub struct ConnectionCounts {
    public: AtomicUsize,
    management: AtomicUsize,
}

impl ConnectionCounts {
    fn counter(&self, kind: ListenerKind) -> &AtomicUsize {
        match kind {
            ListenerKind::Public => &self.public,
            ListenerKind::Management => &self.management,
        }
    }

    fn has_any(&self) -> bool {
        self.public.load(Ordering::Relaxed) > 0 || self.management.load(Ordering::Relaxed) > 0
    }
}

#[derive(Clone)]
struct WorkerListener {
    kind: ListenerKind,
    worker: Arc<Worker>,
    connection_counts: Arc<ConnectionCounts>,
    drain: DrainSignal,
}

impl WorkerListener {
    /// Counts a connection for its client; `None` when the client has too many.
    fn admit(&self, peer: IpAddr) -> Option<AdmittedClient> {
        let state = &*self.worker.state;
        let admitted = admit_connection(state, &state.settings.load(), self.kind, peer);
        if admitted.is_err() {
            state.metrics.client_limit(Limit::Concurrency(Resource::Connection)).inc();
            self.log_throttled(ConnectionFault::ClientLimit, |suppressed| {
                tracing::warn!(client = %peer, suppressed, "connection closed: limits.client.connections is reached");
            });
        }
        admitted.ok()
    }

    /// Limits for a peer of the operator: none.
    fn unlimited_client(&self) -> AdmittedClient {
        AdmittedClient { client_state: Arc::clone(self.worker.state.clients.all()), permit: None }
    }

    /// Whether the peer must send a PROXY protocol header first.
    fn expects_proxy_header(&self, peer: IpAddr) -> bool {
        self.kind == ListenerKind::Public
            && self.worker.state.settings.load().server.proxy_protocol.iter().any(|net| net.contains(&peer))
    }

    /// Logs at most once a second for each kind of fault, with the number of lines that were left out.
    fn log_throttled(&self, fault: ConnectionFault, write: impl FnOnce(Option<u64>)) {
        if let Some(suppressed) =
            self.worker.state.metrics.throttle_connection_fault_log(fault, self.worker.state.clock.now())
        {
            write(Some(suppressed).filter(|lines| *lines > 0));
        }
    }
}

/// Counts an open connection for as long as it lives.
struct ConnectionGuard(WorkerListener);

impl ConnectionGuard {
    fn acquire(port: &WorkerListener, peer: IpAddr) -> Option<Self> {
        let limit = match port.kind {
            ListenerKind::Public => {
                let limits = &port.worker.state.settings.load().limits;
                // whatever was configured since the start: some descriptors stay reserved for the private port and the store
                limits.max_connections.min(limits.descriptors.max_connections())
            }
            ListenerKind::Management => MANAGEMENT_CONNECTIONS,
        };
        let counter = port.connection_counts.counter(port.kind);
        let metrics = &port.worker.state.metrics;
        if counter.fetch_add(1, Ordering::Relaxed) >= limit {
            counter.fetch_sub(1, Ordering::Relaxed);
            metrics.connections_refused.inc();
            port.log_throttled(ConnectionFault::TotalLimit, |suppressed| match port.kind {
                ListenerKind::Public => {
                    tracing::warn!(client = %peer, limit, suppressed, "connection closed: limits.max_connections is reached");
                }
                ListenerKind::Management => {
                    tracing::warn!(client = %peer, limit, suppressed, "connection closed: the limit of the management listener is reached");
                }
            });
            return None;
        }
        metrics.connections.inc();
        Some(Self(port.clone()))
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.connection_counts.counter(self.0.kind).fetch_sub(1, Ordering::Relaxed);
        self.0.worker.state.metrics.connections.dec();
    }
}

async fn accept(listener: TcpListener, tls: Option<Arc<Certificates>>, port: WorkerListener) {
    loop {
        // between two connections the sockets of other clients are polled
        yield_now().await;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // out of file descriptors, or the client has disconnected: neither is a reason to stop or to spin
                port.log_throttled(
                    ConnectionFault::Accept,
                    |suppressed| tracing::warn!(%error, suppressed, "accept failed"),
                );
                sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let peer = canonical(peer);
        let Some(guard) = ConnectionGuard::acquire(&port, peer.ip()) else { continue };
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE);
        let socket = AcceptedSocket { peer, tls: tls.is_some() };
        if port.expects_proxy_header(peer.ip()) {
            let tls = tls.as_ref().map(|tls| tls.acceptor());
            tokio::spawn(serve_proxy_protocol(tls, stream, socket, guard));
            continue;
        }
        let Some(client) = port.admit(peer.ip()) else { continue };
        let connection = ClientConnection::new(port.kind, socket, client);
        match &tls {
            None => {
                tokio::spawn(serve_cleartext(stream, connection, guard));
            }
            Some(tls) => {
                tokio::spawn(serve_tls(tls.acceptor(), stream, connection, guard));
            }
        }
    }
}

/// A connection of a load balancer, whose PROXY header names the client.
async fn serve_proxy_protocol(
    tls: Option<TlsAcceptor>,
    mut stream: TcpStream,
    socket: AcceptedSocket,
    counted: ConnectionGuard,
) {
    let port = &counted.0;
    let header_timeout = port.worker.state.settings.load().limits.header_timeout;
    let header = Box::pin(timeout(header_timeout, read_proxy_header(&mut stream))).await;
    let (peer, client) = match header.map_err(|_| ProxyHeaderError::Missing).and_then(|read| read) {
        Ok(AnnouncedSource::Client(client)) => (client, port.admit(client.ip())),
        // a health check: the load balancer itself has no limits
        Ok(AnnouncedSource::Peer) => (socket.peer, Some(port.unlimited_client())),
        Err(error) => {
            port.worker.state.metrics.proxy_headers_rejected.inc();
            port.log_throttled(ConnectionFault::ProxyHeader, |suppressed| {
                tracing::warn!(peer = %socket.peer, %error, suppressed, "connection closed (server.proxy_protocol)");
            });
            return;
        }
    };
    let Some(client) = client else { return };
    let connection = ClientConnection::new(port.kind, AcceptedSocket { peer, ..socket }, client);
    match tls {
        None => serve_cleartext(stream, connection, counted).await,
        Some(tls) => serve_tls(tls, stream, connection, counted).await,
    }
}

async fn serve_cleartext(stream: TcpStream, connection: ClientConnection, counted: ConnectionGuard) {
    let port = &counted.0;
    connection::serve_cleartext(stream, Arc::new(connection), &port.worker, port.drain.clone()).await;
}

async fn serve_tls(
    tls: TlsAcceptor,
    stream: TcpStream,
    connection: ClientConnection,
    counted: ConnectionGuard,
) {
    let port = &counted.0;
    let late = |_| {
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("not finished in {} seconds", HANDSHAKE_TIMEOUT.as_secs()),
        )
    };
    let handshake = Box::pin(timeout(HANDSHAKE_TIMEOUT, tls.accept(stream))).await;
    match handshake.map_err(late).and_then(|finished| finished) {
        Ok(stream) => {
            connection::serve_tls(stream, Arc::new(connection), &port.worker, port.drain.clone()).await;
        }
        Err(error) => {
            port.worker.state.metrics.tls_handshakes_failed.inc();
            // often the client's fault, such as a scan or a browser that does not trust the certificate
            port.log_throttled(ConnectionFault::TlsHandshake, |suppressed| {
                tracing::info!(client = %connection.peer.ip(), %error, suppressed, "TLS handshake failed");
            });
        }
    }
}

/// An IPv4-mapped address of a dual-stack listener becomes its IPv4 address.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
