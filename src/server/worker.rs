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
    drain::{DrainSignal, Phase},
    listen::Listener,
    proxy_protocol::{Announced, BadHeader, read_header},
    tls::Certificates,
};
use crate::{
    clock,
    config::descriptors::MANAGEMENT_CONNECTIONS,
    domain::fairness::{Limit, Resource},
    proxy::{ClientConnection, Entrance, Gate, Worker, connecting},
    sync::client_limits::{ClientState, Permit},
    telemetry::metrics::ConnectionFault,
};

/// A TLS handshake that takes longer is somebody holding the door.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long WebSockets may take to be closed at the end of the drain.
const FAREWELL: Duration = Duration::from_millis(500);

/// A client that vanished without a word is noticed, also behind an open WebSocket.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_mins(1)).with_interval(Duration::from_secs(15));

pub fn start(
    number: usize,
    listeners: Vec<Listener>,
    gate: Arc<Gate>,
    open: Arc<Open>,
    drain: DrainSignal,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
        runtime.block_on(run(listeners, Arc::new(Worker::new(gate)), open, drain));
        // connections that outlived the drain end here
        runtime.shutdown_timeout(Duration::from_millis(100));
    })
}

async fn run(listeners: Vec<Listener>, worker: Arc<Worker>, open: Arc<Open>, mut drain: DrainSignal) {
    let of_burst_queue = Arc::clone(&worker);
    tokio::spawn(async move { of_burst_queue.burst_queue.run().await });
    let mut accepting = JoinSet::new();
    for listener in listeners {
        match TcpListener::from_std(listener.socket) {
            Ok(socket) => {
                let port = Port {
                    entrance: listener.entrance,
                    worker: Arc::clone(&worker),
                    open: Arc::clone(&open),
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
            () = drain.reached(Phase::Closing) => break,
        }
    }
    accepting.shutdown().await;
    let has_tunnels = || worker.gate.open_upgrades() > 0;
    let mut closes_tunnels = has_tunnels();
    while open.any() && drain.phase() < Phase::Gone {
        closes_tunnels = has_tunnels();
        tokio::select! {
            _ = tick.tick() => {}
            () = drain.reached(Phase::Gone) => {}
            () = sleep(Duration::from_millis(20)) => {}
        }
    }
    if closes_tunnels {
        let _ = timeout(FAREWELL, async {
            while open.any() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

/// The open connections of all workers.
#[derive(Default)]
pub struct Open {
    public: AtomicUsize,
    management: AtomicUsize,
}

impl Open {
    fn at(&self, entrance: Entrance) -> &AtomicUsize {
        match entrance {
            Entrance::Public => &self.public,
            Entrance::Management => &self.management,
        }
    }

    fn any(&self) -> bool {
        self.public.load(Ordering::Relaxed) > 0 || self.management.load(Ordering::Relaxed) > 0
    }
}

#[derive(Clone)]
struct Port {
    entrance: Entrance,
    worker: Arc<Worker>,
    open: Arc<Open>,
    drain: DrainSignal,
}

impl Port {
    /// Counts a connection for its client; `None` when the client has too many.
    fn connecting(&self, peer: IpAddr) -> Option<(Arc<ClientState>, Option<Permit>)> {
        let gate = &*self.worker.gate;
        let Ok((client, permit)) = connecting(gate, &gate.settings.load(), self.entrance, peer) else {
            gate.metrics.client_limit(Limit::Held(Resource::Connection)).inc();
            self.log(ConnectionFault::ClientLimit, |left_out| {
                tracing::warn!(client = %peer, left_out, "connection closed: limits.client.connections is reached");
            });
            return None;
        };
        Some((client, Some(permit)))
    }

    /// A peer of the operator, which has no limits of its own.
    fn unlimited(&self) -> (Arc<ClientState>, Option<Permit>) {
        (Arc::clone(self.worker.gate.clients.all()), None)
    }

    /// Whether the peer must send a PROXY protocol header first.
    fn is_announced(&self, peer: IpAddr) -> bool {
        self.entrance == Entrance::Public
            && self.worker.gate.settings.load().server.proxy_protocol.iter().any(|net| net.contains(&peer))
    }

    /// Logs at most once a second for each kind of fault, with the number of lines that were left out.
    fn log(&self, fault: ConnectionFault, write: impl FnOnce(Option<u64>)) {
        if let Some(left_out) = self.worker.gate.metrics.connection_fault_line(fault, clock::now()) {
            write(Some(left_out).filter(|lines| *lines > 0));
        }
    }
}

/// Counts an open connection for as long as it lives.
struct OpenConnection(Port);

impl OpenConnection {
    fn enter(port: &Port, peer: IpAddr) -> Option<Self> {
        let limit = match port.entrance {
            Entrance::Public => {
                let limits = &port.worker.gate.settings.load().limits;
                // whatever was configured since the start: some descriptors stay free for the private port and the store
                limits.max_connections.min(limits.descriptors.most_connections())
            }
            Entrance::Management => MANAGEMENT_CONNECTIONS,
        };
        let open = port.open.at(port.entrance);
        let metrics = &port.worker.gate.metrics;
        if open.fetch_add(1, Ordering::Relaxed) >= limit {
            open.fetch_sub(1, Ordering::Relaxed);
            metrics.connections_refused.inc();
            port.log(ConnectionFault::TotalLimit, |left_out| match port.entrance {
                Entrance::Public => {
                    tracing::warn!(client = %peer, limit, left_out, "connection closed: limits.max_connections is reached");
                }
                Entrance::Management => {
                    tracing::warn!(client = %peer, limit, left_out, "connection closed: the limit of the management listener is reached");
                }
            });
            return None;
        }
        metrics.connections.inc();
        Some(Self(port.clone()))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.at(self.0.entrance).fetch_sub(1, Ordering::Relaxed);
        self.0.worker.gate.metrics.connections.dec();
    }
}

async fn accept(listener: TcpListener, tls: Option<Arc<Certificates>>, port: Port) {
    loop {
        // between two connections the sockets of other clients are polled
        yield_now().await;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // out of file descriptors, or the client has gone already: neither is a reason to stop or to spin
                port.log(
                    ConnectionFault::Accept,
                    |left_out| tracing::warn!(%error, left_out, "accept failed"),
                );
                sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let peer = canonical(peer);
        let Some(counted) = OpenConnection::enter(&port, peer.ip()) else { continue };
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE);
        let Ok(local) = stream.local_addr() else { continue };
        if port.is_announced(peer.ip()) {
            let tls = tls.as_ref().map(|tls| tls.acceptor());
            tokio::spawn(serve_announced(tls, stream, (peer, local), counted));
            continue;
        }
        let Some(client) = port.connecting(peer.ip()) else { continue };
        let connection = ClientConnection::new(port.entrance, (peer, local), tls.is_some(), client);
        match &tls {
            None => {
                tokio::spawn(serve_clear(stream, connection, counted));
            }
            Some(tls) => {
                tokio::spawn(serve_encrypted(tls.acceptor(), stream, connection, counted));
            }
        }
    }
}

/// A connection of a load balancer, whose PROXY header names the client.
async fn serve_announced(
    tls: Option<TlsAcceptor>,
    mut stream: TcpStream,
    (peer, local): (SocketAddr, SocketAddr),
    counted: OpenConnection,
) {
    let port = &counted.0;
    let patience = port.worker.gate.settings.load().limits.header_timeout;
    let header = Box::pin(timeout(patience, read_header(&mut stream))).await;
    let (peer, client) = match header.map_err(|_| BadHeader::Missing).and_then(|read| read) {
        Ok(Announced::Client(client)) => (client, port.connecting(client.ip())),
        // a health check: the load balancer itself has no limits
        Ok(Announced::Peer) => (peer, Some(port.unlimited())),
        Err(error) => {
            port.worker.gate.metrics.proxy_headers_rejected.inc();
            port.log(ConnectionFault::ProxyHeader, |left_out| {
                tracing::warn!(%peer, %error, left_out, "connection closed (server.proxy_protocol)");
            });
            return;
        }
    };
    let Some(client) = client else { return };
    let connection = ClientConnection::new(port.entrance, (peer, local), tls.is_some(), client);
    match tls {
        None => serve_clear(stream, connection, counted).await,
        Some(tls) => serve_encrypted(tls, stream, connection, counted).await,
    }
}

async fn serve_clear(stream: TcpStream, connection: ClientConnection, counted: OpenConnection) {
    let port = &counted.0;
    connection::serve_clear(stream, Arc::new(connection), &port.worker, port.drain.clone()).await;
}

async fn serve_encrypted(
    tls: TlsAcceptor,
    stream: TcpStream,
    connection: ClientConnection,
    counted: OpenConnection,
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
            connection::serve_encrypted(stream, Arc::new(connection), &port.worker, port.drain.clone()).await;
        }
        Err(error) => {
            port.worker.gate.metrics.tls_handshakes_failed.inc();
            // often the client's fault, such as a scan or a browser that does not trust the certificate
            port.log(ConnectionFault::TlsHandshake, |left_out| {
                tracing::info!(client = %connection.peer.ip(), %error, left_out, "TLS handshake failed");
            });
        }
    }
}

/// An IPv4 client of a dual-stack listener is that IPv4 address, not an IPv6 one.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
