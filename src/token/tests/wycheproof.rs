//! Every JWS vector of Project Wycheproof, played as a bearer token.

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
        keyset::{Found, KeySet},
    },
};

#[derive(Deserialize)]
struct File {
    #[serde(rename = "numberOfTests")]
    number_of_tests: usize,
    #[serde(rename = "testGroups")]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    comment: String,
    private: Option<Value>,
    public: Option<Value>,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "tcId")]
    id: u32,
    comment: String,
    jws: Option<Value>,
    jwe: Option<Value>,
    result: String,
}

fn file(name: &str) -> File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wycheproof").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What we do with a token before its claims are looked at.
fn accepts(keys: &KeySet, token: &str) -> bool {
    let Ok(jws) = Jws::parse(token) else { return false };
    match keys.find(jws.key_id.as_deref(), jws.algorithm) {
        Found::Key(key) => key.verify_sig(jws.signed, &jws.signature).is_ok(),
        Found::Nothing | Found::Unfit => false,
    }
}

/// Plays a file; returns how often we agreed, and per reason how often we refused a vector called valid.
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

/// Where we refuse what is valid elsewhere. Anything that does not fall under one of these fails the test.
fn why_stricter(keys: &Value, case: &Case, at: &str) -> &'static str {
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
fn json_web_signature() {
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
fn json_web_key() {
    let (agreed, stricter) = play("json_web_key_test.json");
    assert_eq!((agreed, stricter), (22, BTreeMap::from([("shared secrets sign nothing", 4)])));
}

#[test]
fn json_web_crypto() {
    let (agreed, stricter) = play("json_web_crypto_test.json");
    let expected = [("shared secrets sign nothing", 2), ("tokens are not encrypted to us", 2)];
    assert_eq!((agreed, stricter), (79, BTreeMap::from(expected)));
}

/// The same vectors through the front door: none of them is an access token, so none gets in, and none breaks anything.
#[tokio::test]
async fn no_vector_gets_in() {
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
