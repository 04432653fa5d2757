//! Doorward's cookies: names and lifetimes. Each is an opaque id, not a container.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue};

use crate::http::cookie::{self, SetCookie};

/// A cookie of Doorward. Over HTTPS its name has the prefix `__Host-`, so no other host or path can set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnCookie {
    /// The session id.
    Session,
    /// Binds a form to its browser before there is a session.
    Form,
    /// Identifies a browser that has signed in before.
    Device,
}

/// Half a year.
const DEVICE_MAX_AGE_SECONDS: u32 = 180 * 24 * 3600;

impl OwnCookie {
    #[cfg(any(test, feature = "fuzzing"))]
    pub const ALL: [Self; 3] = [Self::Session, Self::Form, Self::Device];

    pub const fn name(self, https: bool) -> &'static str {
        match (self, https) {
            (Self::Session, true) => "__Host-doorward",
            (Self::Session, false) => "doorward_session",
            (Self::Form, true) => "__Host-doorward-form",
            (Self::Form, false) => "doorward_form",
            (Self::Device, true) => "__Host-doorward-device",
            (Self::Device, false) => "doorward_device",
        }
    }

    /// The value in a request. An ambiguous cookie is absent.
    pub fn read(self, headers: &HeaderMap, https: bool) -> Option<&str> {
        cookie::read_text(headers, self.name(https))
    }

    /// `Set-Cookie` with this value.
    pub fn set(self, value: &str, https: bool) -> Option<HeaderValue> {
        let max_age = match self {
            Self::Device => Some(DEVICE_MAX_AGE_SECONDS),
            // the session itself expires at the server
            Self::Session | Self::Form => None,
        };
        SetCookie { name: self.name(https), value, max_age, secure: https }.to_header()
    }

    /// `Set-Cookie` that deletes the cookie.
    pub fn clear(self, https: bool) -> Option<HeaderValue> {
        SetCookie { name: self.name(https), value: "", max_age: Some(0), secure: https }.to_header()
    }
}

/// The value of a session or form cookie: 32 bytes, most of them random. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct CookieSecret([u8; 32]);

impl CookieSecret {
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// `None` if the value is not 32 bytes in base64url.
    pub fn parse(value: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let length = URL_SAFE_NO_PAD.decode_slice(value, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Self(bytes))
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The value of the cookie.
    pub fn value(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for CookieSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[test]
    fn a_session_cookie_is_at_most_256_bytes_and_locked_to_its_host() {
        let secret = CookieSecret::new([0xff; 32]);
        let line = OwnCookie::Session.set(&secret.value(), true).unwrap();
        assert_eq!(
            line.to_str().unwrap(),
            "__Host-doorward=__________________________________________8; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert!(line.len() <= 256);
        assert_eq!(CookieSecret::parse(&secret.value()), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "********");
        // browsers refuse `__Host-` over clear text
        let line = OwnCookie::Session.set(&secret.value(), false).unwrap();
        assert!(line.to_str().unwrap().starts_with("doorward_session="));
        assert!(!line.to_str().unwrap().contains("Secure"));
    }

    /// Over HTTPS the name for clear text, which any page of the host can set, is ignored.
    #[test]
    fn attack_cookie_tossing_from_clear_text() {
        let sent =
            HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("x=1; doorward_session=a"))]);
        assert_eq!(OwnCookie::Session.read(&sent, true), None);
        assert_eq!(OwnCookie::Session.read(&sent, false), Some("a"));
    }

    #[test]
    fn rejects_values_that_are_not_32_bytes() {
        let short = URL_SAFE_NO_PAD.encode([1; 31]);
        let long = URL_SAFE_NO_PAD.encode([1; 33]);
        for value in ["", "a", &short, &long, &"!".repeat(43), &"a".repeat(100_000)] {
            assert_eq!(CookieSecret::parse(value), None);
        }
    }
}
