//! `tenant-conf.json`: WSO2's file, accepted as it is. Two keys are ours to read: `EnableAnonymous` (WSO2's own) and the
//! strict object `Doorward`.

use std::{path::Path, sync::Arc};

use super::{
    mistake::Mistake,
    model::{Settings, TenantPolicy},
};
use crate::domain::tenant::TenantId;

/// What one tenant's file says, parsed and checked, not yet merged with `deployment.toml`.
#[derive(Debug, Clone, Default)]
pub struct TenantConf {
    pub anonymous: Option<bool>,
    /// Host names that mean this tenant (lower case, no port).
    pub hosts: Vec<String>,
}

/// Parses the text of a tenant's file; `file` is only for the mistakes.
pub fn parse(_text: &str, _file: &Path) -> Result<TenantConf, Vec<Mistake>> {
    Ok(TenantConf::default())
}

/// Merges: the tenant's own word over `deployment.toml`. Never fails: what could fail was checked in `parse`.
pub fn resolve(
    _settings: &Settings,
    _tenant: &TenantId,
    _conf: &TenantConf,
    _generation: u64,
) -> TenantPolicy {
    std::process::abort() // skeleton
}

/// The policy of a tenant whose file cannot be read and that has no last good one: nobody comes in but by a token of
/// `deployment.toml`'s issuers, and only what sign-in needs is open.
pub fn closed(
    _settings: &Settings,
    _tenant: &TenantId,
    _problem: Mistake,
    _generation: u64,
) -> Arc<TenantPolicy> {
    std::process::abort() // skeleton
}
