//! Opaque tokens and the issuers that know them.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::support::*;
use crate::{
    config::model::{Introspection, Issuer},
    token::TokenError,
};

const TOKEN: &str = "6f9619ff-8b86-d011-b42d-00c04fc964ff";

#[tokio::test]
async fn the_issuer_is_asked_once_and_by_name() {
    let double = Double::start().await;
    double.knows(TOKEN, json!({"active": true, "username": "ann", "exp": NOW + 600, "scope": "a b"}));
    let (verifier, policy) = (verifier(), policy(vec![double.opaque_issuer()]));
    let known = verifier.verify(&policy, TOKEN, NOW).await.unwrap();
    assert_eq!((known.user.name.as_str(), known.user.scopes.len()), ("ann", 2));
    assert!(verifier.cached(&policy, TOKEN, NOW + 59).unwrap().is_ok());
    assert!(verifier.verify(&policy, TOKEN, NOW + 59).await.is_ok());
    assert_eq!(double.count("/introspect"), 1);
    // the client's name and secret, each form-encoded
    let credentials = STANDARD.encode("doorward:s%3Ae+c");
    assert_eq!(double.last_authorization(), Some(format!("Basic {credentials}")));
    // then again: it may have been revoked
    double.knows(TOKEN, json!({"active": false}));
    assert_eq!(verifier.verify(&policy, TOKEN, NOW + 60).await.unwrap_err(), TokenError::Inactive);
    assert_eq!(double.count("/introspect"), 2);
}

#[tokio::test]
async fn a_no_is_remembered_too() {
    let double = Double::start().await;
    let (verifier, policy) = (verifier(), policy(vec![double.opaque_issuer()]));
    for now in [NOW, NOW + 9] {
        assert_eq!(verifier.verify(&policy, TOKEN, now).await.unwrap_err(), TokenError::Inactive);
    }
    assert_eq!(double.count("/introspect"), 1);
    assert!(verifier.verify(&policy, TOKEN, NOW + 10).await.is_err());
    assert_eq!(double.count("/introspect"), 2);
}

#[tokio::test]
async fn those_who_ask_the_same_share_one_request() {
    let double = Double::start().await;
    double.knows(TOKEN, json!({"active": true, "username": "ann"}));
    double.close();
    let (verifier, policy) = (verifier(), Arc::new(policy(vec![double.opaque_issuer()])));
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, policy) = (Arc::clone(&verifier), Arc::clone(&policy));
            tokio::spawn(async move { verifier.verify(&policy, TOKEN, NOW).await.is_ok() })
        })
        .collect();
    double.wait_for("/introspect", 1).await;
    double.open();
    for task in waiting {
        assert!(task.await.unwrap());
    }
    assert_eq!(double.count("/introspect"), 1);
}

#[tokio::test]
async fn attack_one_client_takes_all_questions_to_the_issuer() {
    let double = Double::start().await;
    double.knows(TOKEN, json!({"active": true, "username": "ann"}));
    double.close();
    let (verifier, policy) = (verifier(), Arc::new(policy(vec![double.opaque_issuer()])));
    let ask = |client: &str, token: String| {
        let (verifier, policy, client) =
            (Arc::clone(&verifier), Arc::clone(&policy), client.parse().unwrap());
        tokio::spawn(async move { verifier.verify_for(client, &policy, &token, NOW).await.is_ok() })
    };
    // one host, and its many addresses
    let flood: Vec<_> = (0..200).map(|n| ask(&format!("2001:db8::{n:x}"), format!("invented-{n}"))).collect();
    double.wait_for("/introspect", 16).await;
    let known = ask("192.0.2.7", TOKEN.to_owned());
    double.wait_for("/introspect", 17).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(double.count("/introspect"), 17, "the flood has its share and no more");
    double.open();
    assert!(known.await.unwrap());
    for task in flood {
        assert!(!task.await.unwrap());
    }
}

