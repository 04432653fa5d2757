//! Keyed mutex over credentials. An attempt counts as failed while it is being verified, so parallel requests with the same
//! credentials are serialised: otherwise a busy client would be locked out by the right password.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::time::timeout;

use crate::sync::{FlightPermit, SingleFlight};

/// Longer waits are refused, so that waiting requests do not accumulate.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Requests with different credentials never wait for each other: other clients cannot delay an administrator.
pub struct CredentialLocks {
    /// One request in progress for each hash of credentials.
    flights: Arc<SingleFlight<u64, ()>>,
    hasher: RandomState,
}

impl CredentialLocks {
    pub fn new() -> Self {
        Self { flights: SingleFlight::new(), hasher: RandomState::new() }
    }

    /// Waits until no other request with these credentials is being verified; `None` on timeout.
    pub async fn acquire(&self, credentials: &[u8]) -> Option<FlightPermit<u64, ()>> {
        timeout(WAIT_TIMEOUT, self.flights.acquire(&self.hasher.hash_one(credentials))).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn requests_with_equal_credentials_are_serialised() {
        let locks = CredentialLocks::new();
        let first = locks.acquire(b"a").await;
        assert!(locks.acquire(b"a").now_or_never().is_none());
        drop(first);
        assert!(locks.acquire(b"a").now_or_never().is_some());
    }

    /// Attack: many wrong passwords in progress, each of which is refused late.
    #[tokio::test(start_paused = true)]
    async fn attack_wrong_passwords_block_an_administrator() {
        let locks = CredentialLocks::new();
        let mut clients = Vec::new();
        for client in 0..5000_u32 {
            clients.push(locks.acquire(&client.to_be_bytes()).await);
        }
        assert!(clients.iter().all(Option::is_some));
        assert!(locks.acquire(b"admin").await.is_some());
        drop(clients);
        for after in 0..8192_u32 {
            drop(locks.acquire(&after.to_le_bytes()).await);
        }
        assert!(locks.flights.active() <= 8192, "no entry remains of finished requests");
    }

    #[tokio::test(start_paused = true)]
    async fn attack_waiting_requests_exhaust_memory() {
        let locks = CredentialLocks::new();
        let first = locks.acquire(b"a").await;
        let began = tokio::time::Instant::now();
        assert!(locks.acquire(b"a").await.is_none());
        assert_eq!(began.elapsed(), WAIT_TIMEOUT);
        drop(first);
        assert!(locks.acquire(b"a").await.is_some());
    }
}
