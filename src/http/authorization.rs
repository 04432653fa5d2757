//! The `Authorization` header (RFC 9110 §11.6.2): its scheme and credentials; Basic (RFC 7617) and Bearer (RFC 6750).
//!
//! The crate `headers` takes the first of several headers and drops bytes that it cannot decode. Here a request with two headers is
//! an error, as the portal may read the other one.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};

/// Scheme and credentials as they were sent, without blanks around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization<'a> {
    scheme: &'a [u8],
    credentials: &'a [u8],
}

/// The request has more than one `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateAuthorization;

pub fn read(headers: &HeaderMap) -> Result<Option<Authorization<'_>>, DuplicateAuthorization> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(DuplicateAuthorization);
    }
    let value = value.as_bytes();
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, credentials) = value.split_at_checked(end).unwrap_or_default();
    Ok(Some(Authorization { scheme, credentials: trim_spaces(credentials) }))
}

fn trim_spaces(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b" ").or_else(|| text.strip_suffix(b" ")) {
        text = rest;
    }
    text
}

impl<'a> Authorization<'a> {
    pub fn has_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme.as_bytes())
    }

    /// Whether the scheme is a token (RFC 9110 §5.6.2) and the credentials are printable.
    pub fn is_well_formed(&self) -> bool {
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let is_printable = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t');
        !self.scheme.is_empty()
            && self.scheme.iter().all(is_token)
            && self.credentials.iter().all(is_printable)
    }

    pub fn credentials(&self) -> &'a [u8] {
        self.credentials
    }

    /// The one token of Bearer credentials.
    pub fn token68(&self) -> Option<&'a str> {
        std::str::from_utf8(self.credentials).ok().filter(|token| is_token68(token))
    }

    /// The user name and the password of Basic credentials, in UTF-8 and without control characters.
    pub fn basic(&self) -> Option<(String, String)> {
        let pair = String::from_utf8(STANDARD.decode(self.credentials).ok()?).ok()?;
        let (login, password) = pair.split_once(':').filter(|_| !pair.chars().any(char::is_control))?;
        Some((login.to_owned(), password.to_owned()))
    }
}

/// RFC 9110 §11.2: letters, digits and `-._~+/`, then any number of `=`.
pub fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn scheme_is_the_first_word_in_any_case() {
        for (value, is_bearer, token) in [
            ("Bearer abc.def", true, Some("abc.def")),
            ("bEARER   abc=", true, Some("abc=")),
            ("Bearer", true, None),
            ("Bearer a b", true, None),
            ("Bearer a,b", true, None),
            ("Bearer \tabc", true, None),
            ("Bearerabc", false, None),
        ] {
            let headers = with(&[value]);
            let read = read(&headers).unwrap().unwrap();
            assert_eq!((read.has_scheme("Bearer"), read.token68()), (is_bearer, token), "{value}");
        }
        assert_eq!(read(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn attack_two_identities_in_one_request() {
        for values in [["Bearer abc", "Bearer abc"], ["Bearer abc", "Basic YTpi"]] {
            assert_eq!(read(&with(&values)), Err(DuplicateAuthorization));
        }
    }

    #[test]
    fn basic_credentials_are_text_with_a_colon() {
        let basic = |pair: &[u8]| {
            let headers = with(&[&format!("Basic {}", STANDARD.encode(pair))]);
            read(&headers).unwrap().unwrap().basic()
        };
        let pair = |login: &str, password: &str| Some((login.to_owned(), password.to_owned()));
        assert_eq!(basic("älex:a:b".as_bytes()), pair("älex", "a:b"));
        assert_eq!(basic(b":"), pair("", ""));
        for unreadable in [&b"nocolon"[..], b"a\0:b", b"\xff:\xff"] {
            assert_eq!(basic(unreadable), None, "{unreadable:?}");
        }
        assert_eq!(read(&with(&["Basic !!!"])).unwrap().unwrap().basic(), None);
    }
}
