//! The cost of a token: its first verification, and its lookup in the cache.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::{collections::BTreeMap, hint::black_box, path::Path};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use criterion::{Criterion, criterion_group, criterion_main};
use doorward::internals::{
    config::{
        TenantPolicy, load,
        tenant_file::{self, TenantConf},
    },
    domain::{tenant::TenantId, time::Timestamp},
    token::{Verifier, http_clients},
};
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};

const NOW_SECONDS: u64 = 1_800_000_000;
const NOW: Timestamp = Timestamp::from_seconds(NOW_SECONDS);

fn key(algorithm: Algorithm) -> (EncodingKey, Value) {
    let random = SystemRandom::new();
    let (key, point) = match algorithm {
        Algorithm::RS256 => {
            let der: Pkcs8V1Der<'_> =
                rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap().as_der().unwrap();
            let text = STANDARD.encode(der.as_ref());
            let lines: Vec<&str> =
                text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let pem =
                format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
            (EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(), None)
        }
        Algorithm::ES256 => {
            let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            (EncodingKey::from_ec_der(der.as_ref()), None)
        }
        _ => {
            let der = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
            let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
            (EncodingKey::from_ed_der(der.as_ref()), Some(URL_SAFE_NO_PAD.encode(pair.public_key().as_ref())))
        }
    };
    let mut jwk = match point {
        Some(x) => json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
        None => serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap(),
    };
    if let Some(members) = jwk.as_object_mut() {
        members.insert("kid".to_owned(), json!("bench"));
    }
    (key, jwk)
}

fn token(key: &EncodingKey, algorithm: Algorithm, number: usize) -> String {
    let header = json!({"alg": format!("{algorithm:?}"), "typ": "at+jwt", "kid": "bench"});
    // about the size of what WSO2 issues
    let claims = json!({
        "iss": "https://id.example", "aud": "portal", "sub": "ann@acme.com", "exp": NOW_SECONDS + 3600, "iat": NOW_SECONDS, "nbf": NOW_SECONDS,
        "azp": "yEXP2hF8c0KcOEUZwFJwaSzUQqQa", "jti": number, "binding_type": "sso-session",
        "scope": "apim:subscribe openid apim:app_manage apim:sub_manage apim:store_settings apim:sub_alert_manage",
    });
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    format!("{message}.{}", jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap())
}

/// The policy of a tenant without a file if `deployment.toml` names this issuer.
fn policy(keys: &Path, algorithm: Algorithm) -> TenantPolicy {
    let keys = toml::Value::from(keys.display().to_string());
    let text = format!(
        "[[portal.upstream]]\nurl = \"http://127.0.0.1:9\"\n\
         [[issuer]]\nissuer = \"https://id.example\"\naudiences = [\"portal\"]\njwks_file = {keys}\n\
         algorithms = [\"{algorithm:?}\"]\nrequired_scopes = [\"apim:subscribe\"]\n"
    );
    let settings = load::parse(&text, Path::new("deployment.toml"), &BTreeMap::new()).unwrap();
    tenant_file::resolve(&settings, &TenantId::super_tenant(), &TenantConf::default(), 1)
}

fn token_costs(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let (key, jwk) = key(algorithm);
        let path = folder.path().join(format!("{algorithm:?}.json"));
        std::fs::write(&path, jwk.to_string()).unwrap();
        let mut policy = policy(&path, algorithm);
        let verifier = Verifier::new(http_clients(&[]).unwrap(), 20_000);
        let one = token(&key, algorithm, 0);
        runtime.block_on(async {
            assert!(verifier.preload(&policy.issuers, NOW).await.is_empty());
            criterion.bench_function(&format!("cold {algorithm:?}"), |bencher| {
                bencher.iter(|| {
                    // another policy: its cache is empty
                    policy.generation += 1;
                    let answer = futures_util::FutureExt::now_or_never(verifier.verify(&policy, &one, NOW));
                    assert!(black_box(answer).unwrap().is_ok());
                });
            });
        });
        if algorithm != Algorithm::RS256 {
            continue;
        }
        for count in [1, 10_000] {
            let tokens: Vec<String> = (0..count).map(|number| token(&key, algorithm, number)).collect();
            runtime.block_on(async {
                verifier.flush();
                for token in &tokens {
                    assert!(verifier.verify(&policy, token, NOW).await.is_ok());
                }
            });
            let mut next = tokens.iter().cycle();
            criterion.bench_function(&format!("cached, {count} tokens of {} bytes", one.len()), |bencher| {
                bencher.iter(|| {
                    let token = next.next().unwrap();
                    black_box(verifier.cached(&policy, token, NOW)).unwrap().is_ok()
                });
            });
        }
    }
}

criterion_group!(benches, token_costs);
criterion_main!(benches);
