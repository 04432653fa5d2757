//! Headers by which a client could choose what the answer to its sign-in looks like: they are removed or replaced.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
        IF_UNMODIFIED_SINCE, RANGE, REFERER,
    },
    request::Parts,
};

use crate::domain::guard::{Guard, UserIn};

const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Before an attempt goes to the portal.
pub(super) fn hold(guard: &Guard, parts: &mut Parts, https: bool) {
    if guard.searches_body() {
        whole_answer(&mut parts.headers);
    }
    if guard.reads_redirect() {
        lead_back_here(parts, https);
    }
    if guard.succeeded.is_empty() {
        usual_answer(&guard.user, &mut parts.headers);
    }
}

/// A text is searched in the answer: all of it, in the coding and the language that the operator knows.
fn whole_answer(headers: &mut HeaderMap) {
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

/// Portals redirect back to `Referer`, which the client could make the address of a success. Some take no form without one, so it
/// becomes the address of the sign-in.
fn lead_back_here(parts: &mut Parts, https: bool) {
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

/// Failures alone are described, and only as this kind of client gets them.
fn usual_answer(user: &UserIn, headers: &mut HeaderMap) {
    let usual = match user {
        UserIn::Form(_) => "text/html, */*;q=0.8",
        UserIn::Json(_) => "application/json, */*;q=0.8",
        UserIn::Basic | UserIn::PasswordGrant => return,
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
    fn attack_a_referer_that_the_portal_redirects_back_to() {
        for (https, host, expected) in [
            (true, Some("portal.example"), Some("https://portal.example/login")),
            (false, Some("portal.example"), Some("http://portal.example/login")),
            (true, None, None),
        ] {
            let mut parts = parts(&[("referer", "https://portal.example/home")]);
            if let Some(host) = host {
                parts.headers.insert(HOST, host.parse().unwrap());
            }
            lead_back_here(&mut parts, https);
            let referer = parts.headers.get(REFERER).map(|value| value.to_str().unwrap());
            assert_eq!(referer, expected, "{host:?}");
        }
        let mut without = parts(&[("host", "portal.example")]);
        lead_back_here(&mut without, true);
        assert!(!without.headers.contains_key(REFERER));
    }

    #[test]
    fn attack_a_failure_in_a_form_that_nobody_described() {
        let mut parts = parts(&[("accept", "application/json"), ("x-requested-with", "XMLHttpRequest")]);
        usual_answer(&UserIn::Form(Vec::new()), &mut parts.headers);
        assert_eq!(parts.headers.get(ACCEPT).unwrap(), "text/html, */*;q=0.8");
        assert!(!parts.headers.contains_key(X_REQUESTED_WITH));
    }
}
