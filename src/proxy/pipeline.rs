//! The pipeline of a request, from top to bottom. Steps 2 to 6 are in `evaluate`, so that `explain` can run them without
//! forwarding a request; steps 1, 7 and 8 are here.

use std::{sync::Arc, time::Duration};

use arc_swap::Guard;
use http::{HeaderValue, Request, Response, StatusCode, Version, header, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use tower::ServiceExt;
use tracing::Instrument as _;

use super::{
    ClientConnection, ProxyState, Worker,
    access_watch::{AccessWatch, OriginalRequest},
    admission::{acquire, admit, admit_known_user, resolve_network_origin},
    authenticate::own_origins,
    body::ResponseBody,
    challenge::{self, SignInChallenge},
    evaluate::{RequestContext, evaluate},
    exchange::Exchange,
    forward::{forward, prepare},
    guard::{self, forward_guarded},
    headers::mark_private,
    log_entry::{record_decision, start_entry},
    management,
    overload::Overload,
    refusal::{self, Refusal, ResponseContext, X_REQUEST_ID, render_refusal},
    request_body::{ArrivingBody, ClientBody, RequestBody},
    request_id::request_id,
    request_log::RequestRecord,
    upload_watch::UploadLimits,
    visitor_cookies::{self, VisitorCookies},
};
use crate::{
    clock,
    config::Settings,
    domain::{
        access::Decision,
        browser,
        client::ClientPrefix,
        fairness::Resource,
        route::{AccessLevel, RouteKind},
    },
    telemetry::metrics::RequestOutcome,
    web_context::{PageContext, PageRefusal},
};

/// Prefix of Doorward's own paths, in front of every portal.
const OWN_PATH_PREFIX: &str = "/.doorward/";

/// Style sheets, scripts and icons of our own pages.
const ASSETS: &str = "/.doorward/assets/";

/// <https://w3c.github.io/webappsec-change-password-url/>
const CHANGE_PASSWORD_PATH: &str = "/.well-known/change-password";

/// Idle timeout of request bodies sent to Doorward's own pages and APIs.
pub(super) const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

pub async fn handle(
    worker: &Worker,
    connection: &Arc<ClientConnection>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    // ── 1 accept
    let state = &*worker.state;
    let settings: Guard<Arc<Settings>> = state.settings.load();
    let is_chunked = is_chunked(&request);
    let is_http1 = request.version() <= Version::HTTP_11;
    let mut record = RequestRecord::start(Arc::clone(connection), Arc::clone(&state.metrics));
    let (mut parts, body) = request.into_parts();
    let mut body = ArrivingBody::new(body);
    let request_id = request_id(&settings, connection, &parts);
    let response_context = ResponseContext::new(&parts.headers, request_id.clone());
    let mut entry = state.access_log.load_full().map(|log| (start_entry(&parts, &request_id), log));

    let origin = resolve_network_origin(state, &settings, connection, &parts.headers);
    let is_burst = state.clients.is_in_burst(
        &origin.client_state,
        settings.limits.client.request_rate,
        record.started(),
    );
    let admitted = match admit(state, &settings, &origin.client_state, record.started()) {
        Ok(permit) => {
            // only requests within the limits wait, so that the queue is bounded
            if is_burst {
                Box::pin(worker.burst_queue.enter(ClientPrefix::of(origin.client.address))).await;
            }
            Ok(Some(permit))
        }
        // small and in memory; without them the page that explains the limit cannot be read
        Err(_) if parts.uri.path().starts_with(ASSETS) => Ok(None),
        Err(refusal) => {
            let again = admit_known_user(state, &settings, &origin, &parts, record.started());
            Box::pin(again).await.unwrap_or(Err(refusal)).map(Some)
        }
    };
    let exchange = Exchange { worker, connection, settings: &settings, now: clock::unix_seconds() };

    // ── 2 validate, 3 tenant, 4 route, 5 authenticate, 6 decide
    let mut is_limited = admitted.is_err();
    let mut context = match admitted {
        Ok(permit) => {
            record.hold_permit(permit);
            evaluate(state, &settings, origin, &mut parts, response_context, exchange.now).await
        }
        Err(refusal) => RequestContext::refusal_of_ambiguity(origin, &parts, response_context, refusal),
    };
    if !is_limited && !body.is_end_stream() {
        match acquire(&context.client_state, Resource::RequestBody, &settings) {
            Ok(permit) => body.hold_permit(permit),
            Err(refusal) => {
                is_limited = true;
                context.verdict = Err(refusal);
            }
        }
    }
    if let Some((entry, _)) = &mut entry {
        record_decision(entry, &context);
    }

    // ── 7 respond
    let is_management = !is_limited && management::is_public_api_path(state, &settings, parts.uri.path());
    let (outcome, mut response) = if is_management {
        Box::pin(management::handle_public(&exchange, &context, parts, body)).await
    } else if !is_limited && is_own_path(state, parts.uri.path()) && is_well_formed(&context) {
        let response = Box::pin(serve_own_page(&exchange, &context, parts, body))
            .instrument(request_span(&request_id))
            .await;
        let refused = response.extensions().get::<PageRefusal>();
        if let (Some((entry, _)), Some(refused)) = (&mut entry, refused) {
            entry.reason = refused.reason;
        }
        (own_outcome(refused, response.status()), response)
    } else {
        let cookies = match context.caller_kind {
            browser::CallerKind::Navigation => VisitorCookies::read(&parts.headers, context.client.https),
            _ => VisitorCookies::default(),
        };
        if let Some(ours) = own_response(&exchange, &context, &parts, &cookies) {
            ours
        } else {
            let policy = context.policy.as_ref();
            let original = OriginalRequest::of(&parts);
            let forwarded = match policy {
                Some(policy) if guard::is_guarded_path(policy, parts.uri.path()) => {
                    Box::pin(forward_guarded(&exchange, &context, policy, parts, body))
                        .instrument(request_span(&request_id))
                        .await
                }
                Some(policy) => {
                    match prepare(&exchange, &context, policy, parts, ClientBody::Arriving(body)) {
                        Ok(prepared) => forward(&exchange, &context, policy, prepared)
                            .await
                            .map(|answer| (RequestOutcome::forwarded, answer))
                            .map_err(Refusal::from),
                        Err(refusal) => Err(refusal),
                    }
                }
                None => Err(Refusal::Overloaded(Overload::Undecided)),
            };
            match forwarded {
                Ok((outcome, mut response)) => {
                    if settings.defaults.access.private_responses && context.identity.user().is_some() {
                        mark_private(response.headers_mut());
                    }
                    set_visitor_cookies(state, &context, &cookies, &mut response);
                    if let Some(policy) = policy {
                        let watch = || AccessWatch::new(&exchange, &context, policy, original);
                        response.body_mut().watch_access(watch);
                    }
                    (outcome, response)
                }
                Err(refusal) => {
                    if let Some((entry, _)) = &mut entry {
                        entry.reason = refusal.reason();
                    }
                    refusal_response(state, &context, &refusal)
                }
            }
        }
    };
    response.headers_mut().insert(X_REQUEST_ID, request_id);
    if let Some(hsts) = &settings.server.hsts
        && context.client.https
    {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    // under overload the connection is needed for another client
    if is_chunked || (is_limited && outcome == RequestOutcome::unavailable && is_http1) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }

    // ── 8 record: written when the body has ended
    state.metrics.count(outcome);
    if let Some((mut entry, log)) = entry {
        entry.status = response.status().as_u16();
        entry.decision = outcome.as_str();
        if is_management {
            management::record_actor(&mut entry, &response);
        }
        record.log(entry, log);
    }
    record.set_client(context.client_state);
    response.map(|body| body.with_record(record))
}

/// Doorward's own response; `None` if the request has to be forwarded.
fn own_response(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    parts: &Parts,
    cookies: &VisitorCookies,
) -> Option<(RequestOutcome, Response<ResponseBody>)> {
    let (state, settings) = (exchange.state(), exchange.settings);
    if let Some(choice) = tenant_selection_redirect(state, settings, context, parts, cookies) {
        return Some((RequestOutcome::local, choice));
    }
    let policy = match (&context.verdict, context.policy.as_deref()) {
        (Ok(Decision::Allow(_)), Some(_)) => {
            let is_authenticated = context.identity.user().is_some();
            let resumed = is_authenticated
                .then(|| challenge::resume_redirect(parts, cookies, context.client.https))
                .flatten();
            return resumed.map(|resumed| (RequestOutcome::local, resumed));
        }
        (Ok(Decision::SignIn(_)), Some(policy)) => policy,
        (Err(refusal), _) => return Some(refusal_response(state, context, refusal)),
        // a decision always comes with a policy
        (Ok(_), None) => {
            return Some(refusal_response(state, context, &Refusal::Overloaded(Overload::Undecided)));
        }
    };
    if let Some(preflight) = refusal::cors_preflight(&parts.method, &parts.headers, policy) {
        return Some((RequestOutcome::local, preflight));
    }
    let refusal = if context.caller_kind == browser::CallerKind::Navigation {
        match challenge::challenge(exchange, context, policy, parts, cookies) {
            SignInChallenge::Redirect(response) => return Some((RequestOutcome::sign_in, response)),
            SignInChallenge::Loop(sign_in_url) => Refusal::SignInLoop { sign_in_url },
            SignInChallenge::NotConfigured => Refusal::SignInNeeded { sign_in_url: None },
        }
    } else {
        let target = challenge::requested_address(parts);
        Refusal::SignInNeeded {
            sign_in_url: challenge::sign_in_url(settings, context, policy, parts, &target),
        }
    };
    Some(refusal_response(state, context, &refusal))
}

fn refusal_response(
    state: &ProxyState,
    context: &RequestContext,
    refusal: &Refusal,
) -> (RequestOutcome, Response<ResponseBody>) {
    if let Refusal::ClientLimit { limit, .. } = refusal {
        state.metrics.client_limit(*limit).inc();
    }
    (
        refusal.outcome(),
        render_refusal(refusal, &context.response_context, context.policy.as_deref(), &state.pages),
    )
}

/// Cookies for a browser that opened a page: removes the return address once it is reached, and stores the chosen tenant.
fn set_visitor_cookies(
    state: &ProxyState,
    context: &RequestContext,
    cookies: &VisitorCookies,
    response: &mut Response<ResponseBody>,
) {
    if context.caller_kind != browser::CallerKind::Navigation {
        return;
    }
    let (headers, https) = (response.headers_mut(), context.client.https);
    if context.identity.user().is_some()
        && (cookies.return_to.is_some() || cookies.sign_in_redirects.is_some())
    {
        for cookie in visitor_cookies::expire_return_cookies(https) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    if let Some(policy) = &context.policy
        && context.has_named_tenant
        && state.tenants.has_several_tenants()
        && cookies.tenant.as_ref() != Some(&policy.tenant)
        && let Some(cookie) = visitor_cookies::tenant_cookie(&policy.tenant, https)
    {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// Several tenants exist and the request of a browser selects none: redirects to the tenant chosen
/// last, or to the tenant list.
fn tenant_selection_redirect(
    state: &ProxyState,
    settings: &Settings,
    context: &RequestContext,
    parts: &Parts,
    cookies: &VisitorCookies,
) -> Option<Response<ResponseBody>> {
    let route = context.route.as_ref()?;
    let must_choose = context.caller_kind == browser::CallerKind::Navigation
        && route.kind == RouteKind::Page
        && route.access != AccessLevel::Open
        && !context.has_named_tenant
        && settings.tenancy.selection_page
        && context.verdict.is_ok()
        && state.tenants.has_several_tenants();
    if !must_choose {
        return None;
    }
    let wanted = challenge::requested_address(parts);
    let to = match &cookies.tenant {
        Some(tenant) if state.may_exist(tenant) => add_tenant_parameter(wanted.as_str(), tenant.as_str()),
        _ => format!(
            "{OWN_PATH_PREFIX}tenants?to={}",
            percent_encoding::utf8_percent_encode(wanted.as_str(), visitor_cookies::COMPONENT)
        ),
    };
    challenge::redirect_to(&to)
}

fn add_tenant_parameter(target: &str, tenant: &str) -> String {
    let joint = if target.contains('?') { '&' } else { '?' };
    format!("{target}{joint}tenant={tenant}")
}

/// Own pages respond to every well-formed request, also if the tenant is unknown or no tenant claims the host.
pub(super) fn is_well_formed(context: &RequestContext) -> bool {
    !matches!(context.verdict, Err(Refusal::Invalid { .. } | Refusal::HttpsNeeded { .. }))
}

/// Doorward's own paths in front of every portal; and the one where password managers send users who want to change a password, if
/// Doorward manages the passwords.
pub(super) fn is_own_path(state: &ProxyState, path: &str) -> bool {
    path.starts_with(OWN_PATH_PREFIX) || (path == CHANGE_PASSWORD_PATH && state.accounts.is_some())
}

async fn serve_own_page(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    mut parts: Parts,
    body: ArrivingBody,
) -> Response<ResponseBody> {
    let &Exchange { worker, connection, settings, .. } = exchange;
    connection.set_answered_client(&context.client_state);
    parts.headers.insert(X_REQUEST_ID, context.response_context.request_id.clone());
    parts.extensions.insert(page_context(&worker.state, settings, context, &parts));
    let body = if body.is_end_stream() {
        axum::body::Body::empty()
    } else {
        let body = ClientBody::Arriving(body);
        let limits = UploadLimits { idle_timeout: BODY_IDLE_TIMEOUT, rate: settings.limits.upload_rate };
        axum::body::Body::new(RequestBody::new(body, parts.version, connection, limits))
    };
    match worker.state.own_pages.clone().oneshot(Request::from_parts(parts, body)).await {
        Ok(response) => response.map(ResponseBody::local),
        Err(never) => match never {},
    }
}

/// The outcome of an answer by one of Doorward's own pages.
fn own_outcome(refused: Option<&PageRefusal>, status: StatusCode) -> RequestOutcome {
    match refused {
        None => RequestOutcome::local,
        Some(_) if status == StatusCode::TOO_MANY_REQUESTS => RequestOutcome::limited,
        Some(_) => RequestOutcome::unavailable,
    }
}

/// The context of a request for Doorward's own pages.
fn page_context(
    state: &ProxyState,
    settings: &Settings,
    context: &RequestContext,
    parts: &Parts,
) -> PageContext {
    let tenant = match (&context.policy, &context.verdict) {
        (Some(policy), _) => Ok(Arc::clone(policy)),
        (None, Err(refusal)) => Err(refusal.page()),
        (None, Ok(_)) => Err(Refusal::Overloaded(Overload::Undecided).page()),
    };
    PageContext {
        tenant,
        address: context.address,
        https: context.client.https,
        own_origins: own_origins(state, settings, &context.client, &parts.headers),
        several_tenants: state.tenants.has_several_tenants(),
    }
}

/// Whether the body was sent with `Transfer-Encoding`. hyper drops a `Content-Length` beside it, and a
/// proxy in front may have used that one: RFC 9112 §6.3 requires closing such a connection, so that nothing in it is
/// ever read as a second request (CL.TE smuggling).
pub(super) fn is_chunked(request: &Request<Incoming>) -> bool {
    let body = request.body();
    request.version() < Version::HTTP_2 && !body.is_end_stream() && body.size_hint().exact().is_none()
}

/// Span that adds the request id to log lines about sign-ins. For own pages and guarded sign-ins only: forwarding needs none.
/// At level ERROR, so that the span is enabled at every log level.
fn request_span(request_id: &HeaderValue) -> tracing::Span {
    tracing::error_span!("request", request_id = request_id.to_str().unwrap_or_default())
}
