//! Key sets of issuers: loaded, shared, rotated, retained.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::support::*;
use crate::{
    config::model::{EgressPolicy, Issuer, KeySource},
    token::{TokenError, Verifier, http_clients},
};

/// Waits for a background refresh.
async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), met).await.expect("the condition was never met");
}

#[tokio::test]
async fn preloads_keys_before_ready() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let verifier = verifier();
    let dead = Arc::new(issuer(KeySource::Url("http://127.0.0.1:9/jwks".to_owned())));
    let issuers = [Arc::new(double.issuer()), Arc::new(double.issuer()), dead];
    assert_eq!(verifier.preload(&issuers, NOW).await, ["http://127.0.0.1:9/jwks"]);
    assert_eq!(double.count("/jwks"), 1);
    let status = verifier.status(NOW + secs(7));
    let alive = status.iter().find(|status| status.keys == 1).unwrap();
    assert_eq!((alive.age, alive.failures), (Some(secs(7)), 0));
    let dead = status.iter().find(|status| status.keys == 0).unwrap();
    assert_eq!((dead.age, dead.failures), (None, 1));
}

/// envoyproxy/envoy#13458: while keys are missing, a token is neither valid nor absent.
#[tokio::test]
async fn missing_keys_are_not_an_invalid_token() {
    let signer = Signer::usual();
    let double = TestIssuer::start().await;
    double.set_response("/jwks", 503, "");
    let (verifier, policy) = (verifier(), policy(vec![double.issuer()]));
    let token = signer.token(&claims());
    assert_eq!(verifier.verify(&policy, &token, NOW).await.unwrap_err(), TokenError::Unavailable);
    assert!(verifier.cached(&policy, &token, NOW).is_none());
    double.set_response("/jwks", 200, jwks(&[&signer]));
    assert!(verifier.verify(&policy, &token, NOW + secs(1)).await.is_ok());
}

/// envoyproxy/envoy#14557: the first token of a new key is accepted, not the first after the old keys have aged.
#[tokio::test]
async fn accepts_first_token_of_a_rotated_key() {
    let (old, new) = (Signer::new(Algorithm::ES256, "old"), Signer::new(Algorithm::ES256, "new"));
    let double = TestIssuer::with_keys(&[&old]).await;
    let (verifier, policy) = (verifier(), policy(vec![double.issuer()]));
    let (of_old, of_new) = (old.token(&claims()), new.token(&claims()));
    assert!(verifier.verify(&policy, &of_old, NOW).await.is_ok());
    double.set_response("/jwks", 200, jwks(&[&new]));
    assert!(verifier.verify(&policy, &of_new, NOW + secs(11)).await.is_ok());
    // the old key is withdrawn: tokens it signed are no longer valid, also cached ones
    assert!(verifier.cached(&policy, &of_old, NOW + secs(11)).is_none());
    assert_eq!(verifier.verify(&policy, &of_old, NOW + secs(11)).await.unwrap_err(), TokenError::UnknownKey);
    // a cached refusal is dropped with the keys it depends on, too
    double.set_response("/jwks", 200, jwks(&[&new, &old]));
    let unknown = unsigned(&json!({"alg": "ES256", "kid": "third"}), &claims(), "AAAA");
    assert!(verifier.verify(&policy, &unknown, NOW + secs(22)).await.is_err());
    assert!(verifier.verify(&policy, &of_old, NOW + secs(22)).await.is_ok());
}

#[tokio::test]
async fn concurrent_requests_share_one_key_set_request() {
    let (old, new) = (Signer::new(Algorithm::ES256, "old"), Signer::new(Algorithm::ES256, "new"));
    let double = TestIssuer::with_keys(&[&old]).await;
    let (verifier, policy) = (verifier(), Arc::new(policy(vec![double.issuer()])));
    assert!(verifier.verify(&policy, &old.token(&claims()), NOW).await.is_ok());
    double.set_response("/jwks", 200, jwks(&[&new]));
    double.pause();
    let waiting: Vec<_> = (0..50)
        .map(|i| {
            let token = new.token(&claims_with(&json!({"sub": format!("user{i}")})));
            let (verifier, policy) = (Arc::clone(&verifier), Arc::clone(&policy));
            tokio::spawn(async move {
                verifier.verify(&policy, &token, NOW + secs(11 + 10 * (i % 3))).await.is_ok()
            })
        })
        .collect();
    double.wait_for("/jwks", 2).await;
    // the caller that started it is cancelled
    waiting[0].abort();
    double.resume();
    for task in waiting.into_iter().skip(1) {
        assert!(task.await.unwrap());
    }
    assert_eq!(double.count("/jwks"), 2);
}

