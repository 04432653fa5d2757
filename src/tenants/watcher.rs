//! Refreshes the cache on file events, and by polling for file systems without events.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
    task::spawn_blocking,
    time::{sleep, timeout_at},
};

use super::{
    cache::TenantCache,
    host_index::IndexCommand,
    tenant_folder::{self, FileStamp},
    watch::{DEBOUNCE, FALLBACK_POLL, FileEvent, PathWatcher, SymlinkChain, WATCHER_RETRY},
};
use crate::{
    config::model::{FileWatchMode, Settings},
    domain::tenant::TenantId,
};

/// Files checked in one batch on a blocking thread.
const CHUNK: usize = 256;

#[derive(Debug)]
pub enum RegistryEvent {
    File(FileEvent),
    /// The tenant is no longer in the cache.
    Evicted(TenantId),
    /// New settings are in force.
    SettingsReplaced,
}

/// How changes are noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchHealth {
    /// By file events (and a poll now and then).
    Events,
    /// By polling, as configured.
    Polling,
    /// By polling, because file events fail: the reason.
    EventsLost(String),
    /// By the TTL alone, as configured.
    Off,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum WatchKey {
    /// The folder of all tenants.
    Root,
    Tenant(TenantId),
}

/// Watches the folders of cached tenants. Blocking; must not run on a worker thread.
pub struct TenantWatcher {
    state: Mutex<WatcherState>,
    events: UnboundedSender<RegistryEvent>,
}

struct WatcherState {
    paths: Option<PathWatcher<WatchKey>>,
    /// The watch mode and folder it was started with.
    started_for: Option<(FileWatchMode, PathBuf)>,
    /// The tenants' folder, with symbolic links resolved.
    root: PathBuf,
    health: WatchHealth,
    retry_at: Instant,
}

/// The checks that a batch of events requires.
#[derive(Default)]
struct DueChecks {
    /// The value: whether folders of the path have been replaced.
    tenants: HashMap<TenantId, bool>,
    /// Entries of the folder of all tenants that came, went or changed.
    names: HashSet<TenantId>,
    root_changed: bool,
    all: bool,
    rescan: bool,
}

impl std::fmt::Debug for TenantWatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watching").field(&self.lock().health).finish()
    }
}

impl TenantWatcher {
    pub fn new(events: UnboundedSender<RegistryEvent>) -> Self {
        let state = WatcherState {
            paths: None,
            started_for: None,
            root: PathBuf::new(),
            health: WatchHealth::Off,
            retry_at: Instant::now(),
        };
        Self { state: Mutex::new(state), events }
    }

    fn lock(&self) -> MutexGuard<'_, WatcherState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn health(&self) -> WatchHealth {
        self.lock().health.clone()
    }

    pub fn folders(&self) -> usize {
        self.lock().paths.as_ref().map_or(0, PathWatcher::folders)
    }

    fn is_started_for(&self, settings: &Settings) -> bool {
        let tenancy = &settings.tenancy;
        self.lock()
            .started_for
            .as_ref()
            .is_some_and(|(watch, folder)| *watch == tenancy.watch && *folder == tenancy.folder)
    }

    /// Restarts with the tenants' folder.
    pub fn start(&self, settings: &Settings) {
        let mut state = self.lock();
        state.paths = None;
        state.started_for = Some((settings.tenancy.watch, settings.tenancy.folder.clone()));
        match settings.tenancy.watch {
            FileWatchMode::Off => state.health = WatchHealth::Off,
            FileWatchMode::Poll { .. } => state.health = WatchHealth::Polling,
            FileWatchMode::Auto { .. } => {
                let send = self.events.clone();
                let started = PathWatcher::start(move |signal| {
                    // fails only while everything is being dropped
                    let _ = send.send(RegistryEvent::File(signal));
                });
                match started {
                    Ok(paths) => {
                        state.paths = Some(paths);
                        state.health = WatchHealth::Events;
                        state.arm_root(&settings.tenancy.folder);
                    }
                    Err(error) => state.mark_events_lost(&error.to_string()),
                }
            }
        }
    }

    pub fn send(&self, event: RegistryEvent) {
        // fails only while everything is being dropped
        let _ = self.events.send(event);
    }

    pub fn stop(&self) {
        self.lock().paths = None;
    }

    pub fn arm(&self, root: &Path, tenant: &TenantId, path_changed: bool) {
        let key = WatchKey::Tenant(tenant.clone());
        if self.lock().paths.as_ref().is_none_or(|paths| paths.is_armed(&key) && !path_changed) {
            return;
        }
        let chain = SymlinkChain::resolve(&tenant_folder::file_of(root, tenant), 2);
        let mut state = self.lock();
        if let Some(paths) = &mut state.paths
            && let Err(error) = paths.arm(&key, chain, false, path_changed)
        {
            state.mark_events_lost(&error.to_string());
        }
    }

    pub fn disarm(&self, tenant: &TenantId) {
        if let Some(paths) = &mut self.lock().paths {
            paths.disarm(&WatchKey::Tenant(tenant.clone()));
        }
    }

    fn due_checks(&self, signals: Vec<FileEvent>, folder: &Path) -> DueChecks {
        let mut due = DueChecks::default();
        let mut state = self.lock();
        for signal in signals {
            match signal {
                FileEvent::Changed(at) => state.add_due(&at, &mut due),
                FileEvent::Overflow => due.all = true,
                FileEvent::Failed(reason) => {
                    state.paths = None;
                    state.mark_events_lost(&reason);
                    due.all = true;
                }
            }
        }
        if due.root_changed {
            state.arm_root(folder);
        }
        due
    }
}

