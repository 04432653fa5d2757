//! The guard before what acts or reveals.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};

/// The caller is on this machine (or in this pod), and is no web page: a page could be led to our port by a name that
/// resolves to 127.0.0.1 (DNS rebinding), but it cannot hide its `Host`, nor, when it posts, its `Origin`.
pub async fn only(ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request, next: Next) -> Response {
    if peer.ip().to_canonical().is_loopback() && !is_from_a_page(request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "only for callers on this machine\n").into_response()
    }
}

fn is_from_a_page(headers: &HeaderMap) -> bool {
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
    fn dns_rebinding_and_cross_site_posts_are_from_a_page() {
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
            assert_eq!(is_from_a_page(&headers), page, "{host} {origin:?}");
        }
    }
}
