//! Whom a request is about, and what is refused before it is answered.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, header};

use super::{Parts, error::Problem, principal::Principal, route::Action};
use crate::{
    config::{Settings, TenantPolicy, directory::Found},
    domain::tenant::TenantId,
    visit::Call,
};

/// The door somebody stands at: its policy says how strict it is and whose tokens count.
pub struct Door {
    pub policy: Arc<TenantPolicy>,
    /// The tenant that was named, where there is none of that name.
    nowhere: Option<TenantId>,
}

impl Door {
    /// A bare name means somebody of the tenant that was asked for. Where that does not exist, nobody: not the one of that
    /// name in another tenant, who would see by it which tenants there are.
    pub fn login(&self, login: &str) -> String {
        match &self.nowhere {
            Some(tenant) if !login.contains('@') => format!("{login}@{tenant}"),
            _ => login.to_owned(),
        }
    }
}

pub async fn door(site: &Parts, settings: &Settings, named: Option<&TenantId>) -> Result<Door, Problem> {
    let default = &settings.tenancy.default_tenant;
    if let Found::Tenant(policy) = site.tenants.load(named.unwrap_or(default)).await {
        return Ok(Door { policy, nowhere: None });
    }
    match site.tenants.load(default).await {
        Found::Tenant(policy) => Ok(Door { policy, nowhere: named.cloned() }),
        // it always exists
        Found::Unknown => Err(Problem::unavailable()),
    }
}

/// The tenant a request is about: the one it names; otherwise, as in WSO2, the default one for governance and the caller's
/// own for its configuration.
pub fn tenant(
    action: &Action,
    named: Option<TenantId>,
    principal: &Principal,
    settings: &Settings,
) -> TenantId {
    named.unwrap_or_else(|| {
        if action.is_of_caller() { principal.tenant.clone() } else { settings.tenancy.default_tenant.clone() }
    })
}

pub fn is_own(principal: &Principal, tenant: &TenantId) -> Result<(), Problem> {
    if principal.may_see(tenant) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "Operation not permitted.",
        format!("You may see and change the tenant {} only: ask below /t/{0}/.", principal.tenant),
    ))
}

/// Said only to who may see the tenant, if there were one.
pub async fn look_up(site: &Parts, tenant: &TenantId) -> Result<Arc<TenantPolicy>, Problem> {
    match site.tenants.load(tenant).await {
        Found::Tenant(policy) => Ok(policy),
        Found::Unknown => Err(no_tenant(tenant)),
    }
}

pub fn no_tenant(tenant: &TenantId) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "Tenant not found.", format!("There is no tenant {tenant}."))
}

pub fn is_safe(call: &Call, settings: &Settings, headers: &HeaderMap) -> Result<(), Problem> {
    if !call.is_private && !settings.management.clear_text {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Encryption needed.",
            "Passwords and tokens must not travel in clear text: use https, have the proxy before Doorward listed in \
             server.trusted_proxies, or write management.clear_text = true.",
        ));
    }
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    if origin.is_some_and(|origin| !call.own_origins.iter().any(|own| own == origin)) {
        return Err(foreign_page());
    }
    // a browser that knows the password sends it for any page that asks
    let site = headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    if matches!(site, Some(b"cross-site" | b"same-site")) {
        return Err(foreign_page());
    }
    Ok(())
}

fn foreign_page() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "Operation not permitted.",
        "This is not for pages of other web sites.",
    )
}

/// Checked before credentials are, so that other networks cannot count against an account.
pub fn is_from_allowed_network(call: &Call, settings: &Settings) -> Result<(), Problem> {
    if settings.management.allows(call.address.ip) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "Operation not permitted.",
        "Requests from this network are not allowed (management.allow).",
    ))
}

pub fn read_only() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "Read-only.",
        "Nothing can be changed here: management.read_only is set, the files of Doorward's configuration say what is in \
         force.",
    )
}
