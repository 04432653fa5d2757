//! Step 5: authenticates a request by a token or by a session.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};

use super::{ProxyState, evaluate::reads_query_token, forwarded::ResolvedClient, refusal::Refusal};
use crate::{
    config::{
        Settings, TenantPolicy, hosts,
        model::{AuthorizationOwner, Issuer, KeySource, PortalProfile},
    },
    domain::{
        browser,
        identity::User,
        route::{AccessLevel, Route, RouteKind},
        time::Timestamp,
    },
    http::origin,
    session::{ActiveSession, OwnCookie, SessionService, SessionsUnavailable},
    sync::client_limits::{ClientRegistry, ClientState},
    tenants::HostLookup,
    token::{
        self, TokenError, VerifiedToken,
        bearer::{self, BadCredential, Credential, TokenLocations},
        is_of_other_issuer,
    },
};

/// Whether a page of another origin may have caused the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Provenance {
    /// It changes nothing.
    Read,
    SameOriginWrite,
    CrossOriginWrite,
}

impl Provenance {
    fn of(context: &AuthContext<'_>) -> Self {
        let AuthContext { state, settings, parts, origin, .. } = context;
        if parts.method == Method::GET || parts.method == Method::HEAD {
            Self::Read
        } else if is_same_origin_request(state, settings, parts, origin.client) {
            Self::SameOriginWrite
        } else {
            Self::CrossOriginWrite
        }
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Client, kind of caller and time of a request.
#[derive(Clone, Copy)]
pub struct RequestOrigin<'a> {
    pub client: &'a ResolvedClient,
    pub caller_kind: browser::CallerKind,
    /// Only users may have this upgrade: the request is authenticated on an open route, too.
    pub needs_user: bool,
    pub now: Timestamp,
    /// Whether metrics count the check of a token.
    pub is_counted: bool,
}

/// Everything that authentication of a request depends on.
#[derive(Clone, Copy)]
pub struct AuthContext<'a> {
    pub state: &'a ProxyState,
    pub settings: &'a Settings,
    pub parts: &'a Parts,
    pub policy: &'a TenantPolicy,
    pub route: &'a Route,
    pub origin: RequestOrigin<'a>,
}

/// The credential that authenticates a request.
#[derive(Clone)]
pub enum VerifiedCredential {
    Token(Arc<VerifiedToken>),
    /// The session of a browser, by its cookie.
    Session(Arc<ActiveSession>),
}

impl VerifiedCredential {
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

    /// For `doorward explain` and debug output.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "a token",
            Self::Session(_) => "a session",
        }
    }
}

impl fmt::Debug for VerifiedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}", self.kind(), self.user())
    }
}

/// The owner of the `Authorization` header of the request: the portal gets its own as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderOwner {
    Doorward,
    Portal,
}

/// The result of step 5.
#[derive(Debug)]
pub struct RequestAuthentication {
    pub credential: Option<VerifiedCredential>,
    pub header_owner: HeaderOwner,
}

/// Authenticates the request. A token takes precedence over a session: the sender added it to this request, while a browser sends
/// the cookie by itself; and the portal that gets the token would identify its bearer, not the cookie's user.
pub async fn authenticate(context: AuthContext<'_>) -> Result<RequestAuthentication, Refusal> {
    let AuthContext { state, parts, route, origin, .. } = context;
    // the sign-in endpoint itself uses the header for client credentials, and assets need no user
    if route.access == AccessLevel::Open && !origin.needs_user {
        return Ok(RequestAuthentication { credential: None, header_owner: HeaderOwner::Portal });
    }
    let provenance = Provenance::of(&context);
    let (header_owner, bearer) = authenticate_token(context, provenance).await?;
    let credential = match (bearer, &state.accounts) {
        (Some(verified), _) => Some(VerifiedCredential::Token(verified)),
        (None, Some(accounts)) if provenance != Provenance::CrossOriginWrite => {
            authenticate_session(&accounts.sessions, parts, origin).await?
        }
        (None, _) => None,
    };
    Ok(RequestAuthentication { credential, header_owner })
}

/// The session that the request's cookie names, if it is active. Pages of other sites cannot send the cookie except by a
/// navigation (`SameSite=Lax`), and a request that changes something is authenticated only if it comes from a page of
/// Doorward's origin.
async fn authenticate_session(
    sessions: &SessionService,
    parts: &Parts,
    origin: RequestOrigin<'_>,
) -> Result<Option<VerifiedCredential>, Refusal> {
    let Some(cookie) = OwnCookie::Session.read(&parts.headers, origin.client.https) else {
        return Ok(None);
    };
    match Box::pin(sessions.find_by_cookie(cookie, origin.now)).await {
        Ok(live) => Ok(live.map(VerifiedCredential::Session)),
        // "unavailable" never means "anonymous"
        Err(SessionsUnavailable) => Err(Refusal::StoreUnavailable),
    }
}

