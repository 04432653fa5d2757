//! Opaque tokens and their introspection.

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
async fn introspects_once_with_client_credentials() {
    let double = TestIssuer::start().await;
    double.set_token(
        TOKEN,
        json!({"active": true, "username": "ann", "exp": NOW_SECONDS + 600, "scope": "a b"}),
    );
    let (verifier, policy) = (verifier(), policy(vec![double.opaque_issuer()]));
    let known = verifier.verify(&policy, TOKEN, NOW).await.unwrap();
    assert_eq!((known.user.name.as_str(), known.user.scopes.len()), ("ann", 2));
    assert!(verifier.cached(&policy, TOKEN, NOW + secs(59)).unwrap().is_ok());
    assert!(verifier.verify(&policy, TOKEN, NOW + secs(59)).await.is_ok());
    assert_eq!(double.count("/introspect"), 1);
    // the client's name and secret, each form-encoded
    let credentials = STANDARD.encode("doorward:s%3Ae+c");
    assert_eq!(double.last_authorization(), Some(format!("Basic {credentials}")));
    // then again: it may have been revoked
    double.set_token(TOKEN, json!({"active": false}));
    assert_eq!(verifier.verify(&policy, TOKEN, NOW + secs(60)).await.unwrap_err(), TokenError::Inactive);
    assert_eq!(double.count("/introspect"), 2);
}

#[tokio::test]
async fn caches_inactive_result() {
    let double = TestIssuer::start().await;
    let (verifier, policy) = (verifier(), policy(vec![double.opaque_issuer()]));
    for now in [NOW, NOW + secs(9)] {
        assert_eq!(verifier.verify(&policy, TOKEN, now).await.unwrap_err(), TokenError::Inactive);
    }
    assert_eq!(double.count("/introspect"), 1);
    assert!(verifier.verify(&policy, TOKEN, NOW + secs(10)).await.is_err());
    assert_eq!(double.count("/introspect"), 2);
}

#[tokio::test]
async fn concurrent_requests_for_one_token_share_introspection() {
    let double = TestIssuer::start().await;
    double.set_token(TOKEN, json!({"active": true, "username": "ann"}));
    double.pause();
    let (verifier, policy) = (verifier(), Arc::new(policy(vec![double.opaque_issuer()])));
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, policy) = (Arc::clone(&verifier), Arc::clone(&policy));
            tokio::spawn(async move { verifier.verify(&policy, TOKEN, NOW).await.is_ok() })
        })
        .collect();
    double.wait_for("/introspect", 1).await;
    double.resume();
    for task in waiting {
        assert!(task.await.unwrap());
    }
    assert_eq!(double.count("/introspect"), 1);
}

#[tokio::test]
async fn attack_one_client_exhausts_introspection() {
    let double = TestIssuer::start().await;
    double.set_token(TOKEN, json!({"active": true, "username": "ann"}));
    double.pause();
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
    assert_eq!(double.count("/introspect"), 17, "the flood is limited to its client's share");
    double.resume();
    assert!(known.await.unwrap());
    for task in flood {
        assert!(!task.await.unwrap());
    }
}

