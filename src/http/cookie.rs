//! Cookies (RFC 6265bis): reads, merges and removes those of a request, and writes `Set-Cookie`.
//!
//! One rule for duplicates: a name with two different values is ambiguous. A page of another host or path has set one of them, and
//! their order does not tell which. The caller handles such a cookie as absent, or refuses the request.
//!
//! The crate `cookie` has no such rule, reads text only, and writes a header again in its own form. The cookies of a portal may have
//! any bytes, and must be forwarded as they are.

use http::{HeaderMap, HeaderValue, header};

/// A name occurs twice with different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmbiguousCookie;

/// The value of the cookie with exactly this name, without blanks around it.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, AmbiguousCookie> {
    let mut found = None;
    for line in headers.get_all(header::COOKIE) {
        for value in line.as_bytes().split(|byte| *byte == b';').filter_map(|pair| value_of(pair, name)) {
            match found.replace(value) {
                Some(other) if other != value => return Err(AmbiguousCookie),
                _ => {}
            }
        }
    }
    Ok(found)
}

/// As [`read`], for a cookie whose value is text: an ambiguous one is absent.
pub fn read_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    std::str::from_utf8(read(headers, name).ok()??).ok()
}

fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let rest = pair.trim_ascii_start().strip_prefix(name.as_bytes())?;
    Some(rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii())
}

/// HTTP/2 may send each cookie in a line of its own. Merged into one line, so that no reader uses only the first or the last.
pub fn merge_lines(headers: &mut HeaderMap) {
    if headers.len() == headers.keys_len() || headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let lines: Vec<_> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // bytes that were valid in their lines are valid in one
    if let Ok(merged) = HeaderValue::from_maybe_shared(bytes::Bytes::from(lines.join(&b"; "[..]))) {
        headers.insert(header::COOKIE, merged);
    }
}

/// Removes cookies from the line of a request; the others are unchanged to the byte. `is_removed` gets a pair of name and value.
pub fn remove(headers: &mut HeaderMap, is_removed: impl Fn(&[u8]) -> bool) {
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

/// A pair without the blanks and the `=` before its name. A cookie without a name (`=a=1`) is sent by a browser as its value alone
/// (RFC 6265bis §5.6), so it belongs to the name that its value starts with.
pub fn without_empty_name(pair: &[u8]) -> &[u8] {
    let empty = pair.iter().take_while(|byte| matches!(**byte, b'=' | b' ' | b'\t')).count();
    pair.get(empty..).unwrap_or_default()
}

/// A cookie for this host and all its paths, which scripts cannot read. `Lax`: a navigation from another site sends it.
pub struct SetCookie<'a> {
    /// With `__Host-` where `secure`.
    pub name: &'a str,
    pub value: &'a str,
    /// In seconds. `None`: until the browser is closed.
    pub max_age: Option<u32>,
    pub secure: bool,
}

impl SetCookie<'_> {
    /// `None` if the value has bytes other than `cookie-octet` (RFC 6265 §4.1.1).
    pub fn to_header(&self) -> Option<HeaderValue> {
        let Self { name, value, max_age, secure } = self;
        if !value.bytes().all(is_cookie_octet) {
            return None;
        }
        let age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let secure = if *secure { "; Secure" } else { "" };
        HeaderValue::try_from(format!("{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}")).ok()
    }
}

fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &[&[u8]]) -> HeaderMap {
        lines.iter().map(|line| (header::COOKIE, HeaderValue::from_bytes(line).unwrap())).collect()
    }

    #[test]
    fn reads_a_cookie_with_exactly_this_name() {
        for (lines, value) in [
            (&[&b"a=1"[..]][..], Some(&b"1"[..])),
            (&[b"x=2; a=1 ;y=3"], Some(b"1")),
            (&[b"x=2", b"a = 1"], Some(b"1")),
            (&[b"x=\xff; a=\xfe"], Some(b"\xfe")),
            (&[b"a="], Some(b"")),
            (&[b"a=b=c"], Some(b"b=c")),
            (&[b"xa=1; ax=1; A=1; a; =a=1"], None),
            (&[], None),
        ] {
            assert_eq!(read(&request(lines), "a"), Ok(value), "{lines:?}");
        }
    }

    #[test]
    fn attack_cookie_tossing() {
        for lines in [&[&b"a=1; a=2"[..]][..], &[b"a=1", b"a=2"], &[b"a=1; a=1; a="]] {
            assert_eq!(read(&request(lines), "a"), Err(AmbiguousCookie), "{lines:?}");
            assert_eq!(read_text(&request(lines), "a"), None);
        }
        assert_eq!(
            read_text(&request(&[b"a=1; b=3; a=1"]), "a"),
            Some("1"),
            "the same value twice is one value"
        );
    }

    #[test]
    fn attack_header_injection_by_a_cookie_value() {
        let set = |value| SetCookie { name: "a", value, max_age: None, secure: true }.to_header();
        assert_eq!(set("1").unwrap(), "a=1; Path=/; HttpOnly; SameSite=Lax; Secure");
        for value in ["a;b", "a\r\nSet-Cookie: x=y", "a b", "a,b", "ä", "\"", "\\", "\0"] {
            assert_eq!(set(value), None, "{value:?}");
        }
    }
}
