//! Verifies a token, in the order in which it is cheapest to refuse and safe to accept.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, OnceLock},
};

use aws_lc_rs::signature::ParsedPublicKey;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use serde_json::Value;

use super::{
    TokenError, VerifiedToken,
    cache::{KeyGeneration, TokenCache, TokenKey, digest_token},
    claims::{self, ClaimsSource},
    fetch::HttpClients,
    introspection::Introspector,
    jws::Jws,
    key_set::KeyMatch,
    key_set_cache::{CachedKeySet, KeySetCache, KeyStatus, LoadedKeySet},
    mismatch, strict_json,
};
use crate::{
    config::{TenantPolicy, model::Issuer},
    domain::{audit::TokenIssuer, identity::User, time::Timestamp},
};

/// Longer tokens are refused at once, whatever a listener accepts.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// A token that a client presents.
#[derive(Clone, Copy)]
pub(super) struct PresentedToken<'a> {
    pub token: &'a str,
    pub key: TokenKey,
    /// The client, whose introspection requests are limited.
    pub client: IpAddr,
    pub now: Timestamp,
}

impl VerifiedToken {
    fn new(issuer: &Issuer, user: User) -> Self {
        Self {
            user: Arc::new(user),
            source: TokenIssuer {
                issuer: issuer.issuer.clone(),
                is_tenant_defined: issuer.is_tenant_defined,
            },
            headers: OnceLock::new(),
            client_state: OnceLock::new(),
        }
    }
}

/// Verifies tokens under tenants' policies and caches the results.
pub struct Verifier {
    keys: KeySetCache,
    introspector: Introspector,
    cache: TokenCache,
}

impl Verifier {
    /// `http` is `token::http_clients`; `cache_capacity` is the maximum number of cached tokens.
    pub fn new(http: HttpClients, cache_capacity: u64) -> Arc<Self> {
        Arc::new(Self {
            keys: KeySetCache::new(http.clone()),
            introspector: Introspector::new(http),
            cache: TokenCache::new(cache_capacity),
        })
    }

    /// The cached result, if there is one.
    pub fn cached(
        &self,
        policy: &TenantPolicy,
        token: &str,
        now: Timestamp,
    ) -> Option<Result<Arc<VerifiedToken>, TokenError>> {
        if token.len() > MAX_TOKEN_BYTES {
            return Some(Err(TokenError::TooLong));
        }
        self.cache.get(&cache_key(policy, token), now)
    }