#[tokio::test]
async fn keeps_stale_keys_while_issuer_is_down() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let (verifier, policy) = (verifier(), policy(vec![double.issuer()]));
    let issuers = policy.issuers.clone();
    verifier.preload(&issuers, NOW).await;
    let day = Duration::from_hours(24);
    let token = |i: u64| signer.token(&claims_with(&json!({"exp": NOW_SECONDS + 9 * day.as_secs(), "n": i})));
    let huge = jwks(&[&signer]) + &" ".repeat(1_100_000);
    for (i, (status, body)) in
        (0_u64..).zip([(500, ""), (200, "<html>"), (200, "{}"), (302, ""), (404, ""), (200, &huge)])
    {
        double.set_response("/jwks", status, body);
        let now = NOW + Duration::from_hours(24 * (i + 1));
        assert!(verifier.verify(&policy, &token(i), now).await.is_ok());
        until(|| u64::from(verifier.status(now)[0].failures) == i + 1).await;
        assert!(verifier.verify(&policy, &token(i + 100), now).await.is_ok());
    }
    assert_eq!(double.count("/elsewhere"), 0, "redirects are not followed");
    // an unknown key may be a new one: while the issuer is down, the token is neither valid nor refused
    let unknown = unsigned(&json!({"alg": "ES256", "kid": "new"}), &claims(), "AAAA");
    let error = verifier.verify(&policy, &unknown, NOW + 8 * day).await.unwrap_err();
    assert_eq!(error, TokenError::Unavailable);
    double.set_response("/jwks", 200, jwks(&[&signer]));
    let error = verifier.verify(&policy, &unknown, NOW + 8 * day + secs(20)).await.unwrap_err();
    assert_eq!(error, TokenError::UnknownKey);
    assert_eq!(verifier.status(NOW + 8 * day + secs(20))[0].failures, 0);
}

#[tokio::test]
async fn refreshes_aging_keys_in_background() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let (verifier, policy) = (verifier(), policy(vec![double.issuer()]));
    let token = signer.token(&claims_with(&json!({"exp": NOW_SECONDS + 10_000})));
    assert!(verifier.verify(&policy, &token, NOW).await.is_ok());
    // an answer from memory counts as use of the keys; nothing is due yet
    assert!(verifier.cached(&policy, &token, NOW + secs(299)).is_some());
    double.pause();
    assert!(verifier.verify(&policy, &token, NOW + secs(300)).await.is_ok());
    double.wait_for("/jwks", 2).await;
    double.resume();
    until(|| verifier.status(NOW + secs(300))[0].age == Some(Duration::ZERO)).await;
    // the same keys: cached results still apply
    assert!(verifier.cached(&policy, &token, NOW + secs(301)).unwrap().is_ok());
}

#[tokio::test]
async fn tenants_with_same_source_share_keys() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let verifier = verifier();
    for i in 0..50 {
        let mut issuer = double.issuer();
        issuer.audiences = vec![format!("portal{i}")];
        let token = signer.token(&claims_with(&json!({"aud": format!("portal{i}")})));
        assert!(verifier.verify(&policy(vec![issuer]), &token, NOW).await.is_ok());
    }
    assert_eq!(double.count("/jwks"), 1);
    assert_eq!(verifier.status(NOW).len(), 1);
}

#[tokio::test]
async fn discovery_requires_exact_issuer() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let mut issuer = issuer(KeySource::Discovery);
    issuer.issuer = double.address.clone();
    let policy = policy(vec![issuer]);
    let token = signer.token(&claims_with(&json!({"iss": double.address})));
    let document =
        |issuer: &str| json!({"issuer": issuer, "jwks_uri": format!("{}/jwks", double.address)}).to_string();
    let path = "/.well-known/openid-configuration";
    let (careful, verifier) = (verifier(), verifier());
    double.set_response(path, 200, document("https://other.example"));
    assert_eq!(careful.verify(&policy, &token, NOW).await.unwrap_err(), TokenError::Unavailable);
    assert_eq!(double.count("/jwks"), 0);
    double.set_response(path, 200, document(&double.address));
    assert!(verifier.verify(&policy, &token, NOW).await.is_ok());
}

#[tokio::test]
async fn attack_ssrf_by_discovery_document_of_tenant_issuer() {
    let signer = Signer::usual();
    let (double, victim) = (TestIssuer::with_keys(&[&signer]).await, TestIssuer::with_keys(&[&signer]).await);
    let mut issuer = issuer(KeySource::ConfinedDiscovery(Arc::default()));
    issuer.issuer = double.address.clone();
    let policy = policy(vec![issuer]);
    let token = signer.token(&claims_with(&json!({"iss": double.address})));
    for (at, is_good) in [(&victim, false), (&double, true)] {
        let document = json!({"issuer": double.address, "jwks_uri": format!("{}/jwks", at.address)});
        double.set_response("/.well-known/openid-configuration", 200, document.to_string());
        assert_eq!(verifier().verify(&policy, &token, NOW).await.is_ok(), is_good, "{}", at.address);
    }
    assert_eq!((victim.count("/jwks"), double.count("/jwks")), (0, 1));
}

