//! The file descriptors this process may open, and how many are kept for other uses than client connections.

use rustix::process::{Resource, getrlimit};

use super::model::{AccountSettings, ManagementSettings, PortalSettings, ServerSettings};
use crate::domain::descriptors::Descriptors;

/// Probes and scrapes at the private port, files that are read or written, connections to issuers, standard streams.
const RESERVED_ALWAYS: usize = 96;
/// Of each worker: its event queue, its wake-up, its handles of the listeners come on top.
const PER_WORKER: usize = 4;
/// A SQLite connection has the file, its log and its index open.
const PER_STORE_CONNECTION: usize = 3;
/// Administrators' connections at a time, beside those of `limits.max_connections`.
pub const MANAGEMENT_CONNECTIONS: usize = 500;

/// Without upgrades, which `[limits]` adds.
pub fn descriptors(
    server: &ServerSettings,
    portal: &PortalSettings,
    accounts: &AccountSettings,
    management: &ManagementSettings,
) -> Descriptors {
    let listeners = server.listen.len()
        + server.tls.as_ref().map_or(0, |tls| tls.listen.len())
        + usize::from(management.listen.is_some());
    let store =
        if accounts.enabled { accounts.store.max_connections as usize * PER_STORE_CONNECTION } else { 0 };
    let administrators = if management.listen.is_some() { MANAGEMENT_CONNECTIONS } else { 0 };
    let hard = getrlimit(Resource::Nofile).maximum;
    Descriptors {
        available: hard.and_then(|hard| usize::try_from(hard).ok()).unwrap_or(usize::MAX),
        reserved: RESERVED_ALWAYS
            + server.workers * (PER_WORKER + listeners)
            + listeners
            + store
            + administrators,
        upstream: portal.upstreams.iter().map(|upstream| upstream.max_connections).sum(),
        upgrades: 0,
    }
}
