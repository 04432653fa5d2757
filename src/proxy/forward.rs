//! Step 7 for an allowed request: forwards it with the tenant and the user it was evaluated for.

use std::{sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header, request::Parts, uri,
};
use hyper::ext::on_informational;
use tokio::sync::Notify;

use super::{
    ClientConnection,
    access_watch::{AccessWatch, OriginalRequest},
    admission::{acquire, check_buffers},
    authenticate::VerifiedCredential,
    body::ResponseBody,
    evaluate::RequestContext,
    exchange::Exchange,
    forward_failure::{ForwardFailure, record_portal_failure},
    headers::{IdentityHeaders, clean_response, identity_headers},
    portal_settings,
    refusal::Refusal,
    request_body::{ClientBody, RequestBody},
    tenant_selection,
    upgrade::Tunnel,
    upload_watch::UploadLimits,
    upstream::{ForwardError, OutgoingRequest, UpgradeResponse, UpstreamClient, UpstreamSender},
    upstream_headers::UpstreamHeaders,
    validation::cookies,
};
use crate::{
    config::{
        TenantPolicy,
        model::{PortalProfile, Upstream, UpstreamTarget},
    },
    domain::{
        client::ClientPrefix,
        fairness::Resource,
        identity::{Identity, User},
        route::AccessLevel,
    },
    sync::client_limits::Permit,
    token::bearer::{self, VerifiedCookies},
};

/// Time an upload waits for the portal's `100 Continue` before it starts anyway (RFC 9110 §10.1.1).
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

const GRPC: &[u8] = b"application/grpc";

/// A request ready to be forwarded, and its upstream.
pub struct PreparedRequest {
    portal: Arc<UpstreamClient>,
    outgoing: OutgoingRequest,
    special: Option<SpecialHandling>,
}

/// Handling that only some requests need.
enum SpecialHandling {
    /// The devportal's settings document: the response is corrected.
    Settings,
    /// A request to switch protocols.
    Upgrade(Permit, OriginalRequest),
}

/// Counts an upgraded connection, and ends it when the request would no longer be allowed.
struct UpgradeAccess {
    permit: Permit,
    watch: AccessWatch,
}

/// All steps that need no waiting.
pub fn prepare(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    policy: &TenantPolicy,
    mut parts: Parts,
    body: ClientBody,
) -> Result<Box<PreparedRequest>, Refusal> {
    let &Exchange { worker, connection, settings, .. } = exchange;
    // the body of a guarded sign-in was admitted before it was read, and must not be refused because of itself
    if !matches!(body, ClientBody::Buffered(Some(_))) {
        check_buffers(&worker.state, context)?;
    }
    let Some(upstream) = find_upstream(&settings.portal.upstreams, parts.uri.path()) else {
        return Err(Refusal::PortalDown);
    };
    let portal = worker
        .upstreams
        .get(upstream)
        .map_err(|error| record_portal_failure(worker, &upstream.target, context, &error))?;
    let version = parts.version;
    let original = context.connection_options.upgrade.is_some().then(|| OriginalRequest::of(&parts));
    let mut special = None;
    if settings.portal.profile == PortalProfile::Wso2Apim
        && portal_settings::is_settings_path(parts.uri.path())
        && parts.method == http::Method::GET
    {
        portal_settings::request_plain_document(&mut parts.headers);
        special = Some(SpecialHandling::Settings);
    }
    let upstream_headers = rewrite_request(connection, context, policy, upstream, &mut parts)?;
    if let (Some(protocol), Some(original)) = (context.connection_options.upgrade.clone(), original) {
        if !body.is_end_stream() {
            // the end of the body and the start of the new protocol would be ambiguous
            return Err(Refusal::BadRequest("a request to switch protocols has no body"));
        }
        let permit = acquire(&context.client_state, Resource::Upgrade, settings)?;
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, protocol);
        special = Some(SpecialHandling::Upgrade(permit, original));
    }
    let upload = UploadLimits { idle_timeout: upstream.idle_timeout, rate: settings.limits.upload_rate };
    let has_body = !body.is_end_stream();
    let mut body = RequestBody::new(body, version, connection, upload);
    if has_body {
        body.reserve(&context.client_state);
        if is_grpc(&parts.headers) {
            body.set_interactive();
        }
    }
    let continue_received = defer_body_until_continue(&parts, &mut body);
    let mut request = Request::from_parts(parts, body);
    if let Some(continue_received) = continue_received {
        on_informational(&mut request, move |answer| {
            if answer.status() == StatusCode::CONTINUE {
                continue_received.notify_one();
            }
        });
    }
    let sender = UpstreamSender {
        client: ClientPrefix::of(context.client.address),
        state: Arc::clone(&context.client_state),
        share: settings.limits.client.share(Resource::UpstreamConnection),
    };
    let outgoing = OutgoingRequest { request, added: upstream_headers, sender, permit: None };
    Ok(Box::new(PreparedRequest { portal, outgoing, special }))
}

