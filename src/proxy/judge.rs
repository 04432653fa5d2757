//! Steps 2 to 6 of a request: made plain, whose portal, which route, who asks, may they. Nothing is sent anywhere, so
//! `doorward explain` asks the same function.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};

use super::{
    Gate, admission,
    answer::{Caller, Refusal},
    forwarded::Client,
    hygiene::{self, Ambiguity, Cleaned},
    identify::{Asking, Proof, Scene, identify, is_foreign_origin},
    index_wait::wait_until,
    method_override,
    overload::Overload,
    select::{self, SelectError},
};
use crate::{
    config::{
        Settings, TenantPolicy,
        directory::Found,
        hosts::{self, HostFound},
    },
    domain::{
        access::{Decision, decide},
        browser::{self, Asked},
        client::ClientAddress,
        identity::Identity,
        route::{Route, Surface},
        tenant::{NamedTenant, Place, TenantId},
        upgrade::UpgradeChoice,
    },
    sync::client_limits::ClientState,
};

/// Everything that was found out about a request, as far as it got.
#[derive(Debug)]
pub struct Judgement {
    pub client: Client,
    /// Of the client, for what is counted by address.
    pub address: ClientAddress,
    /// The limits that count for the request: of the authenticated user, or else of the client's address.
    pub client_state: Arc<ClientState>,
    /// From the decision on, `upgrade` is what the route lets through of it.
    pub cleaned: Cleaned,
    pub caller: Caller,
    pub asked_by: browser::Caller,
    /// The tenant that the request itself (or its host) names; or why that cannot be told.
    pub named: Result<Option<TenantId>, Refusal>,
    /// Whether the request itself (or its host) says which tenant it is for.
    pub tenant_named: bool,
    pub policy: Option<Arc<TenantPolicy>>,
    pub route: Option<Route>,
    pub identity: Identity,
    pub proof: Option<Proof>,
    pub verdict: Result<Decision, Refusal>,
}

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Where a request comes from.
pub struct Source {
    /// The address that opened the connection.
    pub peer: IpAddr,
    pub client: Client,
    /// Neither the connection nor a trusted proxy says that the client used HTTPS.
    pub came_in_clear: bool,
    pub client_state: Arc<ClientState>,
    /// Whether metrics and the log count it. `false` for `explain`, which sends no request.
    pub is_counted: bool,
}

impl Judgement {
    /// Of a request that is refused before anything of it is looked at.
    pub fn refused(source: Source, parts: &Parts, caller: Caller, refusal: Refusal) -> Self {
        let is_upgrade = parts.headers.contains_key(header::UPGRADE);
        Self {
            verdict: Err(refusal),
            ..Self::new(source, asked_by(parts, is_upgrade, Surface::Page), caller)
        }
    }

    fn new(source: Source, asked_by: browser::Caller, mut caller: Caller) -> Self {
        caller.wants_page = asked_by != browser::Caller::Program;
        Self {
            address: source.client.address.into(),
            client: source.client,
            client_state: source.client_state,
            cleaned: Cleaned::default(),
            caller,
            asked_by,
            named: Ok(None),
            tenant_named: false,
            policy: None,
            route: None,
            identity: Identity::Anonymous,
            proof: None,
            verdict: Err(Refusal::Overloaded(Overload::Undecided)),
        }
    }
}

