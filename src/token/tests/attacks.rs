//! Attacks on tokens, by their names.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::support::*;
use crate::{
    domain::time::Timestamp,
    token::{TokenError, Verifier},
};

struct AttackSetup {
    signer: Signer,
    double: TestIssuer,
    verifier: std::sync::Arc<Verifier>,
    policy: crate::config::TenantPolicy,
}

async fn attack_setup(signer: Signer) -> AttackSetup {
    let double = TestIssuer::with_keys(&[&signer]).await;
    let policy = policy(vec![double.issuer()]);
    let context = AttackSetup { signer, double, verifier: verifier(), policy };
    // ensures that the refusals below are caused by the attack
    assert_eq!(context.verify(&context.signer.token(&claims())).await, Ok("ann".to_owned()));
    context
}

impl AttackSetup {
    async fn verify(&self, token: &str) -> Result<String, TokenError> {
        let answer = self.verifier.verify(&self.policy, token, NOW).await;
        // a second verification has the same result
        let again = self.verifier.verify(&self.policy, token, NOW).await;
        assert_eq!(answer.as_ref().err(), again.as_ref().err());
        answer.map(|verified| verified.user.name.clone())
    }

    fn header(&self) -> Value {
        json!({"alg": format!("{:?}", self.signer.algorithm), "kid": self.signer.key_id})
    }
}

#[tokio::test]
async fn attack_alg_none() {
    let context = attack_setup(Signer::usual()).await;
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for signature in ["", "AAAA"] {
            let token = unsigned(&json!({"alg": alg, "kid": "usual"}), &claims(), signature);
            assert_eq!(context.verify(&token).await, Err(TokenError::BadSignature), "{alg:?} {signature:?}");
        }
    }
}

#[tokio::test]
async fn attack_hs256_signed_with_the_public_key() {
    for signer in [Signer::usual(), Signer::new(Algorithm::RS256, "rsa")] {
        let context = attack_setup(signer).await;
        let jwk = context.signer.jwk();
        let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap_or_default()).unwrap();
        let secrets = [
            jwk.to_string().into_bytes(),
            number("n"),
            number("x"),
            [vec![4], number("x"), number("y")].concat(),
        ];
        let header = json!({"alg": "HS256", "kid": context.signer.key_id});
        let message = unsigned(&header, &claims(), "");
        let message = message.trim_end_matches('.');
        for secret in secrets {
            let key = EncodingKey::from_secret(&secret);
            let mac = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
            assert_eq!(context.verify(&format!("{message}.{mac}")).await, Err(TokenError::BadSignature));
        }
    }
}

#[tokio::test]
async fn attack_embedded_jwk() {
    let context = attack_setup(Signer::usual()).await;
    let attacker = Signer::new(Algorithm::ES256, "usual");
    let mut header = context.header();
    header["jwk"] = attacker.jwk();
    assert_eq!(context.verify(&attacker.sign(&header, &claims())).await, Err(TokenError::BadSignature));
}

#[tokio::test]
async fn attack_jku_pointing_elsewhere() {
    let context = attack_setup(Signer::usual()).await;
    let attacker = Signer::new(Algorithm::ES256, "attacker");
    let elsewhere = TestIssuer::with_keys(&[&attacker]).await;
    for name in ["jku", "x5u"] {
        let mut header = json!({"alg": "ES256", "kid": "attacker"});
        header[name] = json!(format!("{}/jwks", elsewhere.address));
        assert_eq!(context.verify(&attacker.sign(&header, &claims())).await, Err(TokenError::UnknownKey));
    }
    assert_eq!(elsewhere.count("/jwks"), 0);
}

#[tokio::test]
async fn attack_kid_path_traversal() {
    let context = attack_setup(Signer::usual()).await;
    let attacker = Signer::new(Algorithm::ES256, "x");
    for kid in ["../../../../dev/null", "/etc/passwd", "usual\0", "' OR 1=1 --", "usual/../usual", "USUAL"] {
        let token = attacker.sign(&json!({"alg": "ES256", "kid": kid}), &claims());
        assert_eq!(context.verify(&token).await, Err(TokenError::UnknownKey), "{kid}");
    }
}

#[tokio::test]
async fn attack_signature_of_another_token() {
    let context = attack_setup(Signer::usual()).await;
    let own = context.signer.token(&claims());
    let wanted = context.signer.token(&claims_with(&json!({"sub": "admin"})));
    let (message, _) = wanted.rsplit_once('.').unwrap();
    let (_, signature) = own.rsplit_once('.').unwrap();
    assert_eq!(context.verify(&format!("{message}.{signature}")).await, Err(TokenError::BadSignature));
    // zeroes: the ECDSA signature that some libraries took for valid (CVE-2022-21449)
    let zeroes = URL_SAFE_NO_PAD.encode([0; 64]);
    assert_eq!(context.verify(&format!("{message}.{zeroes}")).await, Err(TokenError::BadSignature));
}

