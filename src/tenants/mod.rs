//! Tenant registry: one policy per tenant, cached with a TTL, refreshed when its file changes; the last good one is retained.
//!
//! A look-up goes from `registry` to `policy_cache`, and on a miss to `loader`, which reads (`tenant_folder`) and decides
//! (`evaluate`, `tenant_state`). `actor` applies everything that happens without a request: file events (`watch`,
//! `tenant_watch`), polls, new settings, and the index of host names (`index`). `command` defines its commands.

mod actor;
mod command;
mod evaluate;
mod index;
mod loader;
mod override_map;
mod policy_cache;
mod registry;
mod reload_report;
mod sources;
mod tenant_folder;
mod tenant_state;
mod tenant_watch;
#[cfg(test)]
mod tests;
pub mod watch;
pub mod writer;

pub use self::{
    index::HostLookup, policy_cache::TenantLookup, registry::TenantRegistry, tenant_folder::folder_of,
};
pub use crate::config::tenant_file::TENANT_CONF;
