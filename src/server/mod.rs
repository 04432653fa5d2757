//! Sockets: accept, TLS, limits, drain. `proxy` handles the requests.
//!
//! One thread and one single-threaded runtime per core; a connection stays on the worker that accepted it
//! (`docs/adr/0001-one-current-thread-runtime-per-core.md`).

mod connection;
pub mod drain;
mod http2;
mod listen;
mod parse_error;
mod proxy_protocol;
mod socket;
mod stream_stall;
pub mod tls;
mod worker;
mod write_watch;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, thread::JoinHandle};

pub use self::listen::cannot_listen;
use self::{
    drain::DrainSignal,
    listen::{Listener, bind},
    tls::Certificates,
    worker::ConnectionCounts,
};
use crate::{
    config::Settings,
    domain::time::Timestamp,
    proxy::{ListenerKind, ProxyState},
};

/// The TLS certificates in use.
#[derive(Debug, Clone, Default)]
pub struct ServerCertificates {
    pub public: Option<Arc<Certificates>>,
    /// Of the management API's own listener.
    pub management: Option<Arc<Certificates>>,
}

impl ServerCertificates {
    /// The certificate files in use, and when each expires.
    pub fn expiries(&self) -> Vec<(PathBuf, Timestamp)> {
        [&self.public, &self.management]
            .into_iter()
            .flatten()
            .flat_map(|listener| listener.expiries())
            .collect()
    }
}

/// The listeners, but for the private port, and the threads that serve them.
pub struct ProxyServer {
    pub http: Vec<SocketAddr>,
    pub https: Vec<SocketAddr>,
    pub management: Option<SocketAddr>,
    workers: Vec<JoinHandle<()>>,
}

impl ProxyServer {
    /// Binds every address before the first thread starts, so that a wrong address is an error and not a partial start.
    pub fn start(
        settings: &Settings,
        state: &Arc<ProxyState>,
        certificates: &ServerCertificates,
        drain: &DrainSignal,
    ) -> io::Result<Self> {
        let http = settings
            .server
            .listen
            .iter()
            .map(|address| bind(*address, "server.listen"))
            .collect::<io::Result<Vec<_>>>()?;
        let https = settings
            .server
            .tls
            .iter()
            .flat_map(|tls| &tls.listen)
            .map(|address| bind(*address, "server.tls.listen"))
            .collect::<io::Result<Vec<_>>>()?;
        let management = settings.management.listen.map(|at| bind(at, "management.listen")).transpose()?;
        let bound = |sockets: &[std::net::TcpListener]| {
            sockets.iter().map(std::net::TcpListener::local_addr).collect::<io::Result<Vec<_>>>()
        };
        let (plain_addresses, tls_addresses) = (bound(&http)?, bound(&https)?);
        let management_address = management.as_ref().map(std::net::TcpListener::local_addr).transpose()?;
        let connection_counts = Arc::new(ConnectionCounts::default());
        let mut workers = Vec::with_capacity(settings.server.workers);
        for number in 0..settings.server.workers.max(1) {
            let mut listeners = Vec::new();
            for listener in &http {
                listeners.push(Listener {
                    kind: ListenerKind::Public,
                    socket: listener.try_clone()?,
                    tls: None,
                });
            }
            for listener in &https {
                let tls = certificates.public.clone();
                listeners.push(Listener { kind: ListenerKind::Public, socket: listener.try_clone()?, tls });
            }
            if let Some(listener) = &management {
                let tls = certificates.management.clone();
                let socket = listener.try_clone()?;
                listeners.push(Listener { kind: ListenerKind::Management, socket, tls });
            }
            workers.push(worker::start(
                number,
                listeners,
                Arc::clone(state),
                Arc::clone(&connection_counts),
                drain.clone(),
            )?);
        }
        Ok(Self { http: plain_addresses, https: tls_addresses, management: management_address, workers })
    }

    /// Waits until every worker has ended, after the drain.
    pub fn join(&mut self) {
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}
