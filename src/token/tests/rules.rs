//! Good tokens and bad ones: signature, claims and cache together.

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::support::*;
use crate::{config::model::UserTenant, token::TokenError};

#[tokio::test]
async fn verifies_every_offered_algorithm() {
    let signers = [
        Signer::new(Algorithm::RS256, "rs256"),
        Signer::new(Algorithm::RS384, "rs384"),
        Signer::new(Algorithm::RS512, "rs512"),
        Signer::new(Algorithm::PS256, "ps256"),
        Signer::new(Algorithm::PS384, "ps384"),
        Signer::new(Algorithm::PS512, "ps512"),
        Signer::new(Algorithm::ES256, "es256"),
        Signer::new(Algorithm::ES384, "es384"),
        Signer::new(Algorithm::EdDSA, "eddsa"),
    ];
    let double = TestIssuer::with_keys(&signers.each_ref()).await;
    let (verifier, policy) = (verifier(), policy(vec![double.issuer()]));
    for signer in &signers {
        let answer = verifier.verify(&policy, &signer.token(&claims()), NOW).await;
        assert_eq!(answer.map(|v| v.user.name.clone()), Ok("ann".to_owned()), "{:?}", signer.algorithm);
    }
    assert_eq!(double.count("/jwks"), 1);
}

#[tokio::test]
async fn reads_user_from_claims() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let mut issuer = double.issuer();
    issuer.roles_claim = "realm_access.roles".to_owned();
    issuer.user_tenant = UserTenant::Claim("org".to_owned());
    issuer.leeway = std::time::Duration::from_secs(30);
    let token = signer.token(&claims_with(&json!({
        "sub": "ann@carbon.super", "org": "wso2.com", "email": "ann@example.com", "name": "Ann Ämter",
        "scope": "openid apim:subscribe", "realm_access": {"roles": ["admin", "bad\r\nrole"]},
    })));
    let verified = verifier().verify(&policy(vec![issuer]), &token, NOW).await.unwrap();
    let user = &verified.user;
    assert_eq!(user.name, "ann@carbon.super");
    assert_eq!(user.tenant.as_str(), "wso2.com");
    assert_eq!(user.email.as_deref(), Some("ann@example.com"));
    assert_eq!(user.display_name.as_deref(), Some("Ann Ämter"));
    assert_eq!(user.roles, ["admin"]);
    assert_eq!(user.scopes, ["openid", "apim:subscribe"]);
    assert_eq!(user.expires_at, NOW + secs(630));
}

#[tokio::test]
async fn caches_result_for_its_policy_only() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let verifier = verifier();
    let (one, other) = (policy(vec![double.issuer()]), policy(vec![double.issuer()]));
    let token = signer.token(&claims());
    assert!(verifier.cached(&one, &token, NOW).is_none());
    let found = verifier.verify(&one, &token, NOW).await.unwrap();
    let cached = verifier.cached(&one, &token, NOW).unwrap().unwrap();
    assert!(std::sync::Arc::ptr_eq(&found, &cached));
    assert!(verifier.cached(&other, &token, NOW).is_none());
    // trusted from memory for cache_ttl, which is shorter than the token's life
    assert!(verifier.cached(&one, &token, NOW + secs(299)).is_some());
    assert!(verifier.cached(&one, &token, NOW + secs(300)).is_none());
    // a clock set back does not stretch it
    assert!(verifier.cached(&one, &token, NOW - secs(1)).is_none());
    verifier.flush();
    assert!(verifier.cached(&one, &token, NOW).is_none());
}

#[tokio::test]
async fn caches_refusal_for_seconds() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let (verifier, policy) = (verifier(), policy(vec![double.issuer()]));
    let token = signer.token(&claims_with(&json!({"aud": "another"})));
    assert_eq!(verifier.verify(&policy, &token, NOW).await.unwrap_err(), TokenError::WrongAudience);
    let cached = |now| verifier.cached(&policy, &token, now).map(|answer| answer.unwrap_err());
    assert_eq!(cached(NOW + secs(4)), Some(TokenError::WrongAudience));
    assert_eq!(cached(NOW + secs(5)), None);
    // a token that will become valid is not cached as refused
    let early = signer.token(&claims_with(&json!({"nbf": NOW_SECONDS + 1})));
    assert_eq!(verifier.verify(&policy, &early, NOW).await.unwrap_err(), TokenError::NotYetValid);
    assert!(verifier.cached(&policy, &early, NOW).is_none());
    assert!(verifier.verify(&policy, &early, NOW + secs(1)).await.is_ok());
}

/// A cached token expires at its `exp`.
#[tokio::test]
async fn attack_expired_token_in_cache() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let mut issuer = double.issuer();
    issuer.leeway = std::time::Duration::from_secs(5);
    let (verifier, policy) = (verifier(), policy(vec![issuer]));
    let token = signer.token(&claims_with(&json!({"exp": NOW_SECONDS + 10})));
    assert!(verifier.verify(&policy, &token, NOW).await.is_ok());
    assert!(verifier.cached(&policy, &token, NOW + secs(14)).unwrap().is_ok());
    assert_eq!(verifier.cached(&policy, &token, NOW + secs(15)).unwrap().unwrap_err(), TokenError::Expired);
    assert_eq!(verifier.verify(&policy, &token, NOW + secs(15)).await.unwrap_err(), TokenError::Expired);
}

#[tokio::test]
async fn rejects_oversized_token_before_hashing() {
    let (verifier, policy) = (verifier(), policy(Vec::new()));
    let token = "a".repeat(64 * 1024 + 1);
    assert_eq!(verifier.cached(&policy, &token, NOW).unwrap().unwrap_err(), TokenError::TooLong);
    assert_eq!(verifier.verify(&policy, &token, NOW).await.unwrap_err(), TokenError::TooLong);
}
