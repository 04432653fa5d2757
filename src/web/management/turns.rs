//! Programs send the same name and password many times at once. While one of these requests is being looked at, each counts
//! as a failed attempt: so they take their turns, and a busy administrator is not locked out by the right password.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// Who shares a place waits for somebody else; with so many that hardly happens.
const PLACES: usize = 256;

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
    /// Waits until nobody else is being looked at with these credentials.
    pub async fn take(&self, credentials: &[u8]) -> Option<MutexGuard<'_, ()>> {
        let place = usize::try_from(self.hasher.hash_one(credentials) % PLACES as u64).unwrap_or(0);
        Some(self.places.get(place)?.lock().await)
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
}
