//! Evaluates a request (steps 2 to 6): validation, tenant, route, authentication, decision. The evaluation forwards
//! nothing, so that `doorward explain` can call the same function.

use std::sync::Arc;

use http::{HeaderValue, Method, Version, header, request::Parts};

use super::{
    ProxyState, admission,
    authenticate::{AuthContext, RequestAuthentication, RequestOrigin, authenticate, is_cross_origin},
    context::{RequestContext, classify_caller},
    destination::Destination,
    https_redirect::https_location,
    method_override, reading_conflict,
    refusal::Refusal,
    requested_tenant::{find_policy, find_requested_tenant},
    validation::{self, Ambiguity, ValidatedHead},
};
use crate::{
    config::{Settings, TenantPolicy, model::PortalProfile},
    domain::{
        access::{Decision, decide},
        browser::CallerKind,
        path::{PathShape, readings::Readings},
        route::{Route, RouteKind},
        tenant::TenantId,
        time::Timestamp,
        upgrade::UpgradeChoice,
    },
};

/// The component that responds to the request, with the data that it needs.
#[derive(Debug)]
pub enum Evaluation {
    /// A page of Doorward below `/.doorward/`. It responds to every well-formed request, even if no tenant was found, and
    /// requires a sign-in itself where it needs a user.
    OwnPage(Result<Arc<TenantPolicy>, Refusal>),
    /// The management API, which authenticates requests itself; with the tenant that the request names.
    ManagementApi(Result<Option<TenantId>, Refusal>),
    Portal(RoutedRequest),
    /// A question about the server: the methods it forwards.
    ServerOptions,
    /// The request is refused before its route is known, or because of a limit.
    Refused {
        refusal: Refusal,
        policy: Option<Arc<TenantPolicy>>,
    },
}

/// A request for a route of the portal.
#[derive(Debug)]
pub struct RoutedRequest {
    /// Immutable snapshot, used until the request ends.
    pub policy: Arc<TenantPolicy>,
    /// Whether the request, its host or its credential selects the tenant. `false`: the default tenant applies.
    pub is_tenant_selected: bool,
    pub route: Route,
    /// The portal may authenticate a request by `access_token` in its query.
    pub reads_query_token: bool,
    /// The protocols of the `Upgrade` header that the route allows.
    pub allowed_upgrade: Option<HeaderValue>,
    pub verdict: Result<Decision, Refusal>,
}

impl Evaluation {
    fn refused_without_tenant(destination: Destination, refusal: Refusal) -> Self {
        match destination {
            Destination::ManagementApi => Self::ManagementApi(Err(refusal)),
            Destination::OwnPage if !refusal.is_before_routing() => Self::OwnPage(Err(refusal)),
            Destination::OwnPage | Destination::Portal => Self::Refused { refusal, policy: None },
        }
    }

    /// The same request, refused because of a limit.
    pub fn refuse(self, refusal: Refusal) -> Self {
        match self {
            Self::OwnPage(tenant) => Self::Refused { refusal, policy: tenant.ok() },
            Self::ManagementApi(_) => Self::ManagementApi(Err(refusal)),
            Self::Portal(routed) => Self::Portal(RoutedRequest { verdict: Err(refusal), ..routed }),
            Self::Refused { policy, .. } => Self::Refused { refusal, policy },
            Self::ServerOptions => Self::Refused { refusal, policy: None },
        }
    }
}

