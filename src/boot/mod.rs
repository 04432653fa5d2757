//! The one place that names concrete parts and wires them.

mod accounts;
mod descriptors;
mod logs;
mod reload;

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
    account::Doors,
    admin::{self, Readiness},
    clock::now,
    config::{Settings, TenantDirectory, model},
    domain::tenant::TenantId,
    proxy::{Gate, PageSource},
    server::{
        Server, Shown, cannot_listen,
        drain::{Cut, DrainControl, DrainSignal, Phase, drain},
        tls::Certificates,
    },
    sync::{BufferBudget, client_limits::ClientRegistry},
    telemetry::{
        metrics::{Level, Metrics},
        store_state::no_store,
    },
    token::{self, Verifier},
    web::{HtmlPages, Site, management, security_headers},
};

/// Verified tokens kept in memory; one takes about half a KiB.
const TOKEN_CACHE: u64 = 50_000;

/// A Doorward that serves. Dropping it stops it.
pub struct Running {
    pub http: Vec<SocketAddr>,
    pub https: Vec<SocketAddr>,
    pub admin: Option<SocketAddr>,
    /// The management API's own listener.
    pub management: Option<SocketAddr>,
    drain: Arc<DrainControl>,
    gate: Arc<Gate>,
    server: Server,
    control: Option<JoinHandle<()>>,
}

/// Opens every port, then answers. Returns as soon as requests are accepted; `/readyz` says when all keys are loaded.
pub fn start(settings: Settings) -> anyhow::Result<Running> {
    // whoever installed one before us has installed this one
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = Builder::new_current_thread().max_blocking_threads(8).enable_all().build()?;
    descriptors::raise();
    descriptors::check(&settings)?;
    let settings = Arc::new(settings);
    let gate = Arc::new(gate(&settings, &runtime)?);
    logs::start_audit(&settings.log.audit, &gate.metrics)?;
    let certificates = certificates(&settings)?;
    let open = Arc::clone(&gate);
    let (control, signal) = drain(move || count_open(&open));
    let control = Arc::new(control);
    let server = Server::start(&settings, &gate, &certificates, &signal)?;
    let keys_loaded = Arc::new(AtomicBool::new(false));
    let readiness = Readiness {
        keys_loaded: Arc::clone(&keys_loaded),
        drain: signal.clone(),
        tenants: Arc::clone(&gate.tenants),
        store: gate.doors.as_ref().map_or_else(no_store, |doors| doors.store().states()),
    };
    let admin = match settings.admin.listen {
        Some(address) => {
            let router = admin::router(Arc::clone(&gate), readiness, Arc::clone(&control));
            let listening = runtime.block_on(admin::serve(address, router));
            Some(listening.map_err(|error| cannot_listen(address, "admin.listen", &error))?)
        }
        None => None,
    };
    let (http, https, management) = (server.http.clone(), server.https.clone(), server.management);
    let drain = Arc::clone(&control);
    let serving = Arc::clone(&gate);
    let thread = std::thread::Builder::new().name("control".into()).spawn(move || {
        if let Some(doors) = &gate.doors {
            accounts::keep(doors, &runtime);
        }
        run_control(&runtime, &gate, certificates, &keys_loaded, &drain, signal);
        if let Some(doors) = &gate.doors {
            accounts::close(doors, &runtime);
        }
        runtime.shutdown_timeout(Duration::from_millis(100));
    })?;
    Ok(Running {
        http,
        https,
        admin,
        management,
        drain: control,
        gate: serving,
        server,
        control: Some(thread),
    })
}

/// All that judges a request, without sockets: `serve` and `explain` use the same.
pub fn gate(settings: &Arc<Settings>, runtime: &Runtime) -> anyhow::Result<Gate> {
    let tenants = TenantDirectory::new(Arc::clone(settings), runtime.handle());
    let metrics = Arc::new(Metrics::default());
    let doors = if settings.accounts.enabled {
        Some(accounts::open(settings, runtime, &tenants, &metrics)?)
    } else {
        None
    };
    let start = match settings.portal.profile {
        model::Profile::Wso2Apim => "/devportal/apis",
        model::Profile::Generic => "/",
    };
    let pages = Arc::new(
        HtmlPages::new(settings.file.parent())
            .with_home(start)
            .with_tenant_list(settings.tenancy.selection_page),
    );
    let names = Arc::clone(&tenants);
    let shown = settings.tenancy.selection_page;
    let site = Site {
        pages: Arc::clone(&pages),
        tenants: Arc::new(move || {
            let names = shown.then(|| Arc::clone(&names));
            Box::pin(async move { Some(names?.names().await) })
        }),
        start: start.into(),
        doors: doors.clone(),
    };
    let access_log = logs::access(&settings.log.access, &metrics)?;
    let tokens = Verifier::new(token::http_clients(&[])?, TOKEN_CACHE);
    let management = doors.as_ref().map(|doors| {
        management::router(management::Site::new(doors.clone(), Arc::clone(&tokens), Arc::clone(&tenants)))
    });
    Ok(Gate {
        settings: ArcSwap::from(Arc::clone(settings)),
        mistakes: ArcSwap::default(),
        tenants,
        tokens,
        pages: PageSource { pages, headers: security_headers().to_vec() },
        local: crate::web::router(site),
        management,
        clients: ClientRegistry::default(),
        management_clients: ClientRegistry::default(),
        unlisted_proxies: crate::proxy::UnlistedProxies::default(),
        bounces: crate::proxy::Cookieless::default(),
        doors,
        metrics,
        access_log: ArcSwapOption::from(access_log),
        guards: crate::proxy::Guards::default(),
        portal_connections: Arc::default(),
        buffers: BufferBudget::new(settings.limits.client.buffered_bytes),
        draining: AtomicBool::new(false),
    })
}

