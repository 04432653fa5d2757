//! Access tokens in the compact form of JWS (RFC 7515).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};
use serde_json::Value;

use crate::token::{
    bearer::{Credential, SECOND_HALF_COOKIE, TokenLocations, extract, is_opaque},
    jws::{Jws, algorithm},
};

const MAX_HEADER_CHARS: usize = 8 * 1024;
const MAX_KEY_ID_BYTES: usize = 512;
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// The input is a token, and once more the JSON of a token's header.
///
/// - A token that is accepted has one spelling, and three parts that decode to what was read.
/// - A header that is accepted names an asymmetric algorithm, and nothing that changes the meaning of the token.
/// - A token is read from a request as it is, and from its two halves as the whole.
pub fn jws(data: &[u8]) {
    if let Ok(token) = std::str::from_utf8(data) {
        is_one_spelling(token.trim_ascii_end());
    }
    is_one_spelling(&format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(data)));
}

fn is_one_spelling(token: &str) {
    let Ok(jws) = Jws::parse(token) else { return };
    assert_eq!(token.matches('.').count(), 2, "{token}");
    assert!(!is_opaque(token), "{token}");
    let header = token.split('.').next().unwrap_or_default();
    assert!(header.len() <= MAX_HEADER_CHARS, "a header of {} characters", header.len());
    let json = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    assert_eq!(jws.signed, format!("{header}.{}", URL_SAFE_NO_PAD.encode(&jws.payload)).as_bytes());
    let parts = [&json, &jws.payload, &jws.signature].map(|part| URL_SAFE_NO_PAD.encode(part));
    assert_eq!(parts.join("."), token, "decoded and encoded again");
    assert!(!jws.signature.is_empty(), "{token}");
    header_is_understood(&jws, &json);

    for other in [format!("{token}="), format!("{token}."), format!(" {token}"), format!("{token}\n")] {
        assert!(Jws::parse(&other).is_err(), "{other:?} is the same token");
    }
    is_read_from_requests(token);
}

/// A lenient reader of the header finds the same algorithm and key.
fn header_is_understood(jws: &Jws<'_>, json: &[u8]) {
    let header: Value = serde_json::from_slice(json).unwrap_or_default();
    let name = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    assert_eq!(algorithm(name), Some(jws.algorithm), "{header}");
    assert!(["RS", "PS", "ES", "Ed"].iter().any(|kind| name.starts_with(kind)), "{header}");
    assert_eq!(header.get("kid").map(|id| id.as_str().map(str::to_owned)), jws.key_id.clone().map(Some));
    assert!(jws.key_id.as_ref().is_none_or(|id| id.len() <= MAX_KEY_ID_BYTES), "{header}");
    for name in ["crit", "b64", "enc", "zip"] {
        assert!(header.get(name).is_none(), "{header}");
    }
}

fn is_read_from_requests(token: &str) {
    let places = TokenLocations::header_only(MAX_TOKEN_BYTES);
    if token.len() > places.max_bytes {
        return;
    }
    let whole = Ok(Credential::Bearer(token.into()));
    assert_eq!(extract(&headers(token, None), &places), whole);
    let short = TokenLocations::header_only(token.len() - 1);
    assert!(extract(&headers(token, None), &short).is_err(), "longer than the limit");
    // a half that ends before the signature is never a complete token
    let end = token.rfind('.').unwrap_or_default();
    for cut in [1, end / 2, end] {
        let Some((first, second)) = token.split_at_checked(cut) else { continue };
        assert_eq!(extract(&headers(first, Some(second)), &places), whole, "cut at {cut}");
        assert!(extract(&headers(first, Some(second)), &short).is_err(), "joined, longer than the limit");
    }
}

fn headers(token: &str, second_half: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) {
        headers.insert(AUTHORIZATION, value);
    }
    let cookie = second_half.map(|half| HeaderValue::from_str(&format!("a=1; {SECOND_HALF_COOKIE}={half}")));
    if let Some(Ok(value)) = cookie {
        headers.insert(COOKIE, value);
    }
    headers
}
