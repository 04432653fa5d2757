//! Step 3: the tenant that a request names, and the policy of a tenant.

use std::sync::Arc;

use http::{StatusCode, header, request::Parts};

use super::{
    ProxyState,
    forwarded::ResolvedClient,
    host_index_wait::wait_until,
    overload::Overload,
    refusal::Refusal,
    tenant_selection::{self, TenantSelectionError},
};
use crate::{
    config::{Settings, TenantPolicy, hosts},
    domain::tenant::{RequestedTenant, TenantId, TenantSource},
    tenants::{HostLookup, TenantLookup},
};

pub async fn find_policy(state: &ProxyState, tenant: &TenantId) -> Option<Arc<TenantPolicy>> {
    let found = match state.tenants.cached(tenant) {
        Some(found) => found,
        None => Box::pin(state.tenants.load(tenant)).await,
    };
    match found {
        TenantLookup::Tenant(policy) => Some(policy),
        TenantLookup::Unknown => None,
    }
}

/// `None`: neither the request nor its host names a tenant. `may_name`: not only the host may.
pub async fn find_requested_tenant(
    state: &ProxyState,
    settings: &Settings,
    client: &ResolvedClient,
    parts: &Parts,
    may_name: bool,
) -> Result<Option<TenantId>, Refusal> {
    // the portal sees `Host`, whatever a trusted proxy reports: both must select the same tenant
    let forwarded = client.host.as_deref();
    let sent = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let mut by_host: Option<RequestedTenant> = None;
    for (host, source) in [(forwarded, TenantSource::ForwardedHost), (sent, TenantSource::Host)] {
        let Some(host) = host else { continue };
        let found = tenant_by_host(state, host).await?.map(|tenant| RequestedTenant { tenant, source });
        if found.is_none() && !hosts::is_allowed(settings, host) {
            return Err(Refusal::Invalid {
                status: StatusCode::MISDIRECTED_REQUEST,
                detail: "this server does not serve this host",
            });
        }
        match (found, by_host.take()) {
            (Some(second), Some(first)) if first.tenant != second.tenant => {
                return Err(Refusal::TenantConflict(first, second));
            }
            (one, other) => by_host = one.or(other),
        }
    }
    if !may_name {
        return Ok(by_host.map(|named| named.tenant));
    }
    Ok(tenant_selection::select_tenant(parts.uri.path(), parts.uri.query(), &parts.headers, by_host)?)
}

async fn tenant_by_host(state: &ProxyState, host: &str) -> Result<Option<TenantId>, Refusal> {
    let mut found = state.tenants.find_by_host(host);
    // just after the start the tenants' files are still being read for the host names they claim; afterwards no request
    // waits: a host that a broken file may claim stays unresolved until that file is fixed
    if found == HostLookup::IndexNotReady && !state.tenants.is_index_ready() {
        Box::pin(wait_until(|| state.tenants.is_index_ready())).await;
        found = state.tenants.find_by_host(host);
    }
    match found {
        HostLookup::Tenant(tenant) => Ok(Some(tenant)),
        HostLookup::NoTenant => Ok(None),
        HostLookup::Conflict => Err(Refusal::BadRequest("two tenants claim this host name")),
        // a tenant that is not indexed yet may claim it, and no request may be evaluated under the wrong policy
        HostLookup::IndexNotReady => Err(Refusal::Overloaded(Overload::HostIndex)),
    }
}

impl From<TenantSelectionError> for Refusal {
    fn from(error: TenantSelectionError) -> Self {
        match error {
            TenantSelectionError::Conflict { first, second } => Self::TenantConflict(first, second),
            TenantSelectionError::Invalid => Self::BadRequest("the request names a tenant that cannot exist"),
        }
    }
}
