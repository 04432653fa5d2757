//! The way of a request, from top to bottom. Steps 2 to 6 are in `judge`, so that they can be asked for without a request
//! being sent; here is what follows from them.

use std::{sync::Arc, time::Duration};

use arc_swap::Guard;
use http::{HeaderValue, Request, Response, StatusCode, Version, header, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use tower::ServiceExt;
use tracing::Instrument as _;

use super::{
    ClientConnection, Gate, Worker,
    access_watch::{AccessWatch, Judged},
    account::Account,
    admission::{acquire, admit, admit_known_user, source},
    answer::{self, Caller, Refusal, X_REQUEST_ID, refuse},
    body::ResponseBody,
    forward::{forward, prepare},
    guard::{self, guarded},
    headers::mark_private,
    identify::own_origins,
    judge::{Judgement, judge},
    log_entry::{arrived, judged},
    management,
    overload::Overload,
    request_body::{ArrivingBody, ClientBody, RequestBody},
    request_id::request_id,
    sign_in::{self, Way},
    upload_watch::UploadLimits,
    visitor::{self, Memory},
};
use crate::{
    clock,
    config::Settings,
    domain::{
        access::Decision,
        browser,
        client::Client,
        fairness::Resource,
        route::{Access, Surface},
    },
    telemetry::metrics::Outcome,
    visit::{PageRefusal, Visit},
};

/// Paths that are ours, in front of every portal.
const LOCAL: &str = "/.doorward/";

/// Style sheets, scripts and icons of our own pages.
const ASSETS: &str = "/.doorward/assets/";

/// <https://w3c.github.io/webappsec-change-password-url/>
const CHANGE_PASSWORD: &str = "/.well-known/change-password";

/// The longest silence in the middle of what is sent to ourselves.
pub(super) const BODY_IDLE: Duration = Duration::from_secs(10);

pub async fn handle(
    worker: &Worker,
    connection: &Arc<ClientConnection>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    // ── 1 arrive
    let gate = &*worker.gate;
    let settings: Guard<Arc<Settings>> = gate.settings.load();
    let is_chunked = is_chunked(&request);
    let is_http1 = request.version() <= Version::HTTP_11;
    let mut account = Account::open(Arc::clone(connection), Arc::clone(&gate.metrics));
    let (mut parts, body) = request.into_parts();
    let mut body = ArrivingBody::new(body);
    let request_id = request_id(&settings, connection, &parts);
    let caller = Caller::new(&parts.headers, request_id.clone());
    let mut entry = gate.access_log.load_full().map(|log| (arrived(&parts, &request_id), log));

    let source = source(gate, &settings, connection, &parts.headers);
    let is_burst = gate.clients.is_in_burst(
        &source.client_state,
        settings.limits.client.request_rate,
        account.started(),
    );
    let admitted = match admit(gate, &settings, &source.client_state, account.started()) {
        Ok(permit) => {
            // only requests within the limits wait, so that the queue is bounded
            if is_burst {
                Box::pin(worker.burst_queue.enter(Client::of(source.client.address))).await;
            }
            Ok(Some(permit))
        }
        // small and in memory; without them the page that explains the limit cannot be read
        Err(_) if parts.uri.path().starts_with(ASSETS) => Ok(None),
        Err(refusal) => {
            let again = admit_known_user(gate, &settings, &source, &parts, account.started(), refusal);
            Box::pin(again).await.map(Some)
        }
    };
    let now = clock::now();

    // ── 2 hygiene, 3 tenant, 4 route, 5 identity, 6 decide
    let mut is_limited = admitted.is_err();
    let mut judgement = match admitted {
        Ok(permit) => {
            account.hold(permit);
            judge(gate, &settings, source, &mut parts, caller, now).await
        }
        Err(refusal) => Judgement::refused(source, &parts, caller, refusal),
    };
    if !is_limited && !body.is_end_stream() {
        match acquire(&judgement.client_state, Resource::RequestBody, &settings) {
            Ok(permit) => body.hold(permit),
            Err(refusal) => {
                is_limited = true;
                judgement.verdict = Err(refusal);
            }
        }
    }
    if let Some((entry, _)) = &mut entry {
        judged(entry, &judgement);
    }

    // ── 7 answer
    let is_management = !is_limited && management::is_public(gate, &settings, parts.uri.path());
    let (outcome, mut response) = if is_management {
        Box::pin(management::at_the_gate(gate, connection, &judgement, (parts, body), &request_id)).await
    } else if !is_limited && is_local(gate, parts.uri.path()) && understood(&judgement) {
        let response = Box::pin(local(worker, connection, &settings, &judgement, (parts, body), &request_id))
            .instrument(named(&request_id))
            .await;
        let refused = response.extensions().get::<PageRefusal>();
        if let (Some((entry, _)), Some(refused)) = (&mut entry, refused) {
            entry.reason = refused.reason;
        }
        (own_outcome(refused, response.status()), response)
    } else {
        let memory = match judgement.asked_by {
            browser::Caller::Navigation => Memory::read(&parts.headers, judgement.client.https),
            _ => Memory::default(),
        };
        if let Some(ours) = answer(gate, &settings, &judgement, &parts, &memory, now) {
            ours
        } else {
            let policy = judgement.policy.as_ref();
            let judged = Judged::of(&parts);
            let answered = match policy {
                Some(policy) if guard::concerns(policy, parts.uri.path()) => {
                    let request = (parts, body);
                    Box::pin(guarded(worker, connection, &settings, &judgement, policy, request, now))
                        .instrument(named(&request_id))
                        .await
                }
                Some(policy) => {
                    let body = ClientBody::Arriving(body);
                    match prepare(worker, connection, &settings, &judgement, policy, parts, body) {
                        Ok(prepared) => forward(worker, connection, &judgement, policy, prepared, now)
                            .await
                            .map(|answer| (Outcome::forwarded, answer))
                            .map_err(Refusal::from),
                        Err(refusal) => Err(refusal),
                    }
                }
                None => Err(Refusal::Overloaded(Overload::Undecided)),
            };
            match answered {
                Ok((outcome, mut response)) => {
                    if settings.defaults.private_responses && judgement.identity.user().is_some() {
                        mark_private(response.headers_mut());
                    }
                    remember(gate, &judgement, &memory, &mut response);
                    if let Some(policy) = policy {
                        let watch = || AccessWatch::new(worker, &judgement, policy, judged, now);
                        response.body_mut().watch(watch);
                    }
                    (outcome, response)
                }
                Err(refusal) => {
                    if let Some((entry, _)) = &mut entry {
                        entry.reason = refusal.reason();
                    }
                    refused(gate, &judgement, &refusal)
                }
            }
        }
    };
    response.headers_mut().insert(X_REQUEST_ID, request_id);
    if let Some(hsts) = &settings.server.hsts
        && judgement.client.https
    {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    // under overload the connection is needed for another client
    if is_chunked || (is_limited && outcome == Outcome::unavailable && is_http1) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }

    // ── 8 account: closed when the body has ended
    gate.metrics.count(outcome);
    if let Some((mut entry, log)) = entry {
        entry.status = response.status().as_u16();
        entry.decision = outcome.as_str();
        if is_management {
            management::note(&mut entry, &response);
        }
        account.log(entry, log);
    }
    account.set_client(judgement.client_state);
    response.map(|body| body.with_account(account))
}

/// Our own answer; `None` when the portal has to give it.
fn answer(
    gate: &Gate,
    settings: &Settings,
    judgement: &Judgement,
    parts: &Parts,
    memory: &Memory,
    now: u64,
) -> Option<(Outcome, Response<ResponseBody>)> {
    if let Some(choice) = choose_tenant(gate, settings, judgement, parts, memory) {
        return Some((Outcome::local, choice));
    }
    let policy = match (&judgement.verdict, judgement.policy.as_deref()) {
        (Ok(Decision::Allow(_)), Some(_)) => {
            let arrived = judgement.identity.user().is_some();
            let onward =
                arrived.then(|| sign_in::continue_way(parts, memory, judgement.client.https)).flatten();
            return onward.map(|onward| (Outcome::local, onward));
        }
        (Ok(Decision::SignIn(_)), Some(policy)) => policy,
        (Err(refusal), _) => return Some(refused(gate, judgement, refusal)),
        // a verdict is always some tenant's
        (Ok(_), None) => return Some(refused(gate, judgement, &Refusal::Overloaded(Overload::Undecided))),
    };
    if let Some(preflight) = answer::preflight(&parts.method, &parts.headers, policy) {
        return Some((Outcome::local, preflight));
    }
    let refusal = if judgement.asked_by == browser::Caller::Navigation {
        match sign_in::way(gate, settings, judgement, policy, parts, memory, now) {
            Way::Redirect(response) => return Some((Outcome::sign_in, response)),
            Way::Loop(sign_in_url) => Refusal::SignInLoop { sign_in_url },
            Way::Nowhere => Refusal::SignInNeeded { sign_in_url: None },
        }
    } else {
        let target = sign_in::wanted(parts);
        Refusal::SignInNeeded { sign_in_url: sign_in::address(settings, judgement, policy, parts, &target) }
    };
    Some(refused(gate, judgement, &refusal))
}

fn refused(gate: &Gate, judgement: &Judgement, refusal: &Refusal) -> (Outcome, Response<ResponseBody>) {
    if let Refusal::ClientLimit { limit, .. } = refusal {
        gate.metrics.client_limit(*limit).inc();
    }
    (refusal.outcome(), refuse(refusal, &judgement.caller, judgement.policy.as_deref(), &gate.pages))
}

/// What a browser that opened a page takes along: no way left to go, and the tenant it chose.
fn remember(gate: &Gate, judgement: &Judgement, memory: &Memory, response: &mut Response<ResponseBody>) {
    if judgement.asked_by != browser::Caller::Navigation {
        return;
    }
    let (headers, https) = (response.headers_mut(), judgement.client.https);
    if judgement.identity.user().is_some() && (memory.return_to.is_some() || memory.bounces.is_some()) {
        for cookie in visitor::forget_way(https) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    if let Some(policy) = &judgement.policy
        && judgement.tenant_named
        && gate.tenants.several()
        && memory.tenant.as_ref() != Some(&policy.tenant)
        && let Some(cookie) = visitor::remember_tenant(&policy.tenant, https)
    {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// A visitor who opens a page without saying whose it is, where several tenants exist, goes on with the tenant chosen
/// last, or is asked to choose.
fn choose_tenant(
    gate: &Gate,
    settings: &Settings,
    judgement: &Judgement,
    parts: &Parts,
    memory: &Memory,
) -> Option<Response<ResponseBody>> {
    let route = judgement.route.as_ref()?;
    let asked = judgement.asked_by == browser::Caller::Navigation
        && route.surface == Surface::Page
        && route.access != Access::Open
        && !judgement.tenant_named
        && settings.tenancy.selection_page
        && judgement.verdict.is_ok()
        && gate.tenants.several();
    if !asked {
        return None;
    }
    let wanted = sign_in::wanted(parts);
    let to = match &memory.tenant {
        Some(tenant) if gate.is_known(tenant) => with_tenant(wanted.as_str(), tenant.as_str()),
        _ => format!(
            "{LOCAL}tenants?to={}",
            percent_encoding::utf8_percent_encode(wanted.as_str(), visitor::COMPONENT)
        ),
    };
    sign_in::redirect(&to)
}

fn with_tenant(target: &str, tenant: &str) -> String {
    let joint = if target.contains('?') { '&' } else { '?' };
    format!("{target}{joint}tenant={tenant}")
}

/// Our own pages are for whoever could be understood, also where the tenant is unknown or the host is nobody's.
pub(super) fn understood(judgement: &Judgement) -> bool {
    !matches!(judgement.verdict, Err(Refusal::Unclear { .. } | Refusal::HttpsNeeded { .. }))
}

/// Ours in front of every portal; and where password managers lead people who want to change a password, as long as it is
/// us who keep passwords.
pub(super) fn is_local(gate: &Gate, path: &str) -> bool {
    path.starts_with(LOCAL) || (path == CHANGE_PASSWORD && gate.doors.is_some())
}

async fn local(
    worker: &Worker,
    connection: &Arc<ClientConnection>,
    settings: &Settings,
    judgement: &Judgement,
    (mut parts, body): (Parts, ArrivingBody),
    request_id: &HeaderValue,
) -> Response<ResponseBody> {
    connection.set_answered_client(&judgement.client_state);
    parts.headers.insert(X_REQUEST_ID, request_id.clone());
    parts.extensions.insert(visit(worker, settings, judgement, &parts));
    let body = if body.is_end_stream() {
        axum::body::Body::empty()
    } else {
        let body = ClientBody::Arriving(body);
        let limits = UploadLimits { idle_timeout: BODY_IDLE, rate: settings.limits.upload_rate };
        axum::body::Body::new(RequestBody::new(body, parts.version, connection, limits))
    };
    match worker.gate.local.clone().oneshot(Request::from_parts(parts, body)).await {
        Ok(response) => response.map(ResponseBody::local),
        Err(never) => match never {},
    }
}

/// The outcome of an answer by one of Doorward's own pages.
fn own_outcome(refused: Option<&PageRefusal>, status: StatusCode) -> Outcome {
    match refused {
        None => Outcome::local,
        Some(_) if status == StatusCode::TOO_MANY_REQUESTS => Outcome::limited,
        Some(_) => Outcome::unavailable,
    }
}

/// What our own pages may know of a request.
fn visit(worker: &Worker, settings: &Settings, judgement: &Judgement, parts: &Parts) -> Visit {
    let tenant = match (&judgement.policy, &judgement.verdict) {
        (Some(policy), _) => Ok(Arc::clone(policy)),
        (None, Err(refusal)) => Err(refusal.page()),
        (None, Ok(_)) => Err(Refusal::Overloaded(Overload::Undecided).page()),
    };
    Visit {
        tenant,
        address: judgement.address,
        https: judgement.client.https,
        own_origins: own_origins((&worker.gate, settings), &judgement.client, &parts.headers),
        several_tenants: worker.gate.tenants.several(),
    }
}

/// Was the body sent with `Transfer-Encoding`? A `Content-Length` beside it has been dropped before we could see it, and a
/// proxy before us may have believed that one: RFC 9112 §6.3 wants such a connection closed, so that nothing in it is
/// ever read as a second request (CL.TE smuggling).
pub(super) fn is_chunked(request: &Request<Incoming>) -> bool {
    let body = request.body();
    request.version() < Version::HTTP_2 && !body.is_end_stream() && body.size_hint().exact().is_none()
}

/// What is logged of sign-ins names its request. For our own pages and guarded sign-ins only: what is forwarded does without.
/// At the level of errors, so that it is there whichever lines are.
fn named(request_id: &HeaderValue) -> tracing::Span {
    tracing::error_span!("request", request_id = request_id.to_str().unwrap_or_default())
}
