//! What a request's connection knows about itself, shared between the socket's task and the pipeline.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use super::upgrade::Tunnel;

#[derive(Debug)]
pub struct ClientConnection {
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub tls: bool,
    /// Requests whose answer has not been written to its end.
    in_flight: AtomicU32,
    /// Requests ever started, so that the socket's task can tell an idle connection from a busy one.
    started: AtomicU64,
    /// Left by an accepted upgrade for the socket's task, which owns the other half.
    tunnel: Mutex<Option<Tunnel>>,
}

impl ClientConnection {
    pub fn new(peer: SocketAddr, local: SocketAddr, tls: bool) -> Self {
        Self {
            peer,
            local,
            tls,
            in_flight: AtomicU32::new(0),
            started: AtomicU64::new(0),
            tunnel: Mutex::new(None),
        }
    }

    pub fn request_started(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub fn request_ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    pub fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    pub fn leave_tunnel(&self, tunnel: Tunnel) {
        if let Ok(mut slot) = self.tunnel.lock() {
            *slot = Some(tunnel);
        }
    }

    pub fn has_tunnel(&self) -> bool {
        self.tunnel.lock().is_ok_and(|slot| slot.is_some())
    }

    pub fn take_tunnel(&self) -> Option<Tunnel> {
        self.tunnel.lock().ok()?.take()
    }
}
