//! Steps 2 to 6 of a request: validation, tenant, route, authentication, decision. Nothing is forwarded, so
//! `doorward explain` calls the same function.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};

use super::{
    ProxyState, admission,
    authenticate::{AuthContext, RequestOrigin, VerifiedCredential, authenticate, is_cross_origin},
    forwarded::ResolvedClient,
    host_index_wait::wait_until,
    method_override,
    overload::Overload,
    refusal::{Refusal, ResponseContext},
    tenant_selection::{self, TenantSelectionError},
    validation::{self, Ambiguity, ConnectionOptions},
};
use crate::{
    config::{
        Settings, TenantPolicy,
        hosts::{self, HostLookup},
    },
    domain::{
        access::{Decision, decide},
        browser::{self, FetchMetadata},
        client::ClientAddress,
        identity::Identity,
        route::{Route, RouteKind},
        tenant::{RequestedTenant, TenantId, TenantSource},
        upgrade::UpgradeChoice,
    },
    sync::client_limits::ClientState,
    tenants::TenantLookup,
};

/// Everything known about a request, as far as its evaluation got.
#[derive(Debug)]
pub struct RequestContext {
    pub client: ResolvedClient,
    /// Of the client, for counters by address.
    pub address: ClientAddress,
    /// The limits that apply to the request: of the authenticated user, or else of the client's address.
    pub client_state: Arc<ClientState>,
    /// After the decision, `upgrade` holds the protocols that the route allows.
    pub connection_options: ConnectionOptions,
    pub response_context: ResponseContext,
    pub caller_kind: browser::CallerKind,
    /// The tenant that the request itself (or its host) selects; or why it cannot be determined.
    pub named_tenant: Result<Option<TenantId>, Refusal>,
    /// Whether the request itself (or its host) selects a tenant.
    pub has_named_tenant: bool,
    pub policy: Option<Arc<TenantPolicy>>,
    pub route: Option<Route>,
    pub identity: Identity,
    pub credential: Option<VerifiedCredential>,
    pub verdict: Result<Decision, Refusal>,
}

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Where a request comes from.
pub struct NetworkOrigin {
    /// The address that opened the connection.
    pub peer: IpAddr,
    pub client: ResolvedClient,
    /// Neither the connection nor a trusted proxy reports HTTPS.
    pub is_cleartext: bool,
    pub client_state: Arc<ClientState>,
    /// Whether metrics and the log count it. `false` for `explain`, which sends no request.
    pub is_counted: bool,
}

impl RequestContext {
    /// Context of a request that is refused before it is evaluated.
    pub fn refusal_of_ambiguity(
        source: NetworkOrigin,
        parts: &Parts,
        response_context: ResponseContext,
        refusal: Refusal,
    ) -> Self {
        let is_upgrade = parts.headers.contains_key(header::UPGRADE);
        Self {
            verdict: Err(refusal),
            ..Self::initial(source, classify_caller(parts, is_upgrade, RouteKind::Page), response_context)
        }
    }

    fn initial(
        source: NetworkOrigin,
        caller_kind: browser::CallerKind,
        mut response_context: ResponseContext,
    ) -> Self {
        response_context.wants_page = caller_kind != browser::CallerKind::Program;
        Self {
            address: source.client.address.into(),
            client: source.client,
            client_state: source.client_state,
            connection_options: ConnectionOptions::default(),
            response_context,
            caller_kind,
            named_tenant: Ok(None),
            has_named_tenant: false,
            policy: None,
            route: None,
            identity: Identity::Anonymous,
            credential: None,
            verdict: Err(Refusal::Overloaded(Overload::Undecided)),
        }
    }
}

