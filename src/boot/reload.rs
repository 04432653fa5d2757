//! Reload while running: `deployment.toml`, certificates, key sets, templates, texts.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{runtime::Handle, sync::Notify};

use super::logs;
use crate::{
    config::{
        Settings, environment, keys_needing_restart,
        load::load,
        model::{KeySource, TlsFiles, UpstreamTarget},
    },
    proxy::ProxyState,
    server::ServerCertificates,
    telemetry::metrics::{ReloadLabels, ReloadResult},
    tenants::watch::{ContentWatcher, single_file_mounts, watch_files},
    web,
};

/// Requests a reload of every file, as SIGHUP does.
#[derive(Debug, Clone, Default)]
pub struct ReloadSignal(Arc<Notify>);

impl ReloadSignal {
    /// Requests that arrive while a reload runs are served by one more reload.
    pub fn request(&self) {
        self.0.notify_one();
    }
}

#[derive(Clone)]
pub struct Reloader {
    state: Arc<ProxyState>,
    /// The settings the process was started with, against which a needed restart is determined.
    started: Arc<Settings>,
    certificates: ServerCertificates,
    runtime: Handle,
    watch: Arc<Mutex<Option<ContentWatcher>>>,
}

impl Reloader {
    pub fn new(state: Arc<ProxyState>, certificates: ServerCertificates, runtime: Handle) -> Self {
        let started = state.settings.load_full();
        Self { state, started, certificates, runtime, watch: Arc::default() }
    }

    /// Reloads everything at each request, for as long as the runtime lives.
    pub async fn serve(self, signal: ReloadSignal) {
        loop {
            signal.0.notified().await;
            let reloader = self.clone();
            // the reload blocks on the runtime, as the watch's thread does
            if self.runtime.spawn_blocking(move || reloader.reload_everything()).await.is_err() {
                tracing::error!("the reload panicked");
            }
        }
    }

    fn reload_everything(&self) {
        tracing::info!("SIGHUP received: reloading all files");
        if !self.reload_settings() {
            self.reload_certificates(&self.state.settings.load());
            self.state.pages.pages.reload();
        }
        self.state.tenants.flush();
    }

    /// Watches every file the settings name, until the guard is dropped.
    pub fn watch(&self) -> FilesWatchGuard {
        let settings = self.state.settings.load();
        let files = watched_files(&settings);
        let folders = [settings.tenancy.folder.as_path()];
        for file in single_file_mounts(files.iter().map(PathBuf::as_path), &folders) {
            tracing::warn!(
                file = %file.display(),
                "file is mounted by itself (subPath, -v file:file): edits may not be noticed; mount its folder"
            );
        }
        self.restart_watch(&settings);
        FilesWatchGuard(Arc::clone(&self.watch))
    }

