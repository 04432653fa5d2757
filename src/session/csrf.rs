//! Protection against cross-site request forgery: a token bound to the browser's cookie, and the fetch
//! metadata of the browser.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::cookie::CookieSecret;
use crate::crypto::HmacKey;

/// The hidden field of a form: `purpose` prevents the use of a token in another form.
pub fn token(cookie: &CookieSecret, purpose: &str) -> String {
    URL_SAFE_NO_PAD.encode(key(cookie).tag(purpose.as_bytes()))
}

/// Whether `given` is that token; in constant time.
pub fn is_token(cookie: &CookieSecret, purpose: &str, given: &str) -> bool {
    let Ok(given) = URL_SAFE_NO_PAD.decode(given) else { return false };
    key(cookie).verifies(purpose.as_bytes(), &given)
}

fn key(cookie: &CookieSecret) -> HmacKey {
    HmacKey::new(cookie.as_bytes())
}

/// Whether the request is cross-site according to the browser. Browsers send `Sec-Fetch-Site` over HTTPS
/// and to localhost, and otherwise `Origin`; without both, the token alone decides.
pub fn is_cross_site(sec_fetch_site: Option<&str>, origin: Option<&str>, own_origin: Option<&str>) -> bool {
    match (sec_fetch_site, origin) {
        (Some(site), _) => !site.eq_ignore_ascii_case("same-origin"),
        // a page that suppresses its referrer
        (None, None | Some("null")) => false,
        (None, Some(origin)) => own_origin != Some(origin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_cross_site_request_forgery_with_another_form_token() {
        let (mine, other) = (CookieSecret::new([1; 32]), CookieSecret::new([2; 32]));
        let token = token(&mine, "sign-in");
        assert!(is_token(&mine, "sign-in", &token));
        assert!(!is_token(&mine, "sign-out", &token), "another form");
        assert!(!is_token(&other, "sign-in", &token), "another browser");
        for wrong in ["", "x", "!", &token[1..], &format!("{token}A"), &mine.value()] {
            assert!(!is_token(&mine, "sign-in", wrong), "{wrong}");
        }
    }

    #[test]
    fn attack_cross_site_request_forgery_by_fetch_metadata() {
        const OWN: Option<&str> = Some("https://portal.example");
        for (site, origin, cross) in [
            (Some("same-origin"), OWN, false),
            (Some("same-origin"), Some("null"), false),
            (Some("same-site"), OWN, true),
            (Some("cross-site"), OWN, true),
            (Some("cross-site"), None, true),
            (Some("none"), None, true),
            (None, OWN, false),
            (None, Some("https://evil.example"), true),
            (None, Some("http://portal.example"), true),
            (None, Some("null"), false),
            (None, None, false),
        ] {
            assert_eq!(is_cross_site(site, origin, OWN), cross, "{site:?} {origin:?}");
        }
        assert!(is_cross_site(None, OWN, None), "an unknown own origin matches no origin");
    }
}