/// "Down" is not "no": the caller answers 503, and nothing of it is remembered.
#[tokio::test]
async fn an_issuer_that_cannot_be_asked_is_not_a_no() {
    for (status, body) in
        [(500, "{}"), (401, "{}"), (302, ""), (200, "<html>"), (200, "{}"), (200, r#"{"active":"true"}"#)]
    {
        let double = Double::start().await;
        double.says("/introspect", status, body);
        let (verifier, policy) = (verifier(), policy(vec![double.opaque_issuer()]));
        let error = verifier.verify(&policy, TOKEN, NOW).await.unwrap_err();
        assert_eq!(error, TokenError::Unavailable, "{status} {body}");
        assert!(verifier.cached(&policy, TOKEN, NOW).is_none());
        assert_eq!(double.count("/introspect"), 1);
        double.says("/introspect", 200, r#"{"active":true,"username":"ann"}"#);
        assert!(verifier.verify(&policy, TOKEN, NOW).await.is_ok());
    }
    let double = Double::start().await;
    double.close();
    let mut issuer = double.opaque_issuer();
    issuer.introspection =
        Some(Introspection { timeout: Duration::from_millis(50), ..double.introspection() });
    let error = verifier().verify(&policy(vec![issuer]), TOKEN, NOW).await.unwrap_err();
    assert_eq!(error, TokenError::Unavailable, "too late");
}

#[tokio::test]
async fn issuers_are_asked_in_order_until_one_knows() {
    let (first, second) = (Double::start().await, Double::start().await);
    second.knows(TOKEN, json!({"active": true, "username": "ann"}));
    let issuers = || vec![first.opaque_issuer(), second.opaque_issuer()];
    assert!(verifier().verify(&policy(issuers()), TOKEN, NOW).await.is_ok());
    assert_eq!((first.count("/introspect"), second.count("/introspect")), (1, 1));
    // the first is down: the second may still know; if it does not, nobody can say
    first.says("/introspect", 500, "");
    assert!(verifier().verify(&policy(issuers()), TOKEN, NOW).await.is_ok());
    let error = verifier().verify(&policy(issuers()), "unknown", NOW).await.unwrap_err();
    assert_eq!(error, TokenError::Unavailable);
    // known, but not meant for us
    second.knows(TOKEN, json!({"active": true, "username": "ann", "aud": "another"}));
    let error = verifier().verify(&policy(issuers()), TOKEN, NOW).await.unwrap_err();
    assert_eq!(error, TokenError::WrongAudience, "who knows the token has the last word");
    first.says("/introspect", 200, r#"{"active":false}"#);
    let error = verifier().verify(&policy(issuers()), TOKEN, NOW).await.unwrap_err();
    assert_eq!(error, TokenError::WrongAudience);
}

/// A tenant's file names an endpoint of its own: visitors of other tenants must not lose their sessions to it.
#[tokio::test]
async fn attack_token_theft_by_a_tenants_own_introspection() {
    let (shared, mallory) = (Double::start().await, Double::start().await);
    let issuers = || {
        let own = Issuer { of_tenant_file: true, ..mallory.opaque_issuer() };
        policy(vec![shared.opaque_issuer(), own])
    };
    // known to the deployment's issuer, also where it refuses it
    for answer in [json!({"active": true, "username": "ann"}), json!({"active": true, "aud": "another"})] {
        shared.knows(TOKEN, answer);
        drop(verifier().verify(&issuers(), TOKEN, NOW).await);
        assert_eq!(mallory.count("/introspect"), 0);
    }
    shared.says("/introspect", 500, "");
    let error = verifier().verify(&issuers(), TOKEN, NOW).await.unwrap_err();
    assert_eq!((error, mallory.count("/introspect")), (TokenError::Unavailable, 0));
    // a clear no
    shared.says("/introspect", 200, r#"{"active":false}"#);
    mallory.knows(TOKEN, json!({"active": true, "username": "bob"}));
    assert_eq!(verifier().verify(&issuers(), TOKEN, NOW).await.unwrap().user.name, "bob");
}

/// CVE-2021-32701 and GHSA-4mq7-pvjg-xp2r: an answer given under one set of rules, or by one server, must not serve
/// another's question.
#[tokio::test]
async fn introspection_cache_keeps_tenants_apart() {
    let (ours, theirs) = (Double::start().await, Double::start().await);
    ours.knows(TOKEN, json!({"active": true, "username": "ann", "scope": "read"}));
    let verifier = verifier();
    let acme = policy(vec![ours.opaque_issuer()]);
    assert!(verifier.verify(&acme, TOKEN, NOW).await.is_ok());
    // another tenant with another server
    let beta = policy(vec![theirs.opaque_issuer()]);
    assert_eq!(verifier.verify(&beta, TOKEN, NOW).await.unwrap_err(), TokenError::Inactive);
    // another tenant with the same server, but with a scope that is required
    let strict = Issuer { required_scopes: vec!["write".to_owned()], ..ours.opaque_issuer() };
    let gamma = policy(vec![strict]);
    let error = verifier.verify(&gamma, TOKEN, NOW).await.unwrap_err();
    assert_eq!(error, TokenError::MissingScope { required: vec!["write".to_owned()] });
    assert_eq!(ours.count("/introspect"), 2);
    assert!(verifier.cached(&acme, TOKEN, NOW).unwrap().is_ok());
}

#[tokio::test]
async fn which_tokens_are_asked_about() {
    let signer = Signer::usual();
    let double = Double::with_keys(&[&signer]).await;
    let both = Issuer { introspection: Some(double.introspection()), ..double.issuer() };
    let (verifier, policy_of_both) = (verifier(), policy(vec![both]));
    // a JWT is verified here, a broken one refused here
    assert!(verifier.verify(&policy_of_both, &signer.token(&claims()), NOW).await.is_ok());
    assert_eq!(verifier.verify(&policy_of_both, "a.b.c", NOW).await.unwrap_err(), TokenError::Malformed);
    assert_eq!(verifier.verify(&policy_of_both, "a.b.c.d.e", NOW).await.unwrap_err(), TokenError::Malformed);
    assert_eq!(double.count("/introspect"), 0);
    // Hydra's and Google's opaque tokens have a dot in them
    for (i, token) in ["opaque", "ory_at_abc.def", "ya29.a0Af"].iter().enumerate() {
        assert_eq!(verifier.verify(&policy_of_both, token, NOW).await.unwrap_err(), TokenError::Inactive);
        assert_eq!(double.count("/introspect"), i + 1);
    }
    // an issuer without keys is asked about its JWTs
    let token = signer.token(&claims_with(&json!({"n": 2})));
    double.knows(&token, json!({"active": true, "sub": "ann"}));
    let asked = policy(vec![double.opaque_issuer()]);
    assert_eq!(verifier.verify(&asked, &token, NOW).await.unwrap().user.name, "ann");
    // where nobody can be asked, an opaque token is no token
    let nobody = policy(vec![double.issuer()]);
    assert_eq!(verifier.verify(&nobody, "opaque", NOW).await.unwrap_err(), TokenError::Malformed);
}

/// `introspection.ca_file`: this authority is believed, and it has to be named.
#[tokio::test]
async fn the_endpoints_own_authority() {
    let (double, ca) = Double::start_tls().await;
    double.knows(TOKEN, json!({"active": true, "username": "ann"}));
    for (ca_file, expected) in [
        (Some(ca.path().to_owned()), Ok("ann".to_owned())),
        (None, Err(TokenError::Unavailable)),
        (Some("/nowhere/ca.pem".into()), Err(TokenError::Unavailable)),
    ] {
        let mut issuer = double.opaque_issuer();
        issuer.introspection = Some(Introspection { ca_file, ..double.introspection() });
        let answer = verifier().verify(&policy(vec![issuer]), TOKEN, NOW).await;
        assert_eq!(answer.map(|known| known.user.name.clone()), expected);
    }
}

#[tokio::test]
async fn an_authority_edited_in_place_counts_and_a_broken_one_leaves_the_one_before() {
    let ((double, ca), (_, another)) = (Double::start_tls().await, Double::start_tls().await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::copy(another.path(), &file).unwrap();
    let mut issuer = double.opaque_issuer();
    issuer.introspection = Some(Introspection { ca_file: Some(file.clone()), ..double.introspection() });
    let (verifier, policy) = (verifier(), policy(vec![issuer]));
    let ask = async |token: &str| verifier.verify(&policy, token, NOW).await.unwrap_err();
    assert_eq!(ask("one").await, TokenError::Unavailable);
    std::fs::copy(ca.path(), &file).unwrap();
    verifier.renew_clients().await;
    assert_eq!(ask("two").await, TokenError::Inactive);
    std::fs::write(&file, "half").unwrap();
    verifier.renew_clients().await;
    assert_eq!(ask("three").await, TokenError::Inactive);
}
