//! `doorward serve`: runs the proxy until a signal stops it.

use std::{path::Path, process::ExitCode, sync::Arc};

use tokio::signal::unix::{SignalKind, signal};

use super::{demo::RunningServer, logging, settings};
use crate::{
    boot::{self, ReloadSignal, RunningProxy},
    clock::Clock,
    config::{text_form::TextForm as _, values::appearance::LogFilter},
    server::drain::{DrainControl, DrainPhase, DrainReport},
};

pub fn run(file: &Path, log: Option<&str>) -> ExitCode {
    // systemd units and compose files pass an unset variable as an empty one
    let log = log.filter(|filter| !filter.is_empty());
    if let Some(invalid) = log.and_then(|filter| LogFilter::from_text(filter).err()) {
        eprintln!("error: --log (DOORWARD_LOG): {invalid} ({})", LogFilter::remedy());
        return ExitCode::from(2);
    }
    let settings = match settings(file) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    logging::start(log.unwrap_or(&settings.log.level));
    if settings.server.trusted_proxies.is_empty() {
        tracing::info!("server.trusted_proxies is empty: X-Forwarded-* and Forwarded are ignored");
    }
    if settings.defaults.issuers.is_empty() && !settings.accounts.enabled {
        tracing::warn!("deployment.toml has no [[issuer]]: only a tenant with one of its own can have users");
    }
    let running = match start(settings) {
        Ok(running) => running,
        Err(error) => {
            eprintln!("error: {}", super::error_chain_text(&error));
            return ExitCode::from(1);
        }
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        http = ?running.http,
        https = ?running.https,
        admin = running.admin.map(tracing::field::display),
        management = running.management.map(tracing::field::display),
        "serving"
    );
    let DrainReport { connections, requests, websockets } = running.wait();
    tracing::info!(
        connections_cut = connections,
        requests_cut = requests,
        websockets_cut = websockets,
        "stopped"
    );
    ExitCode::SUCCESS
}

fn start(settings: crate::config::Settings) -> anyhow::Result<RunningProxy> {
    // what a thread leaves behind goes back to the system with it; the main thread only waits from here on and would keep it
    let starting = std::thread::Builder::new()
        .name("start".into())
        .spawn(move || boot::start(settings, Clock::system()))?;
    let running = starting.join().map_err(|_| anyhow::anyhow!("the start panicked"))??;
    handle_signals(running.control(), running.reload_signal())?;
    Ok(running)
}

/// For `doorward demo`: the same start, from a file.
pub fn start_for_demo(file: &Path) -> anyhow::Result<RunningServer> {
    let settings = settings(file).map_err(|_| anyhow::anyhow!("the configuration has mistakes"))?;
    logging::start(&settings.log.level);
    let running = start(settings)?;
    let http = running.http.first().copied().ok_or_else(|| anyhow::anyhow!("nothing listens"))?;
    let admin = running.admin;
    let wait = Box::new(move || {
        running.wait();
        Ok(())
    });
    Ok(RunningServer { http, admin, wait })
}

/// SIGTERM and SIGINT start draining, and a second one stops at once. SIGHUP reads all files again.
fn handle_signals(control: Arc<DrainControl>, reload: ReloadSignal) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut interrupt, mut hangup) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?)
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            let mut phases = [DrainPhase::Draining, DrainPhase::Terminated].into_iter();
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {
                        reload.request();
                        continue;
                    }
                }
                let Some(phase) = phases.next() else { return };
                control.advance(phase);
            }
        });
    })?;
    Ok(())
}
