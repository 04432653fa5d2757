//! Steps 2 to 6 of a request: made plain, whose portal, which route, who asks, may they. Nothing is sent anywhere, so
//! `doorward explain` asks the same function.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method, header, request::Parts};

use super::{
    Gate,
    answer::{Caller, Refusal},
    connection::ClientConnection,
    forwarded::{self, Client},
    hygiene::{self, Ambiguity, Cleaned},
    index_wait::wait_until,
    select::{self, SelectError},
};
use crate::{
    config::{
        Settings, TenantPolicy,
        directory::Found,
        hosts::HostFound,
        model::{Issuer, KeySource, Profile},
    },
    domain::{
        access::{Decision, decide},
        browser::{self, Asked},
        identity::Identity,
        route::{Access, Route, Surface},
        tenant::{NamedTenant, Place, TenantId},
    },
    token::{
        TokenError, Verified,
        bearer::{self, BadCredential, Credential, Places},
    },
};

/// Everything that was found out about a request, as far as it got.
#[derive(Debug)]
pub struct Judgement {
    pub client: Client,
    pub cleaned: Cleaned,
    pub caller: Caller,
    pub asked_by: browser::Caller,
    /// Whether the request itself (or its host) says which tenant it is for.
    pub tenant_named: bool,
    pub policy: Option<Arc<TenantPolicy>>,
    pub route: Option<Route>,
    pub identity: Identity,
    pub verified: Option<Arc<Verified>>,
    pub verdict: Result<Decision, Refusal>,
}

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// `now` is seconds since the epoch. Afterwards `parts` is clean (see `hygiene`) but does not name its tenant yet.
pub async fn judge(
    gate: &Gate,
    settings: &Settings,
    connection: &ClientConnection,
    parts: &mut Parts,
    mut caller: Caller,
    now: u64,
) -> Judgement {
    // ── 2 hygiene: what trusted proxies say is read before it is taken out
    let client = forwarded::client(
        connection.peer.ip(),
        connection.tls,
        &parts.headers,
        &settings.server.trusted_proxies,
    );
    let cleaned = hygiene::clean(parts, hygiene::Limits::default());
    let upgrade = cleaned.as_ref().is_ok_and(|cleaned| cleaned.upgrade.is_some());
    // what the caller would understand, as long as the tenant's own routes are not known
    let asked = asked_by(parts, upgrade, Surface::Page);
    caller.wants_page = asked != browser::Caller::Program;
    let mut judgement = Judgement {
        client,
        cleaned: Cleaned::default(),
        caller,
        asked_by: asked,
        tenant_named: false,
        policy: None,
        route: None,
        identity: Identity::Anonymous,
        verified: None,
        verdict: Err(Refusal::Overloaded),
    };
    match cleaned {
        Ok(cleaned) => judgement.cleaned = cleaned,
        Err(ambiguity) => {
            judgement.verdict = Err(refused(ambiguity));
            return judgement;
        }
    }

    // ── 3 tenant: one snapshot of its policy, used to the end of the request
    let named = match named_tenant(gate, &judgement.client, parts).await {
        Ok(named) => named,
        Err(refusal) => {
            judgement.caller.surface = surface_for_all(settings, parts);
            judgement.verdict = Err(refusal);
            return judgement;
        }
    };
    judgement.tenant_named = named.is_some();
    let tenant = named.as_ref().unwrap_or(&settings.tenancy.default_tenant);
    let Some(mut policy) = find_policy(gate, tenant).await else {
        judgement.caller.surface = surface_for_all(settings, parts);
        judgement.verdict = Err(Refusal::UnknownTenant(tenant.to_string()));
        return judgement;
    };

    // twice at most: a token may know a tenant where the request names none
    loop {
        // ── 4 route
        let route = policy.routes.classify(parts.method.as_str(), parts.uri.path()).clone();
        judgement.asked_by =
            if route.surface == Surface::Page { asked } else { asked_by(parts, upgrade, route.surface) };
        judgement.caller.wants_page = judgement.asked_by != browser::Caller::Program;
        judgement.caller.surface = route.surface;

        // ── 5 identity
        let identified = if upgrade && is_foreign_origin(parts, &judgement.client, &policy) {
            Err(Refusal::ForeignOrigin)
        } else {
            let asking = Asking { client: &judgement.client, by: judgement.asked_by, now };
            identify(gate, settings, parts, &policy, &route, asking).await
        };
        if let Ok(Some(verified)) = &identified
            && !judgement.tenant_named
            && verified.user.tenant != policy.tenant
            && let Some(own) = find_policy(gate, &verified.user.tenant).await
        {
            judgement.tenant_named = true;
            policy = own;
            continue;
        }

        // ── 6 decide
        judgement.verdict = identified.map(|verified| {
            if let Some(verified) = &verified {
                let user = Arc::clone(&verified.user);
                judgement.identity = Identity::of(user, &policy.tenant, &policy.cross_tenant);
            }
            judgement.verified = verified;
            decide(policy.anonymous, &route, &judgement.identity)
        });
        judgement.policy = Some(policy);
        judgement.route = Some(route);
        return judgement;
    }
}

