//! Sockets: accept, TLS, limits, drain. What happens inside a request is `proxy`'s.
//!
//! One thread and one single-threaded runtime per core; a connection stays on the worker that accepted it
//! (`docs/adr/0001-one-current-thread-runtime-per-core.md`).

mod connection;
pub mod drain;
mod http2;
mod listen;
mod socket;
mod stall;
pub mod tls;
mod worker;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicUsize},
    thread::JoinHandle,
};

use self::{
    drain::DrainSignal,
    listen::{Listener, bind},
    tls::Certificates,
};
use crate::{config::Settings, proxy::Gate};

/// The public listeners and the threads that serve them.
pub struct Server {
    pub http: Vec<SocketAddr>,
    pub https: Vec<SocketAddr>,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds every address before the first thread starts, so that a wrong address is an error and not half a server.
    pub fn start(
        settings: &Settings,
        gate: &Arc<Gate>,
        certificates: Option<&Arc<Certificates>>,
        drain: &DrainSignal,
    ) -> io::Result<Self> {
        let http =
            settings.server.listen.iter().map(|address| bind(*address)).collect::<io::Result<Vec<_>>>()?;
        let https = settings
            .server
            .tls
            .iter()
            .flat_map(|tls| &tls.listen)
            .map(|address| bind(*address))
            .collect::<io::Result<Vec<_>>>()?;
        let bound = |sockets: &[std::net::TcpListener]| {
            sockets.iter().map(std::net::TcpListener::local_addr).collect::<io::Result<Vec<_>>>()
        };
        let (plain, encrypted) = (bound(&http)?, bound(&https)?);
        let open = Arc::new(AtomicUsize::new(0));
        let mut workers = Vec::with_capacity(settings.server.workers);
        for number in 0..settings.server.workers.max(1) {
            let mut listeners = Vec::new();
            for listener in &http {
                listeners.push(Listener { socket: listener.try_clone()?, tls: None });
            }
            for listener in &https {
                let tls = certificates.map(Certificates::acceptor);
                listeners.push(Listener { socket: listener.try_clone()?, tls });
            }
            workers.push(worker::start(
                number,
                listeners,
                Arc::clone(gate),
                Arc::clone(&open),
                drain.clone(),
            )?);
        }
        Ok(Self { http: plain, https: encrypted, workers })
    }

    /// Waits until every worker has ended, which they do after the drain.
    pub fn join(&mut self) {
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}
