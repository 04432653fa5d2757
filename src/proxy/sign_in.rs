//! Sending a browser to sign-in, and back to where it wanted to go.

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, HOST, LOCATION, SET_COOKIE, USER_AGENT},
    request::Parts,
};
use percent_encoding::utf8_percent_encode;

use super::{
    Gate,
    body::ResponseBody,
    bounce::Bounces,
    identify::own_origin,
    judge::Judgement,
    visitor::{self, COMPONENT, Memory},
};
use crate::{
    config::{Settings, TenantPolicy},
    domain::return_address::ReturnAddress,
};

/// What to do with a browser that has to sign in.
#[expect(clippy::large_enum_variant, reason = "lives for one match, and a redirect is the usual case")]
pub enum Way {
    Redirect(Response<ResponseBody>),
    /// It has been sent there too often; the address, to try once more by hand.
    Loop(String),
    /// Nobody can sign in with a browser here.
    Nowhere,
}

pub fn way(
    gate: &Gate,
    settings: &Settings,
    judgement: &Judgement,
    policy: &TenantPolicy,
    parts: &Parts,
    memory: &Memory,
    now: u64,
) -> Way {
    let target = wanted(parts);
    let Some(url) = address(settings, judgement, policy, parts, &target) else { return Way::Nowhere };
    let https = judgement.client.https;
    let Some(mut response) = redirect(&url) else { return Way::Nowhere };
    let headers = response.headers_mut();
    // no browser goes in circles by itself through a page where somebody has to type
    if !policy.sign_in.is_ours() {
        let bounces = if memory.has_cookies {
            Bounces::next(memory.bounces, now)
        } else {
            let bytes = |name| parts.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
            let browser = (judgement.client.address, bytes(USER_AGENT));
            gate.bounces.next(browser, (bytes(HOST), target.as_str()), now)
        };
        let Some(bounces) = bounces else { return Way::Loop(url) };
        if let Some(cookie) = visitor::remember_bounces(bounces, https) {
            headers.append(SET_COOKIE, cookie);
        }
    }
    if !policy.sign_in.returns_by_itself()
        && let Some(cookie) = visitor::remember_return(&target, https)
    {
        headers.append(SET_COOKIE, cookie);
    }
    Way::Redirect(response)
}

/// The page the visitor wanted: path and query, as every browser reads them.
pub fn wanted(parts: &Parts) -> ReturnAddress {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    ReturnAddress::parse(target)
        .or_else(|| ReturnAddress::parse(parts.uri.path()))
        .unwrap_or_else(ReturnAddress::root)
}

/// The sign-in address with its placeholders filled in.
pub fn address(
    settings: &Settings,
    judgement: &Judgement,
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
        .or_else(|| own_origin(&judgement.client, &parts.headers))?;
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

/// A browser that has signed in and lands on another page than the one it had wanted is sent there, once.
pub fn continue_way(parts: &Parts, memory: &Memory, https: bool) -> Option<Response<ResponseBody>> {
    let wanted = memory.return_to.as_ref()?;
    if parts.uri.path_and_query().is_some_and(|target| target.as_str() == wanted.as_str()) {
        return None;
    }
    let mut response = redirect(wanted.as_str())?;
    for cookie in visitor::forget_way(https) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Some(response)
}

pub fn redirect(to: &str) -> Option<Response<ResponseBody>> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::try_from(to).ok()?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}