/// "Unavailable" is not "inactive": the proxy responds 503, and nothing is cached.
#[tokio::test]
async fn unreachable_issuer_is_not_an_inactive_token() {
    for (status, body) in
        [(500, "{}"), (401, "{}"), (302, ""), (200, "<html>"), (200, "{}"), (200, r#"{"active":"true"}"#)]
    {
        let double = TestIssuer::start().await;
        double.set_response("/introspect", status, body);
        let (verifier, policy) = (verifier(), policy(vec![double.opaque_issuer()]));
        let error = verifier.verify(&policy, TOKEN, NOW).await.unwrap_err();
        assert_eq!(error, TokenError::Unavailable, "{status} {body}");
        assert!(verifier.cached(&policy, TOKEN, NOW).is_none());
        assert_eq!(double.count("/introspect"), 1);
        double.set_response("/introspect", 200, r#"{"active":true,"username":"ann"}"#);
        assert!(verifier.verify(&policy, TOKEN, NOW).await.is_ok());
    }
    let double = TestIssuer::start().await;
    double.pause();
    let mut issuer = double.opaque_issuer();
    issuer.introspection =
        Some(Introspection { timeout: Duration::from_millis(50), ..double.introspection() });
    let error = verifier().verify(&policy(vec![issuer]), TOKEN, NOW).await.unwrap_err();
    assert_eq!(error, TokenError::Unavailable, "too late");
}

#[tokio::test]
async fn introspects_issuers_in_order_until_one_knows_the_token() {
    let (first, second) = (TestIssuer::start().await, TestIssuer::start().await);
    second.set_token(TOKEN, json!({"active": true, "username": "ann"}));
    let issuers = || vec![first.opaque_issuer(), second.opaque_issuer()];
    assert!(verifier().verify(&policy(issuers()), TOKEN, NOW).await.is_ok());
    assert_eq!((first.count("/introspect"), second.count("/introspect")), (1, 1));
    // the first is down: the second may still know the token; if it does not, the result is unknown
    first.set_response("/introspect", 500, "");
    assert!(verifier().verify(&policy(issuers()), TOKEN, NOW).await.is_ok());
    let error = verifier().verify(&policy(issuers()), "unknown", NOW).await.unwrap_err();
    assert_eq!(error, TokenError::Unavailable);
    // known, but for another audience
    second.set_token(TOKEN, json!({"active": true, "username": "ann", "aud": "another"}));
    let error = verifier().verify(&policy(issuers()), TOKEN, NOW).await.unwrap_err();
    assert_eq!(error, TokenError::WrongAudience, "the issuer that knows the token decides");
    first.set_response("/introspect", 200, r#"{"active":false}"#);
    let error = verifier().verify(&policy(issuers()), TOKEN, NOW).await.unwrap_err();
    assert_eq!(error, TokenError::WrongAudience);
}

/// A tenant's file names an endpoint of its own: tokens of other tenants' users must not be sent to it.
#[tokio::test]
async fn attack_token_theft_by_a_tenants_own_introspection() {
    let (shared, mallory) = (TestIssuer::start().await, TestIssuer::start().await);
    let issuers = || {
        let own = Issuer { is_tenant_defined: true, ..mallory.opaque_issuer() };
        policy(vec![shared.opaque_issuer(), own])
    };
    // known to the deployment's issuer, also if the token is refused
    for answer in [json!({"active": true, "username": "ann"}), json!({"active": true, "aud": "another"})] {
        shared.set_token(TOKEN, answer);
        drop(verifier().verify(&issuers(), TOKEN, NOW).await);
        assert_eq!(mallory.count("/introspect"), 0);
    }
    shared.set_response("/introspect", 500, "");
    let error = verifier().verify(&issuers(), TOKEN, NOW).await.unwrap_err();
    assert_eq!((error, mallory.count("/introspect")), (TokenError::Unavailable, 0));
    // reported as inactive
    shared.set_response("/introspect", 200, r#"{"active":false}"#);
    mallory.set_token(TOKEN, json!({"active": true, "username": "bob"}));
    assert_eq!(verifier().verify(&issuers(), TOKEN, NOW).await.unwrap().user.name, "bob");
}

/// CVE-2021-32701 and GHSA-4mq7-pvjg-xp2r: a result obtained under one policy, or from one server, must not be used
/// for another.
#[tokio::test]
async fn attack_introspection_result_of_another_tenant() {
    let (ours, theirs) = (TestIssuer::start().await, TestIssuer::start().await);
    ours.set_token(TOKEN, json!({"active": true, "username": "ann", "scope": "read"}));
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
async fn introspects_only_opaque_tokens() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let both = Issuer { introspection: Some(double.introspection()), ..double.issuer() };
    let (verifier, policy_of_both) = (verifier(), policy(vec![both]));
    // a JWT is verified locally, a malformed one refused locally
    assert!(verifier.verify(&policy_of_both, &signer.token(&claims()), NOW).await.is_ok());
    assert_eq!(verifier.verify(&policy_of_both, "a.b.c", NOW).await.unwrap_err(), TokenError::Malformed);
    assert_eq!(verifier.verify(&policy_of_both, "a.b.c.d.e", NOW).await.unwrap_err(), TokenError::Malformed);
    assert_eq!(double.count("/introspect"), 0);
    // Hydra's and Google's opaque tokens have a dot in them
    for (i, token) in ["opaque", "ory_at_abc.def", "ya29.a0Af"].iter().enumerate() {
        assert_eq!(verifier.verify(&policy_of_both, token, NOW).await.unwrap_err(), TokenError::Inactive);
        assert_eq!(double.count("/introspect"), i + 1);
    }
    // an issuer without keys introspects its JWTs
    let token = signer.token(&claims_with(&json!({"n": 2})));
    double.set_token(&token, json!({"active": true, "sub": "ann"}));
    let asked = policy(vec![double.opaque_issuer()]);
    assert_eq!(verifier.verify(&asked, &token, NOW).await.unwrap().user.name, "ann");
    // without an introspection endpoint an opaque token is malformed
    let without_introspection = policy(vec![double.issuer()]);
    assert_eq!(
        verifier.verify(&without_introspection, "opaque", NOW).await.unwrap_err(),
        TokenError::Malformed
    );
}

/// `introspection.ca_file`: this CA is trusted, and it has to be configured.
#[tokio::test]
async fn trusts_only_the_configured_ca_of_an_endpoint() {
    let (double, ca) = TestIssuer::start_tls().await;
    double.set_token(TOKEN, json!({"active": true, "username": "ann"}));
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
async fn reloads_edited_ca_and_keeps_the_last_good_one() {
    let ((double, ca), (_, another)) = (TestIssuer::start_tls().await, TestIssuer::start_tls().await);
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
