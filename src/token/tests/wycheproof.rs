//! Verifies every JWS vector of Project Wycheproof as a bearer token.

use std::{collections::BTreeMap, path::Path};

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value;

use super::support::*;
use crate::{
    config::model::KeySource,
    token::{
        TokenError,
        jws::Jws,
        key_set::{KeyMatch, KeySet},
    },
};

#[derive(Deserialize)]
struct VectorFile {
    #[serde(rename = "numberOfTests")]
    number_of_tests: usize,
    #[serde(rename = "testGroups")]
    groups: Vec<VectorGroup>,
}

#[derive(Deserialize)]
struct VectorGroup {
    #[serde(default)]
    comment: String,
    private: Option<Value>,
    public: Option<Value>,
    tests: Vec<VectorCase>,
}

#[derive(Deserialize)]
struct VectorCase {
    #[serde(rename = "tcId")]
    id: u32,
    comment: String,
    jws: Option<Value>,
    jwe: Option<Value>,
    result: String,
}

fn file(name: &str) -> VectorFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wycheproof").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Whether a token is accepted before its claims are evaluated.
fn accepts(keys: &KeySet, token: &str) -> bool {
    let Ok(jws) = Jws::parse(token) else { return false };
    match keys.find(jws.key_id.as_deref(), jws.algorithm) {
        KeyMatch::Named(keys) | KeyMatch::Unnamed(keys) => {
            keys.iter().any(|key| key.verify_sig(jws.signed, &jws.signature).is_ok())
        }
    }
}

/// Verifies the vectors of a file; returns the number of agreements, and per reason the number of valid vectors refused.
fn play(name: &str) -> (usize, BTreeMap<&'static str, usize>) {
    let file = file(name);
    let (mut agreed, mut stricter) = (0, BTreeMap::new());
    for group in &file.groups {
        let keys = group.public.as_ref().or(group.private.as_ref()).unwrap();
        let set = KeySet::parse(keys.to_string().as_bytes()).unwrap();
        for case in &group.tests {
            let token = match case.jws.as_ref().or(case.jwe.as_ref()).unwrap() {
                Value::String(text) => text.clone(),
                json => json.to_string(),
            };
            let at = format!("{name} {} {} {}", group.comment, case.id, case.comment);
            match (case.result.as_str(), accepts(&set, &token)) {
                ("valid", true) | ("invalid", false) => agreed += 1,
                ("valid", false) => *stricter.entry(why_stricter(keys, case, &at)).or_default() += 1,
                (result, accepted) => panic!("{at}: {result}, accepted: {accepted}"),
            }
        }
    }
    assert_eq!(agreed + stricter.values().sum::<usize>(), file.number_of_tests);
    (agreed, stricter)
}

/// Reasons to refuse a vector that is valid elsewhere. Any other refusal fails the test.
fn why_stricter(keys: &Value, case: &VectorCase, at: &str) -> &'static str {
    let one = keys.get("keys").and_then(|keys| keys.get(0)).unwrap_or(keys);
    match (one["kty"].as_str(), one["crv"].as_str()) {
        _ if case.jwe.is_some() => "tokens are not encrypted to us",
        (Some("oct"), _) => "shared secrets sign nothing",
        (_, Some("P-521")) => "ES512 is not offered",
        // RFC 7520's figure 20 in these files: a PS384 token beside a key that says PS256
        _ if case.comment == "Figure20" && one["alg"] == "PS256" => {
            "a key serves only the algorithm it names"
        }
        _ => panic!("{at}: refused"),
    }
}

#[test]
fn agrees_with_json_web_signature_vectors() {
    let (agreed, stricter) = play("json_web_signature_test.json");
    assert_eq!(agreed, 387);
    let expected = [
        ("ES512 is not offered", 2),
        ("a key serves only the algorithm it names", 2),
        ("shared secrets sign nothing", 10),
    ];
    assert_eq!(stricter, BTreeMap::from(expected));
}

#[test]
fn agrees_with_json_web_key_vectors() {
    let (agreed, stricter) = play("json_web_key_test.json");
    assert_eq!((agreed, stricter), (22, BTreeMap::from([("shared secrets sign nothing", 4)])));
}

#[test]
fn agrees_with_json_web_crypto_vectors() {
    let (agreed, stricter) = play("json_web_crypto_test.json");
    let expected = [("shared secrets sign nothing", 2), ("tokens are not encrypted to us", 2)];
    assert_eq!((agreed, stricter), (79, BTreeMap::from(expected)));
}

/// The same vectors through the whole verifier: none of them is an access token, so all are refused without a panic.
#[tokio::test]
async fn accepts_no_vector_as_access_token() {
    let folder = tempfile::tempdir().unwrap();
    let verifier = verifier();
    for name in ["json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"] {
        for (i, group) in file(name).groups.iter().enumerate() {
            let path = folder.path().join(format!("{name}{i}"));
            std::fs::write(&path, group.public.as_ref().or(group.private.as_ref()).unwrap().to_string())
                .unwrap();
            let mut issuer = issuer(KeySource::File(path));
            issuer.algorithms.push(Algorithm::HS256);
            let policy = policy(vec![issuer]);
            for case in &group.tests {
                let token = match case.jws.as_ref().or(case.jwe.as_ref()).unwrap() {
                    Value::String(text) => text.clone(),
                    json => json.to_string(),
                };
                let error = verifier.verify(&policy, &token, NOW).await.unwrap_err();
                assert!(
                    matches!(
                        error,
                        TokenError::Malformed | TokenError::BadSignature | TokenError::MissingClaim
                    ),
                    "{name} {}: {error}",
                    case.id
                );
            }
        }
    }
}
