//! Step 7 for a request that may come in: to the portal, as the tenant and the user it was judged as.

use std::{sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header, request::Parts, uri,
};
use hyper::ext::on_informational;
use tokio::sync::Notify;

use super::{
    ClientConnection, Worker,
    access_watch::{AccessWatch, Judged},
    added::Added,
    admission::{acquire, check_buffers},
    answer::Refusal,
    body::ResponseBody,
    headers::{IdentityHeaders, clean_response, identity_headers},
    hygiene::cookies,
    identify::Proof,
    judge::Judgement,
    no_answer::{NoAnswer, portal_failed},
    request_body::{ClientBody, RequestBody},
    select, settings_answer,
    upgrade::Tunnel,
    upload_watch::UploadLimits,
    upstream::{ForwardError, OutgoingRequest, Portal, Sender, Upgraded},
};
use crate::{
    config::{
        Settings, TenantPolicy,
        model::{Profile, Target, Upstream},
    },
    domain::{
        client::Client,
        fairness::Resource,
        identity::{Identity, User},
        route::Access,
    },
    sync::client_limits::Permit,
    token::bearer::{self, VerifiedCookies},
};

/// How long an upload waits for the portal's `100 Continue` before it starts anyway (RFC 9110 §10.1.1).
const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);

const GRPC: &[u8] = b"application/grpc";

/// A request as the portal gets it, and the portal.
pub struct Prepared {
    portal: Arc<Portal>,
    outgoing: OutgoingRequest,
    special: Option<Special>,
}

/// What not every request is.
enum Special {
    /// The devportal's settings, whose answer is corrected.
    Settings,
    /// Wants to switch protocols.
    Upgrade(Permit, Judged),
}

/// Everything that can be done without waiting.
pub fn prepare(
    worker: &Worker,
    connection: &Arc<ClientConnection>,
    settings: &Settings,
    judgement: &Judgement,
    policy: &TenantPolicy,
    mut parts: Parts,
    body: ClientBody,
) -> Result<Box<Prepared>, Refusal> {
    let gate = &*worker.gate;
    // the body of a guarded sign-in was admitted before it was read, and must not be refused because of itself
    if !matches!(body, ClientBody::Buffered(Some(_))) {
        check_buffers(gate, judgement)?;
    }
    let Some(upstream) = find_upstream(&settings.portal.upstreams, parts.uri.path()) else {
        return Err(Refusal::PortalDown);
    };
    let portal = worker
        .portals
        .get(upstream)
        .map_err(|error| portal_failed(worker, &upstream.target, judgement, &error))?;
    let version = parts.version;
    let judged = judgement.cleaned.upgrade.is_some().then(|| Judged::of(&parts));
    let mut special = None;
    if settings.portal.profile == Profile::Wso2Apim
        && settings_answer::is_settings(parts.uri.path())
        && parts.method == http::Method::GET
    {
        settings_answer::prepare(&mut parts.headers);
        special = Some(Special::Settings);
    }
    let added = rewrite(connection, judgement, policy, upstream, &mut parts)?;
    if let (Some(protocol), Some(judged)) = (judgement.cleaned.upgrade.clone(), judged) {
        if !body.is_end_stream() {
            // where the body ends and the new protocol begins could be read in two ways
            return Err(Refusal::BadRequest("a request to switch protocols has no body"));
        }
        let permit = acquire(&judgement.client_state, Resource::Upgrade, settings)?;
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, protocol);
        special = Some(Special::Upgrade(permit, judged));
    }
    let upload = UploadLimits { idle_timeout: upstream.idle_timeout, rate: settings.limits.upload_rate };
    let has_body = !body.is_end_stream();
    let mut body = RequestBody::new(body, version, connection, upload);
    if has_body {
        body.reserve(&judgement.client_state);
        if is_grpc(&parts.headers) {
            body.set_interactive();
        }
    }
    let wanted = expects_continue(&parts, &mut body);
    let mut request = Request::from_parts(parts, body);
    if let Some(wanted) = wanted {
        on_informational(&mut request, move |answer| {
            if answer.status() == StatusCode::CONTINUE {
                wanted.notify_one();
            }
        });
    }
    let sender = Sender {
        client: Client::of(judgement.client.address),
        state: Arc::clone(&judgement.client_state),
        share: settings.limits.client.share(Resource::UpstreamConnection),
    };
    let outgoing = OutgoingRequest { request, added, sender, permit: None };
    Ok(Box::new(Prepared { portal, outgoing, special }))
}

