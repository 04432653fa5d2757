//! Parses a compact JWS (RFC 7515). Its header is validated here; its claims are not read.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::{TokenError, strict_json};

/// Far above any real header; certificates in `x5c` are the only reason to come near it.
const MAX_HEADER_CHARS: usize = 8 * 1024;
const MAX_KEY_ID_BYTES: usize = 512;

/// A token in the form of a JWS that requires no unsupported feature. It is not verified yet.
#[derive(Debug)]
pub struct Jws<'a> {
    /// The algorithm the token names; the issuer's settings and the key decide whether it is allowed.
    pub algorithm: Algorithm,
    pub key_id: Option<String>,
    pub payload: Vec<u8>,
    pub signed: &'a [u8],
    pub signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if header.len() > MAX_HEADER_CHARS {
            return Err(TokenError::Malformed);
        }
        let header =
            decode(header).and_then(|json| strict_json::parse_object(&json)).ok_or(TokenError::Malformed)?;
        let (algorithm, key_id) = read_header(&header)?;
        // with five parts (a JWE, whose content may be unsigned) there are dots in the middle, which do not decode
        let payload = decode(payload).ok_or(TokenError::Malformed)?;
        let signature = decode(signature).filter(|s| !s.is_empty()).ok_or(TokenError::BadSignature)?;
        Ok(Self { algorithm, key_id, payload, signed: signed.as_bytes(), signature })
    }
}

/// Strict: no padding, no blanks, no stray bits, so a token has exactly one spelling.
fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// `jwk`, `jku`, `x5u`, `x5c` and `x5t` are not read at all: a token does not choose the key that verifies it.
fn read_header(header: &Map<String, Value>) -> Result<(Algorithm, Option<String>), TokenError> {
    // `crit` names extensions that a reader has to support, and none is supported; `b64` would change
    // the signed bytes; `enc` and `zip` belong to JWE
    if ["crit", "b64", "enc", "zip"].iter().any(|name| header.contains_key(*name)) {
        return Err(TokenError::Malformed);
    }
    match header.get("typ") {
        None => {}
        Some(Value::String(kind)) if is_access_token_type(kind) => {}
        Some(_) => return Err(TokenError::Malformed),
    }
    let key_id = match header.get("kid") {
        None => None,
        Some(Value::String(id)) if id.len() <= MAX_KEY_ID_BYTES => Some(id.clone()),
        Some(_) => return Err(TokenError::Malformed),
    };
    match header.get("alg") {
        Some(Value::String(name)) => Ok((algorithm(name).ok_or(TokenError::BadSignature)?, key_id)),
        _ => Err(TokenError::Malformed),
    }
}

/// RFC 9068 names the type, RFC 7519 allows `JWT` and silence. `dpop+jwt`, `logout+jwt`, `token-introspection+jwt`
/// and whatever comes next were signed for another purpose.
fn is_access_token_type(kind: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt", "application/jwt"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(kind))
}

/// The asymmetric algorithms. `none` and `HS*` have no name here, so no setting can bring them back.
pub fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        // RFC 9864 calls it by the name of its curve
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(header: &str) -> Result<(Algorithm, Option<String>), TokenError> {
        let token = format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"), "AAAA");
        Jws::parse(&token).map(|jws| (jws.algorithm, jws.key_id))
    }

    #[test]
    fn reads_headers_of_access_tokens() {
        for header in [
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"RS256","typ":"JWT"}"#,
            r#"{"alg":"RS256","typ":"jwt"}"#,
            r#"{"alg":"RS256","typ":"at+jwt"}"#,
            r#"{"alg":"RS256","typ":"application/at+jwt"}"#,
            r#"{"alg":"RS256","x5t":"abc","x5c":["MIIB"],"jku":"https://evil.example/keys"}"#,
        ] {
            assert_eq!(with_header(header), Ok((Algorithm::RS256, None)), "{header}");
        }
        assert_eq!(
            with_header(r#"{"alg":"Ed25519","kid":"1"}"#),
            Ok((Algorithm::EdDSA, Some("1".to_owned())))
        );
    }

    #[test]
    fn rejects_headers_of_other_token_types() {
        for (header, error) in [
            (r"{}", TokenError::Malformed),
            (r#"{"alg":null}"#, TokenError::Malformed),
            (r#"{"alg":["RS256"]}"#, TokenError::Malformed),
            (r#"{"alg":"none"}"#, TokenError::BadSignature),
            (r#"{"alg":"NONE"}"#, TokenError::BadSignature),
            (r#"{"alg":"rs256"}"#, TokenError::BadSignature),
            (r#"{"alg":"HS256"}"#, TokenError::BadSignature),
            (r#"{"alg":"HS512"}"#, TokenError::BadSignature),
            (r#"{"alg":"ES512"}"#, TokenError::BadSignature),
            (r#"{"alg":"ES256K"}"#, TokenError::BadSignature),
            (r#"{"alg":"RS256","alg":"none"}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","crit":["exp"]}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","crit":[]}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","b64":false}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","enc":"A128GCM"}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","zip":"DEF"}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","kid":7}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","typ":7}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","typ":"dpop+jwt"}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","typ":"logout+jwt"}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","typ":"token-introspection+jwt"}"#, TokenError::Malformed),
            (r#"{"alg":"RS256","typ":"JOSE+JSON"}"#, TokenError::Malformed),
        ] {
            assert_eq!(with_header(header), Err(error), "{header}");
        }
        let long_key_id = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(MAX_KEY_ID_BYTES + 1));
        assert_eq!(with_header(&long_key_id), Err(TokenError::Malformed));
        let long_header = format!(r#"{{"alg":"RS256","x":"{}"}}"#, "k".repeat(MAX_HEADER_CHARS));
        assert_eq!(with_header(&long_header), Err(TokenError::Malformed));
    }

    #[test]
    fn rejects_what_is_no_compact_jws() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
        for token in [
            String::new(),
            "..".to_owned(),
            ".e30.AAAA".to_owned(),
            header.clone(),
            format!("{header}.e30"),
            format!("{header}.e30.AAAA."),
            format!("{header}.e30.AAAA.AAAA"),
            format!("{header}.e30.AAAA.AAAA.AAAA"),
            format!("{header}=.e30.AAAA"),
            format!("{header}.e3 0.AAAA"),
            format!("{header}.e31.AAAA"), // the same bytes with a stray bit set
            format!("{header}.e30=.AAAA"),
            r#"{"payload":"e30","signatures":[]}"#.to_owned(),
        ] {
            assert!(matches!(Jws::parse(&token).map(|_| ()), Err(TokenError::Malformed)), "{token:?}");
        }
        for signature in ["", "AA AA", "AAAA==", "A"] {
            let token = format!("{header}.e30.{signature}");
            assert!(matches!(Jws::parse(&token).map(|_| ()), Err(TokenError::BadSignature)), "{token:?}");
        }
    }
}
