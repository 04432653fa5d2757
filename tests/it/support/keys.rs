//! Signing keys of the three families, made once for a test run: an RSA key takes a while.

use std::sync::LazyLock;

use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SignatureAlgorithm};
use serde_json::json;

use super::jwt::base64url;

/// A private key with its public half as a JWK.
#[derive(Clone)]
pub struct SigningKey {
    pub id: String,
    pub algorithm: Algorithm,
    pub private: EncodingKey,
    /// The public key as PEM, which an attacker may use as an HMAC secret.
    pub public_pem: String,
    pub jwk: Jwk,
}

static RSA: LazyLock<[KeyPair; 2]> = LazyLock::new(|| {
    [(); 2].map(|()| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap())
});

impl SigningKey {
    /// `which` is 0 or 1: there are two RSA keys in a test run.
    pub fn rsa(id: &str, which: usize) -> Self {
        let key = &RSA[which];
        Self::of(id, Algorithm::RS256, key, EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()))
    }

    pub fn ec(id: &str) -> Self {
        let key = fresh(&PKCS_ECDSA_P256_SHA256);
        Self::of(id, Algorithm::ES256, &key, EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()))
    }

    pub fn ed25519(id: &str) -> Self {
        let key = fresh(&PKCS_ED25519);
        Self::of(id, Algorithm::EdDSA, &key, EncodingKey::from_ed_pem(key.serialize_pem().as_bytes()))
    }

    fn of(
        id: &str,
        algorithm: Algorithm,
        key: &KeyPair,
        private: jsonwebtoken::errors::Result<EncodingKey>,
    ) -> Self {
        let private = private.unwrap();
        let mut jwk = match algorithm {
            // the newer PKCS #8 form of these keys is not understood by `from_encoding_key`
            Algorithm::EdDSA => {
                let x = base64url(key.public_key_raw());
                serde_json::from_value(json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x }))
                    .unwrap()
            }
            _ => Jwk::from_encoding_key(&private, algorithm).unwrap(),
        };
        jwk.common.key_id = Some(id.to_owned());
        Self { id: id.to_owned(), algorithm, private, public_pem: key.public_key_pem(), jwk }
    }
}

fn fresh(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}