    /// Verifies a token for a caller on this machine.
    pub async fn verify(
        &self,
        policy: &TenantPolicy,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<VerifiedToken>, TokenError> {
        self.verify_for(IpAddr::V4(Ipv4Addr::LOCALHOST), policy, token, now).await
    }

    /// Verifies a token and caches the result. `client` sent the token: one client cannot use up all introspection requests to an
    /// issuer.
    pub async fn verify_for(
        &self,
        client: IpAddr,
        policy: &TenantPolicy,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<VerifiedToken>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let key = cache_key(policy, token);
        if let Some(known) = self.cache.get(&key, now) {
            return known;
        }
        let presented = PresentedToken { token, key, client, now };
        if super::bearer::is_opaque(token)
            && policy.issuers.iter().any(|issuer| issuer.introspection.is_some())
        {
            self.verify_opaque(&policy.issuers, presented).await
        } else {
            self.verify_jwt(&policy.issuers, presented).await
        }
    }

    async fn verify_jwt(
        &self,
        issuers: &[Arc<Issuer>],
        presented: PresentedToken<'_>,
    ) -> Result<Arc<VerifiedToken>, TokenError> {
        let PresentedToken { token, key, now, .. } = presented;
        let jws = Jws::parse(token)?;
        let claims = strict_json::parse_object(&jws.payload).ok_or(TokenError::Malformed)?;
        // the unverified `iss` only selects among the issuers this tenant trusts; `evaluate` compares it again
        let named =
            claims.get("iss").ok_or(TokenError::MissingClaim)?.as_str().ok_or(TokenError::Malformed)?;
        let issuer = issuers.iter().find(|i| i.issuer == named).ok_or(TokenError::UnknownIssuer)?;
        let Some(key_set) = self.keys.for_issuer(issuer) else {
            // an issuer with introspection but without keys: its JWTs are opaque here
            let asked = std::slice::from_ref(issuer);
            return if issuer.introspection.is_some() {
                self.verify_opaque(asked, presented).await
            } else {
                Err(TokenError::UnknownIssuer)
            };
        };
        if !issuer.algorithms.contains(&jws.algorithm) {
            return Err(TokenError::BadSignature);
        }
        let (signed, generation) = check_signature(&key_set, &jws, now).await;
        let keys = generation.map(|generation| KeyGeneration { keys: key_set, generation });
        let evaluated = signed.and_then(|()| claims::evaluate(&claims, issuer, ClaimsSource::Signature, now));
        match evaluated {
            Ok(user) => {
                let until = now + issuer.cache_ttl;
                let verified = Arc::new(VerifiedToken::new(issuer, user));
                self.cache.insert_verified(key, &verified, keys, now, until);
                Ok(verified)
            }
            Err(error) => {
                self.cache.insert_refused(key, &error, keys, now);
                Err(error)
            }
        }
    }

    /// Introspects the token at the tenant's issuers in order, until one knows it. An unreachable issuer
    /// matters only if no other knows the token. The tenant's own come last, and only if all others report it inactive.
    async fn verify_opaque(
        &self,
        issuers: &[Arc<Issuer>],
        presented: PresentedToken<'_>,
    ) -> Result<Arc<VerifiedToken>, TokenError> {
        let PresentedToken { key, now, .. } = presented;
        let mut default_error = TokenError::Inactive;
        let mut refusal = None;
        for issuer in issuers {
            let Some(settings) = &issuer.introspection else { continue };
            // a tenant's own endpoint must not see a token that may belong to another issuer
            let may_belong_to_another_issuer = refusal.is_some() || default_error != TokenError::Inactive;
            if issuer.is_tenant_defined && may_belong_to_another_issuer {
                continue;
            }
            let Ok(answer) = self.introspector.introspect(issuer, settings, presented).await else {
                default_error = TokenError::Unavailable;
                continue;
            };
            let Some(claims) = &answer.claims else { continue };
            match claims::evaluate(claims, issuer, ClaimsSource::Introspection, now) {
                Ok(user) => {
                    let verified = Arc::new(VerifiedToken::new(issuer, user));
                    self.cache.insert_verified(key, &verified, None, now, answer.validity.expires_at);
                    return Ok(verified);
                }
                Err(error) => refusal = Some(error),
            }
        }
        Err(refusal.unwrap_or(default_error))
    }

    /// Loads the keys of these issuers before the first request needs them; returns the sources that could not be read.
    pub async fn preload(&self, issuers: &[Arc<Issuer>], now: Timestamp) -> Vec<String> {
        self.keys.preload(issuers, now).await
    }

    /// Refreshes key files: called by the file watcher. (They are also refreshed every few seconds of use.)
    pub async fn reload_files(&self, now: Timestamp) {
        self.keys.reload_files(now).await;
    }

    /// The state of every key source, for metrics and the private port.
    pub fn status(&self, now: Timestamp) -> Vec<KeyStatus> {
        self.keys.status(now)
    }

    /// Reads the CA files of introspection endpoints again.
    pub async fn renew_clients(&self) {
        self.introspector.renew_clients().await;
    }

    /// Drops all cached results (not the keys).
    pub fn flush(&self) {
        self.cache.clear();
        self.introspector.clear();
    }
}

/// Whether a token that was rejected because of `error` belongs to another service: its unverified claims name none of the
/// policy's issuers, or none of them knows it. Whatever else is wrong with a token that may name one of them (its form, its
/// algorithm, a claim that is there twice), it is Doorward's: a portal could read it less strictly.
pub fn is_of_other_issuer(policy: &TenantPolicy, token: &str, error: &TokenError) -> bool {
    let payload = token.split('.').nth(1).map(decode_leniently).unwrap_or_default();
    let is_object =
        payload.trim_ascii_start().strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload.trim_ascii_start());
    if is_object.trim_ascii_start().first() == Some(&b'{') {
        let claims = strict_json::parse_object(&payload);
        let Some(Value::String(named)) = claims.as_ref().and_then(|claims| claims.get("iss")) else {
            return false;
        };
        return !policy.issuers.iter().any(|issuer| issuer.issuer == *named);
    }
    !super::bearer::is_opaque(token) || matches!(error, TokenError::Inactive | TokenError::Malformed)
}