    fn restart_watch(&self, settings: &Settings) {
        let reloader = self.clone();
        let files = watched_files(settings);
        let watch = watch_files(files, settings.tenancy.watch, move |file| reloader.on_change(file));
        match watch {
            Ok(watch) => *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch),
            Err(error) => tracing::error!(%error, "files cannot be watched: edits need a restart"),
        }
    }

    fn on_change(&self, file: &Path) {
        let settings = self.state.settings.load_full();
        if certificate_files(&settings).iter().any(|known| known == file) {
            self.reload_certificates(&settings);
        } else if settings
            .defaults
            .issuers
            .iter()
            .any(|issuer| issuer.keys == KeySource::File(file.to_owned()))
        {
            let state = Arc::clone(&self.state);
            self.runtime.spawn(async move { state.tokens.reload_files(state.clock.now()).await });
        } else if template_files(&settings).iter().any(|known| known == file) {
            self.state.pages.pages.reload();
            tracing::info!(file = %file.display(), "templates and texts reloaded");
        } else {
            // the file itself, or a secret or CA it names
            let _ = self.reload_settings();
        }
    }

    fn reload_certificates(&self, settings: &Settings) {
        let public = settings.server.tls.as_ref().map(|tls| &tls.files);
        let own = settings.management.tls.as_ref();
        for (certificates, files) in
            [(&self.certificates.public, public), (&self.certificates.management, own)]
        {
            let (Some(certificates), Some(files)) = (certificates, files) else { continue };
            match certificates.reload(files) {
                Ok(()) => {
                    tracing::info!(file = %files.certificate.cert_file.display(), "certificate reloaded");
                }
                // cert and key are two files: between the two writes they do not match
                Err(error) => {
                    tracing::error!(%error, "certificate cannot be used: the previous one stays in use");
                }
            }
        }
    }

    /// Log entries go to the new target from now on; if it cannot be opened, the old one stays in use.
    fn switch_logs(&self, old: &Settings, mut new: Settings) -> Settings {
        if old.log.access != new.log.access {
            match logs::access(&new.log.access, &self.state.metrics) {
                Ok(log) => self.state.access_log.store(log),
                Err(error) => {
                    tracing::error!("{error:#}; the access log target is unchanged");
                    new.log.access = old.log.access.clone();
                }
            }
        }
        if old.log.audit != new.log.audit
            && let Err(error) = logs::start_audit(&new.log.audit, &self.state.metrics)
        {
            tracing::error!("{error:#}; the audit log target is unchanged");
            new.log.audit = old.log.audit.clone();
        }
        new
    }

    /// Whether the settings of the file are in force now, apart from those that need a restart.
    fn reload_settings(&self) -> bool {
        let old = self.state.settings.load_full();
        let count = |result| {
            self.state.metrics.reloads.get_or_create(&ReloadLabels { result }).inc();
        };
        let new = match load(&old.file, &environment()) {
            Ok(new) => new,
            Err(mistakes) => {
                for mistake in &mistakes {
                    tracing::error!(%mistake, "deployment.toml is not in force: the previous settings stay");
                }
                self.state.mistakes.store(Arc::new(mistakes));
                count(ReloadResult::failed);
                return false;
            }
        };
        let new = Arc::new(self.switch_logs(&old, new));
        let pending = keys_needing_restart(&self.started, &new);
        self.state.settings.store(Arc::clone(&new));
        self.state.buffers.set_share(new.limits.client.buffered_bytes);
        self.state.mistakes.store(Arc::default());
        self.runtime.block_on(self.state.tenants.replace_settings(Arc::clone(&new)));
        self.reload_certificates(&new);
        self.state.pages.pages.reload();
        let state = Arc::clone(&self.state);
        let issuers = new.defaults.issuers.clone();
        self.runtime.spawn(async move {
            state.tokens.renew_clients().await;
            let missing = state.tokens.preload(&issuers, state.clock.now()).await;
            if !missing.is_empty() {
                tracing::error!(sources = ?missing, "keys of issuers cannot be read: their tokens are rejected");
            }
        });
        count(ReloadResult::ok);
        let file = new.file.display();
        if pending.is_empty() {
            tracing::info!(%file, "deployment.toml is in force");
        } else {
            tracing::warn!(%file, keys = ?pending, "deployment.toml is in force, but for keys that need a restart");
        }
        self.state.restart_needed.store(Arc::new(pending));
        if watched_files(&old) != watched_files(&new) {
            // not here: this runs on the watch's own thread, which cannot wait for its own end
            let reloader = self.clone();
            self.runtime.spawn_blocking(move || reloader.restart_watch(&new));
        }
        true
    }
}

/// Stops the watch when dropped.
pub struct FilesWatchGuard(Arc<Mutex<Option<ContentWatcher>>>);

impl Drop for FilesWatchGuard {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The operator's templates and texts, beside the configuration file.
fn template_files(settings: &Settings) -> Vec<PathBuf> {
    settings.file.parent().map(web::replaceable).unwrap_or_default()
}

fn certificate_files(settings: &Settings) -> Vec<PathBuf> {
    let public = settings.server.tls.iter().map(|tls| &tls.files);
    public.chain(&settings.management.tls).flat_map(TlsFiles::paths).cloned().collect()
}

fn watched_files(settings: &Settings) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::from([settings.file.clone()]);
    files.extend(template_files(settings));
    files.extend(certificate_files(settings));
    files.extend(settings.admin.token.iter().map(|token| token.path.clone()));
    for issuer in &settings.defaults.issuers {
        if let KeySource::File(file) = &issuer.keys {
            files.insert(file.clone());
        }
        files.extend(issuer.introspection.iter().filter_map(|endpoint| endpoint.ca_file.clone()));
    }
    for upstream in &settings.portal.upstreams {
        if let UpstreamTarget::Tls { ca_file, client_cert_file, client_key_file, .. } = &upstream.target {
            files.extend([ca_file, client_cert_file, client_key_file].into_iter().flatten().cloned());
        }
    }
    files
}