fn certificates(settings: &Settings) -> anyhow::Result<Shown> {
    let public = settings.server.tls.as_ref().map(|tls| Certificates::load(&tls.files));
    let management = &settings.management;
    let own = management.tls.as_ref().filter(|_| management.listen.is_some()).map(Certificates::load);
    Ok(Shown {
        public: public.transpose().context("server.tls")?,
        management: own.transpose().context("management.cert_file")?,
    })
}

fn count_open(gate: &Gate) -> Cut {
    let level = |level: &Level| u64::try_from(level.get()).unwrap_or(0);
    Cut {
        connections: level(&gate.metrics.connections),
        requests: level(&gate.metrics.requests_in_flight),
        websockets: gate.open_upgrades() as u64,
    }
}

/// Accounts without sockets, for a command beside a running Doorward.
pub fn at_desk(
    settings: Settings,
    work: impl AsyncFnOnce(Doors, Arc<TenantDirectory>, TenantId) -> anyhow::Result<()>,
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
    let tenants = TenantDirectory::new(Arc::clone(&settings), runtime.handle());
    let metrics = Metrics::default();
    logs::start_audit_of_command(&settings.log.audit, &metrics)?;
    let opened = accounts::open(&settings, &runtime, &tenants, &metrics);
    let doors = opened.map_err(accounts::as_another_user)?;
    let done =
        runtime.block_on(work(doors.clone(), Arc::clone(&tenants), settings.tenancy.default_tenant.clone()));
    accounts::close(&doors, &runtime);
    logs::close(None);
    done
}

/// Keys, files, and in the end the drain.
fn run_control(
    runtime: &Runtime,
    gate: &Arc<Gate>,
    certificates: Shown,
    keys_loaded: &Arc<AtomicBool>,
    drain: &DrainControl,
    mut signal: DrainSignal,
) {
    let reloader = reload::Reloader::new(Arc::clone(gate), certificates, runtime.handle().clone());
    let watching = reloader.watch();
    runtime.spawn(load_keys(Arc::clone(gate), Arc::clone(keys_loaded)));
    runtime.block_on(async {
        signal.reached(Phase::Leaving).await;
        gate.draining.store(true, Ordering::Relaxed);
        let server = gate.settings.load().server.clone();
        tracing::info!(delay = ?server.drain_delay, timeout = ?server.drain_timeout, "leaving: not ready any more");
        tokio::select! {
            () = sleep(server.drain_delay) => {}
            () = signal.reached(Phase::Closing) => {}
        }
        drain.advance(Phase::Closing);
        tokio::select! {
            () = sleep(server.drain_timeout) => {}
            () = signal.reached(Phase::Gone) => {}
        }
        drain.advance(Phase::Gone);
    });
    drop(watching);
}

/// The keys of `deployment.toml`'s issuers, until all of them are there.
async fn load_keys(gate: Arc<Gate>, keys_loaded: Arc<AtomicBool>) {
    let mut complained = Vec::new();
    loop {
        let issuers = gate.settings.load().defaults.issuers.clone();
        let missing = gate.tokens.preload(&issuers, now()).await;
        if missing.is_empty() {
            keys_loaded.store(true, Ordering::Release);
            return;
        }
        if missing != complained {
            tracing::error!(sources = ?missing, "not ready: the keys of these issuers cannot be read");
            complained = missing;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

impl Running {
    /// Leaves politely and returns when everything has ended: not ready, keep serving, finish, gone.
    pub fn stop(&mut self) {
        self.drain.advance(Phase::Leaving);
        self.finish();
    }

    /// Serves until somebody says it is time to leave (a signal, `POST /drain`), then as `stop`.
    pub fn wait(mut self) -> Cut {
        self.finish();
        self.drain.cut()
    }

    /// For signal handlers and other threads.
    pub fn control(&self) -> Arc<DrainControl> {
        Arc::clone(&self.drain)
    }

    fn finish(&mut self) {
        if let Some(control) = self.control.take() {
            // workers end when their last connection has, or when time is up
            self.server.join();
            self.drain.advance(Phase::Gone);
            if control.join().is_err() {
                tracing::error!("the control thread panicked");
            }
            logs::close(self.gate.access_log.swap(None));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
