//! Credentials of HTTP Basic come with every request, many at a time. The same ones again at the same time are no new attempt, and
//! counting each would lock out a user who opens a page of many parts: so concurrent requests with the same credentials share
//! one reservation (`shared_attempt`), and those that the portal has accepted need none for half a minute.
//!
//! Only a hash is stored, under a key that only this process has.

use std::{
    future::Future,
    sync::{Arc, Weak},
    time::Duration,
};

use http::HeaderValue;
use moka::sync::Cache;
use tokio::{sync::Mutex, time::timeout};

use super::shared_attempt::{AttemptShare, SharedAttempt};
use crate::{
    account::{CountingFault, PortalLoginRefusal},
    crypto::{HmacKey, random_bytes},
    domain::tenant::TenantId,
};

const TTL: Duration = Duration::from_secs(30);
const CAPACITY: u64 = 10_000;
/// How long a request waits for the reservation of another one with the same credentials.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) type CredentialDigest = [u8; 32];

/// `R` is a reservation.
pub(super) struct BasicCredentials<R: Send + 'static> {
    key: HmacKey,
    verified: Cache<CredentialDigest, ()>,
    in_flight: Cache<CredentialDigest, Arc<Mutex<Weak<SharedAttempt<R>>>>>,
}

impl<R: Send + 'static> Default for BasicCredentials<R> {
    fn default() -> Self {
        // without randomness there is no TLS either; a predictable key does less harm than a failed request
        let secret = random_bytes().unwrap_or_default();
        Self {
            key: HmacKey::new(&secret),
            verified: Cache::builder().max_capacity(CAPACITY).time_to_live(TTL).build(),
            in_flight: Cache::builder().max_capacity(CAPACITY).time_to_idle(TTL).build(),
        }
    }
}

impl<R: Send + 'static> BasicCredentials<R> {
    /// `counting_tenant`: the tenant whose counters apply.
    pub fn digest(
        &self,
        tenant: &TenantId,
        counting_tenant: &TenantId,
        credentials: &HeaderValue,
    ) -> CredentialDigest {
        let parts = [tenant.as_str().as_bytes(), counting_tenant.as_str().as_bytes(), credentials.as_bytes()];
        self.key.tag(&parts.join(&b"\0"[..]))
    }

    /// A share of the attempt in progress with these credentials, or of a new one; `None` if the credentials were accepted
    /// before. Concurrent callers wait for the reservation only.
    pub async fn join(
        &self,
        digest: &CredentialDigest,
        reserve: impl Future<Output = Result<R, PortalLoginRefusal>>,
    ) -> Result<Option<AttemptShare<R>>, PortalLoginRefusal> {
        if self.verified.contains_key(digest) {
            return Ok(None);
        }
        let in_flight = self.in_flight.get_with(*digest, Arc::default);
        let Ok(mut attempt) = timeout(LOCK_TIMEOUT, in_flight.lock()).await else {
            return Err(CountingFault::Timeout.into());
        };
        if self.verified.contains_key(digest) {
            return Ok(None);
        }
        if let Some(share) = AttemptShare::of(&attempt) {
            return Ok(Some(share));
        }
        let share = AttemptShare::new(reserve.await?);
        *attempt = share.downgrade();
        Ok(Some(share))
    }

    pub fn record_verification(&self, digest: &CredentialDigest, is_correct: bool) {
        if is_correct {
            self.verified.insert(*digest, ());
        } else {
            self.verified.invalidate(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const ALEX: CredentialDigest = [1; 32];

    #[tokio::test(start_paused = true)]
    async fn concurrent_requests_with_same_credentials_share_reservation() {
        let known = BasicCredentials::<u8>::default();
        let one = known.join(&ALEX, ready(Ok(1))).await.unwrap().unwrap();
        let other = known.join(&ALEX, ready(Ok(2))).await.unwrap().unwrap();
        assert_eq!((one.take(), other.take()), (Some(1), None), "the reservation is taken once");
        let later = known.join(&ALEX, ready(Ok(3))).await.unwrap().unwrap();
        assert_eq!(later.take(), Some(3), "a later request is an attempt of its own");
        let refused = known.join(&ALEX, ready(Err(PortalLoginRefusal::Refused))).await;
        assert!(matches!(refused.err(), Some(PortalLoginRefusal::Refused)));
        known.record_verification(&ALEX, true);
        assert!(known.join(&ALEX, pending()).await.unwrap().is_none());
        known.record_verification(&ALEX, false);
        assert!(known.join(&ALEX, ready(Ok(4))).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_waiting_if_the_store_does_not_answer() {
        let known = Arc::new(BasicCredentials::<u8>::default());
        let (first, stuck) = (Arc::clone(&known), [2; 32]);
        let holding = tokio::spawn(async move { first.join(&stuck, pending()).await.err() });
        tokio::task::yield_now().await;
        let late = known.join(&stuck, ready(Ok(1))).await.err();
        assert!(matches!(late, Some(PortalLoginRefusal::Uncounted(CountingFault::Timeout))), "{late:?}");
        assert!(known.join(&ALEX, ready(Ok(1))).await.is_ok(), "other credentials are not affected");
        holding.abort();
    }
}
