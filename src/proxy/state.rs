//! State of the process, and of one worker, that request handlers read.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::{HeaderValue, Response, StatusCode, Version, header};

use super::{
    LoginGuards, PageSource, PortalConnections, ResponseBody, UnlistedProxies, upstream::UpstreamClients,
};
use crate::{
    account::PortalLoginService,
    clock::Clock,
    config::{Mistake, Settings},
    domain::{fairness::Resource, tenant::TenantId},
    session::SessionService,
    sync::{BufferBudget, BurstQueue, client_limits::ClientRegistry},
    telemetry::{access_log::AccessLog, metrics::Metrics},
    tenants::{TenantLookup, TenantRegistry},
    token::Verifier,
};

/// The services of accounts that requests to the portal use.
pub struct ProxyAccounts {
    pub sessions: SessionService,
    pub portal_login: PortalLoginService,
}

/// Shared state that request handlers read: settings, tenants, tokens, sessions, upstreams.
pub struct ProxyState {
    pub clock: Clock,
    pub settings: ArcSwap<Settings>,
    /// Why `deployment.toml` as it is now is not in force; empty when it is.
    pub mistakes: ArcSwap<Vec<Mistake>>,
    /// Keys of the settings in force whose new value takes effect after a restart.
    pub restart_needed: ArcSwap<Vec<&'static str>>,
    pub tenants: Arc<TenantRegistry>,
    pub tokens: Arc<Verifier>,
    /// Error pages.
    pub pages: PageSource,
    /// Everything under `/.doorward/`.
    pub own_pages: axum::Router,
    /// The management API, when `[accounts]` is on.
    pub management_api: Option<axum::Router>,
    /// Services for Doorward's own accounts, when `[accounts]` is on.
    pub accounts: Option<ProxyAccounts>,
    /// Resources that each client holds at the moment.
    pub clients: ClientRegistry,
    /// Connections and requests at the management listener, counted apart from those at the public listeners.
    pub management_clients: ClientRegistry,
    pub unlisted_proxies: UnlistedProxies,
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

    pub(super) fn close_when_draining(&self, response: &mut Response<ResponseBody>, version: Version) {
        if self.draining.load(Ordering::Relaxed)
            && version < Version::HTTP_2
            && response.status() != StatusCode::SWITCHING_PROTOCOLS
        {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// State of one worker: the shared state, and portal connections of its own.
pub struct Worker {
    pub state: Arc<ProxyState>,
    pub burst_queue: BurstQueue,
    pub(super) upstreams: UpstreamClients,
    /// The settings that the upstream clients were created with.
    swept_settings: Mutex<Weak<Settings>>,
}

impl Worker {
    pub fn new(state: Arc<ProxyState>) -> Self {
        let upstreams = UpstreamClients::new(&state.portal_connections, &state.metrics);
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
