//! Attacks on tokens, by their names.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::support::*;
use crate::token::{TokenError, Verifier};

struct Scene {
    signer: Signer,
    double: Double,
    verifier: std::sync::Arc<Verifier>,
    policy: crate::config::TenantPolicy,
}

async fn scene(signer: Signer) -> Scene {
    let double = Double::with_keys(&[&signer]).await;
    let policy = policy(vec![double.issuer()]);
    let scene = Scene { signer, double, verifier: verifier(), policy };
    // what is refused below is refused for the attack, not because nothing works
    assert_eq!(scene.play(&scene.signer.token(&claims())).await, Ok("ann".to_owned()));
    scene
}

impl Scene {
    async fn play(&self, token: &str) -> Result<String, TokenError> {
        let answer = self.verifier.verify(&self.policy, token, NOW).await;
        // asking twice changes nothing
        let again = self.verifier.verify(&self.policy, token, NOW).await;
        assert_eq!(answer.as_ref().err(), again.as_ref().err());
        answer.map(|verified| verified.user.name.clone())
    }

    fn header(&self) -> Value {
        json!({"alg": format!("{:?}", self.signer.algorithm), "kid": self.signer.key_id})
    }
}

#[tokio::test]
async fn alg_none() {
    let scene = scene(Signer::usual()).await;
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for signature in ["", "AAAA"] {
            let token = unsigned(&json!({"alg": alg, "kid": "usual"}), &claims(), signature);
            assert_eq!(scene.play(&token).await, Err(TokenError::BadSignature), "{alg:?} {signature:?}");
        }
    }
}

#[tokio::test]
async fn hs256_signed_with_the_public_key() {
    for signer in [Signer::usual(), Signer::new(Algorithm::RS256, "rsa")] {
        let scene = scene(signer).await;
        let jwk = scene.signer.jwk();
        let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap_or_default()).unwrap();
        let secrets = [
            jwk.to_string().into_bytes(),
            number("n"),
            number("x"),
            [vec![4], number("x"), number("y")].concat(),
        ];
        let header = json!({"alg": "HS256", "kid": scene.signer.key_id});
        let message = unsigned(&header, &claims(), "");
        let message = message.trim_end_matches('.');
        for secret in secrets {
            let key = EncodingKey::from_secret(&secret);
            let mac = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
            assert_eq!(scene.play(&format!("{message}.{mac}")).await, Err(TokenError::BadSignature));
        }
    }
}

#[tokio::test]
async fn embedded_jwk() {
    let scene = scene(Signer::usual()).await;
    let attacker = Signer::new(Algorithm::ES256, "usual");
    let mut header = scene.header();
    header["jwk"] = attacker.jwk();
    assert_eq!(scene.play(&attacker.sign(&header, &claims())).await, Err(TokenError::BadSignature));
}

#[tokio::test]
async fn jku_pointing_elsewhere() {
    let scene = scene(Signer::usual()).await;
    let attacker = Signer::new(Algorithm::ES256, "attacker");
    let elsewhere = Double::with_keys(&[&attacker]).await;
    for name in ["jku", "x5u"] {
        let mut header = json!({"alg": "ES256", "kid": "attacker"});
        header[name] = json!(format!("{}/jwks", elsewhere.address));
        assert_eq!(scene.play(&attacker.sign(&header, &claims())).await, Err(TokenError::UnknownKey));
    }
    assert_eq!(elsewhere.count("/jwks"), 0);
}

#[tokio::test]
async fn kid_path_traversal() {
    let scene = scene(Signer::usual()).await;
    let attacker = Signer::new(Algorithm::ES256, "x");
    for kid in ["../../../../dev/null", "/etc/passwd", "usual\0", "' OR 1=1 --", "usual/../usual", "USUAL"] {
        let token = attacker.sign(&json!({"alg": "ES256", "kid": kid}), &claims());
        assert_eq!(scene.play(&token).await, Err(TokenError::UnknownKey), "{kid}");
    }
}

#[tokio::test]
async fn signature_of_another_token() {
    let scene = scene(Signer::usual()).await;
    let own = scene.signer.token(&claims());
    let wanted = scene.signer.token(&claims_with(&json!({"sub": "admin"})));
    let (message, _) = wanted.rsplit_once('.').unwrap();
    let (_, signature) = own.rsplit_once('.').unwrap();
    assert_eq!(scene.play(&format!("{message}.{signature}")).await, Err(TokenError::BadSignature));
    // zeroes: the ECDSA signature that some libraries took for valid (CVE-2022-21449)
    let zeroes = URL_SAFE_NO_PAD.encode([0; 64]);
    assert_eq!(scene.play(&format!("{message}.{zeroes}")).await, Err(TokenError::BadSignature));
}

