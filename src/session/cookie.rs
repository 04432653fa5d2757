//! Doorward's cookies: names, attributes and parsing. Each is an opaque id, not a container.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};

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

    /// The value in a request. A duplicate cookie is ignored: one of the two was set by another party.
    pub fn read(self, headers: &HeaderMap, https: bool) -> Option<&str> {
        let name = self.name(https);
        let mut found = None;
        for line in headers.get_all(header::COOKIE) {
            // a header line may contain non-ASCII bytes of other cookies
            for pair in line.as_bytes().split(|byte| *byte == b';') {
                let pair = pair.trim_ascii();
                let Some(value) = pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
                else {
                    continue;
                };
                if found.is_some() {
                    return None;
                }
                found = Some(std::str::from_utf8(value).ok()?);
            }
        }
        found
    }

    /// `Set-Cookie` with this value: letters, digits, `-`, `_` and `.` only.
    pub fn set(self, value: &str, https: bool) -> Option<HeaderValue> {
        let age = match self {
            Self::Device => format!("; Max-Age={DEVICE_MAX_AGE_SECONDS}"),
            // until the browser is closed; the session itself expires at the server
            Self::Session | Self::Form => String::new(),
        };
        self.set_cookie_header(value, &age, https)
    }

    /// `Set-Cookie` that deletes the cookie.
    pub fn clear(self, https: bool) -> Option<HeaderValue> {
        self.set_cookie_header("", "; Max-Age=0", https)
    }

    fn set_cookie_header(self, value: &str, age: &str, https: bool) -> Option<HeaderValue> {
        let ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !value.bytes().all(ours) {
            return None;
        }
        let secure = if https { "; Secure" } else { "" };
        let name = self.name(https);
        HeaderValue::try_from(format!("{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}")).ok()
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
    use super::*;

    fn request(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (header::COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

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

    #[test]
    fn a_cookie_is_read_where_it_is_there_once() {
        for (lines, value) in [
            (&["__Host-doorward=a"][..], Some("a")),
            (&["x=1; __Host-doorward=a ;y=2"], Some("a")),
            (&["x=1", "__Host-doorward=a"], Some("a")),
            (&["__Host-doorward="], Some("")),
            (&["doorward_session=a"], None),
            (&["x__Host-doorward=a"], None),
            (&["__Host-doorwardx=a"], None),
            (&["__host-doorward=a"], None),
            (&[], None),
        ] {
            assert_eq!(OwnCookie::Session.read(&request(lines), true), value, "{lines:?}");
        }
    }

    #[test]
    fn attack_cookie_tossing() {
        for lines in
            [&["doorward_session=a; doorward_session=b"][..], &["doorward_session=a", "doorward_session=b"]]
        {
            assert_eq!(OwnCookie::Session.read(&request(lines), false), None);
        }
        // and over HTTPS the name for clear text is ignored
        assert_eq!(OwnCookie::Session.read(&request(&["doorward_session=a"]), true), None);
    }

    #[test]
    fn attack_header_injection_by_a_cookie_value() {
        for value in ["a;b", "a\r\nSet-Cookie: x=y", "a b", "a,b", "ä"] {
            assert_eq!(OwnCookie::Session.set(value, true), None, "{value:?}");
        }
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
