//! The hot path: from a request to the portal's response, or a refusal. `pipeline` shows the steps in order.

mod access_watch;
mod admission;
mod authenticate;
mod body;
mod challenge;
mod connection;
mod context;
mod cors;
mod counted_bytes;
mod destination;
mod evaluate;
mod exchange;
pub mod explain;
mod explain_request;
mod forward;
mod forward_failure;
pub mod forwarded;
mod guard;
pub mod headers;
mod host_index_wait;
mod https_redirect;
mod local_response;
mod log_entry;
mod management_api;
mod method_override;
mod overload;
mod own_page;
mod pipeline;
mod portal_settings;
mod redirect_loop;
mod refusal;
mod request_body;
mod request_id;
mod request_log;
mod requested_tenant;
mod rewrite;
pub mod tenant_selection;
mod upgrade;
mod upload_progress;
mod upload_watch;
pub(crate) mod upstream;
mod upstream_headers;
pub mod validation;
mod visitor_cookies;
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

use self::upstream::UpstreamClients;
pub use self::{
    admission::{UnlistedProxies, admit_connection},
    body::ResponseBody,
    connection::{AcceptedSocket, AdmittedClient, ClientConnection, ListenerKind},
    guard::LoginGuards,
    redirect_loop::CookielessRedirects,
    refusal::{PageSource, Refusal, ResponseContext},
    upstream::PortalConnections,
};
use crate::{
    account::AccountServices,
    config::{Mistake, Settings},
    domain::{fairness::Resource, tenant::TenantId},
    sync::{BufferBudget, BurstQueue, client_limits::ClientRegistry},
    telemetry::{access_log::AccessLog, metrics::Metrics},
    tenants::{TenantLookup, TenantRegistry},
    token::Verifier,
};

/// Shared state that request handlers read: settings, tenants, tokens, sessions, upstreams.
pub struct ProxyState {
    pub settings: ArcSwap<Settings>,
    /// Why `deployment.toml` as it is now is not in force; empty when it is.
    pub mistakes: ArcSwap<Vec<Mistake>>,
    pub tenants: Arc<TenantRegistry>,
    pub tokens: Arc<Verifier>,
    /// Error pages.
    pub pages: PageSource,
    /// Everything under `/.doorward/`.
    pub own_pages: axum::Router,
    /// The management API, when `[accounts]` is on.
    pub management_api: Option<axum::Router>,
    /// Services for Doorward's own accounts, when `[accounts]` is on.
    pub accounts: Option<AccountServices>,
    /// Resources that each client holds at the moment.
    pub clients: ClientRegistry,
    /// Connections and requests at the management listener, counted apart from those at the public listeners.
    pub management_clients: ClientRegistry,
    pub unlisted_proxies: UnlistedProxies,
    pub cookieless_redirects: CookielessRedirects,
    pub metrics: Arc<Metrics>,
    pub access_log: ArcSwapOption<AccessLog>,
    pub login_guards: LoginGuards,
    pub portal_connections: Arc<PortalConnections>,
    /// Bytes that wait for slow peers.
    pub buffers: Arc<BufferBudget>,
    /// After SIGTERM: HTTP/1 answers carry `Connection: close`.
    pub draining: AtomicBool,
}

impl ProxyState {
    /// Whether a tenant may exist, by the cache alone: good enough for a suggestion.
    pub fn may_exist(&self, tenant: &TenantId) -> bool {
        !matches!(self.tenants.cached(tenant), Some(TenantLookup::Unknown))
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

/// State of one worker: the shared state, and portal connections of its own.
pub struct Worker {
    pub state: Arc<ProxyState>,
    pub burst_queue: BurstQueue,
    upstreams: UpstreamClients,
    /// The settings that the upstream clients were created with.
    swept_settings: Mutex<Weak<Settings>>,
}

impl Worker {
    pub fn new(state: Arc<ProxyState>) -> Self {
        let upstreams = UpstreamClients::new(&state.portal_connections);
        Self { state, burst_queue: BurstQueue::default(), upstreams, swept_settings: Mutex::default() }
    }

    /// Once a second: closes portal connections that have been idle too long, and all of them after a reload.
    pub fn sweep(&self) {
        self.state.clients.sweep(Instant::now());
        self.state.management_clients.sweep(Instant::now());
        let current = self.state.settings.load_full();
        let settings = Arc::downgrade(&current);
        let mut swept_settings = self.swept_settings.lock().unwrap_or_else(PoisonError::into_inner);
        if swept_settings.ptr_eq(&settings) {
            self.upstreams.sweep();
        } else {
            *swept_settings = settings;
            self.upstreams.replace_all(&current.portal.upstreams);
        }
    }
}

/// The pipeline as hyper calls it, for one client connection. Its future is made for every request and lives on the heap, so
/// the steps a usual request does not take are boxed apart: with all of them inside it had 21 KiB.
#[derive(Clone)]
pub struct ProxyService {
    worker: Arc<Worker>,
    connection: Arc<ClientConnection>,
}

impl ProxyService {
    pub fn new(worker: &Arc<Worker>, connection: &Arc<ClientConnection>) -> Self {
        Self { worker: Arc::clone(worker), connection: Arc::clone(connection) }
    }
}

impl hyper::service::Service<Request<Incoming>> for ProxyService {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (worker, connection) = (Arc::clone(&self.worker), Arc::clone(&self.connection));
        let version = request.version();
        Box::pin(async move {
            let mut response = pipeline::handle(&worker, &connection, request).await;
            worker.state.close_when_draining(&mut response, version);
            Ok(response)
        })
    }
}
