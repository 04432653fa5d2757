//! What a request's connection knows about itself, shared between the socket's task and the pipeline.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use http::HeaderValue;

use super::{forwarded::Client, headers::Origin, upgrade::Tunnel};
use crate::sync::{
    STALLED_CONNECTION_BYTES, StalledAnswer,
    client_limits::{ClientState, Permit},
};

/// An HTTP/1.1 answer gives no more of itself while so many bytes of it have not been written.
const MAX_UNFLUSHED: usize = 16 * 1024;

/// Which listener a client came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    Public,
    /// The management API's own.
    Management,
}

#[derive(Debug)]
pub struct ClientConnection {
    pub entrance: Entrance,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub tls: bool,
    client: Arc<ClientState>,
    /// Counts the connection for the client that opened it; `None` for a load balancer's own health check.
    _permit: Option<Permit>,
    /// Requests whose answer has not been written to its end.
    in_flight: AtomicU32,
    /// Requests ever started, so that the socket's task can tell an idle connection from a busy one.
    started: AtomicU64,
    /// A request's body was given up before its end: what comes next over an HTTP/1.1 connection is no request.
    spoiled: AtomicBool,
    /// The client does not take what has been sent, so an answer may still be on its way.
    blocked: AtomicBool,
    /// It was `blocked` at the last tick too: memory that only helps a fast client can go.
    stalled: AtomicBool,
    /// Answers are held back while the write buffer is full: over HTTP/1.1, where hyper would fill it without a useful limit.
    limits_unflushed: AtomicBool,
    /// Bytes of answers that hyper has taken and not written to the socket. Only the connection's task changes it.
    unflushed: AtomicUsize,
    /// Bytes that hyper has not taken yet of the last answer's body; `usize::MAX`: not known. With HTTP/1.1 only.
    answer_left: AtomicUsize,
    /// Left by an accepted upgrade for the socket's task, which owns the other half.
    tunnel: Mutex<Option<Tunnel>>,
    last: Mutex<LastRequest>,
}

/// Values that are mostly the same for all requests of a connection.
#[derive(Debug, Default)]
struct LastRequest {
    /// The client and host that the headers to the portal name.
    origin: Option<Arc<Origin>>,
    /// The client for which the answer counts, if another client opened the connection.
    client: Option<Arc<ClientState>>,
}

impl ClientConnection {
    /// A connection from `peer` to `local`.
    pub fn new(
        entrance: Entrance,
        (peer, local): (SocketAddr, SocketAddr),
        tls: bool,
        (client, permit): (Arc<ClientState>, Option<Permit>),
    ) -> Self {
        Self {
            entrance,
            peer,
            local,
            tls,
            client,
            _permit: permit,
            in_flight: AtomicU32::new(0),
            started: AtomicU64::new(0),
            spoiled: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            limits_unflushed: AtomicBool::new(false),
            unflushed: AtomicUsize::new(0),
            answer_left: AtomicUsize::new(0),
            tunnel: Mutex::new(None),
            last: Mutex::default(),
        }
    }

    /// The limits of the client that opened the connection; a trusted proxy has none.
    pub const fn client(&self) -> &Arc<ClientState> {
        &self.client
    }

    /// For as long as a request's body is on its way; the request itself may have been answered before.
    pub fn open_body(self: &Arc<Self>) -> OpenBody {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        OpenBody { connection: Arc::clone(self), whole: false }
    }

    pub fn is_spoiled(&self) -> bool {
        self.spoiled.load(Ordering::Relaxed)
    }

    pub fn request_started(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub fn request_ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// A request is under way, or the end of its answer.
    pub fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0 || self.blocked.load(Ordering::Relaxed)
    }

