//! The tenant that a login name such as `alex@acme.com` may name.

use std::sync::Arc;

use crate::{
    config::TenantPolicy,
    domain::tenant::TenantId,
    tenants::{TenantLookup, TenantRegistry},
};

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
