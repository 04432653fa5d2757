//! The full check of a token, in the order in which it is cheapest to refuse and safe to believe.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, OnceLock},
};

use super::{
    TokenError, Verified,
    cache::{Key, TokenCache, digest_of},
    claims::{self, Voucher},
    fetch::HttpClients,
    introspection::Introspector,
    jws::Jws,
    keys::{KeyStatus, Keys, Loaded, Slot},
    keyset::Found,
    object,
};
use crate::{
    config::{TenantPolicy, model::Issuer},
    domain::{audit::TokenOf, identity::User},
};

/// Nothing longer is looked at, whatever a listener lets through.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// Verifies tokens under tenants' policies and remembers what it found.
pub struct Verifier {
    keys: Keys,
    introspector: Introspector,
    cache: TokenCache,
}

/// What an answer rests on: the keys and their generation.
type Basis = Option<(Arc<Slot>, u64)>;

impl Verifier {
    /// `http` is `token::http_clients`; `cache_capacity` is the number of verified tokens kept.
    pub fn new(http: HttpClients, cache_capacity: u64) -> Arc<Self> {
        Arc::new(Self {
            keys: Keys::new(http.clone()),
            introspector: Introspector::new(http),
            cache: TokenCache::new(cache_capacity),
        })
    }

    /// The answer from memory, if there is one. `now` is seconds since the epoch.
    pub fn cached(
        &self,
        policy: &TenantPolicy,
        token: &str,
        now: u64,
    ) -> Option<Result<Arc<Verified>, TokenError>> {
        if token.len() > MAX_TOKEN_BYTES {
            return Some(Err(TokenError::TooLong));
        }
        self.cache.get(&key(policy, token), now)
    }

    /// The full check for a caller on this machine.
    pub async fn verify(
        &self,
        policy: &TenantPolicy,
        token: &str,
        now: u64,
    ) -> Result<Arc<Verified>, TokenError> {
        self.verify_for(IpAddr::V4(Ipv4Addr::LOCALHOST), policy, token, now).await
    }

