//! Cookies: merges header lines on receipt, and removes Doorward's own before forwarding.

use http::{HeaderMap, HeaderValue, header};

const OWN: [&[u8]; 3] = [b"__Host-doorward", b"__Secure-doorward", b"doorward_"];

/// Whether the cookie belongs to Doorward. Its name may be followed by anything. A cookie without a name (`=doorward_session=x`) is
/// sent by a browser as its value alone (RFC 6265bis §5.6), so it belongs to the name that its value starts with.
pub fn is_own(cookie: &[u8]) -> bool {
    let cookie = without_empty_name(cookie);
    // browsers read the `__Host-` of a name in any case
    OWN.iter().any(|own| cookie.get(..own.len()).is_some_and(|start| start.eq_ignore_ascii_case(own)))
}

/// The rest of a cookie after any number of blanks and of `=` without a name.
fn without_empty_name(cookie: &[u8]) -> &[u8] {
    let empty = cookie.iter().take_while(|byte| matches!(**byte, b'=' | b' ' | b'\t')).count();
    cookie.get(empty..).unwrap_or_default()
}

/// HTTP/2 may send each cookie in a line of its own. Merged into one line, so that no reader uses only the first or the last.
pub(super) fn merge_lines(headers: &mut HeaderMap) {
    if headers.len() == headers.keys_len() || headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let lines: Vec<_> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // bytes that were valid in their lines are valid in one
    if let Ok(merged) = HeaderValue::from_maybe_shared(bytes::Bytes::from(lines.join(&b"; "[..]))) {
        headers.insert(header::COOKIE, merged);
    }
}

/// Removes Doorward's own cookies from a request; the others are unchanged to the byte.
pub fn strip_own(headers: &mut HeaderMap) {
    strip(headers, is_own);
}

/// Removes cookies of these names from a request.
pub fn strip_named(headers: &mut HeaderMap, is_named: impl Fn(&str) -> bool) {
    strip(headers, |cookie| {
        let cookie = without_empty_name(cookie);
        let name = cookie.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
        std::str::from_utf8(name).is_ok_and(&is_named)
    });
}

fn strip(headers: &mut HeaderMap, is_removed: impl Fn(&[u8]) -> bool) {
    let Some(value) = headers.get(header::COOKIE) else { return };
    let cookies = || value.as_bytes().split(|b| *b == b';');
    if !cookies().any(|cookie| is_removed(cookie.trim_ascii_start())) {
        return;
    }
    let retained: Vec<_> = cookies().filter(|cookie| !is_removed(cookie.trim_ascii_start())).collect();
    let retained = retained.join(&b';');
    let retained = retained.trim_ascii_start();
    if retained.is_empty() {
        headers.remove(header::COOKIE);
    } else if let Ok(retained) = HeaderValue::from_bytes(retained) {
        headers.insert(header::COOKIE, retained);
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
    fn removes_own_cookies_from_requests() {
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
            // cookies of other applications
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
        fn removes_own_cookies_from_any_cookie_header(sent in prop::collection::vec(
            prop::sample::select(vec!["a=1", "__Host-doorward=2", "doorward_x=3", ";", "; ", "=", "\"", " "]), 0..12)) {
            let sent = sent.concat();
            let kept = stripped(&sent).unwrap_or_default();
            prop_assert!(!kept.split(';').any(|c| is_own(c.trim_start().as_bytes())), "{} -> {}", sent, kept);
        }
    }
}
