//! File events: folders are watched, never files, and every event is only a hint to check again.
//!
//! `FileWatcher` is the watcher of the tenants' folders and, through `watch_files`, of the files that `deployment.toml` names.

mod content_watcher;
mod file_watcher;
mod mounts;
mod path_watcher;
mod symlink_chain;

#[cfg(test)]
pub use self::file_watcher::WatchHealth;
pub use self::{
    content_watcher::{ContentWatcher, watch_files},
    file_watcher::{AffectedKeys, DEBOUNCE, FileWatcher, STABILITY_DELAY},
    mounts::single_file_mounts,
    path_watcher::FileEvent,
    symlink_chain::SymlinkChain,
};