/// Base64 as the most tolerant reader decodes it: either alphabet, any padding, other characters left out.
fn decode_leniently(part: &str) -> Vec<u8> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let letters = part.bytes().filter_map(|byte| match byte {
        b'+' => Some('-'),
        b'/' => Some('_'),
        b'-' | b'_' => Some(char::from(byte)),
        _ => byte.is_ascii_alphanumeric().then_some(char::from(byte)),
    });
    let mut letters: String = letters.collect();
    if letters.len() % 4 == 1 {
        letters.pop();
    }
    GeneralPurpose::new(&alphabet::URL_SAFE, config).decode(letters).unwrap_or_default()
}

fn payload_of(token: &str) -> Option<Vec<u8>> {
    token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok())
}

/// The values of a rejected JWT, and those that the policy expects, by its unverified claims.
pub fn describe_mismatch(policy: &TenantPolicy, token: &str, error: &TokenError) -> Option<String> {
    let claims = strict_json::parse_object(&payload_of(token)?)?;
    mismatch::describe(&claims, &policy.issuers, error)
}

fn cache_key(policy: &TenantPolicy, token: &str) -> TokenKey {
    TokenKey { digest: digest_token(token), policy: policy.generation }
}

/// Whether one of the issuer's keys verifies the signature, and the generation of the keys that were used.
async fn check_signature(
    key_set: &Arc<CachedKeySet>,
    jws: &Jws<'_>,
    now: Timestamp,
) -> (Result<(), TokenError>, Option<u64>) {
    let Ok(loaded) = key_set.keys(now).await else { return (Err(TokenError::Unavailable), None) };
    if let Ok(verdict) = verify_with(&loaded, jws) {
        return (verdict, Some(loaded.generation));
    }
    let Some(loaded) = key_set.refreshed_keys(now).await else { return (Err(TokenError::Unavailable), None) };
    let verdict = verify_with(&loaded, jws).unwrap_or_else(|NoNamedKey { were_keys_tried }| {
        Err(match were_keys_tried {
            true => TokenError::BadSignature,
            // the key may exist; the issuer cannot be reached
            false if key_set.is_failing() => TokenError::Unavailable,
            false => TokenError::UnknownKey,
        })
    });
    (verdict, Some(loaded.generation))
}

/// The set has no key that the token names, and the keys it does not name do not verify it: the set may be out of date.
struct NoNamedKey {
    were_keys_tried: bool,
}

fn verify_with(loaded: &LoadedKeySet, jws: &Jws<'_>) -> Result<Result<(), TokenError>, NoNamedKey> {
    let verifies =
        |keys: &[&ParsedPublicKey]| keys.iter().any(|key| key.verify_sig(jws.signed, &jws.signature).is_ok());
    match loaded.set.find(jws.key_id.as_deref(), jws.algorithm) {
        KeyMatch::Named(keys) | KeyMatch::Unnamed(keys) if verifies(&keys) => Ok(Ok(())),
        KeyMatch::Named(_) => Ok(Err(TokenError::BadSignature)),
        KeyMatch::Unnamed(keys) => Err(NoNamedKey { were_keys_tried: !keys.is_empty() }),
    }
}
