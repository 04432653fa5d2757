//! Redirects a browser to sign-in, and back to the requested page.

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, LOCATION, SET_COOKIE},
    request::Parts,
};
use percent_encoding::utf8_percent_encode;

use super::{
    authenticate::own_origin,
    body::ResponseBody,
    context::RequestContext,
    exchange::Exchange,
    visitor_cookies::{self, COMPONENT, VisitorCookies},
};
use crate::{
    config::{Settings, TenantPolicy},
    domain::return_address::ReturnAddress,
};

/// How to respond to a browser that has to sign in.
#[expect(clippy::large_enum_variant, reason = "lives for one match, and a redirect is the usual case")]
pub enum SignInChallenge {
    Redirect(Response<ResponseBody>),
    /// It was redirected too often; the URL, for a manual retry.
    Loop(String),
    /// No sign-in page is configured.
    NotConfigured,
}

pub fn challenge(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    policy: &TenantPolicy,
    parts: &Parts,
    cookies: &VisitorCookies,
) -> SignInChallenge {
    let target = requested_address(parts);
    let Some(url) = sign_in_url(exchange.settings, context, policy, parts, &target) else {
        return SignInChallenge::NotConfigured;
    };
    let https = context.client.https;
    let Some(mut response) = redirect_to(&url) else { return SignInChallenge::NotConfigured };
    let headers = response.headers_mut();
    // a page with a form stops every redirect loop
    if !policy.sign_in.is_own_page() {
        let redirects = cookies.sign_in_redirects.clone().next(target.as_str(), exchange.now);
        let Some(redirects) = redirects else { return SignInChallenge::Loop(url) };
        if let Some(cookie) = visitor_cookies::redirects_cookie(&redirects, https) {
            headers.append(SET_COOKIE, cookie);
        }
    }
    if !policy.sign_in.has_return_placeholder()
        && let Some(cookie) = visitor_cookies::return_cookie(&target, https)
    {
        headers.append(SET_COOKIE, cookie);
    }
    SignInChallenge::Redirect(response)
}

/// The requested page: path and query, as every browser reads them.
pub fn requested_address(parts: &Parts) -> ReturnAddress {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let path = || parts.uri.query().and_then(|_| ReturnAddress::parse(parts.uri.path()));
    ReturnAddress::parse(target).or_else(path).unwrap_or_else(ReturnAddress::root)
}

/// The sign-in URL with its placeholders filled in.
pub fn sign_in_url(
    settings: &Settings,
    context: &RequestContext,
    policy: &TenantPolicy,
    parts: &Parts,
    target: &ReturnAddress,
) -> Option<String> {
    if !policy.sign_in.is_configured() {
        return None;
    }
    let origin = settings
        .server
        .public_url
        .as_ref()
        .map(|url| url.origin().ascii_serialization())
        .or_else(|| own_origin(&context.client, &parts.headers))?;
    let encode = |text: &str| utf8_percent_encode(text, COMPONENT).to_string();
    Some(
        policy
            .sign_in
            .url
            .replace("{tenant}", &encode(policy.tenant.as_str()))
            .replace("{return_url}", &encode(&format!("{origin}{}", target.as_str())))
            .replace("{return_path}", &encode(target.as_str())),
    )
}

/// Redirects a browser that has signed in and opens another page than the requested one, once.
pub fn resume_redirect(
    parts: &Parts,
    cookies: &VisitorCookies,
    https: bool,
) -> Option<Response<ResponseBody>> {
    let return_to = cookies.return_to.as_ref()?;
    if parts.uri.path_and_query().is_some_and(|target| target.as_str() == return_to.as_str()) {
        return None;
    }
    let mut response = redirect_to(return_to.as_str())?;
    for cookie in visitor_cookies::expire_return_cookies(https) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Some(response)
}

pub fn redirect_to(to: &str) -> Option<Response<ResponseBody>> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::try_from(to).ok()?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}
