//! Doorward's own cookies and those that hold tokens: removed from a request before it is forwarded.

use http::HeaderMap;

use crate::http::cookie::{self, without_empty_name};

const OWN: [&[u8]; 3] = [b"__Host-doorward", b"__Secure-doorward", b"doorward_"];

/// Whether the cookie belongs to Doorward. Its name may be followed by anything.
pub fn is_own(cookie: &[u8]) -> bool {
    let cookie = without_empty_name(cookie);
    // browsers read the `__Host-` of a name in any case
    OWN.iter().any(|own| cookie.get(..own.len()).is_some_and(|start| start.eq_ignore_ascii_case(own)))
}

/// Removes Doorward's own cookies from a request; the others are unchanged to the byte.
pub fn strip_own(headers: &mut HeaderMap) {
    cookie::remove(headers, is_own);
}

/// Removes cookies of these names from a request.
pub fn strip_named(headers: &mut HeaderMap, is_named: impl Fn(&str) -> bool) {
    cookie::remove(headers, |cookie| {
        let cookie = without_empty_name(cookie);
        let name = cookie.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
        std::str::from_utf8(name).is_ok_and(&is_named)
    });
}

#[cfg(test)]
mod tests {
    use http::header;
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
