//! Requests to the management API, at its own listener and at the public ones. `web` responds to them; this module
//! collects the context of the request. Cookies are removed: no browser session may authenticate here.

use std::net::IpAddr;

use http::{HeaderMap, Request, Response, StatusCode, header, request::Parts};
use tower::ServiceExt;

use super::{
    ProxyState, admission,
    authenticate::own_origins,
    body::ResponseBody,
    context::RequestContext,
    exchange::Exchange,
    own_page::BODY_IDLE_TIMEOUT,
    refusal::Refusal,
    request_body::{ArrivingBody, ClientBody, RequestBody},
    tenant_selection,
    upload_watch::UploadLimits,
    validation,
};
use crate::{
    domain::tenant::TenantId,
    telemetry::{access_log::AccessLogEntry, metrics::RequestOutcome},
    web_context::{ApiActor, ApiContext, InvalidRequest},
};

/// Steps 2 to 4 at the API's own listener, where each path is the API's and no host name selects a tenant.
pub fn evaluate(
    exchange: &Exchange<'_>,
    context: &mut RequestContext,
    parts: &mut Parts,
) -> Result<Option<TenantId>, Refusal> {
    let validated = validation::validate(parts, (&exchange.settings.limits).into())?;
    validation::normalize_own_path(parts)?;
    if validated.options.has_forwarding_headers {
        admission::mark_unlisted_proxy(exchange.state(), exchange.settings, context);
    }
    Ok(tenant_selection::select_tenant(parts.uri.path(), parts.uri.query(), &parts.headers, None)?)
}

/// Step 7.
pub async fn respond(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    named_tenant: &Result<Option<TenantId>, Refusal>,
    mut parts: Parts,
    body: ArrivingBody,
) -> (RequestOutcome, Response<ResponseBody>) {
    let state = exchange.state();
    let Some(router) = state.management_api.clone() else {
        let mut closed = Response::new(ResponseBody::empty());
        *closed.status_mut() = StatusCode::NOT_FOUND;
        return (RequestOutcome::local, closed);
    };
    let api_context = api_context(exchange, context, named_tenant, &parts.headers);
    parts.headers.remove(header::COOKIE);
    parts.extensions.insert(api_context);
    let body = RequestBody::new(
        ClientBody::Arriving(body),
        parts.version,
        exchange.connection,
        UploadLimits::idle_only(BODY_IDLE_TIMEOUT),
    );
    let request = Request::from_parts(parts, axum::body::Body::new(body));
    let mut response = match router.oneshot(request).await {
        Ok(response) => response.map(ResponseBody::local),
        Err(never) => match never {},
    };
    if let Err(refusal) = named_tenant {
        count_limit(state, refusal, &mut response);
    }
    (outcome_of(response.status()), response)
}

/// Copies the actor into the access log entry.
pub fn record_actor(entry: &mut AccessLogEntry, response: &Response<ResponseBody>) {
    let Some(actor) = response.extensions().get::<ApiActor>() else { return };
    entry.user.clone_from(&actor.user);
    entry.tenant = actor.tenant.as_ref().map(ToString::to_string);
}

/// Counts the limit that a refused request has reached, and sets `Retry-After`.
fn count_limit(state: &ProxyState, refusal: &Refusal, response: &mut Response<ResponseBody>) {
    if let Refusal::ClientLimit { limit, .. } = refusal {
        state.metrics.client_limit(*limit).inc();
    }
    if let Some(wait) = refusal.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, wait);
    }
}

fn outcome_of(status: StatusCode) -> RequestOutcome {
    match status {
        StatusCode::UNAUTHORIZED => RequestOutcome::unauthorized,
        StatusCode::FORBIDDEN => RequestOutcome::forbidden,
        StatusCode::BAD_REQUEST => RequestOutcome::bad_request,
        StatusCode::SERVICE_UNAVAILABLE => RequestOutcome::unavailable,
        StatusCode::TOO_MANY_REQUESTS => RequestOutcome::limited,
        _ => RequestOutcome::local,
    }
}

fn api_context(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    named_tenant: &Result<Option<TenantId>, Refusal>,
    headers: &HeaderMap,
) -> ApiContext {
    let is_loopback = |address: IpAddr| address.is_loopback();
    let client = &context.client;
    ApiContext {
        address: context.address,
        is_confidential: client.https || (is_loopback(client.address) && is_loopback(context.peer)),
        own_origins: own_origins(exchange.state(), exchange.settings, client, headers),
        request_id: context.request_id().to_owned(),
        named_tenant: named_tenant.as_ref().cloned().map_err(invalid_request),
    }
}

fn invalid_request(refusal: &Refusal) -> InvalidRequest {
    let status = match refusal {
        // an API is not redirected: its client would send the credentials in cleartext each time
        Refusal::HttpsNeeded { .. } => StatusCode::FORBIDDEN,
        refusal => refusal.status(),
    };
    InvalidRequest { status, detail: refusal.detail() }
}
