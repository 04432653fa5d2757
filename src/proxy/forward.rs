//! Step 7 for an allowed request: forwards it with the tenant and the user it was evaluated for.

use std::{mem, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header, request::Parts};
use hyper::ext::on_informational;
use tokio::sync::Notify;

use super::{
    access_watch::{AccessWatch, OriginalRequest},
    admission::{acquire, check_buffers},
    body::ResponseBody,
    context::RequestContext,
    evaluate::RoutedRequest,
    exchange::Exchange,
    forward_failure::{ForwardFailure, record_portal_failure},
    headers::clean_response,
    portal_settings,
    refusal::Refusal,
    request_body::{ClientBody, RequestBody},
    rewrite::rewrite_request,
    upgrade::Tunnel,
    upload_watch::UploadLimits,
    upstream::{ForwardError, OutgoingRequest, UpgradeResponse, UpstreamClient, UpstreamSender},
};
use crate::{
    config::model::{PortalProfile, Upstream},
    domain::{client::ClientPrefix, fairness::Resource},
    sync::client_limits::Permit,
};

/// Time an upload waits for the portal's `100 Continue` before it starts anyway (RFC 9110 §10.1.1).
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

const GRPC: &[u8] = b"application/grpc";

/// A request ready to be forwarded, and its upstream.
pub struct PreparedRequest {
    portal: Arc<UpstreamClient>,
    outgoing: OutgoingRequest,
    handling: Handling,
}

enum Handling {
    Plain,
    /// The devportal's settings document: the response is corrected.
    PortalSettings,
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
    routed: &RoutedRequest,
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
    let handling = if routed.allowed_upgrade.is_some() {
        if !body.is_end_stream() {
            // the end of the body and the start of the new protocol would be ambiguous
            return Err(Refusal::BadRequest("a request to switch protocols has no body"));
        }
        let permit = acquire(&context.client_state, Resource::Upgrade, settings)?;
        Handling::Upgrade(permit, OriginalRequest::of(&parts))
    } else if settings.portal.profile == PortalProfile::Wso2Apim
        && parts.method == http::Method::GET
        && portal_settings::is_settings_path(parts.uri.path())
    {
        Handling::PortalSettings
    } else {
        Handling::Plain
    };
    if matches!(handling, Handling::PortalSettings) {
        portal_settings::request_plain_document(&mut parts.headers);
    }
    let upstream_headers = rewrite_request(connection, context, routed, upstream, &mut parts)?;
    let upload = UploadLimits { idle_timeout: upstream.idle_timeout, rate: settings.limits.upload_rate };
    let has_body = !body.is_end_stream();
    let mut body = RequestBody::new(body, version, connection, upload);
    if has_body {
        body.reserve(&context.client_state);
        if is_grpc(&parts.headers) {
            body.set_interactive();
        }
        if !routed.policy.access.own_identity_headers.is_empty() {
            body.drop_trailers();
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
    Ok(Box::new(PreparedRequest { portal, outgoing, handling }))
}

/// Sends the request and waits for the head of the response.
pub async fn forward(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    routed: &RoutedRequest,
    mut prepared: Box<PreparedRequest>,
) -> Result<Response<ResponseBody>, ForwardFailure> {
    let corrects_settings = match mem::replace(&mut prepared.handling, Handling::Plain) {
        Handling::Plain => false,
        Handling::PortalSettings => true,
        Handling::Upgrade(permit, original) => {
            let watch = AccessWatch::new(exchange, context, routed, original);
            let access = UpgradeAccess { permit, watch };
            return Box::pin(forward_upgrade(exchange, context, routed, &mut prepared, access)).await;
        }
    };
    let PreparedRequest { portal, outgoing, .. } = &mut *prepared;
    let upload = outgoing.request.body().progress();
    let failed = |error| match upload.as_ref().and_then(|upload| upload.client_fault()) {
        Some(fault) => ForwardFailure { refusal: Refusal::from(fault), may_have_arrived: true },
        None => ForwardFailure::record(exchange.worker, portal.target(), context, &error),
    };
    let mut response = portal.forward(outgoing).await.map_err(failed)?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // not requested: the following bytes would be read as the response to another request
        return Err(failed(ForwardError::Upgrade));
    }
    // a message of Doorward, whatever version the portal speaks (RFC 9110 §6.2)
    *response.version_mut() = Version::HTTP_11;
    clean_response(response.headers_mut(), false);
    if corrects_settings {
        response = Box::pin(portal_settings::correct_anonymous_mode(response, routed.policy.anonymous))
            .await
            .map_err(|incomplete| failed(ForwardError::Broken(incomplete.into())))?;
    }
    Ok(response)
}

/// Longest prefix in whole segments; the list is sorted that way and ends with `/`.
pub fn find_upstream<'a>(upstreams: &'a [Arc<Upstream>], path: &str) -> Option<&'a Arc<Upstream>> {
    upstreams.iter().find(|upstream| {
        let prefix = upstream.path.trim_end_matches('/');
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
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
    routed: &RoutedRequest,
    prepared: &mut PreparedRequest,
    access: UpgradeAccess,
) -> Result<Response<ResponseBody>, ForwardFailure> {
    let PreparedRequest { portal, outgoing, .. } = prepared;
    let failed = |error| ForwardFailure::record(exchange.worker, portal.target(), context, &error);
    let (mut headers, stream, early) = match portal.forward_upgrade(outgoing).await {
        Err(error) => return Err(failed(error)),
        Ok(UpgradeResponse::Switched { headers, .. }) if !is_requested_protocol(routed, &headers) => {
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
fn is_requested_protocol(routed: &RoutedRequest, response_headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    let chosen = response_headers.get(header::UPGRADE).map(text).unwrap_or_default();
    let requested = routed.allowed_upgrade.as_ref().map(text).unwrap_or_default();
    requested.split(',').any(|protocol| protocol.trim() == chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::UpstreamTarget;

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
