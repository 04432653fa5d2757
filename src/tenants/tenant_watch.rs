//! The file watcher on the tenants' folders: what has to be checked after its events.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use super::{
    command::{CommandSender, RegistryCommand},
    sources::TenantSources,
    tenant_folder,
    watch::{AffectedKeys, FileEvent, FileWatcher, SymlinkChain},
};
use crate::{
    config::{model::FileWatchMode, tenant_file::TENANT_CONF},
    domain::tenant::TenantId,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WatchKey {
    /// The folder of all tenants.
    Root,
    Tenant(TenantId),
}

/// Watches the folder of all tenants and the files of those that are cached.
pub type TenantWatcher = FileWatcher<WatchKey>;

pub fn tenant_watcher(sources: Arc<TenantSources>, commands: CommandSender) -> TenantWatcher {
    let locate = move |key: &WatchKey| {
        let root = &sources.settings().tenancy.folder;
        match key {
            WatchKey::Root => SymlinkChain::resolve(root, 1).with_target_entries(),
            WatchKey::Tenant(tenant) => SymlinkChain::resolve(&tenant_folder::file_of(root, tenant), 2),
        }
    };
    FileWatcher::new("the tenants' folders", locate, move |event| {
        commands.send(RegistryCommand::FileEvent(event));
    })
}

/// Starts anew with the folder of all tenants and the files of `cached`.
pub fn restart(watcher: &TenantWatcher, mode: FileWatchMode, cached: Vec<TenantId>) {
    watcher.restart(mode, watch_keys(cached));
}

pub fn retry_if_due(watcher: &TenantWatcher, cached: impl FnOnce() -> Vec<TenantId>) {
    watcher.retry_if_due(|| watch_keys(cached()).collect());
}

fn watch_keys(cached: Vec<TenantId>) -> impl Iterator<Item = WatchKey> {
    [WatchKey::Root].into_iter().chain(cached.into_iter().map(WatchKey::Tenant))
}

/// The checks that a batch of events requires.
#[derive(Debug, Default)]
pub struct DueChecks {
    /// The value: whether folders of the path may have been replaced.
    pub tenants: HashMap<TenantId, bool>,
    /// Entries of the folder of all tenants that came, went or changed.
    pub names: HashSet<TenantId>,
    /// Every tenant in the cache is to be checked.
    pub all: bool,
    /// All folders are to be listed.
    pub rescan: bool,
}

/// Blocking: reads the file system.
pub fn due_checks(watcher: &TenantWatcher, events: &[FileEvent]) -> DueChecks {
    let mut due = DueChecks::default();
    let root = watcher.watched_target(&WatchKey::Root);
    let mut root_changed = false;
    for event in events {
        let AffectedKeys::Some(keys) = watcher.affected_by(event) else {
            due.all = true;
            continue;
        };
        let FileEvent::Changed(path) = event else { continue };
        for key in keys {
            match key {
                WatchKey::Root => root_changed = true,
                WatchKey::Tenant(tenant) => {
                    *due.tenants.entry(tenant).or_default() |=
                        !path.ends_with(TENANT_CONF) || path.is_symlink();
                }
            }
        }
        if let Some(root) = &root {
            root_changed |= path == root;
            due.add_entry_of(root, path);
        }
    }
    if root_changed {
        watcher.arm(&WatchKey::Root, true);
        due.all = true;
    }
    due.rescan |= due.all;
    due
}

impl DueChecks {
    fn add_entry_of(&mut self, root: &Path, path: &Path) {
        if path.parent() != Some(root) {
            return;
        }
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
        if name.starts_with('.') {
            // `..data`: folders behind links have other files now
            self.rescan = true;
        } else if let Ok(tenant) = TenantId::parse(name)
            && tenant.as_str() == name
        {
            self.names.insert(tenant);
        }
    }
}
