//! Composition root: the one place that builds concrete parts and wires them.

mod accounts;
mod certificate_expiry;
mod descriptors;
mod logs;
mod reload;

pub use self::{accounts::AccountServices, reload::ReloadSignal};

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, bail};
use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

use crate::{
    admin::{self, ReadinessSources},
    clock::Clock,
    config::{Settings, model},
    domain::tenant::TenantId,
    proxy::{PageSource, ProxyAccounts, ProxyState},
    server::{
        ProxyServer, ServerCertificates, cannot_listen,
        drain::{DrainControl, DrainPhase, DrainReport, DrainSignal, drain_channel},
        tls::Certificates,
    },
    sync::{BufferBudget, client_limits::ClientRegistry},
    telemetry::{
        metrics::{Level, Metrics},
        store_state::no_store,
    },
    tenants::TenantRegistry,
    token::{self, Verifier},
    web::{
        HtmlPages, PageServices, WebState,
        management::{self, ManagementServices, ManagementState},
        security_headers,
    },
};

/// Verified tokens kept in memory; one takes about half a KiB.
const TOKEN_CACHE: u64 = 50_000;

/// A running Doorward. Dropping it stops it.
pub struct RunningProxy {
    pub http: Vec<SocketAddr>,
    pub https: Vec<SocketAddr>,
    pub admin: Option<SocketAddr>,
    /// The management API's own listener.
    pub management: Option<SocketAddr>,
    drain: Arc<DrainControl>,
    reload: ReloadSignal,
    state: Arc<ProxyState>,
    server: ProxyServer,
    control: Option<JoinHandle<()>>,
}

/// Opens every port, then serves. Returns as soon as requests are accepted; `/readyz` reports when all keys are loaded.
pub fn start(settings: Settings, clock: Clock) -> anyhow::Result<RunningProxy> {
    // a provider that is already installed is the same one
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = Builder::new_current_thread().max_blocking_threads(8).enable_all().build()?;
    descriptors::raise();
    descriptors::check(&settings)?;
    let settings = Arc::new(settings);
    let Composition { state, accounts } = compose(&settings, &runtime, clock)?;
    let state = Arc::new(state);
    logs::start_audit(&settings.log.audit, &state.metrics)?;
    let certificates = certificates(&settings)?;
    let open = Arc::clone(&state);
    let (control, signal) = drain_channel(move || count_open(&open));
    let control = Arc::new(control);
    let server = ProxyServer::start(&settings, &state, &certificates, &signal)?;
    let keys_loaded = Arc::new(AtomicBool::new(false));
    let states = accounts.as_ref().map_or_else(no_store, |accounts| accounts.store.states());
    let reload = ReloadSignal::default();
    let control_thread = ControlThread {
        reload: reload.clone(),
        state: Arc::clone(&state),
        accounts,
        certificates: certificates.clone(),
        keys_loaded: Arc::clone(&keys_loaded),
        drain: Arc::clone(&control),
        signal: signal.clone(),
    };
    let readiness =
        ReadinessSources { keys_loaded, drain: signal, tenants: Arc::clone(&state.tenants), store: states };
    let admin = match settings.admin.listen {
        Some(address) => {
            let router =
                admin::router(Arc::clone(&state), readiness, Arc::clone(&control), certificates.clone());
            let listening = runtime.block_on(admin::serve(address, router));
            Some(listening.map_err(|error| cannot_listen(address, "admin.listen", &error))?)
        }
        None => None,
    };
    let (http, https, management) = (server.http.clone(), server.https.clone(), server.management);
    let thread =
        std::thread::Builder::new().name("control".into()).spawn(move || control_thread.run(runtime))?;
    Ok(RunningProxy {
        http,
        https,
        admin,
        management,
        drain: control,
        reload,
        state,
        server,
        control: Some(thread),
    })
}

/// The parts of a process, connected.
pub struct Composition {
    pub state: ProxyState,
    /// `None`: accounts are off.
    pub accounts: Option<AccountServices>,
}