/// By a token that is valid under this tenant's policy, and the owner of the `Authorization` header.
async fn authenticate_token(
    context: AuthContext<'_>,
    provenance: Provenance,
) -> Result<(HeaderOwner, Option<Arc<VerifiedToken>>), Refusal> {
    let owner = context.policy.access.authorization;
    if owner != AuthorizationOwner::Portal {
        match verify_token(context, provenance, HeaderOwner::Doorward).await? {
            TokenOutcome::Verified(token) => return Ok((HeaderOwner::Doorward, Some(token))),
            TokenOutcome::None => return Ok((HeaderOwner::Doorward, None)),
            TokenOutcome::OtherScheme if owner == AuthorizationOwner::Doorward => {
                return Err(Refusal::SignInNeeded { sign_in_url: None });
            }
            TokenOutcome::OtherScheme | TokenOutcome::OtherIssuer => {}
        }
    }
    let token = match verify_token(context, provenance, HeaderOwner::Portal).await? {
        TokenOutcome::Verified(token) => Some(token),
        TokenOutcome::None | TokenOutcome::OtherScheme | TokenOutcome::OtherIssuer => None,
    };
    Ok((HeaderOwner::Portal, token))
}

enum TokenOutcome {
    /// The request has no token, or one that is not accepted.
    None,
    Verified(Arc<VerifiedToken>),
    /// The `Authorization` header has other credentials than a token.
    OtherScheme,
    /// The token in the `Authorization` header is of none of the tenant's issuers, and the header may be the portal's.
    OtherIssuer,
}

/// A browser that opens a page is never refused because of a stale token: its user is anonymous. A program that sends an
/// invalid token gets an error. `owner`: `Authorization` is read only if it is Doorward's.
async fn verify_token(
    context: AuthContext<'_>,
    provenance: Provenance,
    owner: HeaderOwner,
) -> Result<TokenOutcome, Refusal> {
    let AuthContext { state, settings, parts, policy, route, origin } = context;
    let wso2 = settings.portal.profile == PortalProfile::Wso2Apim;
    let query = parts
        .uri
        .query()
        .filter(|query| reads_query_token(settings, route) && bearer::has_access_token_parameter(query));
    let places = TokenLocations {
        authorization: owner == HeaderOwner::Doorward,
        max_bytes: settings.limits.max_token_bytes,
        token_cookie: policy.access.token_cookie.as_deref(),
        both_halves_as_cookies: wso2
            && provenance != Provenance::CrossOriginWrite
            && route.kind == RouteKind::Page,
        query: query.filter(|_| provenance == Provenance::Read),
    };
    let may_be_portals = places.authorization && policy.access.authorization == AuthorizationOwner::Auto;
    let credential = match bearer::extract(&parts.headers, &places) {
        Ok(credential) => credential,
        Err(BadCredential::NotOneToken)
            if may_be_portals
                && is_of_other_issuer(
                    policy,
                    &authorization_text(&parts.headers),
                    &TokenError::Malformed,
                ) =>
        {
            Credential::OtherScheme
        }
        Err(BadCredential::NotOneToken) => return Err(Refusal::BadToken(TokenError::Malformed)),
        Err(BadCredential::TooLong) => return Err(Refusal::BadToken(TokenError::TooLong)),
        Err(BadCredential::TwoHeaders) => {
            return Err(Refusal::BadRequest("the request has two Authorization headers"));
        }
        Err(BadCredential::TwoTokens) => {
            return Err(Refusal::BadRequest("the request has more than one access token"));
        }
    };
    let is_program = origin.caller_kind != browser::CallerKind::Navigation;
    let in_header = places.authorization && parts.headers.contains_key(header::AUTHORIZATION);
    let token = match credential {
        // RFC 6750 §5.3: a token in an address ends up in logs and histories
        _ if query.is_some() && places.query.is_none() => {
            return Err(Refusal::BadRequest(
                "the query has an access token: send it in the Authorization header",
            ));
        }
        Credential::None if query.is_some() => {
            return Err(Refusal::BadRequest(
                "the query has an access token: send it in the Authorization header",
            ));
        }
        Credential::None => return Ok(TokenOutcome::None),
        Credential::OtherScheme => return Ok(TokenOutcome::OtherScheme),
        // a browser sends the portal's cookies to every tenant's address, also when a page of an attacker causes the request
        Credential::Bearer(token) if !in_header && is_sent_to_tenant_introspection(policy, &token) => {
            return Ok(TokenOutcome::None);
        }
        Credential::Bearer(token) => token,
    };
    let verified = if let Some(known) = state.tokens.cached(policy, &token, origin.now) {
        state.metrics.tokens_cached.inc_by(u64::from(origin.is_counted));
        known
    } else {
        state.metrics.tokens_checked.inc_by(u64::from(origin.is_counted));
        let verified = state.tokens.verify_for(origin.client.address, policy, &token, origin.now);
        let verified = Box::pin(verified).await;
        if let Err(error) = &verified
            && origin.is_counted
        {
            log_rejection(&context, &token, error);
        }
        verified
    };
    match verified {
        Ok(verified) => Ok(TokenOutcome::Verified(verified)),
        Err(error) if in_header && may_be_portals && is_of_other_issuer(policy, &token, &error) => {
            Ok(TokenOutcome::OtherIssuer)
        }
        // "cannot be verified" never means "anonymous"
        Err(error) if in_header && is_program => Err(Refusal::BadToken(error)),
        Err(error @ (TokenError::Unavailable | TokenError::MissingScope { .. })) => {
            Err(Refusal::BadToken(error))
        }
        Err(_) => Ok(TokenOutcome::None),
    }
}