/// On return, `parts` is validated (see `validation`), but the tenant is
/// not written into it yet.
pub async fn evaluate(
    state: &ProxyState,
    settings: &Settings,
    context: &mut RequestContext,
    parts: &mut Parts,
    now: Timestamp,
) -> Evaluation {
    // ── 2 validate
    if is_server_options(parts) {
        return Evaluation::ServerOptions;
    }
    let validated = validate(state, settings, context, parts);
    let destination = Destination::of(state, settings, parts.uri.path());
    let is_own = destination != Destination::Portal;
    let validated = validated.and_then(|mut validated| {
        if is_own {
            validated.path = validate_own_path(parts, validated.path)?;
        }
        Ok(validated)
    });
    let ValidatedHead { path: shape, options } = match validated {
        Ok(validated) => validated,
        Err(refusal) => return Evaluation::refused_without_tenant(destination, refusal),
    };
    let (requested, page_caller) = (options.upgrade, context.caller_kind);
    let readings = Readings::with_shape(parts.uri.path(), shape);
    if !is_own && let Err(ambiguity) = reading_conflict::check(state, settings, &readings) {
        return Evaluation::refused_without_tenant(destination, ambiguity.into());
    }

    // ── 3 tenant: one snapshot of its policy, used until the request ends
    let may_name = is_own || settings.tenancy.named_by_request;
    let named = match find_requested_tenant(state, settings, &context.client, parts, may_name).await {
        Ok(named) if destination == Destination::ManagementApi => {
            return Evaluation::ManagementApi(Ok(named));
        }
        Ok(named) => named,
        Err(refusal) => {
            context.response_context.route_kind = default_route_kind(settings, parts);
            return Evaluation::refused_without_tenant(destination, refusal);
        }
    };
    let tenant = named.as_ref().unwrap_or(&settings.tenancy.default_tenant);
    let Some(mut policy) = find_policy(state, tenant).await else {
        context.response_context.route_kind = default_route_kind(settings, parts);
        return Evaluation::refused_without_tenant(destination, Refusal::UnknownTenant(tenant.to_string()));
    };
    let mut is_tenant_selected = named.is_some();

    // at most two iterations: if the request names no tenant, the user of a token or session selects it
    loop {
        // ── 4 route
        let route = policy.routes.strictest(parts.method.as_str(), &readings).clone();
        let route = method_override::stricter_route(route, parts, &policy.routes, &readings);
        let choice = requested.as_ref().map_or(UpgradeChoice::Ignored, |header| {
            let rule = policy.routes.upgrade_rule(&route, parts.method.as_str(), &readings);
            rule.choose(header.to_str().unwrap_or_default())
        });
        let upgrade = choice != UpgradeChoice::Ignored;
        // a program is one on every kind of route
        let is_known = (route.kind == RouteKind::Page && upgrade == requested.is_some())
            || (requested.is_none() && page_caller == CallerKind::Program);
        let caller_kind = if is_known { page_caller } else { classify_caller(parts, upgrade, route.kind) };
        context.set_caller_kind(caller_kind);
        context.response_context.route_kind = route.kind;

        // ── 5 authenticate
        let authenticated = if upgrade && is_cross_origin(state, settings, parts, &context.client, &policy) {
            Err(Refusal::ForeignOrigin)
        } else {
            let origin = RequestOrigin {
                client: &context.client,
                caller_kind,
                needs_user: choice.needs_user(),
                now,
                is_counted: context.is_counted,
            };
            authenticate(AuthContext { state, settings, parts, policy: &policy, route: &route, origin }).await
        };
        if let Ok(RequestAuthentication { credential: Some(credential), .. }) = &authenticated
            && !is_tenant_selected
            && credential.user().tenant != policy.tenant
            && let Some(own) = find_policy(state, &credential.user().tenant).await
        {
            is_tenant_selected = true;
            policy = own;
            continue;
        }
        let authenticated =
            authenticated.map(|authentication| context.set_authentication(authentication, &policy, state));
        if destination == Destination::OwnPage {
            return Evaluation::OwnPage(Ok(policy));
        }

        // ── 6 decide
        let verdict = authenticated.and_then(|()| {
            let decision = decide(policy.anonymous, &route, &context.identity);
            choice.decide(decision, &context.identity).map_err(|_| Refusal::UpgradeRefused)
        });
        let allowed_upgrade = match &choice {
            UpgradeChoice::Forwarded { protocols, .. } => HeaderValue::try_from(protocols).ok(),
            UpgradeChoice::Ignored | UpgradeChoice::Refused => None,
        };
        return Evaluation::Portal(RoutedRequest {
            policy,
            is_tenant_selected,
            reads_query_token: reads_query_token(settings, &route),
            route,
            allowed_upgrade,
            verdict,
        });
    }
}

/// Validates the request and removes what a client must not send.
fn validate(
    state: &ProxyState,
    settings: &Settings,
    context: &mut RequestContext,
    parts: &mut Parts,
) -> Result<ValidatedHead, Refusal> {
    let validated = validation::validate(parts, (&settings.limits).into())?;
    let options = &validated.options;
    if options.upgrade.is_some() {
        context.set_caller_kind(classify_caller(parts, true, RouteKind::Page));
    }
    if options.has_forwarding_headers {
        admission::mark_unlisted_proxy(state, settings, context);
    }
    context.accepts_trailers = options.accepts_trailers;
    if settings.server.redirect_to_https && context.is_cleartext {
        return Err(Refusal::HttpsNeeded { location: https_location(settings, &context.client, parts) });
    }
    Ok(validated)
}

/// WSO2's APIs read a token in the query; elsewhere `access_token` is a parameter of the portal.
pub fn reads_query_token(settings: &Settings, route: &Route) -> bool {
    settings.portal.profile == PortalProfile::Wso2Apim && route.kind == RouteKind::Wso2Api
}

/// An address that Doorward serves itself has one spelling, the normal form.
fn validate_own_path(parts: &mut Parts, shape: PathShape) -> Result<PathShape, Ambiguity> {
    if shape == PathShape::Plain {
        return Ok(shape);
    }
    validation::normalize_own_path(parts)?;
    PathShape::of(parts.uri.path()).map_err(Ambiguity::Path)
}

/// A question about the server and not about a path: `OPTIONS *` (RFC 9110 §9.3.7), and what load balancers send to check that it
/// is alive, `OPTIONS / HTTP/1.0` without a host.
fn is_server_options(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && (parts.uri.path() == "*"
            || (parts.version == Version::HTTP_10 && !parts.headers.contains_key(header::HOST)))
}

impl From<Ambiguity> for Refusal {
    fn from(ambiguity: Ambiguity) -> Self {
        Self::Invalid { status: ambiguity.status(), detail: ambiguity.detail() }
    }
}

/// The kind of route, which determines the response format, for a request without a tenant.
fn default_route_kind(settings: &Settings, parts: &Parts) -> RouteKind {
    settings.defaults.route_table.classify(parts.method.as_str(), parts.uri.path()).kind
}
