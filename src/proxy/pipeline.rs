//! Handles one request of a public listener or of the management API in eight steps, from accept to record. Steps 2 to 6 are
//! in `evaluate`, so that `doorward explain` can run them without forwarding a request; steps 1, 7 and 8 are here.

use std::{sync::Arc, time::Instant};

use arc_swap::Guard;
use http::{HeaderValue, Request, Response, Version, header, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use tracing::Instrument as _;

use super::{
    ClientConnection, ListenerKind, Worker,
    access_watch::{AccessWatch, OriginalRequest},
    admission::{acquire, admit, admit_administrator, admit_known_user, resolve_network_origin},
    body::ResponseBody,
    context::RequestContext,
    evaluate::{Evaluation, evaluate},
    exchange::Exchange,
    forward::{forward, prepare},
    guard::{forward_guarded, guards_covering},
    headers::mark_private,
    local_response::{self, set_visitor_cookies},
    log_entry::{record_decision, start_entry},
    management_api, own_page,
    refusal::{Refusal, X_REQUEST_ID},
    request_body::{ArrivingBody, ClientBody},
    request_id::request_id,
    request_log::RequestRecord,
    visitor_cookies::VisitorCookies,
};
use crate::{
    config::Settings,
    domain::{browser::CallerKind, client::ClientPrefix, fairness::Resource, own_path},
    sync::client_limits::Permit,
    telemetry::metrics::RequestOutcome,
    web_context::PageRefusal,
};

pub async fn handle(
    worker: &Worker,
    connection: &Arc<ClientConnection>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    // ── 1 accept
    let state = &*worker.state;
    let settings: Guard<Arc<Settings>> = state.settings.load();
    let is_public = connection.listener == ListenerKind::Public;
    let is_chunked = is_chunked(&request);
    let is_http1 = request.version() <= Version::HTTP_11;
    let mut record = RequestRecord::start(Arc::clone(connection), Arc::clone(&state.metrics));
    let (mut parts, body) = request.into_parts();
    let mut body = ArrivingBody::new(body);
    let request_id = request_id(&settings, connection, &parts);
    let mut entry =
        state.access_log.load_full().map(|log| (start_entry(&parts, &request_id, state.clock.now()), log));
    let origin = resolve_network_origin(state, &settings, connection, &parts.headers);
    let mut context = RequestContext::new(origin, &parts, request_id);
    let admitted = if is_public {
        let is_burst = state.clients.is_in_burst(
            &context.client_state,
            settings.limits.client.request_rate,
            record.started(),
        );
        match admit(state, &settings, &context.client_state, record.started()) {
            Ok(permit) => {
                // only requests within the limits enter the queue, so that its length is bounded
                if is_burst {
                    Box::pin(worker.burst_queue.enter(ClientPrefix::of(context.client.address))).await;
                }
                Ok(Some(permit))
            }
            // assets are small and in memory, and the page that explains the limit needs them
            Err(_) if parts.uri.path().starts_with(own_path::ASSETS) => Ok(None),
            Err(refusal) => {
                Box::pin(admit_beyond_limit(worker, &settings, &mut context, &parts, record.started()))
                    .await
                    .unwrap_or(Err(refusal))
                    .map(Some)
            }
        }
    } else {
        admit_administrator(state, &settings, &context.client_state, record.started()).map(Some)
    };
    let exchange = Exchange { worker, connection, settings: &settings, now: state.clock.now() };

    // ── 2 validate, 3 tenant, 4 route, 5 authenticate, 6 decide
    let mut is_limited = admitted.is_err();
    let mut evaluation = match admitted {
        Ok(permit) => {
            record.hold_permit(permit);
            if is_public {
                evaluate(state, &settings, &mut context, &mut parts, exchange.now).await
            } else {
                Evaluation::ManagementApi(management_api::evaluate(&exchange, &mut context, &mut parts))
            }
        }
        Err(refusal) if is_public => Evaluation::Refused { refusal, policy: None },
        Err(refusal) => Evaluation::ManagementApi(Err(refusal)),
    };
    if is_public && !is_limited && !body.is_end_stream() {
        match acquire(&context.client_state, Resource::RequestBody, &settings) {
            Ok(permit) => body.hold_permit(permit),
            Err(refusal) => {
                is_limited = true;
                evaluation = evaluation.refuse(refusal);
            }
        }
    }
    if let Some((entry, _)) = &mut entry {
        record_decision(entry, &context, &evaluation);
    }

    // ── 7 respond
    let mut late_reason = None;
    let (outcome, mut response) = match &evaluation {
        Evaluation::ManagementApi(named_tenant) => {
            let (outcome, response) =
                Box::pin(management_api::respond(&exchange, &context, named_tenant, parts, body)).await;
            if let Some((entry, _)) = &mut entry {
                management_api::record_actor(entry, &response);
            }
            (outcome, response)
        }
        Evaluation::OwnPage(tenant) => {
            let response = Box::pin(own_page::respond(&exchange, &context, tenant, parts, body))
                .instrument(request_span(&context))
                .await;
            let refused = response.extensions().get::<PageRefusal>();
            late_reason = refused.map(|refused| refused.reason);
            (own_page::outcome_of(refused, response.status()), response)
        }
        Evaluation::ServerOptions => (RequestOutcome::local, local_response::server_options()),
        Evaluation::Refused { refusal, policy } => {
            local_response::refuse(state, &context, policy.as_deref(), refusal)
        }
        Evaluation::Portal(routed) => {
            let cookies = match context.caller_kind {
                CallerKind::Navigation => VisitorCookies::read(&parts.headers, context.client.https),
                CallerKind::Submission | CallerKind::Program => VisitorCookies::default(),
            };
            if let Some(response) = local_response::respond(&exchange, &context, routed, &parts, &cookies) {
                response
            } else {
                let original = OriginalRequest::of(&parts);
                let guards = guards_covering(&routed.policy, parts.uri.path());
                let forwarded = if guards.is_empty() {
                    match prepare(&exchange, &context, routed, parts, ClientBody::Arriving(body)) {
                        Ok(prepared) => forward(&exchange, &context, routed, prepared)
                            .await
                            .map(|response| (RequestOutcome::forwarded, response))
                            .map_err(Refusal::from),
                        Err(refusal) => Err(refusal),
                    }
                } else {
                    let request = Request::from_parts(parts, body);
                    Box::pin(forward_guarded(&exchange, &context, routed, &guards, request))
                        .instrument(request_span(&context))
                        .await
                };
                match forwarded {
                    Ok((outcome, mut response)) => {
                        if settings.defaults.access.private_responses && context.identity.user().is_some() {
                            mark_private(response.headers_mut());
                        }
                        set_visitor_cookies(state, &context, routed, &cookies, &mut response);
                        let watch = || AccessWatch::new(&exchange, &context, routed, original);
                        response.body_mut().watch_access(watch);
                        (outcome, response)
                    }
                    Err(refusal) => {
                        late_reason = Some(refusal.reason());
                        local_response::refuse(state, &context, Some(&routed.policy), &refusal)
                    }
                }
            }
        }
    };
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, context.response_context.request_id);
    if let Some(hsts) = &settings.server.hsts
        && is_public
        && context.client.https
    {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    // see `is_chunked`; under overload, closing the connection frees it for another client
    if is_chunked || (is_public && is_limited && outcome == RequestOutcome::unavailable && is_http1) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }

    // ── 8 record: the log entry is written when the response body has ended
    state.metrics.count(outcome);
    state.metrics.count_response(response.status());
    if let Some((mut entry, log)) = entry {
        entry.status = response.status().as_u16();
        entry.decision = outcome.as_str();
        if let Some(reason) = late_reason {
            entry.reason = reason;
        }
        record.log(entry, log);
    }
    if is_public {
        record.set_client(context.client_state);
    }
    response.map(|body| body.with_record(record))
}

