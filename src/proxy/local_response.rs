//! Step 7 for a request that Doorward answers in place of the portal: tenant choice, sign-in, refusal.

use http::{HeaderValue, Response, header, request::Parts};

use super::{
    ProxyState,
    body::ResponseBody,
    challenge::{self, SignInChallenge},
    context::RequestContext,
    cors,
    evaluate::RoutedRequest,
    exchange::Exchange,
    refusal::{Refusal, render_refusal},
    visitor_cookies::{self, VisitorCookies},
};
use crate::{
    config::TenantPolicy,
    domain::{
        access::Decision,
        browser::CallerKind,
        own_path,
        route::{AccessLevel, RouteKind},
    },
    telemetry::metrics::RequestOutcome,
};

/// `None` if the request has to be forwarded.
pub fn respond(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    routed: &RoutedRequest,
    parts: &Parts,
    cookies: &VisitorCookies,
) -> Option<(RequestOutcome, Response<ResponseBody>)> {
    let policy = &*routed.policy;
    let decision = match &routed.verdict {
        Ok(decision) => decision,
        Err(refusal) => return Some(refuse(exchange.state(), context, Some(policy), refusal)),
    };
    if let Some(choice) = tenant_selection_redirect(exchange, context, routed, parts, cookies) {
        return Some((RequestOutcome::local, choice));
    }
    match decision {
        Decision::Allow(_) => {
            let is_authenticated = context.identity.user().is_some();
            is_authenticated
                .then(|| challenge::resume_redirect(parts, cookies, context.client.https))
                .flatten()
                .map(|resumed| (RequestOutcome::local, resumed))
        }
        Decision::SignIn(_) => Some(require_sign_in(exchange, context, policy, parts, cookies)),
    }
}

fn require_sign_in(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    policy: &TenantPolicy,
    parts: &Parts,
    cookies: &VisitorCookies,
) -> (RequestOutcome, Response<ResponseBody>) {
    if let Some(preflight) = cors::preflight(&parts.method, &parts.headers, policy) {
        return (RequestOutcome::local, preflight);
    }
    let refusal = if context.caller_kind == CallerKind::Navigation {
        match challenge::challenge(exchange, context, policy, parts, cookies) {
            SignInChallenge::Redirect(response) => return (RequestOutcome::sign_in, response),
            SignInChallenge::Loop(sign_in_url) => Refusal::SignInLoop { sign_in_url },
            SignInChallenge::NotConfigured => Refusal::SignInNeeded { sign_in_url: None },
        }
    } else {
        let target = challenge::requested_address(parts);
        Refusal::SignInNeeded {
            sign_in_url: challenge::sign_in_url(exchange.settings, context, policy, parts, &target),
        }
    };
    refuse(exchange.state(), context, Some(policy), &refusal)
}

/// The answer to a question about the server: the methods that it forwards.
pub fn server_options() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    response.headers_mut().insert(header::ALLOW, methods);
    response
}

pub fn refuse(
    state: &ProxyState,
    context: &RequestContext,
    policy: Option<&TenantPolicy>,
    refusal: &Refusal,
) -> (RequestOutcome, Response<ResponseBody>) {
    if let Refusal::ClientLimit { limit, .. } = refusal {
        state.metrics.client_limit(*limit).inc();
    }
    (refusal.outcome(), render_refusal(refusal, &context.response_context, policy, &state.pages))
}

/// Cookies for a browser that opened a page: removes the return address once it is reached, and stores the chosen tenant.
pub fn set_visitor_cookies(
    state: &ProxyState,
    context: &RequestContext,
    routed: &RoutedRequest,
    cookies: &VisitorCookies,
    response: &mut Response<ResponseBody>,
) {
    if context.caller_kind != CallerKind::Navigation {
        return;
    }
    let (headers, https) = (response.headers_mut(), context.client.https);
    if context.identity.user().is_some()
        && (cookies.return_to.is_some() || !cookies.sign_in_redirects.is_empty())
    {
        for cookie in visitor_cookies::expire_return_cookies(https) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    let tenant = &routed.policy.tenant;
    if routed.is_tenant_selected
        && state.tenants.has_several_tenants()
        && cookies.tenant.as_ref() != Some(tenant)
        && let Some(cookie) = visitor_cookies::tenant_cookie(tenant, https)
    {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// Several tenants exist and the request of a browser selects none: redirects to the tenant chosen
/// last, or to the tenant list.
fn tenant_selection_redirect(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    routed: &RoutedRequest,
    parts: &Parts,
    cookies: &VisitorCookies,
) -> Option<Response<ResponseBody>> {
    let must_choose = context.caller_kind == CallerKind::Navigation
        && routed.route.kind == RouteKind::Page
        && routed.route.access != AccessLevel::Open
        && !routed.is_tenant_selected
        && exchange.settings.tenancy.selection_page
        && exchange.state().tenants.has_several_tenants();
    if !must_choose {
        return None;
    }
    let wanted = challenge::requested_address(parts);
    let to = match &cookies.tenant {
        Some(tenant) if exchange.state().may_exist(tenant) => {
            add_tenant_parameter(wanted.as_str(), tenant.as_str())
        }
        _ => format!(
            "{}?to={}",
            own_path::TENANTS,
            percent_encoding::utf8_percent_encode(wanted.as_str(), visitor_cookies::COMPONENT)
        ),
    };
    challenge::redirect_to(&to)
}

fn add_tenant_parameter(target: &str, tenant: &str) -> String {
    let joint = if target.contains('?') { '&' } else { '?' };
    format!("{target}{joint}tenant={tenant}")
}
