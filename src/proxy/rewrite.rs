//! Step 7 for an allowed request: all edits of its head for the portal, in one place.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Uri, Version, header, request::Parts, uri};

use super::{
    ClientConnection,
    authenticate::{HeaderOwner, VerifiedCredential},
    context::RequestContext,
    evaluate::RoutedRequest,
    headers::{IdentityHeaders, identity_headers},
    refusal::Refusal,
    tenant_selection,
    upstream_headers::UpstreamHeaders,
    validation::cookies,
};
use crate::{
    config::{
        TenantPolicy,
        model::{Upstream, UpstreamTarget},
        sections::access::OwnIdentityHeader,
    },
    domain::{
        identity::{Identity, User},
        route::AccessLevel,
    },
    token::bearer::{self, VerifiedCookies},
};

/// The reader of the tokens of a request.
#[derive(Clone, Copy)]
struct TokenReaders {
    header_owner: HeaderOwner,
    /// The portal reads a token in the query, too.
    portal_reads_query: bool,
}

/// Rewrites the request for the portal: one tenant, one identity, one client address, no cookies of Doorward.
pub fn rewrite_request(
    connection: &ClientConnection,
    context: &RequestContext,
    routed: &RoutedRequest,
    upstream: &Upstream,
    parts: &mut Parts,
) -> Result<UpstreamHeaders, Refusal> {
    let policy = &*routed.policy;
    if policy.header_value.is_some() {
        tenant_selection::normalize_tenant(parts, &policy.tenant)?;
    }
    let readers =
        TokenReaders { header_owner: context.header_owner, portal_reads_query: routed.reads_query_token };
    cookies::strip_own(&mut parts.headers);
    if !policy.access.own_identity_headers.is_empty() {
        remove_own_identity_headers(&policy.access.own_identity_headers, parts);
    }
    let mut identity = None;
    match (&context.identity, &context.credential) {
        (Identity::User(user), Some(VerifiedCredential::Token(verified))) => {
            let make = || identity_headers_for(policy, user);
            identity = Some(Arc::clone(verified.headers.get_or_init(make)));
            remove_unverified_token_cookies(policy, readers, parts);
            if !policy.access.forward_token && context.header_owner == HeaderOwner::Doorward {
                parts.headers.remove(header::AUTHORIZATION);
            }
        }
        // other credentials of the request did not allow it
        (Identity::User(user), Some(VerifiedCredential::Session(live))) => {
            remove_tokens(policy, readers, parts)?;
            let make = || identity_headers_for(policy, user);
            identity = Some(match live.headers.get_or_init(|| (policy.generation, make())) {
                (generation, headers) if *generation == policy.generation => Arc::clone(headers),
                // a user of another tenant, or a changed policy
                _ => make(),
            });
        }
        // on an open route no credential is verified: the header is left to the portal
        (Identity::Anonymous, _) if routed.route.access == AccessLevel::Open => {}
        // anonymous for the portal too: it may read tokens itself
        _ => remove_tokens(policy, readers, parts)?,
    }
    let host = parts.headers.get(header::HOST);
    let origin =
        host.and_then(|host| connection.forwarding_headers(&context.client, host, &context.client_state));
    let (tenant, request_id) = (policy.header_value.clone(), context.response_context.request_id.clone());
    let upstream_headers = UpstreamHeaders::new(&mut parts.headers, tenant, request_id, origin, identity);
    if context.accepts_trailers {
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
    let http2 = upstream.http2 && routed.allowed_upgrade.is_none();
    if http2 {
        upstream_headers.insert_into(&mut parts.headers);
    }
    set_request_target(upstream, http2, parts)?;
    if let Some(protocols) = &routed.allowed_upgrade {
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, protocols.clone());
    }
    Ok(upstream_headers)
}

fn identity_headers_for(policy: &TenantPolicy, user: &User) -> IdentityHeaders {
    identity_headers(&policy.access, user, &policy.tenant)
}

/// Removes headers of the client under the names of the operator's own identity headers, and under names that a back end folds to
/// these: for CGI programs all characters but letters and digits are alike.
fn remove_own_identity_headers(own: &[OwnIdentityHeader], parts: &mut Parts) {
    let folded =
        |name: &HeaderName| name.as_str().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let forged: Vec<HeaderName> = parts
        .headers
        .keys()
        .filter(|name| own.iter().any(|own| own.name == **name || folded(&own.name) == folded(name)))
        .cloned()
        .collect();
    for name in forged {
        parts.headers.remove(name);
    }
}

/// Removes tokens in cookies beside the one that was verified: the portal may read them first.
fn remove_unverified_token_cookies(policy: &TenantPolicy, readers: TokenReaders, parts: &mut Parts) {
    if !parts.headers.contains_key(header::COOKIE) {
        return;
    }
    let token_cookie = policy.access.token_cookie.as_deref();
    let query = parts.uri.query().filter(|_| readers.portal_reads_query);
    let reads_header = readers.header_owner == HeaderOwner::Doorward;
    let verified = VerifiedCookies::of(&parts.headers, reads_header, token_cookie, query);
    cookies::strip_named(&mut parts.headers, |name| match name {
        bearer::FIRST_HALF_COOKIE => !verified.first_half,
        bearer::SECOND_HALF_COOKIE => !verified.second_half,
        _ => !verified.whole && token_cookie == Some(name),
    });
}

/// Removes tokens that were not accepted, so that the portal cannot read them.
fn remove_tokens(policy: &TenantPolicy, readers: TokenReaders, parts: &mut Parts) -> Result<(), Refusal> {
    if readers.header_owner == HeaderOwner::Doorward {
        parts.headers.remove(header::AUTHORIZATION);
    }
    cookies::strip_named(&mut parts.headers, |name| {
        name == bearer::FIRST_HALF_COOKIE
            || name == bearer::SECOND_HALF_COOKIE
            || policy.access.token_cookie.as_deref() == Some(name)
    });
    if readers.portal_reads_query && parts.uri.query().is_some_and(bearer::has_access_token_parameter) {
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