fn refused(ambiguity: Ambiguity) -> Refusal {
    Refusal::Unclear { status: ambiguity.status(), detail: ambiguity.detail() }
}

/// The kind of answer a caller expects where no tenant's own rules can say.
fn surface_for_all(settings: &Settings, parts: &Parts) -> Surface {
    settings.defaults.route_table.classify(parts.method.as_str(), parts.uri.path()).surface
}

async fn find_policy(gate: &Gate, tenant: &TenantId) -> Option<Arc<TenantPolicy>> {
    let found = match gate.tenants.cached(tenant) {
        Some(found) => found,
        None => Box::pin(gate.tenants.load(tenant)).await,
    };
    match found {
        Found::Tenant(policy) => Some(policy),
        Found::Unknown => None,
    }
}

async fn tenant_of_host(gate: &Gate, host: &str) -> Result<Option<TenantId>, Refusal> {
    let mut found = gate.tenants.by_host(host);
    // just after the start the tenants' files are still being read for the host names they claim; once they have been,
    // nobody waits: a host that a broken file may claim stays in doubt until somebody mends the file
    if found == HostFound::IndexNotReady && !gate.tenants.index_ready() {
        Box::pin(wait_until(|| gate.tenants.index_ready())).await;
        found = gate.tenants.by_host(host);
    }
    match found {
        HostFound::Tenant(tenant) => Ok(Some(tenant)),
        HostFound::None => Ok(None),
        HostFound::Conflict => Err(Refusal::BadRequest("two tenants claim this host name")),
        // it may be somebody's; nobody may be judged by the wrong rules meanwhile
        HostFound::IndexNotReady => Err(Refusal::Overloaded),
    }
}

async fn named_tenant(gate: &Gate, client: &Client, parts: &Parts) -> Result<Option<TenantId>, Refusal> {
    // the portal sees `Host`, whatever a believed proxy was asked for: both must mean the same tenant
    let believed = client.host.as_deref();
    let sent = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let mut by_host: Option<NamedTenant> = None;
    for (host, place) in [(believed, Place::ForwardedHost), (sent, Place::Host)] {
        let Some(host) = host else { continue };
        let found = tenant_of_host(gate, host).await?.map(|tenant| NamedTenant { tenant, place });
        match (found, by_host.take()) {
            (Some(second), Some(first)) if first.tenant != second.tenant => {
                return Err(Refusal::TenantConflict(first, second));
            }
            (one, other) => by_host = one.or(other),
        }
    }
    select::named(parts.uri.path(), parts.uri.query(), &parts.headers, by_host).map_err(|error| match error {
        SelectError::Conflict { first, second } => Refusal::TenantConflict(first, second),
        SelectError::Invalid => Refusal::BadRequest("the request names a tenant that cannot exist"),
    })
}

fn asked_by(parts: &Parts, upgrade: bool, surface: Surface) -> browser::Caller {
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let asked = Asked {
        method: parts.method.as_str(),
        sec_fetch_mode: text(&SEC_FETCH_MODE),
        sec_fetch_dest: text(&SEC_FETCH_DEST),
        accept: text(&header::ACCEPT),
        x_requested_with: text(&X_REQUESTED_WITH),
        upgrade,
    };
    browser::caller(&asked, surface)
}

/// From where, with what and when somebody asks.
struct Asking<'a> {
    client: &'a Client,
    by: browser::Caller,
    now: u64,
}

/// Who asks, as proven by a token that counts under this tenant's policy. A browser that opens a page is never refused because
/// of a stale token: its visitor is unknown, no more. A program that sends a bad token is told so.
async fn identify(
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
fn is_foreign_origin(parts: &Parts, client: &Client, policy: &TenantPolicy) -> bool {
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