/// `now` is seconds since the epoch. Afterwards `parts` is validated (see `validation`) but does not name its tenant yet.
pub async fn evaluate(
    state: &ProxyState,
    settings: &Settings,
    origin: NetworkOrigin,
    parts: &mut Parts,
    response_context: ResponseContext,
    now: u64,
) -> RequestContext {
    // ── 2 validate
    let connection_options = validation::validate(parts, validation::ValidationLimits::default());
    let requested =
        connection_options.as_ref().ok().and_then(|connection_options| connection_options.upgrade.clone());
    // the response format the caller expects, as long as the tenant's routes are not known
    let caller_kind = classify_caller(parts, requested.is_some(), RouteKind::Page);
    let is_cleartext = origin.is_cleartext;
    let (peer, client, is_counted) = (origin.peer, origin.client.address, origin.is_counted);
    let mut context = RequestContext::initial(origin, caller_kind, response_context);
    match connection_options {
        Ok(connection_options) => {
            context.address =
                admission::counted_address(settings, peer, client, connection_options.has_forwarding_headers);
            if is_counted {
                admission::report_unlisted_proxy(
                    state,
                    settings,
                    peer,
                    connection_options.has_forwarding_headers,
                );
            }
            context.connection_options = connection_options;
        }
        Err(ambiguity) => {
            context.verdict = Err(refused(ambiguity));
            return context;
        }
    }

    if settings.server.redirect_to_https && is_cleartext {
        context.verdict = Err(Refusal::HttpsNeeded { location: https_location(settings, &context, parts) });
        return context;
    }

    // ── 3 tenant: one snapshot of its policy, used to the end of the request
    let named = match resolve_named_tenant(state, settings, &context.client, parts).await {
        Ok(named) => named,
        Err(refusal) => {
            context.response_context.surface = default_surface(settings, parts);
            context.named_tenant = Err(refusal.clone());
            context.verdict = Err(refusal);
            return context;
        }
    };
    context.named_tenant = Ok(named.clone());
    context.has_named_tenant = named.is_some();
    let tenant = named.as_ref().unwrap_or(&settings.tenancy.default_tenant);
    let Some(mut policy) = find_policy(state, tenant).await else {
        context.response_context.surface = default_surface(settings, parts);
        context.verdict = Err(Refusal::UnknownTenant(tenant.to_string()));
        return context;
    };

    // twice at most: a token or a session may select a tenant if the request does not
    loop {
        // ── 4 route
        let route = policy.routes.classify(parts.method.as_str(), parts.uri.path()).clone();
        let route = method_override::stricter_route(route, parts, &policy.routes);
        let choice = requested
            .as_ref()
            .map_or(UpgradeChoice::Ignored, |header| choose_upgrade(&policy, &route, parts, header));
        let upgrade = choice != UpgradeChoice::Ignored;
        context.caller_kind = if route.kind == RouteKind::Page && upgrade == requested.is_some() {
            caller_kind
        } else {
            classify_caller(parts, upgrade, route.kind)
        };
        context.response_context.wants_page = context.caller_kind != browser::CallerKind::Program;
        context.response_context.surface = route.kind;

        // ── 5 authenticate
        let identified = if upgrade && is_cross_origin(state, settings, parts, &context.client, &policy) {
            Err(Refusal::ForeignOrigin)
        } else {
            let needs_user = choice.needs_user();
            let (client, by) = (&context.client, context.caller_kind);
            let request_origin = RequestOrigin { client, caller_kind: by, needs_user, now, is_counted };
            authenticate(AuthContext {
                state,
                settings,
                parts,
                policy: &policy,
                route: &route,
                origin: request_origin,
            })
            .await
        };
        if let Ok(Some(proof)) = &identified
            && !context.has_named_tenant
            && proof.user().tenant != policy.tenant
            && let Some(own) = find_policy(state, &proof.user().tenant).await
        {
            context.has_named_tenant = true;
            policy = own;
            continue;
        }

        // ── 6 decide
        context.verdict = identified.and_then(|proof| {
            if let Some(proof) = &proof {
                let user = Arc::clone(proof.user());
                context.identity = Identity::of(user, &policy.tenant, &policy.access.cross_tenant);
                if let Identity::User(_) = context.identity {
                    context.client_state = Arc::clone(proof.client_state(&state.clients));
                }
            }
            context.credential = proof;
            let decision = decide(policy.anonymous, &route, &context.identity);
            choice.decide(decision, &context.identity).map_err(|_| Refusal::UpgradeRefused)
        });
        context.connection_options.upgrade = match &choice {
            UpgradeChoice::Forwarded { protocols, .. } => HeaderValue::try_from(protocols).ok(),
            UpgradeChoice::Ignored | UpgradeChoice::Refused => None,
        };
        context.policy = Some(policy);
        context.route = Some(route);
        return context;
    }
}

/// The upgrade rule of the route applied to the request's `Upgrade` header.
fn choose_upgrade(
    policy: &TenantPolicy,
    route: &Route,
    parts: &Parts,
    header: &HeaderValue,
) -> UpgradeChoice {
    let rule = policy.routes.upgrade_rule(route, parts.method.as_str(), parts.uri.path());
    rule.choose(header.to_str().unwrap_or_default())
}

