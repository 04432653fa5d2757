//! Parses the `Authorization` header: a name and a password (RFC 7617), or a token (RFC 6750). Pure.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};

use crate::{
    account::hashing::Password,
    token::bearer::{self, Credential, TokenLocations},
};

pub enum Credentials {
    None,
    Basic {
        login: String,
        password: Password,
    },
    Bearer(String),
    /// Of a scheme that does not count here, or not readable.
    Unusable,
}

/// Reads only this header: cookies and query parameters never authenticate a caller.
pub fn read_credentials(headers: &HeaderMap, max_token_bytes: usize) -> Credentials {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(header::AUTHORIZATION) {
            Credentials::Unusable
        } else {
            Credentials::None
        };
    };
    if let Some(basic) = basic(value.as_bytes()) {
        return basic;
    }
    let alone = HeaderMap::from_iter([(header::AUTHORIZATION, value.clone())]);
    match bearer::extract(&alone, &TokenLocations::header_only(max_token_bytes)) {
        Ok(Credential::Bearer(token)) => Credentials::Bearer(token.into_owned()),
        Ok(Credential::None | Credential::OtherScheme) | Err(_) => Credentials::Unusable,
    }
}

/// `None`: of another scheme.
fn basic(value: &[u8]) -> Option<Credentials> {
    let (scheme, rest) = value.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"basic") || rest.first().is_some_and(|b| *b != b' ') {
        return None;
    }
    let pair = STANDARD.decode(rest.trim_ascii()).ok().and_then(|pair| String::from_utf8(pair).ok());
    let pair = pair.filter(|pair| !pair.chars().any(char::is_control));
    Some(match pair.as_deref().and_then(|pair| pair.split_once(':')) {
        Some((login, password)) => {
            Credentials::Basic { login: login.to_owned(), password: Password::new(password) }
        }
        None => Credentials::Unusable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_values(values: &[&str]) -> String {
        let values = values.iter().map(|value| (header::AUTHORIZATION, value.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(name, value);
        }
        match read_credentials(&headers, 100) {
            Credentials::None => "none".to_owned(),
            Credentials::Basic { login, password } => format!("{login}|{}", password.expose()),
            Credentials::Bearer(token) => format!("token {token}"),
            Credentials::Unusable => "unusable".to_owned(),
        }
    }

    #[test]
    fn names_passwords_and_tokens() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for (value, found) in [
            (basic("admin:secret"), "admin|secret"),
            (basic("admin@acme.com:a:b"), "admin@acme.com|a:b"),
            (basic("älex:pässword"), "älex|pässword"),
            (basic(":"), "|"),
            (basic("admin:secret").replace("Basic", "bAsIc"), "admin|secret"),
            (basic("admin:secret").replace("Basic ", "Basic   "), "admin|secret"),
            ("Bearer abc.def".to_owned(), "token abc.def"),
            (basic("nocolon"), "unusable"),
            (basic("a\0:b"), "unusable"),
            (format!("Basic {}", STANDARD.encode(b"\xff:\xff")), "unusable"),
            ("Basic !!!".to_owned(), "unusable"),
            ("Basic".to_owned(), "unusable"),
            ("BasicYTpi".to_owned(), "unusable"),
            ("Digest x".to_owned(), "unusable"),
            (format!("Bearer {}", "a".repeat(101)), "unusable"),
        ] {
            assert_eq!(read_values(&[&value]), found, "{value}");
        }
        assert_eq!(read_values(&[]), "none");
    }

    #[test]
    fn attack_two_identities_in_one_request() {
        assert_eq!(read_values(&["Basic YTpi", "Basic YTpi"]), "unusable");
        assert_eq!(read_values(&["Bearer abc", "Basic YTpi"]), "unusable");
    }

    #[test]
    fn attack_token_completed_by_a_cookie() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "Bearer first-half".parse().unwrap());
        headers.insert(header::COOKIE, "AM_ACC_TOKEN_DEFAULT_P2=second".parse().unwrap());
        assert!(
            matches!(read_credentials(&headers, 100), Credentials::Bearer(token) if token == "first-half")
        );
    }
}
