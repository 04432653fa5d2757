//! Parses the `Authorization` header: a name and a password (RFC 7617), or a token (RFC 6750). Pure.

use http::HeaderMap;

use crate::{
    account::hashing::Password,
    http::authorization::{self, DuplicateAuthorization},
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
    let sent = match authorization::read(headers) {
        Ok(None) => return Credentials::None,
        Ok(Some(sent)) => sent,
        Err(DuplicateAuthorization) => return Credentials::Unusable,
    };
    if sent.has_scheme("Basic") {
        return match sent.basic() {
            Some((login, password)) => Credentials::Basic { login, password: Password::new(password) },
            None => Credentials::Unusable,
        };
    }
    match sent.token68().filter(|token| sent.has_scheme("Bearer") && token.len() <= max_token_bytes) {
        Some(token) => Credentials::Bearer(token.to_owned()),
        None => Credentials::Unusable,
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use http::header;

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
