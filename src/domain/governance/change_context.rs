//! The circumstances of a change by an administrator.

use crate::domain::{audit::Actor, tenant::TenantId};

/// Who changes the settings of which tenant, when, and based on which version.
#[derive(Debug, Clone, Copy)]
pub struct ChangeContext<'a> {
    pub tenant: &'a TenantId,
    /// The version that the change is based on; `None`: any.
    pub expected_version: Option<u64>,
    pub actor: &'a Actor,
    /// In milliseconds since the epoch.
    pub now: u64,
}
