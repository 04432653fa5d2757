//! Step 5: who asks, as proven by a token or by a session.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, Method, header, request::Parts};

use super::{Gate, answer::Refusal, forwarded::Client};
use crate::{
    account::Doors,
    clock,
    config::{
        Settings, TenantPolicy,
        hosts::{self, HostFound},
        model::{Issuer, KeySource, Profile},
    },
    domain::{
        browser,
        identity::User,
        route::{Access, Route, Surface},
    },
    session::{Cookie, Live, Unavailable},
    sync::client_limits::{ClientRegistry, ClientState},
    token::{
        TokenError, Verified,
        bearer::{self, BadCredential, Credential, Places},
    },
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// From where, with what and when somebody asks.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    pub client: &'a Client,
    pub by: browser::Caller,
    /// An upgrade that only users may have: an identity is looked for on an open route, too.
    pub needs_user: bool,
    pub now: u64,
    /// Whether metrics count the check of a token.
    pub is_counted: bool,
}

/// Who is it that asks for this?
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub gate: &'a Gate,
    pub settings: &'a Settings,
    pub parts: &'a Parts,
    pub policy: &'a TenantPolicy,
    pub route: &'a Route,
    pub asking: Asking<'a>,
}

/// What proves who asks.
#[derive(Clone)]
pub enum Proof {
    Token(Arc<Verified>),
    /// A browser that signed in here, by its cookie.
    Session(Arc<Live>),
}

impl Proof {
    pub fn user(&self) -> &Arc<User> {
        match self {
            Self::Token(verified) => &verified.user,
            Self::Session(live) => &live.user,
        }
    }

    /// The limits of the user.
    pub fn client_state(&self, clients: &ClientRegistry) -> &Arc<ClientState> {
        let (user, known) = match self {
            Self::Token(verified) => (&verified.user, &verified.client_state),
            Self::Session(live) => (&live.user, &live.client_state),
        };
        known.get_or_init(|| clients.by_user(user))
    }

    /// For people.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "a token",
            Self::Session(_) => "a session",
        }
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}", self.kind(), self.user())
    }
}

/// Who asks. A token goes before a session: somebody put it into this very request, while the cookie comes along by itself;
/// and the portal that gets the token would know its bearer, not the cookie's.
pub async fn identify(scene: Scene<'_>) -> Result<Option<Proof>, Refusal> {
    let Scene { gate, parts, route, asking, .. } = scene;
    // sign-in itself uses the header in ways of its own (client credentials), and assets need nobody
    if route.access == Access::Open && !asking.needs_user {
        return Ok(None);
    }
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    let by_own_page = reads || is_from_own_page((gate, scene.settings), parts, asking.client);
    let bearer = by_token(scene, (reads, by_own_page)).await?;
    match (bearer, &gate.doors) {
        (Some(verified), _) => Ok(Some(Proof::Token(verified))),
        (None, Some(doors)) if by_own_page => by_session(doors, parts, asking).await,
        (None, _) => Ok(None),
    }
}

/// The session this browser signed in with, if it is alive. Pages of other sites cannot send the cookie along
/// (`SameSite=Lax`), and what changes something counts only from a page of our own.
async fn by_session(doors: &Doors, parts: &Parts, asking: Asking<'_>) -> Result<Option<Proof>, Refusal> {
    let https = asking.client.https;
    if Cookie::Session.read(&parts.headers, https).is_none() {
        return Ok(None);
    }
    match Box::pin(doors.sessions().of_request(&parts.headers, https, clock::millis())).await {
        Ok(live) => Ok(live.map(Proof::Session)),
        // "cannot be found out" is never "nobody"
        Err(Unavailable) => Err(Refusal::StoreDown),
    }
}

/// As proven by a token that counts under this tenant's policy. A browser that opens a page is never refused because
/// of a stale token: its visitor is unknown, no more. A program that sends a bad token is told so.
async fn by_token(
    scene: Scene<'_>,
    (reads, by_own_page): (bool, bool),
) -> Result<Option<Arc<Verified>>, Refusal> {
    let Scene { gate, settings, parts, policy, route, asking } = scene;
    let wso2 = settings.portal.profile == Profile::Wso2Apim;
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
        gate.metrics.tokens_cached.inc_by(u64::from(asking.is_counted));
        known
    } else {
        gate.metrics.tokens_checked.inc_by(u64::from(asking.is_counted));
        Box::pin(gate.tokens.verify_for(asking.client.address, policy, &token, asking.now)).await
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
pub fn is_foreign_origin(
    (gate, settings): (&Gate, &Settings),
    parts: &Parts,
    client: &Client,
    policy: &TenantPolicy,
) -> bool {
    let Some(origin) = parts.headers.get(header::ORIGIN) else { return false };
    let Ok(origin) = origin.to_str() else { return true };
    let is_own = own_origin(client, &parts.headers).as_deref() == Some(origin)
        || policy.websocket_origins.iter().any(|allowed| allowed == origin)
        || public_origin((gate, settings), client, &parts.headers).as_deref() == Some(origin);
    !is_own
}

/// The origin of `server.public_url`, which browsers use if a proxy in front of Doorward replaces the host name. `None` if
/// the request's host is a tenant's, because pages of the public host are cross-origin there.
fn public_origin(
    (gate, settings): (&Gate, &Settings),
    client: &Client,
    headers: &HeaderMap,
) -> Option<String> {
    let public = settings.server.public_url.as_ref()?;
    let host =
        client.host.as_deref().or_else(|| headers.get(header::HOST)?.to_str().ok()).unwrap_or_default();
    let is_public = hosts::is_portal_host(&settings.tenancy, host);
    (is_public || gate.tenants.by_host(host) == HostFound::None)
        .then(|| public.origin().ascii_serialization())
}

/// The origins whose pages may send requests with the browser's cookies to this host.
pub fn own_origins(
    (gate, settings): (&Gate, &Settings),
    client: &Client,
    headers: &HeaderMap,
) -> Vec<String> {
    public_origin((gate, settings), client, headers).into_iter().chain(own_origin(client, headers)).collect()
}

/// Cross-site request forgery: a form of another origin is sent with the visitor's cookies.
fn is_from_own_page((gate, settings): (&Gate, &Settings), parts: &Parts, client: &Client) -> bool {
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let (site, origin) = (text(&SEC_FETCH_SITE), text(&header::ORIGIN));
    let own = own_origin(client, &parts.headers);
    browser::from_own_page(site, origin, own.as_deref())
        || (site.is_none()
            && origin.is_some()
            && public_origin((gate, settings), client, &parts.headers).as_deref() == origin)
}

/// The origin the browser sees us under: scheme and host of the request, as far as proxies before us may be believed.
pub fn own_origin(client: &Client, headers: &HeaderMap) -> Option<String> {
    let host = client.host.as_deref().or_else(|| headers.get(header::HOST)?.to_str().ok())?;
    let scheme = if client.https { "https" } else { "http" };
    Some(format!("{scheme}://{}", host.to_ascii_lowercase()))
}