/// Builds all parts, without sockets: `serve` and `explain` use the same.
pub fn compose(settings: &Arc<Settings>, runtime: &Runtime, clock: Clock) -> anyhow::Result<Composition> {
    let tenants = TenantRegistry::new(Arc::clone(settings), runtime.handle());
    let metrics = Arc::new(Metrics::default());
    let accounts = if settings.accounts.enabled {
        Some(accounts::open(settings, runtime, &tenants, &metrics, clock.clone())?)
    } else {
        None
    };
    let start = match settings.portal.profile {
        model::PortalProfile::Wso2Apim => "/devportal/apis",
        model::PortalProfile::Generic => "/",
    };
    let pages = Arc::new(
        HtmlPages::new(settings.file.parent())
            .with_start_page(start)
            .with_tenant_list(settings.tenancy.selection_page),
    );
    let names = Arc::clone(&tenants);
    let lists_tenants = settings.tenancy.selection_page;
    let site = WebState {
        clock: clock.clone(),
        pages: Arc::clone(&pages),
        tenants: Arc::new(move || {
            let names = lists_tenants.then(|| Arc::clone(&names));
            Box::pin(async move { Some(names?.names().await) })
        }),
        start_page: start.into(),
        accounts: accounts.as_ref().map(|accounts| {
            Arc::new(PageServices {
                login: accounts.login.clone(),
                passwords: accounts.passwords.clone(),
                sessions: accounts.sessions.clone(),
            })
        }),
    };
    let access_log = logs::access(&settings.log.access, &metrics)?;
    let tokens = Verifier::new(token::http_clients(&[])?, TOKEN_CACHE);
    let management = accounts.as_ref().map(|accounts| {
        management::router(ManagementState::new(ManagementServices {
            clock: clock.clone(),
            login: accounts.login.clone(),
            governance: accounts.governance.clone(),
            audit: accounts.audit.clone(),
            tokens: Arc::clone(&tokens),
            tenants: Arc::clone(&tenants),
        }))
    });
    let state = ProxyState {
        clock,
        settings: ArcSwap::from(Arc::clone(settings)),
        mistakes: ArcSwap::default(),
        restart_needed: ArcSwap::default(),
        tenants,
        tokens,
        pages: PageSource { pages, headers: security_headers().to_vec() },
        own_pages: crate::web::router(site),
        management_api: management,
        clients: ClientRegistry::default(),
        management_clients: ClientRegistry::default(),
        unlisted_proxies: crate::proxy::UnlistedProxies::default(),
        accounts: accounts.as_ref().map(|accounts| ProxyAccounts {
            sessions: accounts.sessions.clone(),
            portal_login: accounts.portal_login.clone(),
        }),
        metrics,
        access_log: ArcSwapOption::from(access_log),
        login_guards: crate::proxy::LoginGuards::default(),
        portal_connections: Arc::default(),
        buffers: BufferBudget::new(settings.limits.client.buffered_bytes),
        draining: AtomicBool::new(false),
    };
    Ok(Composition { state, accounts })
}

fn certificates(settings: &Settings) -> anyhow::Result<ServerCertificates> {
    let public = settings.server.tls.as_ref().map(|tls| Certificates::load(&tls.files));
    let management = &settings.management;
    let own = management.tls.as_ref().filter(|_| management.listen.is_some()).map(Certificates::load);
    Ok(ServerCertificates {
        public: public.transpose().context("server.tls")?,
        management: own.transpose().context("management.cert_file")?,
    })
}

fn count_open(state: &ProxyState) -> DrainReport {
    let level = |level: &Level| u64::try_from(level.get()).unwrap_or(0);
    DrainReport {
        connections: level(&state.metrics.connections),
        requests: level(&state.metrics.requests_in_flight),
        websockets: state.open_upgrades() as u64,
    }
}

/// Runs a command with the account services, without sockets, beside a running Doorward.
pub fn with_account_store(
    settings: Settings,
    operation: impl AsyncFnOnce(AccountServices, Arc<TenantRegistry>, TenantId) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if !settings.accounts.enabled {
        bail!(
            "accounts are off (accounts.enabled): write `enabled = true` below [accounts] in {}",
            settings.file.display()
        );
    }
    let settings = Arc::new(settings);
    let runtime = Builder::new_current_thread().max_blocking_threads(8).enable_all().build()?;
    let tenants = TenantRegistry::new(Arc::clone(&settings), runtime.handle());
    let metrics = Metrics::default();
    logs::start_audit_of_command(&settings.log.audit, &metrics)?;
    let opened = accounts::open(&settings, &runtime, &tenants, &metrics, Clock::system());
    let accounts = opened.map_err(accounts::add_owner_hint)?;
    let result = runtime.block_on(operation(
        accounts.clone(),
        Arc::clone(&tenants),
        settings.tenancy.default_tenant.clone(),
    ));
    accounts::close(&accounts, &runtime);
    logs::close(None);
    result
}

