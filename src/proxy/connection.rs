//! State of a client connection, shared between the socket's task and the pipeline.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use http::HeaderValue;

use super::{forwarded::ResolvedClient, headers::ForwardingHeaders, upgrade::Tunnel};
use crate::sync::{
    STALLED_CONNECTION_BYTES, StalledAnswer,
    client_limits::{ClientState, Permit},
};

/// An HTTP/1.1 response is not read further while this many of its bytes have not been written.
const MAX_UNFLUSHED: usize = 16 * 1024;

/// The listener that accepted a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerKind {
    Public,
    /// The listener of the management API.
    Management,
}

/// An accepted socket; behind the PROXY protocol, `peer` is the client that the header names.
#[derive(Debug, Clone, Copy)]
pub struct AcceptedSocket {
    pub peer: SocketAddr,
    pub tls: bool,
}

/// The client that a connection counts for.
#[derive(Debug)]
pub struct AdmittedClient {
    pub client_state: Arc<ClientState>,
    /// Counts the connection; `None` for a load balancer's own health check.
    pub permit: Option<Permit>,
}

#[derive(Debug)]
pub struct ClientConnection {
    pub listener: ListenerKind,
    pub peer: SocketAddr,
    pub tls: bool,
    client_state: Arc<ClientState>,
    _permit: Option<Permit>,
    /// Requests whose response has not been written completely.
    in_flight: AtomicU32,
    /// Requests ever started: the socket's task distinguishes idle and busy connections by it.
    requests_started: AtomicU64,
    /// A request body was abandoned before its end: the next bytes of an HTTP/1.1 connection are no request.
    has_abandoned_body: AtomicBool,
    /// The client does not read, so a response may still be in transit.
    blocked: AtomicBool,
    /// It was `blocked` at the last tick too: buffers that only help a fast client can be released.
    stalled: AtomicBool,
    /// Responses wait while the write buffer is full: over HTTP/1.1, where hyper would fill it without a useful limit.
    limits_unflushed: AtomicBool,
    /// Bytes of answers that hyper has taken and not written to the socket. Only the connection's task changes it.
    unflushed: AtomicUsize,
    /// Bytes that hyper has not taken yet of the last answer's body; `usize::MAX`: not known. With HTTP/1.1 only.
    answer_left: AtomicUsize,
    /// Stored by an accepted upgrade for the socket's task, which owns the other half.
    tunnel: Mutex<Option<Tunnel>>,
    last: Mutex<LastRequest>,
}

/// Values that are mostly the same for all requests of a connection.
#[derive(Debug, Default)]
struct LastRequest {
    /// The client and host that the headers to the portal name.
    origin: Option<Arc<ForwardingHeaders>>,
    /// The client for which the answer counts, if another client opened the connection.
    client: Option<Arc<ClientState>>,
}

impl ClientConnection {
    pub fn new(listener: ListenerKind, socket: AcceptedSocket, client: AdmittedClient) -> Self {
        Self {
            listener,
            peer: socket.peer,
            tls: socket.tls,
            client_state: client.client_state,
            _permit: client.permit,
            in_flight: AtomicU32::new(0),
            requests_started: AtomicU64::new(0),
            has_abandoned_body: AtomicBool::new(false),
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
    pub const fn client_state(&self) -> &Arc<ClientState> {
        &self.client_state
    }

    /// Held while a request body is in transit; the request itself may have been answered before.
    pub fn open_body(self: &Arc<Self>) -> OpenBody {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        OpenBody { connection: Arc::clone(self), is_complete: false }
    }

    pub fn has_abandoned_body(&self) -> bool {
        self.has_abandoned_body.load(Ordering::Relaxed)
    }

    pub fn request_started(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests_started.fetch_add(1, Ordering::Relaxed);
    }

    pub fn request_ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// A request is in progress, or the end of its response is being written.
    pub fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0 || self.blocked.load(Ordering::Relaxed)
    }

    /// Whether a request is being answered.
    pub fn has_request(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    pub fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
        if !blocked {
            self.stalled.store(false, Ordering::Relaxed);
        }
    }

    /// Called at each tick of the connection's task.
    pub fn record_tick(&self) {
        if self.blocked.load(Ordering::Relaxed) {
            self.stalled.store(true, Ordering::Relaxed);
        }
    }

    /// The client has not taken what was sent for at least a tick.
    pub fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// From now on responses wait while hyper's write buffer is full.
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
            return StalledAnswer { client: Arc::clone(&self.client_state), overhead, unsent: 0, left: 0 };
        }
        let client = self.last().client.clone().unwrap_or_else(|| Arc::clone(&self.client_state));
        StalledAnswer {
            client,
            overhead,
            unsent: self.unflushed.load(Ordering::Relaxed),
            left: self.answer_left.load(Ordering::Relaxed),
        }
    }

    /// The response must not be read further before the bytes read so far are written.
    pub fn must_flush(&self) -> bool {
        self.unflushed.load(Ordering::Relaxed) >= MAX_UNFLUSHED
            && self.limits_unflushed.load(Ordering::Relaxed)
    }

    /// Records that all bytes are written; returns whether a response may have waited for that.
    pub fn mark_flushed(&self) -> bool {
        let waited = self.must_flush();
        self.unflushed.store(0, Ordering::Relaxed);
        waited
    }

    pub fn requests_started(&self) -> u64 {
        self.requests_started.load(Ordering::Relaxed)
    }

    pub fn put_tunnel(&self, tunnel: Tunnel) {
        if let Ok(mut slot) = self.tunnel.lock() {
            *slot = Some(tunnel);
        }
    }

    /// The client and host that the headers to the portal name. The answer counts for the client in `limits`.
    pub fn forwarding_headers(
        &self,
        client: &ResolvedClient,
        host: &HeaderValue,
        limits: &Arc<ClientState>,
    ) -> Option<Arc<ForwardingHeaders>> {
        let mut last = self.last();
        last.set_client(limits, &self.client_state);
        if last.origin.as_ref().is_none_or(|origin| !origin.matches(client, host)) {
            last.origin = ForwardingHeaders::new(client, host).map(Arc::new);
        }
        last.origin.clone()
    }

    /// Counts an answer by Doorward itself for the client in `limits`.
    pub fn set_answered_client(&self, limits: &Arc<ClientState>) {
        self.last().set_client(limits, &self.client_state);
    }

    /// Releases what only helps a busy connection.
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

/// A request body in transit. The connection is busy while it exists, and cannot be reused if it is dropped before its end.
pub struct OpenBody {
    connection: Arc<ClientConnection>,
    is_complete: bool,
}

impl OpenBody {
    pub fn mark_complete(&mut self) {
        self.is_complete = true;
    }
}

impl Drop for OpenBody {
    fn drop(&mut self) {
        if !self.is_complete {
            self.connection.has_abandoned_body.store(true, Ordering::Relaxed);
        }
        self.connection.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
