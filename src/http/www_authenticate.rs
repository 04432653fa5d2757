//! `WWW-Authenticate` (RFC 9110 §11.6.1): challenges for Basic (RFC 7617) and Bearer (RFC 6750 §3).

use std::fmt::Display;

use http::HeaderValue;

/// The realm of a challenge that names no tenant.
pub const REALM: &str = "doorward";

/// Why a token is not sufficient. The texts have no quotes.
#[derive(Clone, Copy)]
pub enum BearerError<'a> {
    InvalidToken(&'a dyn Display),
    /// Names the scopes that are required.
    InsufficientScope(&'a dyn Display),
}

pub fn basic(realm: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("Basic realm=\"{realm}\", charset=\"UTF-8\"")).ok()
}

/// Without an error if the request had no token.
pub fn bearer(realm: &str, error: Option<BearerError<'_>>) -> Option<HeaderValue> {
    let challenge = format!("Bearer realm=\"{realm}\"");
    let challenge = match error {
        None => challenge,
        Some(BearerError::InvalidToken(reason)) => {
            format!("{challenge}, error=\"invalid_token\", error_description=\"{reason}\"")
        }
        Some(BearerError::InsufficientScope(scope)) => {
            format!("{challenge}, error=\"insufficient_scope\", scope=\"{scope}\"")
        }
    };
    HeaderValue::try_from(challenge).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_name_realm_and_error() {
        for (challenge, expected) in [
            (basic("acme.com"), r#"Basic realm="acme.com", charset="UTF-8""#),
            (bearer(REALM, None), r#"Bearer realm="doorward""#),
            (
                bearer(REALM, Some(BearerError::InvalidToken(&"it has expired"))),
                r#"Bearer realm="doorward", error="invalid_token", error_description="it has expired""#,
            ),
            (
                bearer(REALM, Some(BearerError::InsufficientScope(&"a b"))),
                r#"Bearer realm="doorward", error="insufficient_scope", scope="a b""#,
            ),
        ] {
            assert_eq!(challenge.unwrap(), expected);
        }
    }
}