impl WatcherState {
    fn arm_root(&mut self, folder: &Path) {
        let chain = SymlinkChain::resolve(folder, 1);
        self.root.clone_from(&chain.target);
        if let Some(paths) = &mut self.paths
            && let Err(error) = paths.arm(&WatchKey::Root, chain, true, true)
        {
            self.mark_events_lost(&error.to_string());
        }
    }

    /// Records that events may be lost; existing watches remain.
    fn mark_events_lost(&mut self, reason: &str) {
        self.retry_at = Instant::now() + WATCHER_RETRY;
        if !matches!(self.health, WatchHealth::EventsLost(_)) {
            tracing::warn!(reason, "no file events for the tenants' folders; polling");
        }
        self.health = WatchHealth::EventsLost(reason.to_owned());
    }

    fn add_due(&self, at: &Path, due: &mut DueChecks) {
        let Some(paths) = &self.paths else { return };
        for key in paths.affected(at) {
            match key {
                WatchKey::Root => due.root_changed = true,
                WatchKey::Tenant(tenant) => {
                    *due.tenants.entry(tenant.clone()).or_default() |=
                        !at.ends_with(tenant_folder::TENANT_CONF) || at.is_symlink();
                }
            }
        }
        if at.parent() == Some(&self.root)
            && let Some(name) = at.file_name().and_then(|name| name.to_str())
        {
            if name.starts_with('.') {
                // `..data`: folders behind links have other files now
                due.rescan = true;
            } else if let Ok(tenant) = TenantId::parse(name)
                && tenant.as_str() == name
            {
                due.names.insert(tenant);
            }
        } else if at == self.root {
            due.root_changed = true;
        }
    }
}

/// Ends when the cache is dropped.
pub async fn run(cache: Weak<TenantCache>, mut events: UnboundedReceiver<RegistryEvent>) {
    let mut polled = tokio::time::Instant::now();
    loop {
        let next_poll = {
            let Some(cache) = cache.upgrade() else { return };
            polled + next_poll_delay(&cache.settings.load(), &cache.watcher.health())
        };
        // events that never end must not put the poll off for ever
        let event = if tokio::time::Instant::now() >= next_poll {
            None
        } else {
            match timeout_at(next_poll, events.recv()).await {
                Ok(None) => return,
                Ok(Some(event)) => Some(event),
                Err(_) => None,
            }
        };
        let Some(first) = event else {
            let Some(cache) = cache.upgrade() else { return };
            retry_watcher(&cache).await;
            poll(&cache).await;
            polled = tokio::time::Instant::now();
            continue;
        };
        sleep(DEBOUNCE).await;
        let mut batch = vec![first];
        while let Ok(more) = events.try_recv() {
            batch.push(more);
        }
        let Some(cache) = cache.upgrade() else { return };
        handle_events(&cache, batch).await;
    }
}

