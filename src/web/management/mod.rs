//! The management API: WSO2's identity governance and tenant configuration, for administrators. `handle` shows the steps.

mod access;
mod body;
mod budget;
mod credential_locks;
mod credentials;
mod error;
mod etag;
mod governance;
mod openapi;
mod principal;
mod route;
mod tenant_config;

use std::sync::Arc;

use axum::{Router, body::Body, extract::State};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use tracing::Instrument as _;

use self::{
    budget::ChangeBudgets,
    credential_locks::CredentialLocks,
    error::ApiProblem,
    principal::{Authentication, Principal},
    route::ApiAction,
};
use crate::{
    account::LoginService,
    clock::Clock,
    config::Settings,
    domain::{audit::Actor, tenant::TenantId},
    governance::{AuditTrail, GovernanceService},
    http::media_type,
    tenants::TenantRegistry,
    token::Verifier,
    web_context::{ApiActor, ApiContext},
};

/// The services that the API uses.
pub struct ManagementServices {
    pub clock: Clock,
    pub login: LoginService,
    pub governance: GovernanceService,
    pub audit: AuditTrail,
    pub tokens: Arc<Verifier>,
    pub tenants: Arc<TenantRegistry>,
}

/// Shared state of the API.
#[derive(Clone)]
pub struct ManagementState(Arc<ManagementParts>);

struct ManagementParts {
    services: ManagementServices,
    credential_locks: CredentialLocks,
    budgets: ChangeBudgets,
    /// Files are written one at a time.
    write_lock: tokio::sync::Mutex<()>,
}

impl ManagementState {
    pub fn new(services: ManagementServices) -> Self {
        Self(Arc::new(ManagementParts {
            services,
            credential_locks: CredentialLocks::new(),
            budgets: ChangeBudgets::default(),
            write_lock: tokio::sync::Mutex::default(),
        }))
    }
}

/// A service for every request to the API. It reads a `web_context::ApiContext` from the request's extensions and leaves a
/// `web_context::ApiActor` in the answer's.
pub fn router(state: ManagementState) -> Router {
    Router::new().fallback(handle).with_state(state)
}

/// An authorised request: its principal, target tenant and settings.
struct ApiRequest {
    parts: ManagementState,
    settings: Arc<Settings>,
    context: ApiContext,
    principal: Principal,
    tenant: TenantId,
    headers: HeaderMap,
    query: String,
}

impl ApiRequest {
    /// Takes bytes of the audit records out of the budget of the caller's tenant, before anything is changed.
    fn spend_audit_bytes(&self, bytes: usize) -> Result<(), ApiProblem> {
        let budget = self.settings.management.budget;
        self.parts.0.budgets.spend_audit_bytes(
            &self.principal.tenant,
            bytes,
            budget,
            self.parts.0.services.clock.now(),
        )
    }

    /// The actor of the audit record.
    fn actor(&self) -> Actor {
        Actor {
            name: self.principal.name.clone(),
            tenant: Some(self.principal.tenant.clone()),
            credential: self.principal.proof.clone(),
            address: Some(self.context.address.ip),
            request_id: Some(self.context.request_id.clone()),
        }
    }
}

async fn handle(State(state): State<ManagementState>, request: Request<Body>) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let Some(context) = parts.extensions.remove::<ApiContext>() else {
        return ApiProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "Unexpected error.", "").into_response("");
    };
    let request_id = context.request_id.clone();
    let is_head = parts.method == Method::HEAD;
    let mut actor_log = ApiActor { user: None, tenant: None };
    // log lines of sign-ins and changes carry the request id
    let span = tracing::error_span!("request", request_id);
    let answer = respond(state, context, parts, body, &mut actor_log).instrument(span).await;
    let mut response = answer.unwrap_or_else(|problem| problem.into_response(&request_id));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.extensions_mut().insert(actor_log);
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn respond(
    state: ManagementState,
    context: ApiContext,
    parts: http::request::Parts,
    body: Body,
    actor_log: &mut ApiActor,
) -> Result<Response<Body>, ApiProblem> {
    // ── validation: unambiguous, confidential, and not sent by a web page
    let named = context.named_tenant.clone().map_err(|invalid| {
        match ApiAction::find(&parts.method, parts.uri.path()) {
            // an unknown method gets the list of allowed methods as well
            Err(not_allowed) if invalid.status == StatusCode::METHOD_NOT_ALLOWED => not_allowed,
            _ if invalid.status == StatusCode::TOO_MANY_REQUESTS => {
                ApiProblem::new(invalid.status, "Too many requests.", invalid.detail)
            }
            _ => ApiProblem::new(invalid.status, "Invalid request.", invalid.detail),
        }
    })?;
    let settings = state.0.services.tenants.settings();
    access::check_network(&context, &settings)?;
    if let Some(document) = openapi::document_for(&parts.method, parts.uri.path()) {
        return Ok(json_response(document));
    }
    access::check_transport(&context, &settings, &parts.headers)?;

    // ── authentication, before anything about resources is disclosed
    let now = state.0.services.clock.now();
    let authentication_tenant = access::authentication_tenant(&state.0, &settings, named.as_ref()).await?;
    let authentication = Authentication {
        parts: &state.0,
        context: &context,
        tenant: &authentication_tenant,
        settings: &settings,
        now,
    };
    let principal = authentication.authenticate(&parts.headers).await?;
    actor_log.user = Some(format!("{}@{}", principal.name, principal.tenant));

    // ── authorisation
    let action = ApiAction::find(&parts.method, parts.uri.path())?;
    let tenant = access::target_tenant(&action, named, &principal, &settings);
    principal.require_scope(action.required_scope())?;
    access::check_tenant_access(&principal, &tenant)?;
    actor_log.tenant = Some(tenant.clone());
    access::check_tenant_exists(&state.0, &tenant).await?;
    if action.is_change() && settings.management.read_only {
        return Err(access::read_only());
    }

    // ── response
    if action.is_change() {
        state.0.budgets.spend_change(&principal.tenant, settings.management.budget, now)?;
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let request =
        ApiRequest { parts: state, settings, context, principal, tenant, headers: parts.headers, query };
    if !action.is_change() {
        return perform(request, action, body).await;
    }
    // runs to its end even if the client disconnects: a change is always applied and recorded
    let done = tokio::spawn(perform(request, action, body).in_current_span()).await;
    done.unwrap_or_else(|_| Err(ApiProblem::unavailable()))
}

async fn perform(request: ApiRequest, action: ApiAction, body: Body) -> Result<Response<Body>, ApiProblem> {
    match action {
        ApiAction::ShowTenantConfig => tenant_config::show(&request).await,
        ApiAction::ReplaceTenantConfig => tenant_config::replace(&request, body).await,
        ApiAction::ShowTenantConfigSchema => Ok(tenant_config::schema()),
        ApiAction::ListCategories => governance::list_categories(&request).await,
        ApiAction::ShowCategory(id) => governance::show_category(&request, &id).await,
        ApiAction::ListConnectors(id) => governance::list_connectors(&request, &id).await,
        ApiAction::ChangeConnectors(id) => governance::change_connectors(&request, &id, body).await,
        ApiAction::Revert(category) => governance::revert(&request, &category, body).await,
        ApiAction::ShowConnector(category, id) => governance::show_connector(&request, &category, &id).await,
        ApiAction::ChangeConnector(category, id) => {
            governance::change_connector(&request, &category, &id, body).await
        }
        ApiAction::Preferences => governance::preferences(&request, body).await,
    }
}

/// An answer with a body of JSON.
fn json_response(text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
    response
}