/// Sends the request and waits for the head of the response.
pub async fn forward(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    policy: &TenantPolicy,
    mut prepared: Box<PreparedRequest>,
) -> Result<Response<ResponseBody>, ForwardFailure> {
    let special = prepared.special.take();
    let PreparedRequest { portal, outgoing, .. } = &mut *prepared;
    if let Some(SpecialHandling::Upgrade(permit, original)) = special {
        let access = UpgradeAccess { permit, watch: AccessWatch::new(exchange, context, policy, original) };
        return Box::pin(forward_upgrade(exchange, context, portal, outgoing, access)).await;
    }
    let upload = outgoing.request.body().progress();
    let failed = |error| match upload.as_ref().and_then(|upload| upload.client_fault()) {
        Some(fault) => ForwardFailure { refusal: Refusal::from(fault), may_have_arrived: true },
        None => ForwardFailure::from_error(exchange.worker, portal.target(), context, &error),
    };
    let mut response = portal.forward(outgoing).await.map_err(failed)?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // not requested: the following bytes would be read as the response to another request
        return Err(failed(ForwardError::Upgrade));
    }
    // a message of Doorward, whatever version the portal speaks (RFC 9110 §6.2)
    *response.version_mut() = Version::HTTP_11;
    clean_response(response.headers_mut(), false);
    if matches!(special, Some(SpecialHandling::Settings)) {
        response = Box::pin(portal_settings::correct_anonymous_mode(response, policy.anonymous))
            .await
            .map_err(|()| failed(ForwardError::Broken("its settings break off, or are too long".into())))?;
    }
    Ok(response)
}

