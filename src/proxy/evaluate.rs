//! Evaluates a request (steps 2 to 6): validation, tenant, route, authentication, decision. The evaluation forwards
//! nothing, so that `doorward explain` can call the same function.

use std::sync::Arc;

use http::{HeaderValue, request::Parts};

use super::{
    ProxyState, admission,
    authenticate::{AuthContext, RequestOrigin, authenticate, is_cross_origin},
    context::{RequestContext, classify_caller},
    destination::Destination,
    https_redirect::https_location,
    method_override,
    refusal::Refusal,
    requested_tenant::{find_policy, find_requested_tenant},
    validation::{self, Ambiguity},
};
use crate::{
    config::{Settings, TenantPolicy},
    domain::{
        access::{Decision, decide},
        browser::CallerKind,
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
        }
    }
}

/// On return, `parts` is validated and normalised (see `validation`), but the tenant is
/// not written into it yet.
pub async fn evaluate(
    state: &ProxyState,
    settings: &Settings,
    context: &mut RequestContext,
    parts: &mut Parts,
    now: Timestamp,
) -> Evaluation {
    // ── 2 validate
    let requested = match validate(state, settings, context, parts) {
        Ok(upgrade) => upgrade,
        Err(refusal) => {
            let destination = Destination::of(state, settings, parts.uri.path());
            return Evaluation::refused_without_tenant(destination, refusal);
        }
    };
    let page_caller = context.caller_kind;

    // ── 3 tenant: one snapshot of its policy, used until the request ends
    let destination = Destination::of(state, settings, parts.uri.path());
    let named = match find_requested_tenant(state, settings, &context.client, parts).await {
        Ok(named) if destination == Destination::ManagementApi => {
            return Evaluation::ManagementApi(Ok(named));
        }
        Ok(named) => named,
        Err(refusal) => {
            context.response_context.surface = default_surface(settings, parts);
            return Evaluation::refused_without_tenant(destination, refusal);
        }
    };
    let tenant = named.as_ref().unwrap_or(&settings.tenancy.default_tenant);
    let Some(mut policy) = find_policy(state, tenant).await else {
        context.response_context.surface = default_surface(settings, parts);
        return Evaluation::refused_without_tenant(destination, Refusal::UnknownTenant(tenant.to_string()));
    };
    let mut is_tenant_selected = named.is_some();

    // at most two iterations: if the request names no tenant, the user of a token or session selects it
    loop {
        // ── 4 route
        let route = policy.routes.classify(parts.method.as_str(), parts.uri.path()).clone();
        let route = method_override::stricter_route(route, parts, &policy.routes);
        let choice = requested
            .as_ref()
            .map_or(UpgradeChoice::Ignored, |header| choose_upgrade(&policy, &route, parts, header));
        let upgrade = choice != UpgradeChoice::Ignored;
        // a program is one on every kind of route
        let is_known = (route.kind == RouteKind::Page && upgrade == requested.is_some())
            || (requested.is_none() && page_caller == CallerKind::Program);
        let caller_kind = if is_known { page_caller } else { classify_caller(parts, upgrade, route.kind) };
        context.set_caller_kind(caller_kind);
        context.response_context.surface = route.kind;

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
        if let Ok(Some(credential)) = &authenticated
            && !is_tenant_selected
            && credential.user().tenant != policy.tenant
            && let Some(own) = find_policy(state, &credential.user().tenant).await
        {
            is_tenant_selected = true;
            policy = own;
            continue;
        }
        let authenticated =
            authenticated.map(|credential| context.set_credential(credential, &policy, state));
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
            route,
            allowed_upgrade,
            verdict,
        });
    }
}

/// Validates and normalises the request; returns the value of its `Upgrade` header.
fn validate(
    state: &ProxyState,
    settings: &Settings,
    context: &mut RequestContext,
    parts: &mut Parts,
) -> Result<Option<HeaderValue>, Refusal> {
    let options = validation::validate(parts)?;
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
    Ok(options.upgrade)
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

impl From<Ambiguity> for Refusal {
    fn from(ambiguity: Ambiguity) -> Self {
        Self::Invalid { status: ambiguity.status(), detail: ambiguity.detail() }
    }
}

/// The kind of route, which determines the response format, for a request without a tenant.
fn default_surface(settings: &Settings, parts: &Parts) -> RouteKind {
    settings.defaults.route_table.classify(parts.method.as_str(), parts.uri.path()).kind
}
