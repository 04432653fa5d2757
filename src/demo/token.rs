//! The portal's own tokens: an ES256 key made at start, the access tokens it signs, the key set it publishes.

use std::time::Duration;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// `iss` of every token of the sample portal.
pub const ISSUER: &str = "https://sample-portal.example/oauth2/token";

/// `aud` of every token of the sample portal.
pub const AUDIENCE: &str = "doorward-demo";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub tenant: String,
    pub name: String,
    pub email: String,
    pub roles: Vec<String>,
    pub scope: String,
    pub iat: u64,
    pub exp: u64,
    pub jti: String,
}

pub struct SigningKeys {
    id: String,
    private: EncodingKey,
    public: Jwk,
}

impl SigningKeys {
    pub fn generate() -> anyhow::Result<Self> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| anyhow::anyhow!("no key could be made"))?;
        let private = EncodingKey::from_ec_der(document.as_ref());
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256)?;
        let id = format!("sample-{:08x}", fastrand::u32(..));
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { id, private, public })
    }

    pub fn mint(
        &self,
        user: &str,
        tenant: &str,
        now: Timestamp,
        lifetime: Duration,
    ) -> anyhow::Result<String> {
        let mut display = user.to_owned();
        if let Some(first) = display.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.to_owned(),
            tenant: tenant.to_owned(),
            name: display,
            email: format!("{user}@{tenant}"),
            roles: vec!["Internal/everyone".to_owned(), "Internal/subscriber".to_owned()],
            scope: "openid apim:subscribe apim:app_manage apim:sub_manage".to_owned(),
            iat: now.as_seconds(),
            exp: (now + lifetime).as_seconds(),
            jti: format!("{:016x}", fastrand::u64(..)),
        };
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.id.clone());
        header.typ = Some("at+jwt".to_owned());
        Ok(jsonwebtoken::encode(&header, &claims, &self.private)?)
    }

    pub fn public_set(&self) -> String {
        serde_json::to_string(&JwkSet { keys: vec![self.public.clone()] }).unwrap_or_default()
    }

    /// The portal's own check of a token that reaches it.
    pub fn verify(&self, token: &str) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        let key = DecodingKey::from_jwk(&self.public).ok()?;
        jsonwebtoken::decode(token, &key, &validation).ok().map(|token| token.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_token_is_accepted_by_its_own_key_only() {
        let (keys, now) = (SigningKeys::generate().unwrap(), Clock::system().now());
        let token = keys.mint("alice", "closed.example", now, Duration::from_mins(1)).unwrap();
        let claims = keys.verify(&token).unwrap();
        assert_eq!((claims.sub.as_str(), claims.tenant.as_str()), ("alice", "closed.example"));
        assert!(SigningKeys::generate().unwrap().verify(&token).is_none());
        let expired = keys
            .mint("alice", "closed.example", now - Duration::from_hours(1), Duration::from_mins(1))
            .unwrap();
        assert!(keys.verify(&expired).is_none());
    }

    #[test]
    fn the_key_set_has_no_private_part() {
        let set: serde_json::Value =
            serde_json::from_str(&SigningKeys::generate().unwrap().public_set()).unwrap();
        assert_eq!(set["keys"][0]["kty"], "EC");
        assert_eq!(set["keys"][0]["alg"], "ES256");
        assert!(set["keys"][0].get("d").is_none());
    }
}
