//! Keyed mutex over credentials. An attempt counts as failed while it is being verified, so parallel requests with the same
//! credentials are serialised: otherwise a busy client would be locked out by the right password.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{Mutex as Turn, OwnedMutexGuard},
    time::timeout,
};

/// Longer waits are refused, so that waiting requests do not accumulate.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Requests with different credentials never wait for each other: other clients cannot delay an administrator.
#[derive(Default)]
pub struct CredentialLocks {
    /// Locks of the requests in progress.
    locks: Mutex<HashMap<u64, Weak<Turn<()>>>>,
    hasher: RandomState,
}

impl CredentialLocks {
    /// Waits until no other request with these credentials is being verified; `None` on timeout.
    pub async fn acquire(&self, credentials: &[u8]) -> Option<OwnedMutexGuard<()>> {
        timeout(WAIT_TIMEOUT, self.lock_for(credentials).lock_owned()).await.ok()
    }

    fn lock_for(&self, credentials: &[u8]) -> Arc<Turn<()>> {
        let mut turns = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        // amortised clean-up: at most twice as many entries as concurrent requests
        if turns.len().is_power_of_two() {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = turns.entry(self.hasher.hash_one(credentials)).or_default();
        turn.upgrade().unwrap_or_else(|| {
            let new = Arc::default();
            *turn = Arc::downgrade(&new);
            new
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn requests_with_equal_credentials_are_serialised() {
        let turns = CredentialLocks::default();
        let first = turns.acquire(b"a").await;
        assert!(turns.acquire(b"a").now_or_never().is_none());
        drop(first);
        assert!(turns.acquire(b"a").now_or_never().is_some());
    }

    /// Attack: many wrong passwords in progress, each of which is refused late.
    #[tokio::test(start_paused = true)]
    async fn attack_wrong_passwords_block_an_administrator() {
        let turns = CredentialLocks::default();
        let mut clients = Vec::new();
        for client in 0..5000_u32 {
            clients.push(turns.acquire(&client.to_be_bytes()).await);
        }
        assert!(clients.iter().all(Option::is_some));
        assert!(turns.acquire(b"admin").await.is_some());
        drop(clients);
        for after in 0..8192_u32 {
            drop(turns.acquire(&after.to_le_bytes()).await);
        }
        assert!(turns.locks.lock().unwrap().len() <= 8192, "no entry remains of finished requests");
    }

    #[tokio::test(start_paused = true)]
    async fn attack_waiting_requests_exhaust_memory() {
        let turns = CredentialLocks::default();
        let first = turns.acquire(b"a").await;
        let began = tokio::time::Instant::now();
        assert!(turns.acquire(b"a").await.is_none());
        assert_eq!(began.elapsed(), WAIT_TIMEOUT);
        drop(first);
        assert!(turns.acquire(b"a").await.is_some());
    }
}
