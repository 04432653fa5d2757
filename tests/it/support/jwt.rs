//! Tokens, good and bad: starts from a good one, each method breaks or changes one thing.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};

use super::keys::SigningKey;

#[derive(Clone)]
pub struct Token {
    key: SigningKey,
    header: Header,
    claims: Map<String, Value>,
}

/// Seconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Token {
    pub fn new(issuer: &str, audience: &str, key: &SigningKey) -> Self {
        let mut header = Header::new(key.algorithm);
        header.kid = Some(key.id.clone());
        let claims = json!({
            "iss": issuer, "aud": audience, "sub": "ann", "iat": now(), "exp": now() + 3600, "scope": "apim:subscribe",
        });
        let Value::Object(claims) = claims else { unreachable!("an object was written") };
        Self { key: key.clone(), header, claims }
    }

    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    pub fn subject(self, name: &str) -> Self {
        self.claim("sub", name)
    }

    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    pub fn expires_in(self, seconds: u64) -> Self {
        self.claim("exp", now() + seconds)
    }

    pub fn expired(self) -> Self {
        self.claim("exp", now() - 3600)
    }

    pub fn kid(mut self, kid: Option<&str>) -> Self {
        self.header.kid = kid.map(str::to_owned);
        self
    }

    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.key = key.clone();
        self.header.alg = key.algorithm;
        self
    }

    /// Brings its own key along, as if the verifier had asked for one.
    pub fn embedding_its_own_key(mut self) -> Self {
        self.header.jwk = Some(self.key.jwk.clone());
        self
    }

    pub fn sign(&self) -> String {
        jsonwebtoken::encode(&self.header, &self.claims, &self.key.private).unwrap()
    }

    /// `alg: none`, no signature.
    pub fn unsigned(&self) -> String {
        let header = json!({"alg": "none", "typ": "JWT", "kid": self.header.kid});
        format!("{}.{}.", base64url(header.to_string().as_bytes()), self.payload())
    }

    /// These claims under a signature that no private key made.
    pub fn forged(&self, algorithm: &str, key_id: &str, signature: &[u8]) -> String {
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": key_id});
        format!("{}.{}.{}", base64url(header.to_string().as_bytes()), self.payload(), base64url(signature))
    }

    /// HMAC with the issuer's public key as the secret.
    pub fn hmac_with_the_public_key(mut self) -> String {
        self.header.alg = Algorithm::HS256;
        let secret = EncodingKey::from_secret(self.key.public_pem.as_bytes());
        jsonwebtoken::encode(&self.header, &self.claims, &secret).unwrap()
    }

    /// Other claims under the signature of the good ones.
    pub fn with_claims_swapped_after_signing(&self, name: &str, value: impl Into<Value>) -> String {
        let signed = self.sign();
        let mut parts = signed.split('.');
        let (header, signature) = (parts.next().unwrap(), parts.nth(1).unwrap());
        format!("{header}.{}.{signature}", self.clone().claim(name, value).payload())
    }

    fn payload(&self) -> String {
        base64url(Value::Object(self.claims.clone()).to_string().as_bytes())
    }
}

pub fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for letter in 0..=chunk.len() {
            text.push(char::from(LETTERS[(word >> (18 - 6 * letter)) as usize & 63]));
        }
    }
    text
}

#[test]
fn base64url_has_no_padding() {
    for (plain, encoded) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("\u{3ff}>?", "z78-Pw")] {
        assert_eq!(base64url(plain.as_bytes()), encoded);
    }
}

#[test]
fn a_token_verifies_under_its_key_and_its_forgeries_do_not() {
    use jsonwebtoken::{DecodingKey, Validation, decode};
    for key in [SigningKey::rsa("k", 0), SigningKey::ec("k"), SigningKey::ed25519("k")] {
        let token = Token::new("https://idp.test", "portal", &key);
        let mut rules = Validation::new(key.algorithm);
        rules.set_audience(&["portal"]);
        rules.set_issuer(&["https://idp.test"]);
        let verifies =
            |token: &str| decode::<Value>(token, &DecodingKey::from_jwk(&key.jwk).unwrap(), &rules).is_ok();
        assert!(verifies(&token.sign()), "{:?}", key.algorithm);
        assert!(!verifies(&token.clone().expired().sign()));
        assert!(!verifies(&token.unsigned()));
        assert!(!verifies(&token.with_claims_swapped_after_signing("sub", "eve")));
        assert!(!verifies(&token.clone().hmac_with_the_public_key()));
    }
}
