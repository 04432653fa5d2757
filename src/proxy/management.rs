//! Requests to the management API, at its own listener and at the public ones. `web` responds to them; this module
//! collects the context of the request. Cookies are removed: no browser session may authenticate here.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use hyper::body::Incoming;
use tower::ServiceExt;

use super::{
    ClientConnection, ProxyState, Worker,
    admission::{administrator_state, admit_administrator, counted_address, report_unlisted_proxy},
    authenticate::own_origins,
    body::ResponseBody,
    evaluate::RequestContext,
    exchange::Exchange,
    forwarded::{self, ResolvedClient},
    log_entry::start_entry,
    pipeline::{BODY_IDLE_TIMEOUT, is_chunked},
    refusal::{Refusal, X_REQUEST_ID},
    request_body::{ArrivingBody, ClientBody, RequestBody},
    request_id::request_id,
    request_log::RequestRecord,
    tenant_selection,
    upload_watch::UploadLimits,
    validation,
};
use crate::{
    clock,
    config::Settings,
    domain::management,
    telemetry::{access_log::AccessLogEntry, metrics::RequestOutcome},
    web_context::{ApiActor, ApiContext, InvalidRequest},
};

/// Handles a request at the API's own listener.
pub async fn handle(
    worker: &Worker,
    connection: &Arc<ClientConnection>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let state = &*worker.state;
    let settings = state.settings.load();
    let is_chunked = is_chunked(&request);
    let exchange = Exchange { worker, connection, settings: &settings, now: clock::unix_seconds() };
    let mut record = RequestRecord::start(Arc::clone(connection), Arc::clone(&state.metrics));
    let (mut parts, body) = request.into_parts();
    let request_id = request_id(&settings, connection, &parts);
    let mut entry = state.access_log.load_full().map(|log| (start_entry(&parts, &request_id), log));
    let trusted = &settings.server.trusted_proxies;
    let client = forwarded::resolve_client(connection.peer.ip(), connection.tls, &parts.headers, trusted);
    let mut address = client.address.into();
    let peer = connection.peer.ip();
    let client_state = administrator_state(state, &settings, peer, client.address, &parts.headers);
    let refusal = match admit_administrator(state, &settings, &client_state, record.started()) {
        Ok(permit) => {
            record.hold_permit(Some(permit));
            None
        }
        Err(refusal) => Some(refusal),
    };
    let mut named = match validation::validate(&mut parts, validation::ValidationLimits::default()) {
        Ok(cleaned) => {
            address = counted_address(&settings, peer, client.address, cleaned.has_forwarding_headers);
            report_unlisted_proxy(state, &settings, peer, cleaned.has_forwarding_headers);
            tenant_selection::select_tenant(parts.uri.path(), parts.uri.query(), &parts.headers, None)
                .map_err(|error| InvalidRequest {
                    status: StatusCode::BAD_REQUEST,
                    detail: error.to_string(),
                })
        }
        Err(ambiguity) => {
            Err(InvalidRequest { status: ambiguity.status(), detail: ambiguity.detail().to_owned() })
        }
    };
    if let Some(refusal) = &refusal {
        let (status, detail) = (refusal.status(), refusal.detail());
        named = Err(InvalidRequest { status, detail });
    }
    let context = ApiContext {
        address,
        named_tenant: named,
        ..api_context(&exchange, &client, &parts.headers, &request_id)
    };
    if let Some((entry, _)) = &mut entry {
        entry.client = Some(client.address);
    }
    let (mut outcome, mut response) =
        dispatch(state, connection, context, parts, ArrivingBody::new(body)).await;
    if let Some(refusal) = &refusal {
        outcome = refusal.outcome();
        count_limit(state, refusal, &mut response);
    }
    response.headers_mut().insert(X_REQUEST_ID, request_id);
    if is_chunked {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    state.metrics.count(outcome);
    if let Some((mut entry, log)) = entry {
        entry.status = response.status().as_u16();
        entry.decision = outcome.as_str();
        record_actor(&mut entry, &response);
        if let Some(refusal) = &refusal {
            entry.reason = refusal.reason();
        }
        record.log(entry, log);
    }
    response.map(|body| body.with_record(record))
}

/// Counts the limit that a refused request has reached, and sets `Retry-After`.
fn count_limit(state: &ProxyState, refusal: &Refusal, response: &mut Response<ResponseBody>) {
    if let Refusal::ClientLimit { limit, .. } = refusal {
        state.metrics.client_limit(*limit).inc();
    }
    if let Some(seconds) = refusal.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Whether a path of a public listener belongs to the API and not to the portal.
pub fn is_public_api_path(state: &ProxyState, settings: &Settings, path: &str) -> bool {
    settings.management.public && state.management_api.is_some() && management::match_path(path).is_some()
}

/// Handles a request at a public listener, after its evaluation, which has validated the host too.
pub async fn handle_public(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    parts: Parts,
    body: ArrivingBody,
) -> (RequestOutcome, Response<ResponseBody>) {
    let invalid = |status, detail| Err(InvalidRequest { status, detail });
    let named = match (&context.verdict, &context.named_tenant) {
        // no tenant was determined
        (Err(refusal @ Refusal::Invalid { .. }), _) => invalid(refusal.status(), refusal.detail()),
        // an API is not redirected: its client would send the credentials in clear text each time
        (Err(refusal @ Refusal::HttpsNeeded { .. }), _) => invalid(StatusCode::FORBIDDEN, refusal.detail()),
        (_, Ok(named)) => Ok(named.clone()),
        (_, Err(refusal)) => invalid(refusal.status(), refusal.detail()),
    };
    let api_context = ApiContext {
        address: context.address,
        named_tenant: named,
        ..api_context(exchange, &context.client, &parts.headers, &context.response_context.request_id)
    };
    dispatch(exchange.state(), exchange.connection, api_context, parts, body).await
}

/// Copies the actor into the access log entry.
pub fn record_actor(entry: &mut AccessLogEntry, response: &Response<ResponseBody>) {
    entry.reason = "management";
    let Some(actor) = response.extensions().get::<ApiActor>() else { return };
    entry.user.clone_from(&actor.user);
    entry.tenant = actor.tenant.as_ref().map(ToString::to_string);
}

fn api_context(
    exchange: &Exchange<'_>,
    client: &ResolvedClient,
    headers: &HeaderMap,
    request_id: &HeaderValue,
) -> ApiContext {
    let is_loopback = |address: IpAddr| address.is_loopback();
    ApiContext {
        address: client.address.into(),
        is_confidential: client.https
            || (is_loopback(client.address) && is_loopback(exchange.connection.peer.ip())),
        own_origins: own_origins(exchange.state(), exchange.settings, client, headers),
        request_id: request_id.to_str().unwrap_or_default().to_owned(),
        named_tenant: Ok(None),
    }
}

async fn dispatch(
    state: &ProxyState,
    connection: &Arc<ClientConnection>,
    context: ApiContext,
    mut parts: Parts,
    body: ArrivingBody,
) -> (RequestOutcome, Response<ResponseBody>) {
    let Some(router) = state.management_api.clone() else {
        let mut closed = Response::new(ResponseBody::empty());
        *closed.status_mut() = StatusCode::NOT_FOUND;
        return (RequestOutcome::local, closed);
    };
    parts.headers.remove(header::COOKIE);
    parts.extensions.insert(context);
    let body = RequestBody::new(
        ClientBody::Arriving(body),
        parts.version,
        connection,
        UploadLimits::idle_only(BODY_IDLE_TIMEOUT),
    );
    let request = Request::from_parts(parts, axum::body::Body::new(body));
    let response = match router.oneshot(request).await {
        Ok(response) => response.map(ResponseBody::local),
        Err(never) => match never {},
    };
    let outcome = match response.status() {
        StatusCode::UNAUTHORIZED => RequestOutcome::unauthorized,
        StatusCode::FORBIDDEN => RequestOutcome::forbidden,
        StatusCode::BAD_REQUEST => RequestOutcome::bad_request,
        StatusCode::SERVICE_UNAVAILABLE => RequestOutcome::unavailable,
        StatusCode::TOO_MANY_REQUESTS => RequestOutcome::limited,
        _ => RequestOutcome::local,
    };
    (outcome, response)
}
