//! What of the portal's answer is not for the browser.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::proxy::hygiene::cookies;

const COUNT: usize = 7;
const OF_CONNECTION: [HeaderName; COUNT] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::UPGRADE,
    // would lead browsers around us
    header::ALT_SVC,
];

/// Takes out of the portal's answer what belongs to our connection with it, and cookies in our name. `switching` is
/// an accepted upgrade (101), which keeps its `Upgrade`. Trailers stay announced.
pub fn clean_response(headers: &mut HeaderMap, switching: bool) {
    // one look at the names there are is cheaper than a look-up for each that could be there
    let mut of_connection = [false; COUNT];
    let (mut chunked, mut sets_cookies) = (false, false);
    for name in headers.keys() {
        // none of them has another length than these, and most other names have
        if matches!(name.as_str().len(), 2 | 7 | 10 | 16 | 17 | 18) {
            for (seen, of_connection) in of_connection.iter_mut().zip(&OF_CONNECTION) {
                *seen |= name == of_connection;
            }
            chunked |= *name == header::TRANSFER_ENCODING;
            sets_cookies |= *name == header::SET_COOKIE;
        }
    }
    if of_connection.contains(&true) {
        clean_connection(headers, of_connection, switching);
    }
    // the length of a body that was sent in chunks is what the chunks say
    if chunked {
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    if sets_cookies {
        strip_own_set_cookie(headers);
    }
}

/// Keeps shared caches from storing the answer to an authenticated request. For requests with `Authorization` caches do
/// that by themselves unless the answer allows it (RFC 9111 §3.5); a session cookie and a token in a cookie have no such rule.
pub fn mark_private(headers: &mut HeaderMap) {
    let decides = |line: &HeaderValue| {
        line.as_bytes().split(|byte| *byte == b',').any(|directive| {
            let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
            DECIDE_SHARED_STORING.iter().any(|decides| name.eq_ignore_ascii_case(decides))
        })
    };
    if !headers.get_all(header::CACHE_CONTROL).iter().any(decides) {
        headers.append(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}

/// Directives by which the portal itself says whether a shared cache may store an answer to an authenticated request.
const DECIDE_SHARED_STORING: [&[u8]; 5] =
    [b"private", b"no-store", b"public", b"s-maxage", b"must-revalidate"];

/// Trailers of the portal's answer may neither frame it nor set anything (RFC 9110 §6.5.1).
pub fn clean_response_trailers(trailers: &mut HeaderMap) {
    for name in OF_CONNECTION.iter().chain(&[
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

fn clean_connection(headers: &mut HeaderMap, seen: [bool; COUNT], switching: bool) {
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
            // what frames the body is the HTTP library's business, and cookies are no hop's
            .filter(|name| {
                *name != header::CONTENT_LENGTH && *name != header::SET_COOKIE && *name != header::UPGRADE
            })
            .collect();
        for name in nominated {
            headers.remove(name);
        }
    }
    let upgrade = if switching { headers.remove(header::UPGRADE) } else { None };
    for (name, _) in OF_CONNECTION.iter().zip(seen).filter(|(_, seen)| *seen) {
        headers.remove(name);
    }
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
}

/// A portal (or who found a way to write headers into it) must not plant a cookie of ours.
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

    fn answer(lines: &[(&'static str, &'static str)], switching: bool) -> Vec<String> {
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
    fn the_portals_connection_is_not_the_browsers() {
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
            answer(&lines, false),
            ["content-length: 5", "content-type: text/html", "trailer: digest"]
        );
        assert_eq!(answer(&[("transfer-encoding", "chunked"), ("content-length", "5")], false), [""; 0]);
        let switch = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "x")];
        assert_eq!(
            answer(&switch, true),
            ["connection: upgrade", "sec-websocket-accept: x", "upgrade: websocket"]
        );
    }

    #[test]
    fn attack_shared_cache_stores_an_authenticated_answer() {
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
    fn cookie_tossing_the_portal_cannot_set_our_cookies() {
        let lines = [
            ("set-cookie", "a=1; Path=/"),
            ("set-cookie", "__Host-doorward=planted; Path=/; Secure"),
            ("set-cookie", " doorward_x=1"),
            ("set-cookie", "=doorward_session=planted; Path=/"),
            ("set-cookie", " = __Host-doorward=planted"),
            ("set-cookie", "doorward_session"),
            ("set-cookie", "b=2"),
        ];
        assert_eq!(answer(&lines, false), ["set-cookie: a=1; Path=/", "set-cookie: b=2"]);
    }
}
