//! Keeps the cache in step with the disk: file events, and a poll for where there are none.

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
    cache::Cache,
    disk::{self, Stamp},
    index::News,
};
use crate::{
    config::{
        model::{Settings, Watch},
        watch::{DEBOUNCE, FALLBACK_POLL, PathWatch, RETRY, Signal, Trail},
    },
    domain::tenant::TenantId,
};

/// Files looked at in one go on a blocking thread.
const CHUNK: usize = 256;

#[derive(Debug)]
pub enum Event {
    File(Signal),
    /// The tenant is no longer in the cache.
    Left(TenantId),
    /// New settings are in force.
    Reconfigured,
}

/// How changes are noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchHealth {
    /// By file events (and a poll now and then).
    Events,
    /// By looking, as configured.
    Polling,
    /// By looking, because file events fail: the reason.
    EventsLost(String),
    /// By the TTL alone, as configured.
    Off,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// The folder of all tenants.
    Root,
    Tenant(TenantId),
}

/// The watch on the folders of what is in the cache. Blocking; called off the workers only.
pub struct Watching {
    state: Mutex<State>,
    events: UnboundedSender<Event>,
}

struct State {
    paths: Option<PathWatch<Key>>,
    /// What it was started for.
    asked: Option<(Watch, PathBuf)>,
    /// Where the folder of all tenants really is.
    root: PathBuf,
    health: WatchHealth,
    retry: Instant,
}

/// What a batch of events asks to be looked at.
#[derive(Default)]
struct Due {
    /// With: whether folders on the way have moved.
    tenants: HashMap<TenantId, bool>,
    /// Entries of the folder of all tenants that came, went or changed.
    names: HashSet<TenantId>,
    root_moved: bool,
    everything: bool,
    relist: bool,
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watching").field(&self.lock().health).finish()
    }
}

impl Watching {
    pub fn new(events: UnboundedSender<Event>) -> Self {
        let state = State {
            paths: None,
            asked: None,
            root: PathBuf::new(),
            health: WatchHealth::Off,
            retry: Instant::now(),
        };
        Self { state: Mutex::new(state), events }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn health(&self) -> WatchHealth {
        self.lock().health.clone()
    }

    pub fn folders(&self) -> usize {
        self.lock().paths.as_ref().map_or(0, PathWatch::folders)
    }

    fn is_for(&self, settings: &Settings) -> bool {
        let tenancy = &settings.tenancy;
        self.lock()
            .asked
            .as_ref()
            .is_some_and(|(watch, folder)| *watch == tenancy.watch && *folder == tenancy.folder)
    }

    /// Begins anew with the folder of all tenants.
    pub fn start(&self, settings: &Settings) {
        let mut state = self.lock();
        state.paths = None;
        state.asked = Some((settings.tenancy.watch, settings.tenancy.folder.clone()));
        match settings.tenancy.watch {
            Watch::Off => state.health = WatchHealth::Off,
            Watch::Poll { .. } => state.health = WatchHealth::Polling,
            Watch::Auto { .. } => {
                let send = self.events.clone();
                let started = PathWatch::start(move |signal| {
                    // fails only while everything is being dropped
                    let _ = send.send(Event::File(signal));
                });
                match started {
                    Ok(paths) => {
                        state.paths = Some(paths);
                        state.health = WatchHealth::Events;
                        state.arm_root(&settings.tenancy.folder);
                    }
                    Err(error) => state.lose(&error.to_string()),
                }
            }
        }
    }

    pub fn tell(&self, event: Event) {
        // fails only while everything is being dropped
        let _ = self.events.send(event);
    }

    pub fn stop(&self) {
        self.lock().paths = None;
    }

    pub fn arm(&self, root: &Path, tenant: &TenantId, moved: bool) {
        let key = Key::Tenant(tenant.clone());
        if self.lock().paths.as_ref().is_none_or(|paths| paths.is_armed(&key) && !moved) {
            return;
        }
        let trail = Trail::walk(&disk::file_of(root, tenant), 2);
        let mut state = self.lock();
        if let Some(paths) = &mut state.paths
            && let Err(error) = paths.arm(&key, trail, false, moved)
        {
            state.lose(&error.to_string());
        }
    }

    pub fn disarm(&self, tenant: &TenantId) {
        if let Some(paths) = &mut self.lock().paths {
            paths.disarm(&Key::Tenant(tenant.clone()));
        }
    }

    fn digest(&self, signals: Vec<Signal>, folder: &Path) -> Due {
        let mut due = Due::default();
        let mut state = self.lock();
        for signal in signals {
            match signal {
                Signal::Changed(at) => state.trace(&at, &mut due),
                Signal::Overflow => due.everything = true,
                Signal::Failed(reason) => {
                    state.paths = None;
                    state.lose(&reason);
                    due.everything = true;
                }
            }
        }
        if due.root_moved {
            state.arm_root(folder);
        }
        due
    }
}

impl State {
    fn arm_root(&mut self, folder: &Path) {
        let trail = Trail::walk(folder, 1);
        self.root.clone_from(&trail.end);
        if let Some(paths) = &mut self.paths
            && let Err(error) = paths.arm(&Key::Root, trail, true, true)
        {
            self.lose(&error.to_string());
        }
    }

