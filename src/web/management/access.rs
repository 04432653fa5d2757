//! The target tenant of a request, and the checks before it is processed.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, header};

use super::{ManagementParts, error::ApiProblem, principal::Principal, route::ApiAction};
use crate::{
    config::{Settings, TenantPolicy},
    domain::tenant::TenantId,
    tenants::TenantLookup,
    web_context::ApiContext,
};

/// The tenant whose policy applies to authentication: its lockout rules and accepted issuers.
pub struct AuthenticationTenant {
    pub policy: Arc<TenantPolicy>,
    /// The requested tenant, if it does not exist.
    unknown_tenant: Option<TenantId>,
}

impl AuthenticationTenant {
    /// Qualifies a bare name with the requested tenant if that does not exist. Otherwise an account of the same name in the
    /// default tenant would authenticate, and could find out which tenants exist.
    pub fn qualified_login(&self, login: &str) -> String {
        match &self.unknown_tenant {
            Some(tenant) if !login.contains('@') => format!("{login}@{tenant}"),
            _ => login.to_owned(),
        }
    }
}

pub async fn authentication_tenant(
    parts: &ManagementParts,
    settings: &Settings,
    requested: Option<&TenantId>,
) -> Result<AuthenticationTenant, ApiProblem> {
    let default = &settings.tenancy.default_tenant;
    if let TenantLookup::Tenant(policy) = parts.services.tenants.load(requested.unwrap_or(default)).await {
        return Ok(AuthenticationTenant { policy, unknown_tenant: None });
    }
    match parts.services.tenants.load(default).await {
        TenantLookup::Tenant(policy) => {
            Ok(AuthenticationTenant { policy, unknown_tenant: requested.cloned() })
        }
        // it always exists
        TenantLookup::Unknown => Err(ApiProblem::unavailable()),
    }
}

/// The tenant a request is about: the one it names; otherwise, as in WSO2, the default one for governance and the caller's
/// own for its configuration.
pub fn target_tenant(
    action: &ApiAction,
    named: Option<TenantId>,
    principal: &Principal,
    settings: &Settings,
) -> TenantId {
    named.unwrap_or_else(|| {
        if action.is_about_callers_tenant() {
            principal.tenant.clone()
        } else {
            settings.tenancy.default_tenant.clone()
        }
    })
}

pub fn check_tenant_access(principal: &Principal, tenant: &TenantId) -> Result<(), ApiProblem> {
    if principal.has_access_to(tenant) {
        return Ok(());
    }
    Err(ApiProblem::new(
        StatusCode::FORBIDDEN,
        "Operation not permitted.",
        format!("You may see and change the tenant {} only: ask below /t/{0}/.", principal.tenant),
    ))
}

/// Called after the caller's access to the tenant was checked, so that 404 discloses no tenant.
pub async fn check_tenant_exists(parts: &ManagementParts, tenant: &TenantId) -> Result<(), ApiProblem> {
    match parts.services.tenants.load(tenant).await {
        TenantLookup::Tenant(_) => Ok(()),
        TenantLookup::Unknown => Err(tenant_not_found(tenant)),
    }
}

pub fn tenant_not_found(tenant: &TenantId) -> ApiProblem {
    ApiProblem::new(StatusCode::NOT_FOUND, "Tenant not found.", format!("There is no tenant {tenant}."))
}

pub fn check_transport(
    context: &ApiContext,
    settings: &Settings,
    headers: &HeaderMap,
) -> Result<(), ApiProblem> {
    if !context.is_confidential && !settings.management.clear_text {
        return Err(ApiProblem::new(
            StatusCode::FORBIDDEN,
            "Encryption needed.",
            "Passwords and tokens must not travel in clear text: use https, have the proxy before Doorward listed in \
             server.trusted_proxies, or write management.clear_text = true.",
        ));
    }
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    if origin.is_some_and(|origin| !context.own_origins.iter().any(|own| own == origin)) {
        return Err(cross_site_refused());
    }
    // browsers send cached Basic credentials with the requests of any page
    let site = headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    if matches!(site, Some(b"cross-site" | b"same-site")) {
        return Err(cross_site_refused());
    }
    Ok(())
}

fn cross_site_refused() -> ApiProblem {
    ApiProblem::new(
        StatusCode::FORBIDDEN,
        "Operation not permitted.",
        "This is not for pages of other web sites.",
    )
}

/// Checked before credentials are, so that other networks cannot count against an account.
pub fn check_network(context: &ApiContext, settings: &Settings) -> Result<(), ApiProblem> {
    if settings.management.allows_address(context.address.ip) {
        return Ok(());
    }
    Err(ApiProblem::new(
        StatusCode::FORBIDDEN,
        "Operation not permitted.",
        "Requests from this network are not allowed (management.allow).",
    ))
}

pub fn read_only() -> ApiProblem {
    ApiProblem::new(
        StatusCode::FORBIDDEN,
        "Read-only.",
        "Nothing can be changed here: management.read_only is set, the files of Doorward's configuration say what is in \
         force.",
    )
}
