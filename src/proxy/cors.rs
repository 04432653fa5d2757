//! Cross-origin requests by scripts of origins that a tenant allows, where Doorward answers in place of the portal.

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use super::body::ResponseBody;
use crate::config::TenantPolicy;

/// Allows scripts of an allowed origin to read the response, and no others.
pub fn allow_origin(headers: &mut HeaderMap, origin: Option<&HeaderValue>, policy: &TenantPolicy) -> bool {
    if policy.access.cors_allowed_origins.is_empty() {
        return false;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin.filter(|origin| policy.access.cors_allowed_origins.contains(origin)) else {
        return false;
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate, X-Request-Id"));
    true
}

/// A preflight carries no token (Fetch §4.8), so a closed tenant has to answer it itself; otherwise no allowed origin
/// could ever send the request that does carry one. `None` when this is no preflight of an allowed origin.
pub fn preflight(
    method: &Method,
    request: &HeaderMap,
    policy: &TenantPolicy,
) -> Option<Response<ResponseBody>> {
    let wanted = request.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| method == Method::OPTIONS)?;
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if !allow_origin(headers, request.get(ORIGIN), policy) {
        return None;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, wanted.clone());
    if let Some(names) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(response)
}