fn refused(ambiguity: Ambiguity) -> Refusal {
    Refusal::Invalid { status: ambiguity.status(), detail: ambiguity.detail() }
}

/// The response format a caller expects where no tenant's routes apply.
fn default_surface(settings: &Settings, parts: &Parts) -> RouteKind {
    settings.defaults.route_table.classify(parts.method.as_str(), parts.uri.path()).kind
}

async fn find_policy(state: &ProxyState, tenant: &TenantId) -> Option<Arc<TenantPolicy>> {
    let found = match state.tenants.cached(tenant) {
        Some(found) => found,
        None => Box::pin(state.tenants.load(tenant)).await,
    };
    match found {
        TenantLookup::Tenant(policy) => Some(policy),
        TenantLookup::Unknown => None,
    }
}

async fn tenant_by_host(state: &ProxyState, host: &str) -> Result<Option<TenantId>, Refusal> {
    let mut found = state.tenants.find_by_host(host);
    // just after the start the tenants' files are still being read for the host names they claim; afterwards no request
    // waits: a host that a broken file may claim stays unresolved until that file is fixed
    if found == HostLookup::IndexNotReady && !state.tenants.is_index_ready() {
        Box::pin(wait_until(|| state.tenants.is_index_ready())).await;
        found = state.tenants.find_by_host(host);
    }
    match found {
        HostLookup::Tenant(tenant) => Ok(Some(tenant)),
        HostLookup::NoTenant => Ok(None),
        HostLookup::Conflict => Err(Refusal::BadRequest("two tenants claim this host name")),
        // a tenant that is not indexed yet may claim it, and no request may be evaluated under the wrong policy
        HostLookup::IndexNotReady => Err(Refusal::Overloaded(Overload::HostIndex)),
    }
}

/// The same address over HTTPS, for requests a browser can repeat; any other content has been sent in clear text already.
fn https_location(settings: &Settings, context: &RequestContext, parts: &Parts) -> Option<HeaderValue> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return None;
    }
    let sent = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = strip_port(context.client.host.as_deref().or(sent)?);
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    // behind a proxy that terminates TLS it is that proxy's port: the default one
    let ours = settings.server.tls.iter().flat_map(|tls| &tls.listen).map(SocketAddr::port).next();
    let address = match ours.filter(|port| *port != 443 && context.client.host.is_none()) {
        Some(port) => format!("https://{host}:{port}{target}"),
        None => format!("https://{host}{target}"),
    };
    HeaderValue::try_from(address).ok()
}

fn strip_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

async fn resolve_named_tenant(
    state: &ProxyState,
    settings: &Settings,
    client: &ResolvedClient,
    parts: &Parts,
) -> Result<Option<TenantId>, Refusal> {
    // the portal sees `Host`, whatever a trusted proxy reports: both must select the same tenant
    let forwarded = client.host.as_deref();
    let sent = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let mut by_host: Option<RequestedTenant> = None;
    for (host, place) in [(forwarded, TenantSource::ForwardedHost), (sent, TenantSource::Host)] {
        let Some(host) = host else { continue };
        let found =
            tenant_by_host(state, host).await?.map(|tenant| RequestedTenant { tenant, source: place });
        if found.is_none() && !hosts::is_allowed(settings, host) {
            return Err(Refusal::Invalid {
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
    tenant_selection::select_tenant(parts.uri.path(), parts.uri.query(), &parts.headers, by_host).map_err(
        |error| match error {
            TenantSelectionError::Conflict { first, second } => Refusal::TenantConflict(first, second),
            TenantSelectionError::Invalid => {
                Refusal::BadRequest("the request names a tenant that cannot exist")
            }
        },
    )
}

fn classify_caller(parts: &Parts, upgrade: bool, surface: RouteKind) -> browser::CallerKind {
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let asked = FetchMetadata {
        method: parts.method.as_str(),
        sec_fetch_mode: text(&SEC_FETCH_MODE),
        sec_fetch_dest: text(&SEC_FETCH_DEST),
        accept: text(&header::ACCEPT),
        x_requested_with: text(&X_REQUESTED_WITH),
        upgrade,
    };
    browser::classify_caller(&asked, surface)
}
