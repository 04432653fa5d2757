//! Background task of the tenant registry: one loop that applies commands, polls tenant files, and updates the host index.

mod index_jobs;
mod index_updater;

use std::{future::pending, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep_until},
};

use self::index_updater::IndexUpdater;
use super::{
    command::RegistryCommand,
    loader::TenantLoader,
    tenant_folder,
    tenant_watch::{self, due_checks},
    watch::{DEBOUNCE, FileEvent},
};
use crate::config::model::{FileWatchMode, TenancySettings};

/// Number of files that one blocking task checks.
const POLL_CHUNK: usize = 256;
/// Wait while polling is off. The loop reads the interval again after each command, so that changed settings take effect.
const NO_POLL: Duration = Duration::from_hours(24);

pub struct RegistryActor {
    loader: Arc<TenantLoader>,
    commands: UnboundedReceiver<RegistryCommand>,
    index: IndexUpdater,
    watched: WatchedFolder,
    /// File events of the current burst, and the end of the debounce time.
    burst: Option<(Vec<FileEvent>, Instant)>,
    /// A poll in progress. It has a task of its own, so that a slow file system delays neither events nor the index.
    poll: Option<JoinHandle<()>>,
    polled_at: Instant,
}

/// The folder and the mode with which the watcher was started.
#[derive(PartialEq, Eq)]
struct WatchedFolder {
    mode: FileWatchMode,
    folder: PathBuf,
}

impl WatchedFolder {
    fn of(tenancy: &TenancySettings) -> Self {
        Self { mode: tenancy.watch, folder: tenancy.folder.clone() }
    }
}

impl RegistryActor {
    /// Starts the watcher, so that no later edit is missed. Blocking.
    pub fn new(loader: Arc<TenantLoader>, commands: UnboundedReceiver<RegistryCommand>) -> Self {
        let watched = WatchedFolder::of(&loader.sources.settings().tenancy);
        tenant_watch::restart(&loader.watcher, watched.mode, Vec::new());
        let index = IndexUpdater::new(Arc::clone(&loader));
        Self { loader, commands, index, watched, burst: None, poll: None, polled_at: Instant::now() }
    }

    /// Runs until the task is aborted or every command sender is dropped.
    pub async fn run(mut self) {
        self.index.advance();
        loop {
            let next_poll = self.polled_at + self.loader.watcher.poll_interval().unwrap_or(NO_POLL);
            let burst_ends = self.burst.as_ref().map(|(_, ends_at)| *ends_at);
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.apply(command).await,
                    None => return,
                },
                () = sleep_until(burst_ends.unwrap_or(next_poll)), if burst_ends.is_some() => {
                    self.apply_file_events().await;
                }
                () = sleep_until(next_poll), if self.poll.is_none() => {
                    self.poll = Some(tokio::spawn(poll(Arc::clone(&self.loader))));
                }
                () = wait_for_end(&mut self.poll) => {
                    self.poll = None;
                    self.polled_at = Instant::now();
                }
                result = self.index.wait() => self.index.finish(result),
            }
        }
    }

    async fn apply(&mut self, command: RegistryCommand) {
        match command {
            RegistryCommand::FileEvent(event) => {
                let ends_at = Instant::now() + DEBOUNCE;
                self.burst.get_or_insert_with(|| (Vec::new(), ends_at)).0.push(event);
            }
            RegistryCommand::TenantEvicted(tenant) => self.loader.unwatch_evicted(tenant),
            RegistryCommand::FolderChanged(tenant) => self.index.queue_folder(tenant),
            RegistryCommand::HostsClaimed(claimed) => self.index.queue_claims(claimed),
            RegistryCommand::RereadFiles => self.index.queue_reread(),
            RegistryCommand::SettingsReplaced => self.follow_settings().await,
        }
        self.index.advance();
    }

    async fn follow_settings(&mut self) {
        let watched = WatchedFolder::of(&self.loader.sources.settings().tenancy);
        if watched.folder == self.watched.folder {
            self.index.queue_scan();
        } else {
            self.index.queue_reread();
        }
        if watched != self.watched {
            let mode = watched.mode;
            self.watched = watched;
            on_blocking_thread(&self.loader, move |loader| {
                tenant_watch::restart(&loader.watcher, mode, loader.cache.tenants());
            })
            .await;
            // edits between the end of the old watch and the start of the new one caused no event
            check_changed(&self.loader).await;
        }
    }

    async fn apply_file_events(&mut self) {
        let Some((events, _)) = self.burst.take() else { return };
        let due = on_blocking_thread(&self.loader, move |loader| due_checks(&loader.watcher, &events)).await;
        // `None` only when the runtime shuts down
        let Some(mut due) = due else { return };
        for name in due.names {
            self.loader.cache.forget_unknown(&name);
            // the folder may have been replaced by another one with the same name
            due.tenants.insert(name.clone(), true);
            self.index.queue_folder(name);
        }
        if due.all {
            self.loader.cache.forget_all_unknown();
            due.tenants.extend(self.loader.cache.tenants().into_iter().map(|tenant| (tenant, true)));
        }
        if due.rescan {
            self.index.queue_scan();
        }
        for (tenant, path_changed) in due.tenants {
            if self.loader.cache.contains(&tenant) {
                self.loader.schedule_recheck(&tenant, path_changed);
            }
        }
        self.index.advance();
    }
}

async fn poll(loader: Arc<TenantLoader>) {
    on_blocking_thread(&loader, |loader| {
        tenant_watch::retry_if_due(&loader.watcher, || loader.cache.tenants());
    })
    .await;
    check_changed(&loader).await;
}

/// Never ends without a job. Cancel safe.
async fn wait_for_end(job: &mut Option<JoinHandle<()>>) {
    match job {
        // a job that panicked has ended too
        Some(job) => drop(job.await),
        None => pending().await,
    }
}

/// Schedules a check of every cached tenant whose file has changed.
async fn check_changed(loader: &Arc<TenantLoader>) {
    for chunk in loader.cache.stamps().chunks(POLL_CHUNK) {
        let chunk = chunk.to_vec();
        let changed = on_blocking_thread(loader, move |loader| {
            let root = &loader.sources.settings().tenancy.folder;
            let changed = chunk
                .into_iter()
                .filter(|(tenant, seen)| seen.is_outdated(tenant_folder::read_stamp(root, tenant)));
            changed.map(|(tenant, _)| tenant).collect::<Vec<_>>()
        });
        let Some(changed) = changed.await else { return };
        for tenant in changed {
            loader.schedule_recheck(&tenant, true);
        }
    }
}

/// `None` only when the runtime shuts down.
async fn on_blocking_thread<T: Send + 'static>(
    loader: &Arc<TenantLoader>,
    work: impl FnOnce(&TenantLoader) -> T + Send + 'static,
) -> Option<T> {
    let loader = Arc::clone(loader);
    spawn_blocking(move || work(&loader)).await.ok()
}
