//! The hot path: from a request to the portal's answer, or a refusal. `pipeline` shows the steps in order.

mod access_watch;
mod account;
mod added;
mod admission;
mod answer;
mod body;
mod bounce;
mod connection;
mod counted_bytes;
pub mod explain;
mod forward;
pub mod forwarded;
mod guard;
pub mod headers;
pub mod hygiene;
mod identify;
mod index_wait;
pub mod judge;
mod log_entry;
mod management;
mod method_override;
mod no_answer;
mod overload;
mod pipeline;
mod request_body;
mod request_id;
pub mod select;
mod settings_answer;
mod sign_in;
mod upgrade;
mod upload_progress;
mod upload_watch;
pub(crate) mod upstream;
mod visitor;
mod websocket;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;

use self::upstream::Portals;
pub use self::{
    admission::{UnlistedProxies, connecting},
    answer::{Caller, PageSource, Refusal},
    body::ResponseBody,
    bounce::Cookieless,
    connection::{ClientConnection, Entrance},
    guard::Guards,
    upstream::Counted as PortalConnections,
};
use crate::{
    account::Doors,
    config::{Mistake, Settings, TenantDirectory, directory::Found},
    domain::{fairness::Resource, tenant::TenantId},
    sync::{BufferBudget, BurstQueue, client_limits::ClientRegistry},
    telemetry::{access_log::AccessLog, metrics::Metrics},
    token::Verifier,
};

/// Everything a request may ask, shared by all workers.
pub struct Gate {
    pub settings: ArcSwap<Settings>,
    /// Why `deployment.toml` as it is now is not in force; empty when it is.
    pub mistakes: ArcSwap<Vec<Mistake>>,
    pub tenants: Arc<TenantDirectory>,
    pub tokens: Arc<Verifier>,
    /// Error pages.
    pub pages: PageSource,
    /// Everything under `/.doorward/`.
    pub local: axum::Router,
    /// The management API, when `[accounts]` is on.
    pub management: Option<axum::Router>,
    /// Accounts of our own, when `[accounts]` is on.
    pub doors: Option<Doors>,
    /// What each client holds now.
    pub clients: ClientRegistry,
    /// Connections and requests at the management listener, counted apart from those at the public listeners.
    pub management_clients: ClientRegistry,
    pub unlisted_proxies: UnlistedProxies,
    pub bounces: Cookieless,
    pub metrics: Arc<Metrics>,
    pub access_log: ArcSwapOption<AccessLog>,
    pub guards: Guards,
    pub portal_connections: Arc<PortalConnections>,
    /// Bytes that wait for slow peers.
    pub buffers: Arc<BufferBudget>,
    /// After SIGTERM: HTTP/1 answers carry `Connection: close`.
    pub draining: AtomicBool,
}

impl Gate {
    /// Whether a tenant is in memory and exists: good enough for a suggestion.
    pub fn is_known(&self, tenant: &TenantId) -> bool {
        !matches!(self.tenants.cached(tenant), Some(Found::Unknown))
    }

    /// Open WebSockets and other upgrades.
    pub fn open_upgrades(&self) -> usize {
        self.clients.all().held(Resource::Upgrade)
    }

    fn close_when_draining(&self, answer: &mut Response<ResponseBody>, version: Version) {
        if self.draining.load(Ordering::Relaxed)
            && version < Version::HTTP_2
            && answer.status() != StatusCode::SWITCHING_PROTOCOLS
        {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// One worker's share: the gate, and portal connections of its own.
pub struct Worker {
    pub gate: Arc<Gate>,
    pub burst_queue: BurstQueue,
    portals: Portals,
    /// The settings the portals were last looked over with.
    swept: Mutex<Weak<Settings>>,
}

impl Worker {
    pub fn new(gate: Arc<Gate>) -> Self {
        let portals = Portals::new(&gate.portal_connections);
        Self { gate, burst_queue: BurstQueue::default(), portals, swept: Mutex::default() }
    }

    /// Once a second: closes portal connections that have been idle too long, and all of them after a reload.
    pub fn sweep(&self) {
        self.gate.clients.sweep(Instant::now());
        self.gate.management_clients.sweep(Instant::now());
        let gate_settings = self.gate.settings.load_full();
        let settings = Arc::downgrade(&gate_settings);
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.ptr_eq(&settings) {
            self.portals.sweep();
        } else {
            *swept = settings;
            self.portals.renew(&gate_settings.portal.upstreams);
        }
    }
}

/// The pipeline as hyper calls it, for one client connection. Its future is made for every request and lives on the heap, so
/// the steps a usual request does not take are boxed apart: with all of them inside it had 21 KiB.
#[derive(Clone)]
pub struct Service {
    worker: Arc<Worker>,
    connection: Arc<ClientConnection>,
}

impl Service {
    pub fn new(worker: &Arc<Worker>, connection: &Arc<ClientConnection>) -> Self {
        Self { worker: Arc::clone(worker), connection: Arc::clone(connection) }
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (worker, connection) = (Arc::clone(&self.worker), Arc::clone(&self.connection));
        let version = request.version();
        match connection.entrance {
            Entrance::Public => Box::pin(async move {
                let mut answer = pipeline::handle(&worker, &connection, request).await;
                worker.gate.close_when_draining(&mut answer, version);
                Ok(answer)
            }),
            Entrance::Management => Box::pin(async move {
                let mut answer = management::handle(&worker, &connection, request).await;
                worker.gate.close_when_draining(&mut answer, version);
                Ok(answer)
            }),
        }
    }
}
