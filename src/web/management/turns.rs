//! Programs send the same name and password many times at once. While one of these requests is being looked at, each counts
//! as a failed attempt: so they take their turns, and a busy administrator is not locked out by the right password.

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

/// Whoever waits longer is sent away, so that waiting requests do not pile up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Nobody waits for somebody with other credentials, or strangers could keep an administrator waiting.
#[derive(Default)]
pub struct Turns {
    /// Of requests that are here.
    turns: Mutex<HashMap<u64, Weak<Turn<()>>>>,
    hasher: RandomState,
}

impl Turns {
    /// Waits until nobody else is being looked at with these credentials; `None` when that takes too long.
    pub async fn take(&self, credentials: &[u8]) -> Option<OwnedMutexGuard<()>> {
        timeout(PATIENCE, self.of(credentials).lock_owned()).await.ok()
    }

    fn of(&self, credentials: &[u8]) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // now and then: what is left behind is never more than what was here at the same time, twice over
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
    async fn the_same_credentials_wait_for_each_other() {
        let turns = Turns::default();
        let first = turns.take(b"a").await;
        assert!(turns.take(b"a").now_or_never().is_none());
        drop(first);
        assert!(turns.take(b"a").now_or_never().is_some());
    }

    /// Attack: many wrong passwords under way, each of which is told so late.
    #[tokio::test(start_paused = true)]
    async fn attack_strangers_keep_an_administrator_waiting() {
        let turns = Turns::default();
        let mut strangers = Vec::new();
        for stranger in 0..5000_u32 {
            strangers.push(turns.take(&stranger.to_be_bytes()).await);
        }
        assert!(strangers.iter().all(Option::is_some));
        assert!(turns.take(b"admin").await.is_some());
        drop(strangers);
        for after in 0..8192_u32 {
            drop(turns.take(&after.to_le_bytes()).await);
        }
        assert!(turns.turns.lock().unwrap().len() <= 8192, "nothing is kept of those who left");
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
