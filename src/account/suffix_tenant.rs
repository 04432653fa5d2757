//! The tenant that a login name such as `alex@acme.com` may name.

use std::sync::Arc;

use crate::{
    config::TenantPolicy,
    domain::{account::LoginName, tenant::TenantId},
    tenants::{TenantLookup, TenantRegistry},
};

/// A login name as a tenant reads it.
pub(super) struct ParsedLogin<'a> {
    pub name: LoginName,
    requested: &'a Arc<TenantPolicy>,
    other: Option<Arc<TenantPolicy>>,
}

impl ParsedLogin<'_> {
    /// The policy of the tenant to which the name, or its account, belongs.
    pub fn policy_of(&self, tenant: &TenantId) -> &Arc<TenantPolicy> {
        self.other.as_ref().filter(|other| other.tenant == *tenant).unwrap_or(self.requested)
    }
}

/// `None`: not a valid name.
pub(super) async fn parse_login<'a>(
    tenants: &TenantRegistry,
    login: &str,
    requested: &'a Arc<TenantPolicy>,
) -> Option<ParsedLogin<'a>> {
    let other = suffix_tenant(tenants, login, &requested.tenant).await;
    let is_known = |tenant: &TenantId| other.as_ref().is_some_and(|other| other.tenant == *tenant);
    let name = LoginName::parse(login, &requested.tenant, is_known).ok()?;
    Some(ParsedLogin { name, requested, other })
}

/// The policy of the tenant after the last `@`, if it exists and is not the requested one.
pub async fn suffix_tenant(
    tenants: &TenantRegistry,
    login: &str,
    requested: &TenantId,
) -> Option<Arc<TenantPolicy>> {
    let (_, suffix) = login.trim().rsplit_once('@')?;
    let tenant = TenantId::parse(suffix).ok().filter(|tenant| tenant != requested)?;
    match tenants.load(&tenant).await {
        TenantLookup::Tenant(policy) => Some(policy),
        TenantLookup::Unknown => None,
    }
}