/// Longest prefix in whole segments; the list is sorted that way and ends with `/`.
fn find_upstream<'a>(upstreams: &'a [Arc<Upstream>], path: &str) -> Option<&'a Arc<Upstream>> {
    upstreams.iter().find(|upstream| {
        let prefix = upstream.path.trim_end_matches('/');
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Rewrites the request for the portal: one tenant, one identity, one client address, no cookies of Doorward.
fn rewrite_request(
    connection: &ClientConnection,
    context: &RequestContext,
    policy: &TenantPolicy,
    upstream: &Upstream,
    parts: &mut Parts,
) -> Result<UpstreamHeaders, Refusal> {
    tenant_selection::normalize_tenant(parts, &policy.tenant)
        .map_err(|ambiguity| Refusal::Invalid { status: ambiguity.status(), detail: ambiguity.detail() })?;
    cookies::strip_own(&mut parts.headers);
    let mut identity = None;
    match (&context.identity, &context.credential) {
        (Identity::User(user), Some(VerifiedCredential::Token(verified))) => {
            let make = || identity_headers_for(policy, user);
            identity = Some(Arc::clone(verified.headers.get_or_init(make)));
            remove_unverified_token_cookies(policy, parts);
            if !policy.access.forward_token {
                parts.headers.remove(header::AUTHORIZATION);
            }
        }
        // other credentials of the request did not allow it
        (Identity::User(user), Some(VerifiedCredential::Session(live))) => {
            remove_tokens(policy, parts)?;
            let make = || identity_headers_for(policy, user);
            identity = Some(match live.headers.get_or_init(|| (policy.generation, make())) {
                (generation, headers) if *generation == policy.generation => Arc::clone(headers),
                // a user of another tenant, or a changed policy
                _ => make(),
            });
        }
        // on an open route no credential is verified: the header is left to the portal
        (Identity::Anonymous, _) if context.route.as_ref().is_some_and(|r| r.access == AccessLevel::Open) => {
        }
        // anonymous for the portal too: it may read tokens itself
        _ => remove_tokens(policy, parts)?,
    }
    let host = parts.headers.get(header::HOST);
    let origin =
        host.and_then(|host| connection.forwarding_headers(&context.client, host, &context.client_state));
    let (tenant, request_id) = (policy.header_value.clone(), context.response_context.request_id.clone());
    let upstream_headers = UpstreamHeaders::new(&mut parts.headers, tenant, request_id, origin, identity);
    if context.connection_options.accepts_trailers {
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
    let http2 = upstream.http2 && context.connection_options.upgrade.is_none();
    if http2 {
        upstream_headers.insert_into(&mut parts.headers);
    }
    set_request_target(upstream, http2, parts)?;
    Ok(upstream_headers)
}

fn identity_headers_for(policy: &TenantPolicy, user: &User) -> IdentityHeaders {
    identity_headers(policy.access.identity_headers, user, &policy.tenant, &policy.access.cross_tenant)
}

/// Removes tokens in cookies beside the one that was verified: the portal may read them first.
fn remove_unverified_token_cookies(policy: &TenantPolicy, parts: &mut Parts) {
    if !parts.headers.contains_key(header::COOKIE) {
        return;
    }
    let token_cookie = policy.access.token_cookie.as_deref();
    let verified = VerifiedCookies::of(&parts.headers, token_cookie, parts.uri.query());
    cookies::strip_named(&mut parts.headers, |name| match name {
        bearer::FIRST_HALF_COOKIE => !verified.first_half,
        bearer::SECOND_HALF_COOKIE => !verified.second_half,
        _ => !verified.whole && token_cookie == Some(name),
    });
}

/// Removes tokens that were not accepted, so that the portal cannot read them.
fn remove_tokens(policy: &TenantPolicy, parts: &mut Parts) -> Result<(), Refusal> {
    parts.headers.remove(header::AUTHORIZATION);
    cookies::strip_named(&mut parts.headers, |name| {
        name == bearer::FIRST_HALF_COOKIE
            || name == bearer::SECOND_HALF_COOKIE
            || policy.access.token_cookie.as_deref() == Some(name)
    });
    if parts.uri.query().is_some_and(bearer::has_access_token_parameter) {
        return Err(Refusal::SignInNeeded { sign_in_url: None });
    }
    Ok(())
}

/// The request target in the form of the upstream protocol.
fn set_request_target(upstream: &Upstream, http2: bool, parts: &mut Parts) -> Result<(), Refusal> {
    let unclear = || Refusal::BadRequest("the host is not a valid host name");
    if http2 {
        let host = parts.headers.remove(header::HOST).ok_or_else(unclear)?;
        let mut target = std::mem::take(&mut parts.uri).into_parts();
        let encrypted = matches!(upstream.target, UpstreamTarget::Tls { .. });
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

fn defer_body_until_continue(parts: &Parts, body: &mut RequestBody) -> Option<Arc<Notify>> {
    let expects = parts
        .headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if !expects {
        return None;
    }
    let continue_received = Arc::new(Notify::new());
    body.defer_until_continue(Arc::clone(&continue_received), CONTINUE_TIMEOUT);
    Some(continue_received)
}

/// gRPC messages are sent one by one, and the client may wait for the portal's first.
fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().get(..GRPC.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

async fn forward_upgrade(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    portal: &UpstreamClient,
    outgoing: &mut OutgoingRequest,
    access: UpgradeAccess,
) -> Result<Response<ResponseBody>, ForwardFailure> {
    let failed = |error| ForwardFailure::from_error(exchange.worker, portal.target(), context, &error);
    let (mut headers, stream, early) = match portal.forward_upgrade(outgoing).await {
        Err(error) => return Err(failed(error)),
        Ok(UpgradeResponse::Switched { headers, .. }) if !is_requested_protocol(context, &headers) => {
            return Err(failed(ForwardError::Upgrade));
        }
        Ok(UpgradeResponse::Switched { headers, stream, early }) => (headers, stream, early),
        Ok(UpgradeResponse::Declined(mut response)) => {
            clean_response(response.headers_mut(), false);
            return Ok(*response);
        }
    };
    let is_websocket = headers
        .get(header::UPGRADE)
        .is_some_and(|chosen| chosen.as_bytes().eq_ignore_ascii_case(b"websocket"));
    exchange.connection.put_tunnel(Tunnel {
        portal: stream,
        early,
        is_websocket,
        access_ended: Box::pin(access.watch.ended()),
        permit: access.permit,
    });
    clean_response(&mut headers, true);
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Whether the chosen protocol is one that the client requested.
fn is_requested_protocol(context: &RequestContext, response_headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    let chosen = response_headers.get(header::UPGRADE).map(text).unwrap_or_default();
    let requested = context.connection_options.upgrade.as_ref().map(text).unwrap_or_default();
    requested.split(',').any(|protocol| protocol.trim() == chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(path: &str) -> Arc<Upstream> {
        Arc::new(Upstream {
            path: path.to_owned(),
            target: UpstreamTarget::Unix { path: "/run/portal.sock".into() },
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
