//! Programs send the same name and password many times at once. While one of these requests is being looked at, each counts
//! as a failed attempt: so they take their turns, and a busy administrator is not locked out by the right password.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};

/// Who shares a place waits for somebody else; with so many that hardly happens.
const PLACES: usize = 256;
/// Whoever waits longer is sent away, so that waiting requests do not pile up.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Turns {
    places: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }
}

impl Turns {
    /// Waits until nobody else is being looked at with these credentials; `None` when that takes too long.
    pub async fn take(&self, credentials: &[u8]) -> Option<MutexGuard<'_, ()>> {
        let place = usize::try_from(self.hasher.hash_one(credentials) % PLACES as u64).unwrap_or(0);
        timeout(PATIENCE, self.places.get(place)?.lock()).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_same_credentials_wait_for_each_other() {
        let turns = Turns::default();
        let first = turns.take(b"a").await;
        assert!(turns.take(b"a").now_or_never().is_none());
        drop(first);
        assert!(turns.take(b"a").now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn attack_requests_that_wait_for_one_turn_do_not_pile_up() {
        let turns = Turns::default();
        let first = turns.take(b"a").await;
        let began = tokio::time::Instant::now();
        assert!(turns.take(b"a").await.is_none());
        assert_eq!(began.elapsed(), PATIENCE);
        drop(first);
        assert!(turns.take(b"a").await.is_some());
    }
}