/// Sends it and waits for the head of the answer.
pub async fn forward(
    worker: &Worker,
    connection: &ClientConnection,
    judgement: &Judgement,
    policy: &TenantPolicy,
    mut prepared: Box<Prepared>,
    now: u64,
) -> Result<Response<ResponseBody>, NoAnswer> {
    let special = prepared.special.take();
    let Prepared { portal, outgoing, .. } = &mut *prepared;
    if let Some(Special::Upgrade(permit, judged)) = special {
        let watch = AccessWatch::new(worker, judgement, policy, judged, now);
        return Box::pin(upgrade(worker, connection, judgement, (portal, outgoing), (permit, watch))).await;
    }
    let upload = outgoing.request.body().progress();
    let failed = |error| match upload.as_ref().and_then(|upload| upload.client_fault()) {
        Some(fault) => NoAnswer { refusal: Refusal::from(fault), may_have_arrived: true },
        None => NoAnswer::because(worker, portal.target(), judgement, &error),
    };
    let mut answer = portal.forward(outgoing).await.map_err(failed)?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        // nobody asked for it: whatever follows would be read as somebody's answer
        return Err(failed(ForwardError::Upgrade));
    }
    // a message of ours, whatever the portal still speaks (RFC 9110 §6.2)
    *answer.version_mut() = Version::HTTP_11;
    clean_response(answer.headers_mut(), false);
    if matches!(special, Some(Special::Settings)) {
        answer = Box::pin(settings_answer::correct(answer, policy.anonymous))
            .await
            .map_err(|()| failed(ForwardError::Broken("its settings break off, or are too long".into())))?;
    }
    Ok(answer)
}