/// The `Authorization` header behind its scheme, as a lenient reader takes it.
fn authorization_text(headers: &HeaderMap) -> String {
    let value = headers.get(header::AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
    let text = String::from_utf8_lossy(value);
    text.split_once(' ').map_or(&*text, |(_, rest)| rest).to_owned()
}

#[cold]
fn log_rejection(context: &AuthContext<'_>, token: &str, error: &TokenError) {
    let AuthContext { state, policy, origin, .. } = context;
    let mismatch = token::describe_mismatch(policy, token, error);
    if let Some(mismatch) = mismatch
        && let Some(suppressed) = state.metrics.throttle_token_log(origin.now)
    {
        tracing::info!(tenant = %policy.tenant, %error, mismatch, suppressed, "token rejected");
    }
}

/// Whether this token would be sent to an introspection endpoint that is configured in a tenant's own file.
fn is_sent_to_tenant_introspection(policy: &TenantPolicy, token: &str) -> bool {
    let own = |issuer: &&Arc<Issuer>| issuer.is_tenant_defined && issuer.introspection.is_some();
    policy.issuers.iter().filter(own).any(|issuer| bearer::is_opaque(token) || issuer.keys == KeySource::None)
}

/// Cross-site WebSocket hijacking: a page of another origin opens a socket with the user's cookies. Programs send no
/// `Origin`, and no cookies they did not choose.
pub fn is_cross_origin(
    state: &ProxyState,
    settings: &Settings,
    parts: &Parts,
    client: &ResolvedClient,
    policy: &TenantPolicy,
) -> bool {
    let Some(origin) = parts.headers.get(header::ORIGIN) else { return false };
    let Ok(origin) = origin.to_str() else { return true };
    let is_own = own_origin(client, &parts.headers).as_deref() == Some(origin)
        || policy.access.websocket_origins.iter().any(|allowed| allowed == origin)
        || public_origin(state, settings, client, &parts.headers).as_deref() == Some(origin);
    !is_own
}

/// The origin of `server.public_url`, which browsers use if a proxy in front of Doorward replaces the host name. `None` if
/// the request's host is a tenant's, because pages of the public host are cross-origin there.
fn public_origin(
    state: &ProxyState,
    settings: &Settings,
    client: &ResolvedClient,
    headers: &HeaderMap,
) -> Option<String> {
    let public = settings.server.public_url.as_ref()?;
    let host = client.requested_host(headers).unwrap_or_default();
    let is_public = hosts::is_portal_host(&settings.tenancy, host);
    (is_public || state.tenants.find_by_host(host) == HostLookup::NoTenant)
        .then(|| public.origin().ascii_serialization())
}

/// The origins whose pages may send requests with the browser's cookies to this host.
pub fn own_origins(
    state: &ProxyState,
    settings: &Settings,
    client: &ResolvedClient,
    headers: &HeaderMap,
) -> Vec<String> {
    public_origin(state, settings, client, headers).into_iter().chain(own_origin(client, headers)).collect()
}

/// Cross-site request forgery: a form of another origin is sent with the user's cookies.
fn is_same_origin_request(
    state: &ProxyState,
    settings: &Settings,
    parts: &Parts,
    client: &ResolvedClient,
) -> bool {
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let (site, origin) = (text(&SEC_FETCH_SITE), text(&header::ORIGIN));
    let own = own_origin(client, &parts.headers);
    browser::is_same_origin(site, origin, own.as_deref())
        || (site.is_none()
            && origin.is_some()
            && public_origin(state, settings, client, &parts.headers).as_deref() == origin)
}

/// The origin under which the browser reaches Doorward: scheme and host of the request, as far as proxies are trusted.
pub fn own_origin(client: &ResolvedClient, headers: &HeaderMap) -> Option<String> {
    client.requested_host(headers).map(|host| origin::serialize(client.https, host))
}