    /// The full check; remembers the answer. `client` is who sent the token: one client cannot have all questions to an
    /// issuer to itself.
    pub async fn verify_for(
        &self,
        client: IpAddr,
        policy: &TenantPolicy,
        token: &str,
        now: u64,
    ) -> Result<Arc<Verified>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let key = key(policy, token);
        if let Some(known) = self.cache.get(&key, now) {
            return known;
        }
        if super::bearer::is_opaque(token)
            && policy.issuers.iter().any(|issuer| issuer.introspection.is_some())
        {
            self.verify_opaque(&policy.issuers, token, key, client, now).await
        } else {
            self.verify_jwt(&policy.issuers, token, key, client, now).await
        }
    }

    async fn verify_jwt(
        &self,
        issuers: &[Arc<Issuer>],
        token: &str,
        key: Key,
        client: IpAddr,
        now: u64,
    ) -> Result<Arc<Verified>, TokenError> {
        let jws = Jws::parse(token)?;
        let claims = object::parse(&jws.payload).ok_or(TokenError::Malformed)?;
        // the unverified `iss` only selects among the issuers this tenant trusts; `judge` compares it again
        let named =
            claims.get("iss").ok_or(TokenError::MissingClaim)?.as_str().ok_or(TokenError::Malformed)?;
        let issuer = issuers.iter().find(|i| i.issuer == named).ok_or(TokenError::UnknownIssuer)?;
        let Some(slot) = self.keys.of(issuer) else {
            // an issuer without keys that answers questions: its JWTs are opaque to us
            let asked = std::slice::from_ref(issuer);
            return if issuer.introspection.is_some() {
                self.verify_opaque(asked, token, key, client, now).await
            } else {
                Err(TokenError::UnknownIssuer)
            };
        };
        if !issuer.algorithms.contains(&jws.algorithm) {
            return Err(TokenError::BadSignature);
        }
        let (signed, generation) = check_signature(&slot, &jws, now).await;
        let basis = generation.map(|generation| (slot, generation));
        let judged = signed.and_then(|()| claims::judge(&claims, issuer, Voucher::Signature, now));
        match judged {
            Ok(user) => {
                let until = now.saturating_add(issuer.cache_ttl.as_secs());
                Ok(self.remember(key, (issuer, user), basis, now, until))
            }
            Err(error) => {
                self.cache.remember_refused(key, &error, basis, now);
                Err(error)
            }
        }
    }

    /// Asks the issuers that can be asked, in the tenant's order, until one knows the token. That another one cannot be
    /// reached matters only if none does: the token might be its. The tenant's own come last, and only after a clear no.
    async fn verify_opaque(
        &self,
        issuers: &[Arc<Issuer>],
        token: &str,
        key: Key,
        client: IpAddr,
        now: u64,
    ) -> Result<Arc<Verified>, TokenError> {
        let mut nobody_knows = TokenError::Inactive;
        let mut refusal = None;
        for issuer in issuers {
            let Some(settings) = &issuer.introspection else { continue };
            // whom the tenant named may be shown only what is surely nobody else's
            let may_be_anothers = refusal.is_some() || nobody_knows != TokenError::Inactive;
            if issuer.of_tenant_file && may_be_anothers {
                continue;
            }
            let Ok(answer) = self.introspector.ask(issuer, settings, token, key, client, now).await else {
                nobody_knows = TokenError::Unavailable;
                continue;
            };
            let Some(claims) = &answer.claims else { continue };
            match claims::judge(claims, issuer, Voucher::Introspection, now) {
                Ok(user) => return Ok(self.remember(key, (issuer, user), None, now, answer.until)),
                Err(error) => refusal = Some(error),
            }
        }
        Err(refusal.unwrap_or(nobody_knows))
    }

    fn remember(
        &self,
        key: Key,
        (issuer, user): (&Issuer, User),
        basis: Basis,
        now: u64,
        until: u64,
    ) -> Arc<Verified> {
        let until = until.min(user.expires_at);
        let verified = Arc::new(Verified {
            user: Arc::new(user),
            of: TokenOf { issuer: issuer.issuer.clone(), of_tenant_file: issuer.of_tenant_file },
            headers: OnceLock::new(),
            client_state: OnceLock::new(),
        });
        self.cache.remember_verified(key, &verified, basis, now, until);
        verified
    }

    /// Reads the keys of these issuers before the first request needs them; names the sources that could not be read.
    pub async fn preload(&self, issuers: &[Arc<Issuer>], now: u64) -> Vec<String> {
        self.keys.preload(issuers, now).await
    }

    /// Reads key files again: for whoever watches them. (They are also looked at every few seconds of use.)
    pub async fn reload_files(&self, now: u64) {
        self.keys.reload_files(now).await;
    }

    /// The state of every key source, for metrics and the private port.
    pub fn status(&self, now: u64) -> Vec<KeyStatus> {
        self.keys.status(now)
    }

    /// Private authorities of introspection endpoints may be other ones now.
    pub async fn renew_clients(&self) {
        self.introspector.renew_clients().await;
    }

    /// Forgets all answers (not the keys).
    pub fn flush(&self) {
        self.cache.clear();
        self.introspector.clear();
    }
}

fn key(policy: &TenantPolicy, token: &str) -> Key {
    Key { digest: digest_of(token), policy: policy.generation }
}

/// Whether one of the issuer's keys made the signature, and the generation of the keys that were asked.
async fn check_signature(slot: &Arc<Slot>, jws: &Jws<'_>, now: u64) -> (Result<(), TokenError>, Option<u64>) {
    let Ok(loaded) = slot.keys(now).await else { return (Err(TokenError::Unavailable), None) };
    if let Some(verdict) = verdict(&loaded, jws) {
        return (verdict, Some(loaded.generation));
    }
    let Some(loaded) = slot.newer_keys(now).await else { return (Err(TokenError::Unavailable), None) };
    let verdict = verdict(&loaded, jws).unwrap_or_else(|| {
        // the key may exist; it is the issuer that cannot be asked
        Err(if slot.is_failing() { TokenError::Unavailable } else { TokenError::UnknownKey })
    });
    (verdict, Some(loaded.generation))
}

/// `None`: these keys do not know the token's.
fn verdict(loaded: &Loaded, jws: &Jws<'_>) -> Option<Result<(), TokenError>> {
    match loaded.set.find(jws.key_id.as_deref(), jws.algorithm) {
        Found::Key(key) => {
            Some(key.verify_sig(jws.signed, &jws.signature).map_err(|_| TokenError::BadSignature))
        }
        Found::Unfit => Some(Err(TokenError::BadSignature)),
        Found::Nothing => None,
    }
}
