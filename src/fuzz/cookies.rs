//! `Cookie` headers: Doorward's own cookies, those that hold tokens, and those of the portal.

use http::{HeaderMap, HeaderValue, header::COOKIE};

use super::{LIMITS, lines, request};
use crate::{
    proxy::validation::{self, cookies::strip_named, cookies::strip_own},
    session::cookie::{CookieSecret, OwnCookie},
    token::bearer::{TokenLocations, extract},
};

const TOKEN_COOKIE: &str = "token";

/// Each line of the input is the value of one `Cookie` header.
///
/// - Several headers mean what they mean when they are joined into one.
/// - No cookie that Doorward reads, or that a browser or a lenient back end takes for one of Doorward's, is forwarded.
/// - All other cookies are forwarded as they are.
/// - A cookie that is set is read with the same value, and a secret has one spelling.
pub fn cookies(data: &[u8]) {
    let mut parts = request();
    for value in lines(data).take(64).filter_map(|line| HeaderValue::from_bytes(line.trim_ascii()).ok()) {
        parts.headers.append(COOKIE, value);
    }
    let separate = parts.headers.clone();
    assert!(validation::validate(&mut parts, LIMITS).is_ok(), "cookies are refused");
    let joined = parts.headers;
    assert!(joined.get_all(COOKIE).iter().count() <= 1);
    for (cookie, https) in own() {
        let value = cookie.read(&joined, https);
        assert_eq!(cookie.read(&separate, https), value, "{cookie:?} in several headers");
        if let Some(secret) = value.and_then(CookieSecret::parse) {
            assert_eq!(Some(secret.value().as_str()), value, "another spelling of a secret");
        }
    }
    let places = TokenLocations {
        authorization: true,
        max_bytes: 64 * 1024,
        token_cookie: Some(TOKEN_COOKIE),
        both_halves_as_cookies: true,
        query: None,
    };
    assert_eq!(extract(&separate, &places), extract(&joined, &places), "a token in several headers");

    let sent = pieces(&joined);
    let mut forwarded = joined.clone();
    strip_own(&mut forwarded);
    are_removed(&sent, &pieces(&forwarded), |name| {
        ["__host-doorward", "__secure-doorward", "doorward_"].iter().any(|own| name.starts_with(own))
    });
    for (cookie, https) in own() {
        assert_eq!(cookie.read(&forwarded, https), None, "{cookie:?} is forwarded");
    }
    let once = forwarded.clone();
    strip_own(&mut forwarded);
    assert_eq!(forwarded, once, "removed twice");

    let mut forwarded = joined.clone();
    strip_named(&mut forwarded, |name| name.eq_ignore_ascii_case(TOKEN_COOKIE));
    are_removed(&sent, &pieces(&forwarded), |name| {
        name.split('=').next().map(str::trim_ascii) == Some(TOKEN_COOKIE)
    });

    for value in sent.iter().filter_map(|cookie| Some(std::str::from_utf8(cookie).ok()?.split_once('=')?.1)) {
        is_read_as_set(value);
    }
}

fn own() -> impl Iterator<Item = (OwnCookie, bool)> {
    OwnCookie::ALL.into_iter().flat_map(|cookie| [(cookie, false), (cookie, true)])
}

/// The cookies of a request, without blanks around them.
fn pieces(headers: &HeaderMap) -> Vec<Vec<u8>> {
    let value = headers.get(COOKIE).map(HeaderValue::as_bytes).unwrap_or_default();
    value.split(|byte| *byte == b';').map(|cookie| cookie.trim_ascii().to_vec()).collect()
}

/// Exactly the cookies whose text `goes` are missing. The text is in small letters, and begins with the name as a browser stores
/// a cookie without one.
fn are_removed(sent: &[Vec<u8>], forwarded: &[Vec<u8>], goes: impl Fn(&str) -> bool) {
    let stays = |cookie: &&Vec<u8>| {
        let text = String::from_utf8_lossy(cookie).to_ascii_lowercase();
        !goes(text.trim_start_matches([' ', '\t', '=']))
    };
    let filled = |cookie: &&Vec<u8>| !cookie.is_empty();
    let expected: Vec<_> = sent.iter().filter(stays).filter(filled).collect();
    let found: Vec<_> = forwarded.iter().filter(filled).collect();
    assert_eq!(found, expected, "of {sent:?}");
}

fn is_read_as_set(value: &str) {
    for (cookie, https) in own() {
        let Some(line) = cookie.set(value, https) else { continue };
        let line = line.to_str().unwrap_or_default().to_owned();
        assert!(line.contains("; HttpOnly"), "{line}");
        let pair = line.split(';').next().unwrap_or_default();
        let mut headers = HeaderMap::new();
        if let Ok(pair) = HeaderValue::from_str(&format!("a=1; {pair}; b=2")) {
            headers.insert(COOKIE, pair);
        }
        assert_eq!(cookie.read(&headers, https), Some(value));
    }
}
