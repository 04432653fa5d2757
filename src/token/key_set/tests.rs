use jsonwebtoken::Algorithm;
use serde_json::json;

use super::*;
use crate::token::tests::support::{Signer, jwks};

fn reason(key: &Value) -> Option<&'static str> {
    let set = KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
    assert_eq!(set.len() + set.skipped.len(), 1, "{key}");
    set.skipped.first().map(|skipped| skipped.reason)
}

fn with(mut jwk: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            jwk.as_object_mut().unwrap().remove(name);
        } else {
            jwk[name] = value.clone();
        }
    }
    jwk
}

#[test]
fn skips_unusable_keys_with_a_reason() {
    let (ec, rsa) = (Signer::usual().jwk(), Signer::new(Algorithm::RS256, "rsa").jwk());
    for good in [
        ec.clone(),
        rsa.clone(),
        with(ec.clone(), &json!({"use": null, "alg": null, "kid": null})),
        with(ec.clone(), &json!({"key_ops": ["sign", "verify"]})),
        with(rsa.clone(), &json!({"alg": null})),
        with(rsa.clone(), &json!({"e": "AAEAAQ"})),
    ] {
        assert_eq!(reason(&good), None, "{good}");
    }
    for bad in [
        json!("a string"),
        json!({}),
        with(ec.clone(), &json!({"use": "enc"})),
        with(ec.clone(), &json!({"use": 7})),
        with(ec.clone(), &json!({"key_ops": ["encrypt"]})),
        with(ec.clone(), &json!({"key_ops": "verify"})),
        with(ec.clone(), &json!({"alg": "RS256"})),
        with(ec.clone(), &json!({"alg": "ES384"})),
        with(ec.clone(), &json!({"crv": "P-384"})),
        with(ec.clone(), &json!({"crv": "P-521"})),
        with(ec.clone(), &json!({"kid": 7})),
        with(ec.clone(), &json!({"x": null})),
        with(ec.clone(), &json!({"x": "AAAA"})),
        with(ec.clone(), &json!({"x": ec["y"], "y": ec["x"]})),
        with(ec.clone(), &json!({"x": "not base64url!"})),
        with(ec.clone(), &json!({"d": "AAAA"})),
        with(rsa.clone(), &json!({"alg": "HS256"})),
        with(rsa.clone(), &json!({"alg": "RSA-OAEP"})),
        with(rsa.clone(), &json!({"e": "AQ"})),
        with(rsa.clone(), &json!({"e": "Ag"})),
        with(rsa.clone(), &json!({"e": ""})),
        with(rsa.clone(), &json!({"n": URL_SAFE_NO_PAD.encode([0xff; 128])})),
        with(rsa.clone(), &json!({"n": URL_SAFE_NO_PAD.encode([0xff; 1025])})),
        json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "1"}),
        json!({"kty": "OKP", "crv": "X25519", "x": URL_SAFE_NO_PAD.encode([9; 32])}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
    ] {
        assert!(reason(&bad).is_some(), "{bad}");
    }
}

#[test]
fn keeps_good_keys_beside_a_bad_one() {
    let set = json!({"keys": [{"kty": "oct", "k": "AAAA"}, Signer::usual().jwk(), {"kty": "new"}]});
    let set = KeySet::parse(set.to_string().as_bytes()).unwrap();
    assert_eq!((set.len(), set.skipped.len()), (1, 2));
}

#[test]
fn rejects_what_is_no_key_set() {
    for text in ["", "[]", "{}", "<html>", r#"{"keys":{}}"#, r#"{"keys":null}"#] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
    let many = json!({"keys": vec![json!({}); MAX_KEYS + 1]}).to_string();
    assert!(KeySet::parse(many.as_bytes()).is_err());
    assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
    assert_eq!(KeySet::parse(Signer::usual().jwk().to_string().as_bytes()).unwrap().len(), 1);
}

#[test]
fn finds_key_by_id_and_algorithm() {
    let one = Signer::new(Algorithm::ES256, "1");
    let two = Signer::new(Algorithm::ES256, "2");
    let ed = Signer::new(Algorithm::EdDSA, "ed");
    let set = KeySet::parse(jwks(&[&one, &two, &ed]).as_bytes()).unwrap();
    let found = |kid, algorithm| match set.find(kid, algorithm) {
        KeyMatch::Named(keys) => ("named", keys.len()),
        KeyMatch::Unnamed(keys) => ("unnamed", keys.len()),
    };
    for (kid, algorithm, expected) in [
        (Some("1"), Algorithm::ES256, ("named", 1)),
        (Some("ed"), Algorithm::EdDSA, ("named", 1)),
        (Some("1"), Algorithm::EdDSA, ("named", 0)),
        (Some("1"), Algorithm::RS256, ("named", 0)),
        (Some("3"), Algorithm::ES256, ("unnamed", 0)),
        (Some(""), Algorithm::ES256, ("unnamed", 0)),
        (None, Algorithm::EdDSA, ("unnamed", 1)),
        (None, Algorithm::ES256, ("unnamed", 2)),
        (None, Algorithm::RS256, ("unnamed", 0)),
    ] {
        assert_eq!(found(kid, algorithm), expected, "{kid:?} {algorithm:?}");
    }
}

/// Keys without an id serve tokens with one, and two keys may share an id (RFC 7515 §4.1.4, RFC 7517 §4.5).
#[test]
fn key_id_is_a_hint() {
    let (one, two) = (Signer::new(Algorithm::ES256, "same"), Signer::new(Algorithm::ES256, "same"));
    let ed = Signer::new(Algorithm::EdDSA, "same");
    let set = KeySet::parse(jwks(&[&one, &two, &one, &ed]).as_bytes()).unwrap();
    assert!(matches!(set.find(Some("same"), Algorithm::ES256), KeyMatch::Named(keys) if keys.len() == 2));
    assert!(matches!(set.find(Some("same"), Algorithm::EdDSA), KeyMatch::Named(keys) if keys.len() == 1));
    let anonymous = with(one.jwk(), &json!({"kid": null}));
    let set = KeySet::parse(json!({"keys": [anonymous]}).to_string().as_bytes()).unwrap();
    assert!(matches!(set.find(Some("any"), Algorithm::ES256), KeyMatch::Unnamed(keys) if keys.len() == 1));
}

#[test]
fn attack_key_set_multiplies_verifications() {
    let signers: Vec<_> = (0..20).map(|_| Signer::new(Algorithm::ES256, "same")).collect();
    let set = KeySet::parse(jwks(&signers.iter().collect::<Vec<_>>()).as_bytes()).unwrap();
    for kid in [None, Some("same")] {
        let (KeyMatch::Named(keys) | KeyMatch::Unnamed(keys)) = set.find(kid, Algorithm::ES256);
        assert_eq!(keys.len(), MAX_CANDIDATES, "{kid:?}");
    }
}

#[test]
fn compares_sets_by_keys_not_by_order() {
    let (one, two) = (Signer::new(Algorithm::ES256, "1"), Signer::new(Algorithm::ES256, "2"));
    let set = |signers: &[&Signer]| KeySet::parse(jwks(signers).as_bytes()).unwrap();
    assert!(set(&[&one, &two]).has_same_keys(&set(&[&two, &one])));
    assert!(!set(&[&one]).has_same_keys(&set(&[&two])));
    assert!(!set(&[&one]).has_same_keys(&set(&[&one, &two])));
    let mut renamed = one.clone();
    renamed.key_id = "3";
    assert!(!set(&[&one]).has_same_keys(&set(&[&renamed])));
}
