//! Requests to the management API: at a listener of its own, where all of them are, and at the public ones. `web` answers
//! them; here is found out what it has to know of where they come from. Cookies are taken out: no browser may be led here.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use hyper::body::Incoming;
use tower::ServiceExt;

use super::{
    ClientConnection, Gate, Worker,
    account::Account,
    admission::{administrator_state, admit_administrator, counted_address, report_unlisted_proxy},
    answer::{Refusal, X_REQUEST_ID},
    body::ResponseBody,
    forwarded::{self, Client},
    hygiene,
    identify::own_origins,
    judge::Judgement,
    log_entry::arrived,
    pipeline::{BODY_IDLE, is_chunked},
    request_body::{ArrivingBody, ClientBody, RequestBody},
    request_id::request_id,
    select,
    upload_watch::UploadLimits,
};
use crate::{
    config::Settings,
    domain::management,
    telemetry::{access_log::Entry, metrics::Outcome},
    visit::{Acted, Call, NotUnderstood},
};

/// The way of a request at the API's own listener.
pub async fn handle(
    worker: &Worker,
    connection: &Arc<ClientConnection>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let gate = &*worker.gate;
    let settings = gate.settings.load();
    let is_chunked = is_chunked(&request);
    let mut account = Account::open(Arc::clone(connection), Arc::clone(&gate.metrics));
    let (mut parts, body) = request.into_parts();
    let request_id = request_id(&settings, connection, &parts);
    let mut entry = gate.access_log.load_full().map(|log| (arrived(&parts, &request_id), log));
    let trusted = &settings.server.trusted_proxies;
    let client = forwarded::client(connection.peer.ip(), connection.tls, &parts.headers, trusted);
    let mut address = client.address.into();
    let peer = connection.peer.ip();
    let state = administrator_state(gate, &settings, peer, client.address, &parts.headers);
    let refusal = match admit_administrator(gate, &settings, &state, account.started()) {
        Ok(permit) => {
            account.hold(Some(permit));
            None
        }
        Err(refusal) => Some(refusal),
    };
    let mut named = match hygiene::clean(&mut parts, hygiene::Limits::default()) {
        Ok(cleaned) => {
            address = counted_address(&settings, (peer, client.address), cleaned.forwarding);
            report_unlisted_proxy(gate, &settings, peer, cleaned.forwarding);
            select::named(parts.uri.path(), parts.uri.query(), &parts.headers, None)
                .map_err(|error| NotUnderstood { status: StatusCode::BAD_REQUEST, detail: error.to_string() })
        }
        Err(ambiguity) => {
            Err(NotUnderstood { status: ambiguity.status(), detail: ambiguity.detail().to_owned() })
        }
    };
    if let Some(refusal) = &refusal {
        let (status, detail) = (refusal.status(), refusal.detail());
        named = Err(NotUnderstood { status, detail });
    }
    let call =
        Call { address, named, ..call((gate, &settings), connection, &client, &parts.headers, &request_id) };
    if let Some((entry, _)) = &mut entry {
        entry.client = Some(client.address);
    }
    let (mut outcome, mut response) = ask(gate, connection, call, (parts, ArrivingBody::new(body))).await;
    if let Some(refusal) = &refusal {
        outcome = refusal.outcome();
        count_limit(gate, refusal, &mut response);
    }
    response.headers_mut().insert(X_REQUEST_ID, request_id);
    if is_chunked {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    gate.metrics.count(outcome);
    if let Some((mut entry, log)) = entry {
        entry.status = response.status().as_u16();
        entry.decision = outcome.as_str();
        note(&mut entry, &response);
        if let Some(refusal) = &refusal {
            entry.reason = refusal.reason();
        }
        account.log(entry, log);
    }
    response.map(|body| body.with_account(account))
}

/// Counts the limit that a refused request has reached, and sets `Retry-After`.
fn count_limit(gate: &Gate, refusal: &Refusal, response: &mut Response<ResponseBody>) {
    if let Refusal::ClientLimit { limit, .. } = refusal {
        gate.metrics.client_limit(*limit).inc();
    }
    if let Some(seconds) = refusal.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Whether a path of a public listener is the API's and not the portal's.
pub fn is_public(gate: &Gate, settings: &Settings, path: &str) -> bool {
    settings.management.public && gate.management.is_some() && management::target(path).is_some()
}

/// At a public listener, behind the judgement, which has looked at the host too.
pub async fn at_the_gate(
    gate: &Gate,
    connection: &Arc<ClientConnection>,
    judgement: &Judgement,
    request: (Parts, ArrivingBody),
    request_id: &HeaderValue,
) -> (Outcome, Response<ResponseBody>) {
    let not_understood = |status, detail| Err(NotUnderstood { status, detail });
    let named = match (&judgement.verdict, &judgement.named) {
        // no tenant was looked for
        (Err(refusal @ Refusal::Unclear { .. }), _) => not_understood(refusal.status(), refusal.detail()),
        // an API is not redirected: its caller would send the credentials in clear text each time
        (Err(refusal @ Refusal::HttpsNeeded { .. }), _) => {
            not_understood(StatusCode::FORBIDDEN, refusal.detail())
        }
        (_, Ok(named)) => Ok(named.clone()),
        (_, Err(refusal)) => not_understood(refusal.status(), refusal.detail()),
    };
    let settings = gate.settings.load();
    let (headers, client) = (&request.0.headers, &judgement.client);
    let call = Call {
        address: judgement.address,
        named,
        ..call((gate, &settings), connection, client, headers, request_id)
    };
    ask(gate, connection, call, request).await
}

/// Who it was, into the line of the log.
pub fn note(entry: &mut Entry, response: &Response<ResponseBody>) {
    entry.reason = "management";
    let Some(acted) = response.extensions().get::<Acted>() else { return };
    entry.user.clone_from(&acted.user);
    entry.tenant = acted.tenant.as_ref().map(ToString::to_string);
}

fn call(
    (gate, settings): (&Gate, &Settings),
    connection: &ClientConnection,
    client: &Client,
    headers: &HeaderMap,
    request_id: &HeaderValue,
) -> Call {
    let from_here = |address: IpAddr| address.is_loopback();
    Call {
        address: client.address.into(),
        is_private: client.https || (from_here(client.address) && from_here(connection.peer.ip())),
        own_origins: own_origins((gate, settings), client, headers),
        request_id: request_id.to_str().unwrap_or_default().to_owned(),
        named: Ok(None),
    }
}

async fn ask(
    gate: &Gate,
    connection: &Arc<ClientConnection>,
    call: Call,
    (mut parts, body): (Parts, ArrivingBody),
) -> (Outcome, Response<ResponseBody>) {
    let Some(router) = gate.management.clone() else {
        let mut closed = Response::new(ResponseBody::empty());
        *closed.status_mut() = StatusCode::NOT_FOUND;
        return (Outcome::local, closed);
    };
    parts.headers.remove(header::COOKIE);
    parts.extensions.insert(call);
    let body = RequestBody::new(
        ClientBody::Arriving(body),
        parts.version,
        connection,
        UploadLimits::silence(BODY_IDLE),
    );
    let request = Request::from_parts(parts, axum::body::Body::new(body));
    let response = match router.oneshot(request).await {
        Ok(response) => response.map(ResponseBody::local),
        Err(never) => match never {},
    };
    let outcome = match response.status() {
        StatusCode::UNAUTHORIZED => Outcome::unauthorized,
        StatusCode::FORBIDDEN => Outcome::forbidden,
        StatusCode::BAD_REQUEST => Outcome::bad_request,
        StatusCode::SERVICE_UNAVAILABLE => Outcome::unavailable,
        StatusCode::TOO_MANY_REQUESTS => Outcome::limited,
        _ => Outcome::local,
    };
    (outcome, response)
}
