//! Cookies: one header line in, and none of our own out.

use http::{HeaderMap, HeaderValue, header};

const OWN: [&[u8]; 3] = [b"__Host-doorward", b"__Secure-doorward", b"doorward_"];

/// Does this cookie belong to us? Its name may be followed by anything. A cookie without a name (`=doorward_session=x`) is
/// sent by a browser as its value alone (RFC 6265bis §5.6), so it belongs to the name that its value starts with.
pub fn is_own(cookie: &[u8]) -> bool {
    let cookie = without_empty_name(cookie);
    // browsers read the `__Host-` of a name in any case
    OWN.iter().any(|own| cookie.get(..own.len()).is_some_and(|start| start.eq_ignore_ascii_case(own)))
}

/// The rest of a cookie behind any number of blanks and of `=` that have no name before them.
fn without_empty_name(cookie: &[u8]) -> &[u8] {
    let empty = cookie.iter().take_while(|byte| matches!(**byte, b'=' | b' ' | b'\t')).count();
    cookie.get(empty..).unwrap_or_default()
}

/// HTTP/2 may send each cookie in a line of its own. One line, so that nobody reads only the first or the last.
pub(super) fn merge(headers: &mut HeaderMap) {
    if headers.len() == headers.keys_len() || headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let lines: Vec<_> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // bytes that were valid in their lines are valid in one
    if let Ok(merged) = HeaderValue::from_maybe_shared(bytes::Bytes::from(lines.join(&b"; "[..]))) {
        headers.insert(header::COOKIE, merged);
    }
}

/// Takes our own cookies out of a request; the others keep every byte.
pub fn strip_own(headers: &mut HeaderMap) {
    strip(headers, is_own);
}

/// Takes cookies of these names out of a request.
pub fn strip_named(headers: &mut HeaderMap, is_named: impl Fn(&str) -> bool) {
    strip(headers, |cookie| {
        let cookie = without_empty_name(cookie);
        let name = cookie.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
        std::str::from_utf8(name).is_ok_and(&is_named)
    });
}

fn strip(headers: &mut HeaderMap, goes: impl Fn(&[u8]) -> bool) {
    let Some(value) = headers.get(header::COOKIE) else { return };
    let cookies = || value.as_bytes().split(|b| *b == b';');
    if !cookies().any(|cookie| goes(cookie.trim_ascii_start())) {
        return;
    }
    let kept: Vec<_> = cookies().filter(|cookie| !goes(cookie.trim_ascii_start())).collect();
    let kept = kept.join(&b';');
    let kept = kept.trim_ascii_start();
    if kept.is_empty() {
        headers.remove(header::COOKIE);
    } else if let Ok(kept) = HeaderValue::from_bytes(kept) {
        headers.insert(header::COOKIE, kept);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stripped(cookie: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        strip_own(&mut headers);
        headers.get(header::COOKIE).map(|v| v.to_str().unwrap().to_owned())
    }

    #[test]
    fn our_cookies_never_reach_the_portal() {
        for (sent, forwarded) in [
            ("a=1; b=2", Some("a=1; b=2")),
            ("__Host-doorward=x", None),
            ("__Host-doorward-bounce=x; a=1", Some("a=1")),
            ("a=1; __Host-doorward=x", Some("a=1")),
            ("a=1; __Host-doorward=x; b=\"2\"", Some("a=1; b=\"2\"")),
            ("a=1;__Host-doorward=x;b=2", Some("a=1;b=2")),
            ("__host-DOORWARD=x; doorward_t=1;a=1", Some("a=1")),
            ("__Secure-doorward_x=1", None),
            ("=doorward_session=x; a=1", Some("a=1")),
            ("a=1; = \t==__Host-doorward=x", Some("a=1")),
            ("doorward_session", None),
            // somebody else's
            (
                "xdoorward_a=1; notdoorward=__Host-doorward",
                Some("xdoorward_a=1; notdoorward=__Host-doorward"),
            ),
            ("=x;;  a=1; ", Some("=x;;  a=1; ")),
        ] {
            assert_eq!(stripped(sent).as_deref(), forwarded, "{sent}");
        }
    }

    proptest! {
        /// CVE-2023-28625, CVE-2024-24814
        #[test]
        fn t28_any_cookie_header_is_survived(sent in prop::collection::vec(
            prop::sample::select(vec!["a=1", "__Host-doorward=2", "doorward_x=3", ";", "; ", "=", "\"", " "]), 0..12)) {
            let sent = sent.concat();
            let kept = stripped(&sent).unwrap_or_default();
            prop_assert!(!kept.split(';').any(|c| is_own(c.trim_start().as_bytes())), "{} -> {}", sent, kept);
        }
    }
}