/// Longest prefix in whole segments; the list is sorted that way and ends with `/`.
fn find_upstream<'a>(upstreams: &'a [Arc<Upstream>], path: &str) -> Option<&'a Arc<Upstream>> {
    upstreams.iter().find(|upstream| {
        let prefix = upstream.path.trim_end_matches('/');
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// The request as the portal gets it: one tenant, one identity, one origin, none of our cookies.
fn rewrite(
    connection: &ClientConnection,
    judgement: &Judgement,
    policy: &TenantPolicy,
    upstream: &Upstream,
    parts: &mut Parts,
) -> Result<Added, Refusal> {
    select::settle(parts, &policy.tenant)
        .map_err(|ambiguity| Refusal::Unclear { status: ambiguity.status(), detail: ambiguity.detail() })?;
    cookies::strip_own(&mut parts.headers);
    let mut known = None;
    match (&judgement.identity, &judgement.proof) {
        (Identity::User(user), Some(Proof::Token(verified))) => {
            let make = || told(policy, user);
            known = Some(Arc::clone(verified.headers.get_or_init(make)));
            without_unverified_cookies(policy, parts);
            if !policy.forward_token {
                parts.headers.remove(header::AUTHORIZATION);
            }
        }
        // whatever else came along is not what let the request in
        (Identity::User(user), Some(Proof::Session(live))) => {
            without_tokens(policy, parts)?;
            let make = || told(policy, user);
            known = Some(match live.headers.get_or_init(|| (policy.generation, make())) {
                (generation, headers) if *generation == policy.generation => Arc::clone(headers),
                // a tenant that is visited, or a policy that has changed
                _ => make(),
            });
        }
        // on an open route nobody was looked for: the header is the portal's business
        (Identity::Anonymous, _) if judgement.route.as_ref().is_some_and(|r| r.access == Access::Open) => {}
        // as good as nobody, to the portal too: it may read tokens itself
        _ => without_tokens(policy, parts)?,
    }
    let host = parts.headers.get(header::HOST);
    let origin = host.and_then(|host| connection.origin(&judgement.client, host, &judgement.client_state));
    let (tenant, request_id) = (policy.header_value.clone(), judgement.caller.request_id.clone());
    let added = Added::new(&mut parts.headers, tenant, request_id, origin, known);
    if judgement.cleaned.te_trailers {
        parts.headers.insert(header::TE, HeaderValue::from_static("trailers"));
        if !upstream.http2 {
            parts.headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        }
    }
    if let Some(host) = &upstream.host
        && let Ok(host) = HeaderValue::try_from(host.as_str())
    {
        parts.headers.insert(header::HOST, host);
    }
    // protocols are switched on HTTP/1.1 alone
    let http2 = upstream.http2 && judgement.cleaned.upgrade.is_none();
    if http2 {
        added.insert(&mut parts.headers);
    }
    address(upstream, http2, parts)?;
    Ok(added)
}

fn told(policy: &TenantPolicy, user: &User) -> IdentityHeaders {
    identity_headers(policy.identity_headers, user, &policy.tenant, &policy.cross_tenant)
}

/// Removes tokens in cookies beside the one that was verified: the portal may read them first.
fn without_unverified_cookies(policy: &TenantPolicy, parts: &mut Parts) {
    if !parts.headers.contains_key(header::COOKIE) {
        return;
    }
    let token_cookie = policy.token_cookie.as_deref();
    let verified = VerifiedCookies::of(&parts.headers, token_cookie, parts.uri.query());
    cookies::strip_named(&mut parts.headers, |name| match name {
        bearer::FIRST_HALF_COOKIE => !verified.first_half,
        bearer::SECOND_HALF_COOKIE => !verified.second_half,
        _ => !verified.whole && token_cookie == Some(name),
    });
}

/// The portal gets no token that did not count.
fn without_tokens(policy: &TenantPolicy, parts: &mut Parts) -> Result<(), Refusal> {
    parts.headers.remove(header::AUTHORIZATION);
    cookies::strip_named(&mut parts.headers, |name| {
        name == bearer::FIRST_HALF_COOKIE
            || name == bearer::SECOND_HALF_COOKIE
            || policy.token_cookie.as_deref() == Some(name)
    });
    if parts.uri.query().is_some_and(bearer::names_access_token) {
        return Err(Refusal::SignInNeeded { sign_in_url: None });
    }
    Ok(())
}

/// The request target in the form the portal's protocol wants.
fn address(upstream: &Upstream, http2: bool, parts: &mut Parts) -> Result<(), Refusal> {
    let unclear = || Refusal::BadRequest("the host is not a valid host name");
    if http2 {
        let host = parts.headers.remove(header::HOST).ok_or_else(unclear)?;
        let mut target = std::mem::take(&mut parts.uri).into_parts();
        let encrypted = matches!(upstream.target, Target::Tls { .. });
        target.scheme = Some(if encrypted { uri::Scheme::HTTPS } else { uri::Scheme::HTTP });
        target.authority = Some(uri::Authority::try_from(host.as_bytes()).map_err(|_| unclear())?);
        parts.uri = Uri::from_parts(target).map_err(|_| unclear())?;
        parts.version = Version::HTTP_2;
    } else {
        if parts.uri.scheme().is_some() {
            let mut target = uri::Parts::default();
            target.path_and_query = parts.uri.path_and_query().cloned();
            parts.uri = Uri::from_parts(target).map_err(|_| unclear())?;
        }
        parts.version = Version::HTTP_11;
    }
    Ok(())
}

fn expects_continue(parts: &Parts, body: &mut RequestBody) -> Option<Arc<Notify>> {
    let expects = parts
        .headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if !expects {
        return None;
    }
    let wanted = Arc::new(Notify::new());
    body.wait_for(Arc::clone(&wanted), CONTINUE_PATIENCE);
    Some(wanted)
}

/// Its messages are sent one by one, and the client may wait for the portal's first.
fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().get(..GRPC.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

async fn upgrade(
    worker: &Worker,
    connection: &ClientConnection,
    judgement: &Judgement,
    (portal, outgoing): (&Portal, &mut OutgoingRequest),
    (permit, watch): (Permit, AccessWatch),
) -> Result<Response<ResponseBody>, NoAnswer> {
    let failed = |error| NoAnswer::because(worker, portal.target(), judgement, &error);
    let (mut headers, stream, early) = match portal.forward_upgrade(outgoing).await {
        Err(error) => return Err(failed(error)),
        Ok(Upgraded::Switched { headers, .. }) if !is_wanted(judgement, &headers) => {
            return Err(failed(ForwardError::Upgrade));
        }
        Ok(Upgraded::Switched { headers, stream, early }) => (headers, stream, early),
        Ok(Upgraded::Declined(mut answer)) => {
            clean_response(answer.headers_mut(), false);
            return Ok(*answer);
        }
    };
    let is_websocket = headers
        .get(header::UPGRADE)
        .is_some_and(|chosen| chosen.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let ended = Box::pin(watch.ended());
    connection.leave_tunnel(Tunnel { portal: stream, early, is_websocket, ended, permit });
    clean_response(&mut headers, true);
    let mut answer = Response::new(ResponseBody::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// Is this the protocol, or one of those, that the client asked for?
fn is_wanted(judgement: &Judgement, answer: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    let chosen = answer.get(header::UPGRADE).map(text).unwrap_or_default();
    let asked = judgement.cleaned.upgrade.as_ref().map(text).unwrap_or_default();
    asked.split(',').any(|protocol| protocol.trim() == chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(path: &str) -> Arc<Upstream> {
        Arc::new(Upstream {
            path: path.to_owned(),
            target: Target::Unix { path: "/run/portal.sock".into() },
            http2: false,
            host: None,
            max_connections: 1,
            connect_timeout: Duration::ZERO,
            header_timeout: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            keep_alive: Duration::ZERO,
        })
    }

    #[test]
    fn upstreams_are_found_by_whole_segments() {
        let upstreams = [upstream("/api/am"), upstream("/api"), upstream("/")];
        for (path, found) in
            [("/api/am/x", "/api/am"), ("/api", "/api"), ("/api/x", "/api"), ("/apis", "/"), ("/", "/")]
        {
            assert_eq!(find_upstream(&upstreams, path).unwrap().path, found, "{path}");
        }
    }
}
