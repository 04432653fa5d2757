//! Request headers by which a client could influence the portal's response to a sign-in: they are removed or replaced.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
        IF_UNMODIFIED_SINCE, RANGE, REFERER,
    },
    request::Parts,
};

use crate::domain::guard::{LoginGuard, LoginNameSource};

const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Called before an attempt is forwarded.
pub(super) fn normalize(guard: &LoginGuard, parts: &mut Parts, https: bool) {
    if guard.searches_body() {
        request_full_response(&mut parts.headers);
    }
    if guard.reads_redirect() {
        replace_referer(parts, https);
    }
    if guard.success_signs.is_empty() {
        fix_accept(&guard.name_source, &mut parts.headers);
    }
}

/// The guard searches a text in the response: it needs the complete body, in the coding and the language the operator configured.
fn request_full_response(headers: &mut HeaderMap) {
    for choice in [
        ACCEPT_ENCODING,
        ACCEPT_LANGUAGE,
        RANGE,
        IF_RANGE,
        IF_MATCH,
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
        IF_UNMODIFIED_SINCE,
    ] {
        headers.remove(choice);
    }
}

/// Portals redirect back to `Referer`, which the client could set to the address of a success. Some reject forms without one, so it
/// is set to the address of the sign-in.
fn replace_referer(parts: &mut Parts, https: bool) {
    if parts.headers.remove(REFERER).is_none() {
        return;
    }
    let scheme = if https { "https" } else { "http" };
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    let here = host.map(|host| format!("{scheme}://{host}{}", parts.uri.path()));
    if let Some(here) = here.and_then(|here| HeaderValue::try_from(here).ok()) {
        parts.headers.insert(REFERER, here);
    }
}

/// Only failures are configured, and only as this kind of client gets them.
fn fix_accept(user: &LoginNameSource, headers: &mut HeaderMap) {
    let usual = match user {
        LoginNameSource::Form(_) => "text/html, */*;q=0.8",
        LoginNameSource::Json(_) => "application/json, */*;q=0.8",
        LoginNameSource::Basic | LoginNameSource::PasswordGrant => return,
    };
    headers.remove(X_REQUESTED_WITH);
    headers.insert(ACCEPT, HeaderValue::from_static(usual));
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::post("/login?x=1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn attack_referer_as_redirect_target() {
        for (https, host, expected) in [
            (true, Some("portal.example"), Some("https://portal.example/login")),
            (false, Some("portal.example"), Some("http://portal.example/login")),
            (true, None, None),
        ] {
            let mut parts = parts(&[("referer", "https://portal.example/home")]);
            if let Some(host) = host {
                parts.headers.insert(HOST, host.parse().unwrap());
            }
            replace_referer(&mut parts, https);
            let referer = parts.headers.get(REFERER).map(|value| value.to_str().unwrap());
            assert_eq!(referer, expected, "{host:?}");
        }
        let mut without = parts(&[("host", "portal.example")]);
        replace_referer(&mut without, true);
        assert!(!without.headers.contains_key(REFERER));
    }

    #[test]
    fn attack_failure_response_in_undescribed_format() {
        let mut parts = parts(&[("accept", "application/json"), ("x-requested-with", "XMLHttpRequest")]);
        fix_accept(&LoginNameSource::Form(Vec::new()), &mut parts.headers);
        assert_eq!(parts.headers.get(ACCEPT).unwrap(), "text/html, */*;q=0.8");
        assert!(!parts.headers.contains_key(X_REQUESTED_WITH));
    }
}
