//! The circumstances of a change by an administrator.

use crate::domain::{audit::Actor, tenant::TenantId, time::Timestamp};

/// The tenant, actor, time and expected version of a change of settings.
#[derive(Debug, Clone, Copy)]
pub struct ChangeContext<'a> {
    pub tenant: &'a TenantId,
    /// The version that the change is based on; `None`: any.
    pub expected_version: Option<u64>,
    pub actor: &'a Actor,
    pub now: Timestamp,
}
