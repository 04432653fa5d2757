//! Private port endpoints that change or disclose state: for callers on this machine, with the token if `admin.token_file` is set.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};

use crate::{
    config::secret::Secret,
    http::{authorization, www_authenticate},
    proxy::ProxyState,
};

/// The caller must be on this machine (or in this pod) and must not be a web page: a page could reach the port by a name that
/// resolves to 127.0.0.1 (DNS rebinding), but it cannot hide its `Host`, nor, when it posts, its `Origin`.
pub async fn require_local_caller(
    State(state): State<Arc<ProxyState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if !peer.ip().to_canonical().is_loopback() || is_browser_request(request.headers()) {
        return (StatusCode::FORBIDDEN, "only callers on this machine are allowed\n").into_response();
    }
    let is_missing = {
        let settings = state.settings.load();
        settings.admin.token.as_ref().is_some_and(|token| !has_token(request.headers(), &token.secret))
    };
    if is_missing {
        let mut refused =
            (StatusCode::UNAUTHORIZED, "the token of admin.token_file is required\n").into_response();
        let challenge = www_authenticate::bearer(www_authenticate::REALM, None);
        refused.headers_mut().extend(challenge.map(|challenge| (header::WWW_AUTHENTICATE, challenge)));
        return refused;
    }
    next.run(request).await
}

/// Compares in constant time.
fn has_token(headers: &HeaderMap, expected: &Secret) -> bool {
    let Ok(Some(sent)) = authorization::read(headers) else { return false };
    let is_equal = verify_slices_are_equal(sent.credentials(), expected.expose().as_bytes()).is_ok();
    sent.has_scheme("Bearer") && is_equal
}

fn is_browser_request(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let local = name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    !local || headers.contains_key(header::ORIGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_guessed_admin_token() {
        let secret = Secret::new("0123456789abcdef");
        for (values, is_right) in [
            (&["Bearer 0123456789abcdef"][..], true),
            (&["bearer  0123456789abcdef"], true),
            (&["Bearer 0123456789abcdeF"], false),
            (&["Bearer 0123456789abcde"], false),
            (&["Bearer 0123456789abcdef0"], false),
            (&["Bearer "], false),
            (&["Bearer"], false),
            (&["0123456789abcdef"], false),
            (&["Basic  0123456789abcdef"], false),
            (&["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(has_token(&headers, &secret), is_right, "{values:?}");
        }
    }

    #[test]
    fn attack_dns_rebinding_and_cross_site_post() {
        for (host, origin, page) in [
            ("localhost:9901", None, false),
            ("127.0.0.1:9901", None, false),
            ("[::1]:9901", None, false),
            ("127.0.0.1", None, false),
            ("evil.example:9901", None, true),
            ("localhost.evil.example", None, true),
            ("127.0.0.1.evil.example", None, true),
            ("", None, true),
            ("localhost:9901", Some("https://evil.example"), true),
            ("localhost:9901", Some("null"), true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_browser_request(&headers), page, "{host} {origin:?}");
        }
    }
}
