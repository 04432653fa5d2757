//! The commands of the registry's actor.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{index::HostsClaimed, watch::FileEvent};
use crate::domain::tenant::TenantId;

#[derive(Debug)]
pub enum RegistryCommand {
    /// A report of the file watcher.
    FileEvent(FileEvent),
    /// The tenant is no longer in the cache.
    TenantEvicted(TenantId),
    /// The folder of this tenant was created, changed or removed.
    FolderChanged(TenantId),
    /// A tenant's file was read.
    HostsClaimed(HostsClaimed),
    /// New settings are in force.
    SettingsReplaced,
    /// Read all files, even those with unchanged metadata.
    RereadFiles,
}

#[derive(Debug, Clone)]
pub struct CommandSender(UnboundedSender<RegistryCommand>);

impl CommandSender {
    pub fn send(&self, command: RegistryCommand) {
        // fails only while everything is being dropped
        let _ = self.0.send(command);
    }
}

pub fn command_channel() -> (CommandSender, UnboundedReceiver<RegistryCommand>) {
    let (sender, receiver) = unbounded_channel();
    (CommandSender(sender), receiver)
}
