//! The management API: WSO2's identity governance and tenant configuration, for administrators. `handle` shows the steps.

mod access;
mod body;
mod budget;
mod credentials;
mod error;
mod etag;
mod governance;
mod openapi;
mod principal;
mod route;
mod tenant_config;
mod turns;

use std::sync::Arc;

use axum::{Router, body::Body, extract::State};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use tracing::Instrument as _;

use self::{budget::Budgets, error::Problem, principal::Principal, route::Action, turns::Turns};
use crate::{
    account::Doors,
    clock,
    config::{Settings, TenantDirectory},
    domain::{audit::Actor, tenant::TenantId},
    token::Verifier,
    visit::{Acted, Call},
};

/// What the API is made of.
#[derive(Clone)]
pub struct Site(Arc<Parts>);

struct Parts {
    doors: Doors,
    tokens: Arc<Verifier>,
    tenants: Arc<TenantDirectory>,
    turns: Turns,
    budgets: Budgets,
    /// Files are written one at a time.
    writing: tokio::sync::Mutex<()>,
}

impl Site {
    pub fn new(doors: Doors, tokens: Arc<Verifier>, tenants: Arc<TenantDirectory>) -> Self {
        let turns = Turns::default();
        let budgets = Budgets::default();
        let writing = tokio::sync::Mutex::default();
        Self(Arc::new(Parts { doors, tokens, tenants, turns, budgets, writing }))
    }
}

/// A service for every request to the API. It reads a `visit::Call` from the request's extensions and leaves a
/// `visit::Acted` in the answer's.
pub fn router(site: Site) -> Router {
    Router::new().fallback(handle).with_state(site)
}

/// A request that may be answered: who asks, about which tenant, under which settings.
struct Ask {
    site: Site,
    settings: Arc<Settings>,
    call: Call,
    principal: Principal,
    tenant: TenantId,
    headers: HeaderMap,
    query: String,
}

impl Ask {
    /// Takes bytes of the audit records out of the budget of the caller's tenant, before anything is changed.
    fn spend_audit_bytes(&self, bytes: usize) -> Result<(), Problem> {
        let budget = self.settings.management.budget;
        self.site.0.budgets.spend_bytes(&self.principal.tenant, bytes, budget, clock::millis())
    }

    /// For the record of what was done.
    fn actor(&self) -> Actor {
        Actor {
            name: self.principal.name.clone(),
            tenant: Some(self.principal.tenant.clone()),
            proof: self.principal.proof.clone(),
            address: Some(self.call.address.ip),
            request_id: Some(self.call.request_id.clone()),
        }
    }
}

async fn handle(State(site): State<Site>, request: Request<Body>) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let Some(call) = parts.extensions.remove::<Call>() else {
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Unexpected error.", "").into_response("");
    };
    let request_id = call.request_id.clone();
    let is_head = parts.method == Method::HEAD;
    let mut acted = Acted { user: None, tenant: None };
    // what is logged of a sign-in and of a change names the request, whichever lines are logged
    let span = tracing::error_span!("request", request_id);
    let answer = answer(site, call, parts, body, &mut acted).instrument(span).await;
    let mut response = answer.unwrap_or_else(|problem| problem.into_response(&request_id));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.extensions_mut().insert(acted);
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn answer(
    site: Site,
    call: Call,
    parts: http::request::Parts,
    body: Body,
    acted: &mut Acted,
) -> Result<Response<Body>, Problem> {
    // ── a request with one meaning, that nobody could read on its way, and that no web page sent
    let named = call.named.clone().map_err(|why| match Action::find(&parts.method, parts.uri.path()) {
        // also a method that nobody serves is told those that are served here
        Err(not_allowed) if why.status == StatusCode::METHOD_NOT_ALLOWED => not_allowed,
        _ if why.status == StatusCode::TOO_MANY_REQUESTS => {
            Problem::new(why.status, "Too many requests.", why.detail)
        }
        _ => Problem::new(why.status, "Invalid request.", why.detail),
    })?;
    let settings = site.0.tenants.settings();
    access::is_from_allowed_network(&call, &settings)?;
    if let Some(document) = openapi::asked_for(&parts.method, parts.uri.path()) {
        return Ok(json(document));
    }
    access::is_safe(&call, &settings, &parts.headers)?;

    // ── who asks: before anything is said about what there is
    let now = clock::millis();
    let door = access::door(&site.0, &settings, named.as_ref()).await?;
    let principal = principal::authenticate(&site.0, &call, &door, &parts.headers, &settings, now).await?;
    acted.user = Some(format!("{}@{}", principal.name, principal.tenant));

    // ── what is asked for, and whether this caller may
    let action = Action::find(&parts.method, parts.uri.path())?;
    let tenant = access::tenant(&action, named, &principal, &settings);
    principal.needs(action.scope())?;
    access::is_own(&principal, &tenant)?;
    acted.tenant = Some(tenant.clone());
    access::look_up(&site.0, &tenant).await?;
    if action.changes() && settings.management.read_only {
        return Err(access::read_only());
    }

    // ── the answer
    if action.changes() {
        site.0.budgets.spend_change(&principal.tenant, settings.management.budget, now)?;
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let ask = Ask { site, settings, call, principal, tenant, headers: parts.headers, query };
    if !action.changes() {
        return perform(ask, action, body).await;
    }
    // to its end, also when the caller has hung up: what has been changed comes into force and on record
    let done = tokio::spawn(perform(ask, action, body).in_current_span()).await;
    done.unwrap_or_else(|_| Err(Problem::unavailable()))
}

async fn perform(ask: Ask, action: Action, body: Body) -> Result<Response<Body>, Problem> {
    match action {
        Action::ShowTenantConfig => tenant_config::show(&ask).await,
        Action::ReplaceTenantConfig => tenant_config::replace(&ask, body).await,
        Action::ShowTenantConfigSchema => Ok(tenant_config::schema()),
        Action::ListCategories => governance::list_categories(&ask).await,
        Action::ShowCategory(id) => governance::show_category(&ask, &id).await,
        Action::ListConnectors(id) => governance::list_connectors(&ask, &id).await,
        Action::ChangeConnectors(id) => governance::change_connectors(&ask, &id, body).await,
        Action::Revert(category) => governance::revert(&ask, &category, body).await,
        Action::ShowConnector(category, id) => governance::show_connector(&ask, &category, &id).await,
        Action::ChangeConnector(category, id) => {
            governance::change_connector(&ask, &category, &id, body).await
        }
        Action::Preferences => governance::preferences(&ask, body).await,
    }
}

/// An answer with a body of JSON.
fn json(text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