#[tokio::test]
async fn issuer_of_another_tenant() {
    let (acme, beta) = (scene(Signer::usual()).await, Signer::new(Algorithm::ES256, "usual"));
    let other = Double::with_keys(&[&beta]).await;
    let mut issuer = other.issuer();
    issuer.issuer = "https://id.beta.example".to_owned();
    let beta_policy = policy(vec![issuer]);
    let of_beta = beta.token(&claims_with(&json!({"iss": "https://id.beta.example"})));
    // it is good at home, also after that it is not good elsewhere
    assert!(acme.verifier.verify(&beta_policy, &of_beta, NOW).await.is_ok());
    assert_eq!(acme.play(&of_beta).await, Err(TokenError::UnknownIssuer));
    assert!(acme.verifier.cached(&acme.policy, &of_beta, NOW).is_none());
    // and beta's key under acme's issuer is a forgery
    assert_eq!(acme.play(&beta.token(&claims())).await, Err(TokenError::BadSignature));
}

#[tokio::test]
async fn token_without_exp() {
    let scene = scene(Signer::usual()).await;
    for missing in ["exp", "aud", "iss", "sub"] {
        let token = scene.signer.token(&claims_with(&json!({missing: null})));
        assert_eq!(scene.play(&token).await, Err(TokenError::MissingClaim), "{missing}");
    }
}

#[tokio::test]
async fn audience_confusion() {
    let scene = scene(Signer::usual()).await;
    for aud in [json!("another-client"), json!([]), json!(["portal-admin"]), json!("portal,other")] {
        let token = scene.signer.token(&claims_with(&json!({"aud": aud})));
        assert_eq!(scene.play(&token).await, Err(TokenError::WrongAudience), "{aud}");
    }
    // an ID token of the same issuer for the same client
    let id_token = scene.signer.token(&claims_with(&json!({"at_hash": "abc", "nonce": "n"})));
    assert_eq!(scene.play(&id_token).await, Err(TokenError::WrongAudience));
}

/// GHSA-pm7g-w2cf-q238: an unsigned token inside an encrypted one that anybody can make with the public key.
#[tokio::test]
async fn jwe_wrapped_plain_jwt() {
    let scene = scene(Signer::new(Algorithm::RS256, "rsa")).await;
    let plain = unsigned(&json!({"alg": "none"}), &claims(), "");
    for header in [
        json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", "kid": "rsa"}),
        json!({"alg": "dir", "enc": "A256GCM"}),
        json!({"alg": "RS256", "kid": "rsa", "typ": "JWT", "cty": "JWT"}),
    ] {
        let head = URL_SAFE_NO_PAD.encode(header.to_string());
        let inner = URL_SAFE_NO_PAD.encode(&plain);
        let jwe = format!("{head}.AAAA.AAAA.{inner}.AAAA");
        assert_eq!(scene.play(&jwe).await, Err(TokenError::Malformed), "{header}");
        // three parts: signed for real, but what is signed is a token, not claims
        let nested = scene.signer.sign_text(&header.to_string(), &plain);
        assert!(scene.play(&nested).await.is_err(), "{header}");
    }
}

#[tokio::test]
async fn a_member_named_twice_is_read_by_nobody() {
    let scene = scene(Signer::usual()).await;
    let claims = claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    let token = scene.signer.sign_text(&scene.header().to_string(), &claims);
    assert_eq!(scene.play(&token).await, Err(TokenError::Malformed));
}

#[tokio::test]
async fn huge_nested_json_is_refused_and_costs_nothing() {
    let scene = scene(Signer::usual()).await;
    let deep = format!(r#"{{"iss":{}"#, "[".repeat(40_000));
    let token = scene.signer.sign_text(&scene.header().to_string(), &deep);
    assert_eq!(scene.play(&token).await, Err(TokenError::Malformed));
}

/// A flood of invented key ids must not become a flood of requests to the issuer.
#[tokio::test]
async fn unknown_kid_flood_fetches_once() {
    let scene = scene(Signer::usual()).await;
    assert_eq!(scene.double.count("/jwks"), 1);
    let (verifier, policy) = (&scene.verifier, &scene.policy);
    let flood = |now: u64| {
        let calls = (0..200).map(move |i| {
            let token = unsigned(&json!({"alg": "ES256", "kid": format!("k{i}")}), &claims(), "AAAA");
            async move { verifier.verify(policy, &token, now).await.unwrap_err() }
        });
        futures_util::future::join_all(calls)
    };
    for (now, fetched) in [(NOW + 1, 2), (NOW + 9, 2), (NOW + 20, 3), (NOW + 29, 3)] {
        assert!(flood(now).await.iter().all(|error| *error == TokenError::UnknownKey));
        assert_eq!(scene.double.count("/jwks"), fetched, "{}", now - NOW);
    }
}

/// An issuer may only be believed with algorithms its settings name, whatever its keys could do.
#[tokio::test]
async fn an_algorithm_that_is_not_allowed_here() {
    let signer = Signer::usual();
    let double = Double::with_keys(&[&signer]).await;
    let mut issuer = double.issuer();
    issuer.algorithms = vec![Algorithm::RS256];
    let answer = verifier().verify(&policy(vec![issuer]), &signer.token(&claims()), NOW).await;
    assert_eq!(answer.unwrap_err(), TokenError::BadSignature);
}
