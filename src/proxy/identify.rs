//! Step 5: who asks, as proven by a token.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method, header, request::Parts};

use super::{Gate, answer::Refusal, forwarded::Client};
use crate::{
    config::{
        Settings, TenantPolicy,
        model::{Issuer, KeySource, Profile},
    },
    domain::{
        browser,
        route::{Access, Route, Surface},
    },
    token::{
        TokenError, Verified,
        bearer::{self, BadCredential, Credential, Places},
    },
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// From where, with what and when somebody asks.
pub struct Asking<'a> {
    pub client: &'a Client,
    pub by: browser::Caller,
    pub now: u64,
}

/// Who asks, as proven by a token that counts under this tenant's policy. A browser that opens a page is never refused because
/// of a stale token: its visitor is unknown, no more. A program that sends a bad token is told so.
pub async fn identify(
    gate: &Gate,
    settings: &Settings,
    parts: &Parts,
    policy: &TenantPolicy,
    route: &Route,
    asking: Asking<'_>,
) -> Result<Option<Arc<Verified>>, Refusal> {
    // sign-in itself uses this header in ways of its own (client credentials), and assets need nobody
    if route.access == Access::Open {
        return Ok(None);
    }
    let wso2 = settings.portal.profile == Profile::Wso2Apim;
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    let by_own_page = reads || is_from_own_page(parts, asking.client);
    let query = parts.uri.query().filter(|query| bearer::names_access_token(query));
    let places = Places {
        max_bytes: settings.limits.max_token_bytes,
        token_cookie: policy.token_cookie.as_deref(),
        both_halves_as_cookies: wso2 && by_own_page && route.surface == Surface::Page,
        query: query.filter(|_| wso2 && reads && route.surface == Surface::Wso2Api),
    };
    let credential = bearer::extract(&parts.headers, &places).map_err(|problem| match problem {
        BadCredential::TooLong => Refusal::BadToken(TokenError::TooLong),
        BadCredential::TwoHeaders => Refusal::BadRequest("the request has two Authorization headers"),
        BadCredential::TwoTokens => Refusal::BadRequest("the request has more than one access token"),
        BadCredential::NotOneToken => Refusal::BadToken(TokenError::Malformed),
    })?;
    let is_program = asking.by != browser::Caller::Navigation;
    let in_header = parts.headers.contains_key(header::AUTHORIZATION);
    let token = match credential {
        // RFC 6750 §5.3: a token in an address ends up in logs and histories
        _ if query.is_some() && places.query.is_none() => {
            return Err(Refusal::BadRequest("an access token does not belong into the address"));
        }
        Credential::None if query.is_some() => {
            return Err(Refusal::BadRequest("an access token does not belong into the address"));
        }
        Credential::None => return Ok(None),
        Credential::OtherScheme => return Err(Refusal::SignInNeeded { sign_in_url: None }),
        // a browser sends the portal's cookies to every tenant's address; whoever leads it there must not be shown them
        Credential::Bearer(token) if !in_header && would_show_a_tenant(policy, &token) => {
            return Ok(None);
        }
        Credential::Bearer(token) => token,
    };
    let verified = if let Some(known) = gate.tokens.cached(policy, &token, asking.now) {
        gate.metrics.tokens_cached.inc();
        known
    } else {
        gate.metrics.tokens_checked.inc();
        Box::pin(gate.tokens.verify(policy, &token, asking.now)).await
    };
    match verified {
        Ok(verified) => Ok(Some(verified)),
        // "cannot be checked" is never "nobody"
        Err(error) if in_header && is_program => Err(Refusal::BadToken(error)),
        Err(error @ (TokenError::Unavailable | TokenError::MissingScope { .. })) => {
            Err(Refusal::BadToken(error))
        }
        Err(_) => Ok(None),
    }
}

/// Would this token be sent to an introspection endpoint that a tenant's own file names?
fn would_show_a_tenant(policy: &TenantPolicy, token: &str) -> bool {
    let own = |issuer: &&Arc<Issuer>| issuer.of_tenant_file && issuer.introspection.is_some();
    policy.issuers.iter().filter(own).any(|issuer| bearer::is_opaque(token) || issuer.keys == KeySource::None)
}

/// Cross-site WebSocket hijacking: a page of another origin opens a socket with the visitor's cookies. Programs send no
/// `Origin`, and no cookies they did not choose.
pub fn is_foreign_origin(parts: &Parts, client: &Client, policy: &TenantPolicy) -> bool {
    let Some(origin) = parts.headers.get(header::ORIGIN) else { return false };
    let Ok(origin) = origin.to_str() else { return true };
    let own = own_origin(client, &parts.headers);
    own.as_deref() != Some(origin) && !policy.websocket_origins.iter().any(|allowed| allowed == origin)
}

/// Cross-site request forgery: a form of another origin is sent with the visitor's cookies.
fn is_from_own_page(parts: &Parts, client: &Client) -> bool {
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let own = own_origin(client, &parts.headers);
    browser::from_own_page(text(&SEC_FETCH_SITE), text(&header::ORIGIN), own.as_deref())
}

/// The origin the browser sees us under: scheme and host of the request, as far as proxies before us may be believed.
pub fn own_origin(client: &Client, headers: &HeaderMap) -> Option<String> {
    let host = client.host.as_deref().or_else(|| headers.get(header::HOST)?.to_str().ok())?;
    let scheme = if client.https { "https" } else { "http" };
    Some(format!("{scheme}://{}", host.to_ascii_lowercase()))
}