/// `now` is seconds since the epoch. Afterwards `parts` is clean (see `hygiene`) but does not name its tenant yet.
pub async fn judge(
    gate: &Gate,
    settings: &Settings,
    source: Source,
    parts: &mut Parts,
    caller: Caller,
    now: u64,
) -> Judgement {
    // ── 2 hygiene
    let cleaned = hygiene::clean(parts, hygiene::Limits::default());
    let requested = cleaned.as_ref().ok().and_then(|cleaned| cleaned.upgrade.clone());
    // what the caller would understand, as long as the tenant's own routes are not known
    let asked = asked_by(parts, requested.is_some(), Surface::Page);
    let came_in_clear = source.came_in_clear;
    let (peer, client, is_counted) = (source.peer, source.client.address, source.is_counted);
    let mut judgement = Judgement::new(source, asked, caller);
    match cleaned {
        Ok(cleaned) => {
            judgement.address = admission::counted_address(settings, (peer, client), cleaned.forwarding);
            if is_counted {
                admission::report_unlisted_proxy(gate, settings, peer, cleaned.forwarding);
            }
            judgement.cleaned = cleaned;
        }
        Err(ambiguity) => {
            judgement.verdict = Err(refused(ambiguity));
            return judgement;
        }
    }

    if settings.server.redirect_to_https && came_in_clear {
        judgement.verdict =
            Err(Refusal::HttpsNeeded { location: https_address(settings, &judgement, parts) });
        return judgement;
    }

    // ── 3 tenant: one snapshot of its policy, used to the end of the request
    let named = match named_tenant(gate, settings, &judgement.client, parts).await {
        Ok(named) => named,
        Err(refusal) => {
            judgement.caller.surface = surface_for_all(settings, parts);
            judgement.named = Err(refusal.clone());
            judgement.verdict = Err(refusal);
            return judgement;
        }
    };
    judgement.named = Ok(named.clone());
    judgement.tenant_named = named.is_some();
    let tenant = named.as_ref().unwrap_or(&settings.tenancy.default_tenant);
    let Some(mut policy) = find_policy(gate, tenant).await else {
        judgement.caller.surface = surface_for_all(settings, parts);
        judgement.verdict = Err(Refusal::UnknownTenant(tenant.to_string()));
        return judgement;
    };

    // twice at most: a token or a session may know a tenant where the request names none
    loop {
        // ── 4 route
        let route = policy.routes.classify(parts.method.as_str(), parts.uri.path()).clone();
        let route = method_override::stricter(route, parts, &policy.routes);
        let choice = requested
            .as_ref()
            .map_or(UpgradeChoice::Ignored, |header| upgrade_choice(&policy, &route, parts, header));
        let upgrade = choice != UpgradeChoice::Ignored;
        judgement.asked_by = if route.surface == Surface::Page && upgrade == requested.is_some() {
            asked
        } else {
            asked_by(parts, upgrade, route.surface)
        };
        judgement.caller.wants_page = judgement.asked_by != browser::Caller::Program;
        judgement.caller.surface = route.surface;

        // ── 5 identity
        let identified = if upgrade && is_foreign_origin((gate, settings), parts, &judgement.client, &policy)
        {
            Err(Refusal::ForeignOrigin)
        } else {
            let needs_user = choice.needs_user();
            let (client, by) = (&judgement.client, judgement.asked_by);
            let asking = Asking { client, by, needs_user, now, is_counted };
            identify(Scene { gate, settings, parts, policy: &policy, route: &route, asking }).await
        };
        if let Ok(Some(proof)) = &identified
            && !judgement.tenant_named
            && proof.user().tenant != policy.tenant
            && let Some(own) = find_policy(gate, &proof.user().tenant).await
        {
            judgement.tenant_named = true;
            policy = own;
            continue;
        }

        // ── 6 decide
        judgement.verdict = identified.and_then(|proof| {
            if let Some(proof) = &proof {
                let user = Arc::clone(proof.user());
                judgement.identity = Identity::of(user, &policy.tenant, &policy.cross_tenant);
                if let Identity::User(_) = judgement.identity {
                    judgement.client_state = Arc::clone(proof.client_state(&gate.clients));
                }
            }
            judgement.proof = proof;
            let decision = decide(policy.anonymous, &route, &judgement.identity);
            choice.decide(decision, &judgement.identity).map_err(|_| Refusal::UpgradeRefused)
        });
        judgement.cleaned.upgrade = match &choice {
            UpgradeChoice::Forwarded { protocols, .. } => HeaderValue::try_from(protocols).ok(),
            UpgradeChoice::Ignored | UpgradeChoice::Refused => None,
        };
        judgement.policy = Some(policy);
        judgement.route = Some(route);
        return judgement;
    }
}

/// What the route says to the request's `Upgrade` header.
fn upgrade_choice(
    policy: &TenantPolicy,
    route: &Route,
    parts: &Parts,
    header: &HeaderValue,
) -> UpgradeChoice {
    let rule = policy.routes.upgrade_rule(route, parts.method.as_str(), parts.uri.path());
    rule.choose(header.to_str().unwrap_or_default())
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
        HostFound::IndexNotReady => Err(Refusal::Overloaded(Overload::HostIndex)),
    }
}

/// The same address by HTTPS, for what a browser can ask for again; anything else has been sent in clear text already.
fn https_address(settings: &Settings, judgement: &Judgement, parts: &Parts) -> Option<HeaderValue> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return None;
    }
    let sent = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = without_port(judgement.client.host.as_deref().or(sent)?);
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    // behind a proxy at which TLS ends it is that proxy's port: the usual one
    let ours = settings.server.tls.iter().flat_map(|tls| &tls.listen).map(SocketAddr::port).next();
    let address = match ours.filter(|port| *port != 443 && judgement.client.host.is_none()) {
        Some(port) => format!("https://{host}:{port}{target}"),
        None => format!("https://{host}{target}"),
    };
    HeaderValue::try_from(address).ok()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

async fn named_tenant(
    gate: &Gate,
    settings: &Settings,
    client: &Client,
    parts: &Parts,
) -> Result<Option<TenantId>, Refusal> {
    // the portal sees `Host`, whatever a believed proxy was asked for: both must mean the same tenant
    let believed = client.host.as_deref();
    let sent = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let mut by_host: Option<NamedTenant> = None;
    for (host, place) in [(believed, Place::ForwardedHost), (sent, Place::Host)] {
        let Some(host) = host else { continue };
        let found = tenant_of_host(gate, host).await?.map(|tenant| NamedTenant { tenant, place });
        if found.is_none() && !hosts::is_allowed(settings, host) {
            return Err(Refusal::Unclear {
                status: StatusCode::MISDIRECTED_REQUEST,
                detail: "this server does not serve this host",
            });
        }
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