/// The thread beside the workers: loads keys, watches files, runs background tasks, and drains at the end.
struct ControlThread {
    state: Arc<ProxyState>,
    reload: ReloadSignal,
    accounts: Option<AccountServices>,
    certificates: ServerCertificates,
    keys_loaded: Arc<AtomicBool>,
    drain: Arc<DrainControl>,
    signal: DrainSignal,
}

impl ControlThread {
    fn run(mut self, runtime: Runtime) {
        if let Some(accounts) = &self.accounts {
            accounts::spawn_background_tasks(accounts, &runtime);
        }
        let reloader = reload::Reloader::new(
            Arc::clone(&self.state),
            self.certificates.clone(),
            runtime.handle().clone(),
        );
        let watching = reloader.watch();
        runtime.spawn(reloader.serve(self.reload.clone()));
        runtime.spawn(certificate_expiry::watch(self.certificates.clone(), self.state.clock.clone()));
        runtime.spawn(load_keys(Arc::clone(&self.state), Arc::clone(&self.keys_loaded)));
        runtime.block_on(self.wait_for_drain());
        drop(watching);
        if let Some(accounts) = &self.accounts {
            accounts::close(accounts, &runtime);
        }
        runtime.shutdown_timeout(Duration::from_millis(100));
    }

    async fn wait_for_drain(&mut self) {
        let Self { state, drain, signal, .. } = self;
        signal.reached(DrainPhase::Draining).await;
        state.draining.store(true, Ordering::Relaxed);
        let server = state.settings.load().server.clone();
        tracing::info!(delay = ?server.drain_delay, timeout = ?server.drain_timeout, "draining: not ready any more");
        tokio::select! {
            () = sleep(server.drain_delay) => {}
            () = signal.reached(DrainPhase::Closing) => {}
        }
        drain.advance(DrainPhase::Closing);
        tokio::select! {
            () = sleep(server.drain_timeout) => {}
            () = signal.reached(DrainPhase::Terminated) => {}
        }
        drain.advance(DrainPhase::Terminated);
    }
}

/// Loads the keys of `deployment.toml`'s issuers, and retries until all are loaded.
async fn load_keys(state: Arc<ProxyState>, keys_loaded: Arc<AtomicBool>) {
    let mut reported = Vec::new();
    loop {
        let issuers = state.settings.load().defaults.issuers.clone();
        let missing = state.tokens.preload(&issuers, state.clock.now()).await;
        if missing.is_empty() {
            keys_loaded.store(true, Ordering::Release);
            return;
        }
        if missing != reported {
            tracing::error!(sources = ?missing, "not ready: keys of issuers cannot be read");
            reported = missing;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

impl RunningProxy {
    /// Drains and returns when everything has ended: not ready, still serving, closing, terminated.
    pub fn stop(&mut self) {
        self.drain.advance(DrainPhase::Draining);
        self.finish();
    }

    /// Serves until the drain starts (a signal, `POST /drain`), then as `stop`.
    pub fn wait(mut self) -> DrainReport {
        self.finish();
        self.drain.report()
    }

    /// For signal handlers and other threads.
    pub fn control(&self) -> Arc<DrainControl> {
        Arc::clone(&self.drain)
    }

    /// For the handler of SIGHUP.
    pub fn reload_signal(&self) -> ReloadSignal {
        self.reload.clone()
    }

    fn finish(&mut self) {
        if let Some(control) = self.control.take() {
            // workers end when their last connection has ended, or at the drain timeout
            self.server.join();
            self.drain.advance(DrainPhase::Terminated);
            if control.join().is_err() {
                tracing::error!("the control thread panicked");
            }
            logs::close(self.state.access_log.swap(None));
        }
    }
}

impl Drop for RunningProxy {
    fn drop(&mut self) {
        self.stop();
    }
}