#[tokio::test]
async fn attack_issuer_of_another_tenant() {
    let (acme, beta) = (attack_setup(Signer::usual()).await, Signer::new(Algorithm::ES256, "usual"));
    let other = TestIssuer::with_keys(&[&beta]).await;
    let mut issuer = other.issuer();
    issuer.issuer = "https://id.beta.example".to_owned();
    let beta_policy = policy(vec![issuer]);
    let of_beta = beta.token(&claims_with(&json!({"iss": "https://id.beta.example"})));
    // it is valid for its own tenant, also after it was refused for another
    assert!(acme.verifier.verify(&beta_policy, &of_beta, NOW).await.is_ok());
    assert_eq!(acme.verify(&of_beta).await, Err(TokenError::UnknownIssuer));
    assert!(acme.verifier.cached(&acme.policy, &of_beta, NOW).is_none());
    // and beta's key under acme's issuer is a forgery
    assert_eq!(acme.verify(&beta.token(&claims())).await, Err(TokenError::BadSignature));
}

#[tokio::test]
async fn attack_token_without_exp() {
    let context = attack_setup(Signer::usual()).await;
    for missing in ["exp", "aud", "iss", "sub"] {
        let token = context.signer.token(&claims_with(&json!({missing: null})));
        assert_eq!(context.verify(&token).await, Err(TokenError::MissingClaim), "{missing}");
    }
}

#[tokio::test]
async fn attack_audience_confusion() {
    let context = attack_setup(Signer::usual()).await;
    for aud in [json!("another-client"), json!([]), json!(["portal-admin"]), json!("portal,other")] {
        let token = context.signer.token(&claims_with(&json!({"aud": aud})));
        assert_eq!(context.verify(&token).await, Err(TokenError::WrongAudience), "{aud}");
    }
    // an ID token of the same issuer for the same client
    let id_token = context.signer.token(&claims_with(&json!({"at_hash": "abc", "nonce": "n"})));
    assert_eq!(context.verify(&id_token).await, Err(TokenError::WrongAudience));
}

/// GHSA-pm7g-w2cf-q238: an unsigned token inside an encrypted one that can be made with the public key alone.
#[tokio::test]
async fn attack_jwe_wrapped_plain_jwt() {
    let context = attack_setup(Signer::new(Algorithm::RS256, "rsa")).await;
    let plain = unsigned(&json!({"alg": "none"}), &claims(), "");
    for header in [
        json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", "kid": "rsa"}),
        json!({"alg": "dir", "enc": "A256GCM"}),
        json!({"alg": "RS256", "kid": "rsa", "typ": "JWT", "cty": "JWT"}),
    ] {
        let head = URL_SAFE_NO_PAD.encode(header.to_string());
        let inner = URL_SAFE_NO_PAD.encode(&plain);
        let jwe = format!("{head}.AAAA.AAAA.{inner}.AAAA");
        assert_eq!(context.verify(&jwe).await, Err(TokenError::Malformed), "{header}");
        // three parts: the signature is valid, but the signed content is a token, not claims
        let nested = context.signer.sign_text(&header.to_string(), &plain);
        assert!(context.verify(&nested).await.is_err(), "{header}");
    }
}

#[tokio::test]
async fn attack_duplicate_claim() {
    let context = attack_setup(Signer::usual()).await;
    let claims = claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    let token = context.signer.sign_text(&context.header().to_string(), &claims);
    assert_eq!(context.verify(&token).await, Err(TokenError::Malformed));
}

#[tokio::test]
async fn attack_huge_nested_json() {
    let context = attack_setup(Signer::usual()).await;
    let deep = format!(r#"{{"iss":{}"#, "[".repeat(40_000));
    let token = context.signer.sign_text(&context.header().to_string(), &deep);
    assert_eq!(context.verify(&token).await, Err(TokenError::Malformed));
}

/// A flood of invented key ids must not become a flood of requests to the issuer.
#[tokio::test]
async fn attack_unknown_kid_flood() {
    let context = attack_setup(Signer::usual()).await;
    assert_eq!(context.double.count("/jwks"), 1);
    let (verifier, policy) = (&context.verifier, &context.policy);
    let flood = |now: Timestamp| {
        let calls = (0..200).map(move |i| {
            let token = unsigned(&json!({"alg": "ES256", "kid": format!("k{i}")}), &claims(), "AAAA");
            async move { verifier.verify(policy, &token, now).await.unwrap_err() }
        });
        futures_util::future::join_all(calls)
    };
    for (now, fetched) in [(NOW + secs(1), 2), (NOW + secs(9), 2), (NOW + secs(20), 3), (NOW + secs(29), 3)] {
        assert!(flood(now).await.iter().all(|error| *error == TokenError::UnknownKey));
        assert_eq!(context.double.count("/jwks"), fetched, "{now}");
    }
}

/// An issuer is trusted only with the algorithms of its settings, whatever its keys support.
#[tokio::test]
async fn attack_algorithm_not_allowed_for_issuer() {
    let signer = Signer::usual();
    let double = TestIssuer::with_keys(&[&signer]).await;
    let mut issuer = double.issuer();
    issuer.algorithms = vec![Algorithm::RS256];
    let answer = verifier().verify(&policy(vec![issuer]), &signer.token(&claims()), NOW).await;
    assert_eq!(answer.unwrap_err(), TokenError::BadSignature);
}