/// A tenant's administrator owns the name and lets it resolve to this machine. `localhost` stands for such a name: the
/// configured address is checked elsewhere.
#[tokio::test]
async fn attack_issuer_name_that_resolves_to_this_machine() {
    let signer = Signer::usual();
    for (reach, is_asked) in [
        (EgressPolicy::Confined { loopback: false }, false),
        (EgressPolicy::Confined { loopback: true }, true),
        (EgressPolicy::Unrestricted, true),
    ] {
        let double = TestIssuer::with_keys(&[&signer]).await;
        let by_name = double.address.replace("127.0.0.1", "localhost");
        let document = json!({"issuer": by_name, "jwks_uri": format!("{by_name}/jwks")});
        double.set_response("/.well-known/openid-configuration", 200, document.to_string());
        let claims = claims_with(&json!({"iss": by_name}));
        for keys in [KeySource::Url(format!("{by_name}/jwks")), KeySource::ConfinedDiscovery(Arc::default())]
        {
            let issuer = Issuer { issuer: by_name.clone(), egress: reach, ..issuer(keys.clone()) };
            let verified = verifier().verify(&policy(vec![issuer]), &signer.token(&claims), NOW).await;
            assert_eq!(verified.is_ok(), is_asked, "{keys:?} {reach:?}: {verified:?}");
            assert_eq!(double.count("/jwks") > 0, is_asked, "{keys:?} {reach:?}");
        }
        double.set_token("opaque", json!({"active": true, "username": "ann"}));
        let mut issuer = Issuer { egress: reach, ..double.opaque_issuer() };
        if let Some(introspection) = &mut issuer.introspection {
            introspection.url = format!("{by_name}/introspect");
        }
        let verified = verifier().verify(&policy(vec![issuer]), "opaque", NOW).await;
        assert_eq!((verified.is_ok(), double.count("/introspect") > 0), (is_asked, is_asked), "{reach:?}");
    }
}

#[tokio::test]
async fn rereads_changed_key_file() {
    let (old, new) = (Signer::new(Algorithm::ES256, "old"), Signer::new(Algorithm::EdDSA, "new"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, jwks(&[&old])).unwrap();
    let policy = policy(vec![issuer(KeySource::File(path.clone()))]);
    let verifier: Arc<Verifier> = verifier();
    let (of_old, of_new) = (old.token(&claims()), new.token(&claims()));
    assert!(verifier.verify(&policy, &of_old, NOW).await.is_ok());
    // notified by the file watcher
    std::fs::write(&path, jwks(&[&old, &new])).unwrap();
    verifier.reload_files(NOW).await;
    assert!(verifier.verify(&policy, &of_new, NOW).await.is_ok());
    // an invalid edit changes nothing
    std::fs::write(&path, "{").unwrap();
    verifier.reload_files(NOW).await;
    assert!(verifier.cached(&policy, &of_new, NOW).unwrap().is_ok());
    assert_eq!(verifier.status(NOW)[0].failures, 1);
    // and without a notification: use of the keys, also from the cache, refreshes the file every few seconds
    std::fs::write(&path, jwks(&[&new])).unwrap();
    assert!(verifier.cached(&policy, &of_new, NOW + secs(5)).unwrap().is_ok());
    until(|| verifier.status(NOW + secs(5))[0].keys == 1).await;
    assert_eq!(verifier.verify(&policy, &of_old, NOW + secs(5)).await.unwrap_err(), TokenError::UnknownKey);
}

/// `http_clients(ca_files)`: keys are fetched over TLS only from servers that the system or these CA files trust.
#[tokio::test]
async fn fetches_keys_only_over_trusted_tls() {
    let signer = Signer::usual();
    let (double, ca) = TestIssuer::start_tls().await;
    double.set_response("/jwks", 200, jwks(&[&signer]));
    let policy = policy(vec![double.issuer()]);
    let token = signer.token(&claims());
    let trusting = Verifier::new(http_clients(&[ca.path().to_owned()]).unwrap(), 10);
    assert!(trusting.verify(&policy, &token, NOW).await.is_ok());
    assert_eq!(verifier().verify(&policy, &token, NOW).await.unwrap_err(), TokenError::Unavailable);
}