    pub fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
        if !blocked {
            self.stalled.store(false, Ordering::Relaxed);
        }
    }

    /// At each tick of the connection's task.
    pub fn note_tick(&self) {
        if self.blocked.load(Ordering::Relaxed) {
            self.stalled.store(true, Ordering::Relaxed);
        }
    }

    /// The client has not taken what was sent for at least a tick.
    pub fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// From here on answers wait while hyper's write buffer is full.
    pub fn limit_unflushed(&self) {
        self.limits_unflushed.store(true, Ordering::Relaxed);
    }

    pub fn add_unflushed(&self, bytes: usize) {
        let unflushed = self.unflushed.load(Ordering::Relaxed);
        self.unflushed.store(unflushed.saturating_add(bytes), Ordering::Relaxed);
        let left = self.answer_left.load(Ordering::Relaxed);
        if left != usize::MAX {
            self.answer_left.store(left.saturating_sub(bytes), Ordering::Relaxed);
        }
    }

    /// How many bytes the body of an answer has; `None` where that is not known.
    pub fn set_answer_left(&self, bytes: Option<u64>) {
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        self.answer_left.store(bytes, Ordering::Relaxed);
    }

    /// The answer that waits while the socket takes nothing. Each HTTP/2 stream counts its body for its own client.
    pub fn stalled_answer(&self) -> StalledAnswer {
        let overhead = STALLED_CONNECTION_BYTES;
        if !self.limits_unflushed.load(Ordering::Relaxed) {
            return StalledAnswer { client: Arc::clone(&self.client), overhead, unsent: 0, left: 0 };
        }
        let client = self.last().client.clone().unwrap_or_else(|| Arc::clone(&self.client));
        StalledAnswer {
            client,
            overhead,
            unsent: self.unflushed.load(Ordering::Relaxed),
            left: self.answer_left.load(Ordering::Relaxed),
        }
    }

    /// An answer gives no more of itself before what it gave is written.
    pub fn must_flush(&self) -> bool {
        self.unflushed.load(Ordering::Relaxed) >= MAX_UNFLUSHED
            && self.limits_unflushed.load(Ordering::Relaxed)
    }

    /// Everything is written. Whether an answer may have waited for that.
    pub fn has_flushed(&self) -> bool {
        let waited = self.must_flush();
        self.unflushed.store(0, Ordering::Relaxed);
        waited
    }

    pub fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    pub fn leave_tunnel(&self, tunnel: Tunnel) {
        if let Ok(mut slot) = self.tunnel.lock() {
            *slot = Some(tunnel);
        }
    }

    /// The client and host that the headers to the portal name. The answer counts for the client in `limits`.
    pub fn origin(
        &self,
        client: &Client,
        host: &HeaderValue,
        limits: &Arc<ClientState>,
    ) -> Option<Arc<Origin>> {
        let mut last = self.last();
        last.set_client(limits, &self.client);
        if last.origin.as_ref().is_none_or(|origin| !origin.is_of(client, host)) {
            last.origin = Origin::new(client, host).map(Arc::new);
        }
        last.origin.clone()
    }

    /// Counts an answer by Doorward itself for the client in `limits`.
    pub fn set_answered_client(&self, limits: &Arc<ClientState>) {
        self.last().set_client(limits, &self.client);
    }

    /// Lets go of what only helps a busy connection.
    pub fn park(&self) {
        *self.last() = LastRequest::default();
    }

    fn last(&self) -> MutexGuard<'_, LastRequest> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn has_tunnel(&self) -> bool {
        self.tunnel.lock().is_ok_and(|slot| slot.is_some())
    }

    pub fn take_tunnel(&self) -> Option<Tunnel> {
        self.tunnel.lock().ok()?.take()
    }
}

impl LastRequest {
    fn set_client(&mut self, client: &Arc<ClientState>, opened_by: &Arc<ClientState>) {
        if Arc::ptr_eq(client, opened_by) {
            self.client = None;
        } else if !self.client.as_ref().is_some_and(|known| Arc::ptr_eq(known, client)) {
            self.client = Some(Arc::clone(client));
        }
    }
}

/// A request's body on its way. A connection is busy while there is one, and spoiled if it goes before its end.
pub struct OpenBody {
    connection: Arc<ClientConnection>,
    whole: bool,
}

impl OpenBody {
    pub fn has_ended(&mut self) {
        self.whole = true;
    }
}

impl Drop for OpenBody {
    fn drop(&mut self) {
        if !self.whole {
            self.connection.spoiled.store(true, Ordering::Relaxed);
        }
        self.connection.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