fn next_poll_delay(settings: &Settings, health: &WatchHealth) -> Duration {
    match (settings.tenancy.watch, health) {
        // polling is off; the settings may change
        (FileWatchMode::Off, _) => Duration::from_hours(24),
        (FileWatchMode::Auto { poll_interval }, WatchHealth::EventsLost(_)) => {
            poll_interval.min(FALLBACK_POLL)
        }
        (FileWatchMode::Auto { poll_interval } | FileWatchMode::Poll { poll_interval }, _) => poll_interval,
    }
    .max(Duration::from_millis(10))
}

async fn handle_events(cache: &Arc<TenantCache>, batch: Vec<RegistryEvent>) {
    let mut signals = Vec::new();
    for event in batch {
        match event {
            RegistryEvent::File(signal) => signals.push(signal),
            RegistryEvent::Evicted(tenant) => cache.unwatch_evicted(tenant).await,
            RegistryEvent::SettingsReplaced => {
                if !cache.watcher.is_started_for(&cache.settings.load()) {
                    restart(cache).await;
                    // what was edited between the two watches
                    poll(cache).await;
                }
            }
        }
    }
    if signals.is_empty() {
        return;
    }
    let this = Arc::clone(cache);
    let digested =
        spawn_blocking(move || this.watcher.due_checks(signals, &this.settings.load().tenancy.folder)).await;
    // fails only at the end of the runtime
    let Ok(mut due) = digested else { return };
    for name in &due.names {
        cache.forget_unknown(name);
        cache.index.send(IndexCommand::FolderChanged(name.clone()));
        // its folder may be another one under the same name
        due.tenants.insert(name.clone(), true);
    }
    if due.root_changed || due.all {
        cache.forget_all_unknown();
        for (tenant, _) in &cache.entries {
            due.tenants.insert(tenant.as_ref().clone(), true);
        }
    }
    if due.root_changed || due.all || due.rescan {
        cache.index.send(IndexCommand::Rescan);
    }
    for (tenant, moved) in due.tenants {
        if cache.entries.contains_key(&tenant) {
            cache.schedule_recheck(&tenant, moved);
        }
    }
}

/// A watcher that failed is tried again now and then.
async fn retry_watcher(cache: &Arc<TenantCache>) {
    let lost = {
        let state = cache.watcher.lock();
        matches!(state.health, WatchHealth::EventsLost(_)) && Instant::now() >= state.retry_at
    };
    if lost {
        restart(cache).await;
        if cache.watcher.health() == WatchHealth::Events {
            tracing::info!("file events work again");
        }
    }
}

async fn restart(cache: &Arc<TenantCache>) {
    let this = Arc::clone(cache);
    let started = spawn_blocking(move || {
        let settings = this.settings.load_full();
        this.watcher.start(&settings);
        for (tenant, _) in &this.entries {
            if matches!(this.watcher.health(), WatchHealth::EventsLost(_)) {
                break;
            }
            this.watcher.arm(&settings.tenancy.folder, &tenant, false);
        }
    });
    // fails only at the end of the runtime
    let _ = started.await;
}

/// Schedules a check of every tenant whose file has changed.
async fn poll(cache: &Arc<TenantCache>) {
    let cached: Vec<(TenantId, FileStamp)> =
        cache.entries.iter().map(|(tenant, entry)| (tenant.as_ref().clone(), entry.stamp)).collect();
    for chunk in cached.chunks(CHUNK) {
        let chunk = chunk.to_vec();
        let root = cache.settings.load().tenancy.folder.clone();
        let changed = spawn_blocking(move || {
            chunk
                .into_iter()
                .filter(|(tenant, seen)| seen.is_outdated(tenant_folder::read_stamp(&root, tenant)))
                .map(|(tenant, _)| tenant)
                .collect::<Vec<_>>()
        });
        let Ok(changed) = changed.await else { return };
        for tenant in changed {
            cache.schedule_recheck(&tenant, true);
        }
    }
}
