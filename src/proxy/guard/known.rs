//! Credentials of HTTP Basic come with every request, many at a time. The same ones again at the same time are no new guess, and
//! counting each would lock out whoever opens a page of many parts: so all that are under way with the same credentials share
//! one reservation (`shared`), and those the portal was seen to find right need none for half a minute.
//!
//! Kept is a hash under a key that only this process has.

use std::{
    future::Future,
    sync::{Arc, Weak},
    time::Duration,
};

use aws_lc_rs::{hmac, rand};
use http::HeaderValue;
use moka::sync::Cache;
use tokio::{sync::Mutex, time::timeout};

use super::shared::{Guess, Share};
use crate::{account::NotForwarded, domain::tenant::TenantId};

const TTL: Duration = Duration::from_secs(30);
const CAPACITY: u64 = 10_000;
/// How long a request waits for another one with the same credentials to be counted.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) type Digest = [u8; 32];

/// `R` is a reservation.
pub(super) struct Known<R: Send + 'static> {
    key: hmac::Key,
    right: Cache<Digest, ()>,
    under_way: Cache<Digest, Arc<Mutex<Weak<Guess<R>>>>>,
}

impl<R: Send + 'static> Default for Known<R> {
    fn default() -> Self {
        let mut secret = [0; 32];
        // without randomness there is no TLS either; a key nobody else knows matters less than to go on
        let _ = rand::fill(&mut secret);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            right: Cache::builder().max_capacity(CAPACITY).time_to_live(TTL).build(),
            under_way: Cache::builder().max_capacity(CAPACITY).time_to_idle(TTL).build(),
        }
    }
}

impl<R: Send + 'static> Known<R> {
    /// `door`: whose counters they count on.
    pub fn digest(&self, tenant: &TenantId, door: &TenantId, credentials: &HeaderValue) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [tenant.as_str(), door.as_str()] {
            context.update(part.as_bytes());
            context.update(b"\0");
        }
        context.update(credentials.as_bytes());
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        digest
    }

    /// A share of the guess that is under way with these credentials, or of a new one; `None` where they are right, as far
    /// as anybody knows. Whoever comes at the same moment waits for nothing but the counting.
    pub async fn join(
        &self,
        digest: &Digest,
        reserve: impl Future<Output = Result<R, NotForwarded>>,
    ) -> Result<Option<Share<R>>, NotForwarded> {
        if self.right.contains_key(digest) {
            return Ok(None);
        }
        let under_way = self.under_way.get_with(*digest, Arc::default);
        let Ok(mut guess) = timeout(PATIENCE, under_way.lock()).await else {
            return Err(NotForwarded::Unavailable);
        };
        if self.right.contains_key(digest) {
            return Ok(None);
        }
        if let Some(share) = Share::of(&guess) {
            return Ok(Some(share));
        }
        let share = Share::new(reserve.await?);
        *guess = share.downgrade();
        Ok(Some(share))
    }

    pub fn learn(&self, digest: &Digest, is_right: bool) {
        if is_right {
            self.right.insert(*digest, ());
        } else {
            self.right.invalidate(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const ALEX: Digest = [1; 32];

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_with_the_same_credentials_shares_one_reservation() {
        let known = Known::<u8>::default();
        let one = known.join(&ALEX, ready(Ok(1))).await.unwrap().unwrap();
        let other = known.join(&ALEX, ready(Ok(2))).await.unwrap().unwrap();
        assert_eq!((one.settle(), other.settle()), (Some(1), None), "the guess is settled once");
        let later = known.join(&ALEX, ready(Ok(3))).await.unwrap().unwrap();
        assert_eq!(later.settle(), Some(3), "what comes after that is a guess of its own");
        let refused = known.join(&ALEX, ready(Err(NotForwarded::Refused))).await;
        assert_eq!(refused.err(), Some(NotForwarded::Refused));
        known.learn(&ALEX, true);
        assert!(known.join(&ALEX, pending()).await.unwrap().is_none());
        known.learn(&ALEX, false);
        assert!(known.join(&ALEX, ready(Ok(4))).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_behind_a_store_that_does_not_answer() {
        let known = Arc::new(Known::<u8>::default());
        let (first, stuck) = (Arc::clone(&known), [2; 32]);
        let holding = tokio::spawn(async move { first.join(&stuck, pending()).await.err() });
        tokio::task::yield_now().await;
        assert_eq!(known.join(&stuck, ready(Ok(1))).await.err(), Some(NotForwarded::Unavailable));
        assert!(known.join(&ALEX, ready(Ok(1))).await.is_ok(), "others are not concerned");
        holding.abort();
    }
}
