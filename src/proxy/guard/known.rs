//! Credentials of HTTP Basic come with every request, many at a time. The same ones again are no new guess, and counting each
//! would lock out whoever opens a page of many parts: so they take their turns, and those the portal was seen to find right
//! need not for half a minute.
//!
//! Kept is a hash under a key that only this process has.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::{hmac, rand};
use http::HeaderValue;
use moka::sync::Cache;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::domain::tenant::TenantId;

const TTL: Duration = Duration::from_secs(30);
const CAPACITY: u64 = 10_000;

pub(super) type Digest = [u8; 32];

pub(super) struct Known {
    key: hmac::Key,
    taken: Cache<Digest, ()>,
    /// Requests with credentials that are being looked at wait for each other.
    turns: Cache<Digest, Arc<Mutex<()>>>,
}

impl Default for Known {
    fn default() -> Self {
        let mut secret = [0; 32];
        // without randomness there is no TLS either; a key nobody else knows matters less than to go on
        let _ = rand::fill(&mut secret);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            taken: Cache::builder().max_capacity(CAPACITY).time_to_live(TTL).build(),
            turns: Cache::builder().max_capacity(CAPACITY).time_to_idle(TTL).build(),
        }
    }
}

impl Known {
    pub fn digest(&self, tenant: &TenantId, credentials: &HeaderValue) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(tenant.as_str().as_bytes());
        context.update(b"\0");
        context.update(credentials.as_bytes());
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        digest
    }

    pub fn is_known(&self, digest: &Digest) -> bool {
        self.taken.contains_key(digest)
    }

    pub async fn turn(&self, digest: &Digest) -> OwnedMutexGuard<()> {
        self.turns.get_with(*digest, Arc::default).lock_owned().await
    }

    pub fn learn(&self, digest: &Digest, is_right: bool) {
        if is_right {
            self.taken.insert(*digest, ());
        } else {
            self.taken.invalidate(digest);
        }
    }
}
