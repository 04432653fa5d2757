//! Removes response headers of the portal that are not for the browser.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::proxy::validation::cookies;

const HOP_BY_HOP_COUNT: usize = 7;
const HOP_BY_HOP: [HeaderName; HOP_BY_HOP_COUNT] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::UPGRADE,
    // would make browsers bypass Doorward
    header::ALT_SVC,
];

/// Removes hop-by-hop headers from the portal's response, and cookies with Doorward's names. `switching` is
/// an accepted upgrade (101), which retains its `Upgrade`. Trailers stay announced.
pub fn clean_response(headers: &mut HeaderMap, switching: bool) {
    // one pass over the present names is cheaper than a look-up for each possible one
    let mut hop_by_hop = [false; HOP_BY_HOP_COUNT];
    let (mut chunked, mut sets_cookies) = (false, false);
    for name in headers.keys() {
        // none of them has another length than these, and most other names have
        if matches!(name.as_str().len(), 2 | 7 | 10 | 16 | 17 | 18) {
            for (seen, hop_by_hop) in hop_by_hop.iter_mut().zip(&HOP_BY_HOP) {
                *seen |= name == hop_by_hop;
            }
            chunked |= *name == header::TRANSFER_ENCODING;
            sets_cookies |= *name == header::SET_COOKIE;
        }
    }
    if hop_by_hop.contains(&true) {
        remove_hop_by_hop(headers, hop_by_hop, switching);
    }
    // the length of a chunked body is given by its chunks
    if chunked {
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    if sets_cookies {
        strip_own_set_cookie(headers);
    }
}

/// Prevents shared caches from storing the response to an authenticated request. For requests with `Authorization` caches do
/// that by themselves unless the answer allows it (RFC 9111 §3.5); a session cookie and a token in a cookie have no such rule.
pub fn mark_private(headers: &mut HeaderMap) {
    let decides = |line: &HeaderValue| {
        line.as_bytes().split(|byte| *byte == b',').any(|directive| {
            let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
            STORAGE_DIRECTIVES.iter().any(|decides| name.eq_ignore_ascii_case(decides))
        })
    };
    if !headers.get_all(header::CACHE_CONTROL).iter().any(decides) {
        headers.append(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}

/// Directives by which the portal itself says whether a shared cache may store an answer to an authenticated request.
const STORAGE_DIRECTIVES: [&[u8]; 5] = [b"private", b"no-store", b"public", b"s-maxage", b"must-revalidate"];

/// Trailers of the portal's response must neither frame it nor set cookies (RFC 9110 §6.5.1).
pub fn clean_response_trailers(trailers: &mut HeaderMap) {
    for name in HOP_BY_HOP.iter().chain(&[
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::CONTENT_TYPE,
        header::SET_COOKIE,
        header::TRAILER,
    ]) {
        trailers.remove(name);
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap, seen: [bool; HOP_BY_HOP_COUNT], switching: bool) {
    let usual = |line: &HeaderValue| {
        line.as_bytes().eq_ignore_ascii_case(b"keep-alive") || line.as_bytes().eq_ignore_ascii_case(b"close")
    };
    if !headers.get_all(header::CONNECTION).iter().all(usual) {
        let nominated: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .filter_map(|token| HeaderName::from_bytes(token.trim().as_bytes()).ok())
            // the HTTP library frames the body, and cookies are not hop-by-hop
            .filter(|name| {
                *name != header::CONTENT_LENGTH && *name != header::SET_COOKIE && *name != header::UPGRADE
            })
            .collect();
        for name in nominated {
            headers.remove(name);
        }
    }
    let upgrade = if switching { headers.remove(header::UPGRADE) } else { None };
    for (name, _) in HOP_BY_HOP.iter().zip(seen).filter(|(_, seen)| *seen) {
        headers.remove(name);
    }
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
}

/// A portal (or an attacker who can inject headers into its responses) must not set a cookie with Doorward's name.
fn strip_own_set_cookie(headers: &mut HeaderMap) {
    let is_own = |line: &HeaderValue| cookies::is_own(line.as_bytes().trim_ascii_start());
    if !headers.get_all(header::SET_COOKIE).iter().any(is_own) {
        return;
    }
    let kept: Vec<_> =
        headers.get_all(header::SET_COOKIE).iter().filter(|line| !is_own(line)).cloned().collect();
    headers.remove(header::SET_COOKIE);
    for line in kept {
        headers.append(header::SET_COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(lines: &[(&'static str, &'static str)], switching: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        clean_response(&mut headers, switching);
        let mut left: Vec<_> = headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        left.sort();
        left
    }

    #[test]
    fn removes_hop_by_hop_headers_of_the_portal() {
        let lines = [
            ("connection", "close, X-Hop, Content-Length"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("proxy-authenticate", "Basic"),
            ("upgrade", "h2c"),
            ("alt-svc", "h3=\":9443\""),
            ("content-length", "5"),
            ("trailer", "digest"),
            ("content-type", "text/html"),
        ];
        assert_eq!(
            cleaned(&lines, false),
            ["content-length: 5", "content-type: text/html", "trailer: digest"]
        );
        assert_eq!(cleaned(&[("transfer-encoding", "chunked"), ("content-length", "5")], false), [""; 0]);
        let switch = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "x")];
        assert_eq!(
            cleaned(&switch, true),
            ["connection: upgrade", "sec-websocket-accept: x", "upgrade: websocket"]
        );
    }

    #[test]
    fn attack_shared_cache_stores_authenticated_response() {
        for (sent, expected) in [
            (&[][..], &["private"][..]),
            (&["max-age=600"], &["max-age=600", "private"]),
            (&["no-cache"], &["no-cache", "private"]),
            (&["x-private, immutable", "max-age=9"], &["x-private, immutable", "max-age=9", "private"]),
            (&["Private"], &["Private"]),
            (&["max-age=9, no-store"], &["max-age=9, no-store"]),
            (&["max-age=9 , public"], &["max-age=9 , public"]),
            (&["s-maxage = 9"], &["s-maxage = 9"]),
            (&["max-age=9", "must-revalidate"], &["max-age=9", "must-revalidate"]),
        ] {
            let mut headers = HeaderMap::new();
            for line in sent {
                headers.append(header::CACHE_CONTROL, HeaderValue::from_static(line));
            }
            mark_private(&mut headers);
            let got: Vec<_> = headers.get_all(header::CACHE_CONTROL).iter().collect();
            assert_eq!(got, expected, "{sent:?}");
        }
    }

    #[test]
    fn attack_cookie_tossing_by_the_portal() {
        let lines = [
            ("set-cookie", "a=1; Path=/"),
            ("set-cookie", "__Host-doorward=planted; Path=/; Secure"),
            ("set-cookie", " doorward_x=1"),
            ("set-cookie", "=doorward_session=planted; Path=/"),
            ("set-cookie", " = __Host-doorward=planted"),
            ("set-cookie", "doorward_session"),
            ("set-cookie", "b=2"),
        ];
        assert_eq!(cleaned(&lines, false), ["set-cookie: a=1; Path=/", "set-cookie: b=2"]);
    }
}
