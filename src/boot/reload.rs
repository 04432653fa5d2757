//! Taking over edited files while running: `deployment.toml`, certificates, key sets, templates, texts.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::runtime::Handle;

use super::logs;
use crate::{
    clock::now,
    config::{
        Settings, diff_needs_restart, environment,
        load::load,
        model::{KeySource, Target, TlsFiles},
        watch::{FilesWatch, single_file_mounts, watch_files},
    },
    proxy::Gate,
    server::Shown,
    telemetry::metrics::{ReloadLabels, ReloadResult},
    web,
};

#[derive(Clone)]
pub struct Reloader {
    gate: Arc<Gate>,
    certificates: Shown,
    runtime: Handle,
    watching: Arc<Mutex<Option<FilesWatch>>>,
}

impl Reloader {
    pub fn new(gate: Arc<Gate>, certificates: Shown, runtime: Handle) -> Self {
        Self { gate, certificates, runtime, watching: Arc::default() }
    }

    /// Watches every file the settings name, until the guard is dropped.
    pub fn watch(&self) -> Watching {
        let settings = self.gate.settings.load();
        let files = files_of(&settings);
        let folders = [settings.tenancy.folder.as_path()];
        for file in single_file_mounts(files.iter().map(PathBuf::as_path), &folders) {
            tracing::warn!(
                file = %file.display(),
                "this file is mounted by itself (subPath, -v file:file): edits of it may never arrive; mount its folder"
            );
        }
        self.rearm(&settings);
        Watching(Arc::clone(&self.watching))
    }

    fn rearm(&self, settings: &Settings) {
        let reloader = self.clone();
        let files = files_of(settings);
        let watch = watch_files(files, settings.tenancy.watch, move |file| reloader.changed(file));
        match watch {
            Ok(watch) => *self.watching.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch),
            Err(error) => tracing::error!(%error, "files cannot be watched; edits need a restart"),
        }
    }

    fn changed(&self, file: &Path) {
        let settings = self.gate.settings.load_full();
        if certificate_files(&settings).iter().any(|known| known == file) {
            self.reload_certificates(&settings);
        } else if settings
            .defaults
            .issuers
            .iter()
            .any(|issuer| issuer.keys == KeySource::File(file.to_owned()))
        {
            let gate = Arc::clone(&self.gate);
            self.runtime.spawn(async move { gate.tokens.reload_files(now()).await });
        } else if replaceable(&settings).iter().any(|known| known == file) {
            self.gate.pages.pages.reload();
            tracing::info!(file = %file.display(), "templates and texts read again");
        } else {
            // the file itself, or a secret or CA it names
            self.reload_settings();
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
                // cert and key are two files: between the two writes they do not fit
                Err(error) => tracing::error!(%error, "the certificate cannot be used; the one before stays"),
            }
        }
    }

    /// Lines go to the new place from here on; where that cannot be written to, the old one stays in force.
    fn take_over_logs(&self, old: &Settings, mut new: Settings) -> Settings {
        if old.log.access != new.log.access {
            match logs::access(&new.log.access, &self.gate.metrics) {
                Ok(log) => self.gate.access_log.store(log),
                Err(error) => {
                    tracing::error!("{error:#}; the access log goes on as before");
                    new.log.access = old.log.access.clone();
                }
            }
        }
        if old.log.audit != new.log.audit
            && let Err(error) = logs::start_audit(&new.log.audit, &self.gate.metrics)
        {
            tracing::error!("{error:#}; the audit log goes on as before");
            new.log.audit = old.log.audit.clone();
        }
        new
    }

    fn reload_settings(&self) {
        let old = self.gate.settings.load_full();
        let count = |result| {
            self.gate.metrics.reloads.get_or_create(&ReloadLabels { result }).inc();
        };
        let new = match load(&old.file, &environment()) {
            Ok(new) => new,
            Err(mistakes) => {
                for mistake in &mistakes {
                    tracing::error!(%mistake, "deployment.toml is not taken over; the settings before stay");
                }
                self.gate.mistakes.store(Arc::new(mistakes));
                count(ReloadResult::failed);
                return;
            }
        };
        let new = Arc::new(self.take_over_logs(&old, new));
        for key in diff_needs_restart(&old, &new) {
            tracing::warn!(key, "this change needs a restart");
        }
        self.gate.settings.store(Arc::clone(&new));
        self.gate.buffers.set_share(new.limits.client.buffered_bytes);
        self.gate.mistakes.store(Arc::default());
        self.runtime.block_on(self.gate.tenants.replace_settings(Arc::clone(&new)));
        self.reload_certificates(&new);
        self.gate.pages.pages.reload();
        let gate = Arc::clone(&self.gate);
        let issuers = new.defaults.issuers.clone();
        self.runtime.spawn(async move {
            gate.tokens.renew_clients().await;
            gate.tokens.preload(&issuers, now()).await
        });
        count(ReloadResult::ok);
        tracing::info!(file = %new.file.display(), "deployment.toml is in force");
        if files_of(&old) != files_of(&new) {
            // not here: this runs on the watch's own thread, which cannot wait for its own end
            let reloader = self.clone();
            self.runtime.spawn_blocking(move || reloader.rearm(&new));
        }
    }
}

/// Stops the watch when dropped.
pub struct Watching(Arc<Mutex<Option<FilesWatch>>>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Templates and texts of the operator's: beside the configuration file.
fn replaceable(settings: &Settings) -> Vec<PathBuf> {
    settings.file.parent().map(web::replaceable).unwrap_or_default()
}

fn certificate_files(settings: &Settings) -> Vec<PathBuf> {
    let public = settings.server.tls.iter().map(|tls| &tls.files);
    public.chain(&settings.management.tls).flat_map(TlsFiles::paths).cloned().collect()
}

fn files_of(settings: &Settings) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::from([settings.file.clone()]);
    files.extend(replaceable(settings));
    files.extend(certificate_files(settings));
    files.extend(settings.admin.token.iter().map(|token| token.path.clone()));
    for issuer in &settings.defaults.issuers {
        if let KeySource::File(file) = &issuer.keys {
            files.insert(file.clone());
        }
        files.extend(issuer.introspection.iter().filter_map(|asked| asked.ca_file.clone()));
    }
    for upstream in &settings.portal.upstreams {
        if let Target::Tls { ca_file, client_cert_file, client_key_file, .. } = &upstream.target {
            files.extend([ca_file, client_cert_file, client_key_file].into_iter().flatten().cloned());
        }
    }
    files
}