    /// Some or all events are lost from here on; what is still watched stays so.
    fn lose(&mut self, reason: &str) {
        self.retry = Instant::now() + RETRY;
        if !matches!(self.health, WatchHealth::EventsLost(_)) {
            tracing::warn!(reason, "no file events for the tenants' folders; polling");
        }
        self.health = WatchHealth::EventsLost(reason.to_owned());
    }

    fn trace(&self, at: &Path, due: &mut Due) {
        let Some(paths) = &self.paths else { return };
        for key in paths.affected(at) {
            match key {
                Key::Root => due.root_moved = true,
                Key::Tenant(tenant) => {
                    *due.tenants.entry(tenant.clone()).or_default() |=
                        !at.ends_with(disk::FILE) || at.is_symlink();
                }
            }
        }
        if at.parent() == Some(&self.root)
            && let Some(name) = at.file_name().and_then(|name| name.to_str())
        {
            if name.starts_with('.') {
                // `..data`: folders behind links have other files now
                due.relist = true;
            } else if let Ok(tenant) = TenantId::parse(name)
                && tenant.as_str() == name
            {
                due.names.insert(tenant);
            }
        } else if at == self.root {
            due.root_moved = true;
        }
    }
}

/// Ends when the cache is dropped.
pub async fn run(cache: Weak<Cache>, mut events: UnboundedReceiver<Event>) {
    let mut polled = tokio::time::Instant::now();
    loop {
        let next_poll = {
            let Some(cache) = cache.upgrade() else { return };
            polled + pause(&cache.settings.load(), &cache.watching.health())
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
            revive(&cache).await;
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
        handle(&cache, batch).await;
    }
}

fn pause(settings: &Settings, health: &WatchHealth) -> Duration {
    match (settings.tenancy.watch, health) {
        // nobody looks; the settings may change
        (Watch::Off, _) => Duration::from_hours(24),
        (Watch::Auto { poll_interval }, WatchHealth::EventsLost(_)) => poll_interval.min(FALLBACK_POLL),
        (Watch::Auto { poll_interval } | Watch::Poll { poll_interval }, _) => poll_interval,
    }
    .max(Duration::from_millis(10))
}

async fn handle(cache: &Arc<Cache>, batch: Vec<Event>) {
    let mut signals = Vec::new();
    for event in batch {
        match event {
            Event::File(signal) => signals.push(signal),
            Event::Left(tenant) => cache.release(tenant).await,
            Event::Reconfigured => {
                if !cache.watching.is_for(&cache.settings.load()) {
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
        spawn_blocking(move || this.watching.digest(signals, &this.settings.load().tenancy.folder)).await;
    // fails only at the end of the runtime
    let Ok(mut due) = digested else { return };
    for name in &due.names {
        cache.forget_unknown(name);
        cache.index.tell(News::Touched(name.clone()));
        // its folder may be another one under the same name
        due.tenants.insert(name.clone(), true);
    }
    if due.root_moved || due.everything {
        cache.forget_all_unknown();
        for (tenant, _) in &cache.tenants {
            due.tenants.insert(tenant.as_ref().clone(), true);
        }
    }
    if due.root_moved || due.everything || due.relist {
        cache.index.tell(News::Rescan);
    }
    for (tenant, moved) in due.tenants {
        if cache.tenants.contains_key(&tenant) {
            cache.schedule(&tenant, moved);
        }
    }
}

/// A watcher that failed is tried again now and then.
async fn revive(cache: &Arc<Cache>) {
    let lost = {
        let state = cache.watching.lock();
        matches!(state.health, WatchHealth::EventsLost(_)) && Instant::now() >= state.retry
    };
    if lost {
        restart(cache).await;
        if cache.watching.health() == WatchHealth::Events {
            tracing::info!("file events work again");
        }
    }
}

async fn restart(cache: &Arc<Cache>) {
    let this = Arc::clone(cache);
    let started = spawn_blocking(move || {
        let settings = this.settings.load_full();
        this.watching.start(&settings);
        for (tenant, _) in &this.tenants {
            if matches!(this.watching.health(), WatchHealth::EventsLost(_)) {
                break;
            }
            this.watching.arm(&settings.tenancy.folder, &tenant, false);
        }
    });
    // fails only at the end of the runtime
    let _ = started.await;
}

/// Has everything looked at whose file is not the one that was read.
async fn poll(cache: &Arc<Cache>) {
    let cached: Vec<(TenantId, Stamp)> =
        cache.tenants.iter().map(|(tenant, entry)| (tenant.as_ref().clone(), entry.stamp)).collect();
    for chunk in cached.chunks(CHUNK) {
        let chunk = chunk.to_vec();
        let root = cache.settings.load().tenancy.folder.clone();
        let changed = spawn_blocking(move || {
            chunk
                .into_iter()
                .filter(|(tenant, seen)| seen.outdated(disk::stamp(&root, tenant)))
                .map(|(tenant, _)| tenant)
                .collect::<Vec<_>>()
        });
        let Ok(changed) = changed.await else { return };
        for tenant in changed {
            cache.schedule(&tenant, true);
        }
    }
}