/// Admits the request of a known user although the client is over its limits or the process is overloaded. `None`: the
/// request has no known user.
#[cold]
async fn admit_beyond_limit(
    worker: &Worker,
    settings: &Settings,
    context: &mut RequestContext,
    parts: &Parts,
    started: Instant,
) -> Option<Result<Permit, Refusal>> {
    let admitted = admit_known_user(&worker.state, settings, &context.client, parts, started).await;
    if !matches!(admitted, Some(Ok(_))) && parts.headers.contains_key(header::UPGRADE) {
        context.set_caller_kind(CallerKind::Program);
    }
    admitted
}

/// Whether the body was sent with `Transfer-Encoding`. hyper ignores a `Content-Length` in the same request, but a proxy
/// in front of Doorward may have used that length. RFC 9112 §6.3 requires closing the connection after the response, so
/// that no remaining byte is read as a second request (CL.TE request smuggling).
fn is_chunked(request: &Request<Incoming>) -> bool {
    let body = request.body();
    request.version() < Version::HTTP_2 && !body.is_end_stream() && body.size_hint().exact().is_none()
}

/// Span that adds the request id to log lines about sign-ins. Only own pages and guarded logins write such lines. The level
/// is ERROR, so that the span is enabled at every log level.
fn request_span(context: &RequestContext) -> tracing::Span {
    tracing::error_span!("request", request_id = context.request_id())
}
