//! Memory counts while changes made elsewhere are heard of. In silence every session in memory is looked up again, and when
//! the store does not answer either, those who are signed in stay so for a while, and no longer.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::timeout;

use super::{live::Live, memory::Memory, sessions::Unavailable};
use crate::domain::{
    account::Account,
    session::{Session, SessionHash},
};

/// The store is looked at for changes twice a second: after so long without an answer nothing is known of changes any more.
const SILENCE: Duration = Duration::from_secs(5);
/// A store that does not answer at all signs nobody out for so long; a failover of a database takes less.
const OUTAGE: Duration = Duration::from_mins(2);
/// Nobody waits longer for a confirmation, ...
const PATIENCE: Duration = Duration::from_secs(1);
/// ... and after one that did not come the next is not asked for at once, or everybody would wait in vain.
const REST: Duration = Duration::from_secs(2);

pub(super) struct News {
    /// Moments are milliseconds after this one.
    start: Instant,
    heard: AtomicU64,
    failed: AtomicU64,
}

/// Nobody follows the changes, as in a command that soon ends; or nothing has failed yet.
const NEVER: u64 = u64::MAX;

impl News {
    pub fn new() -> Self {
        Self { start: Instant::now(), heard: AtomicU64::new(NEVER), failed: AtomicU64::new(NEVER) }
    }

    /// All changes up to this moment have been heard of, and taken to heart.
    pub fn heard(&self, at: Instant) {
        self.heard.store(self.moment(at), Ordering::Release);
    }

    fn moment(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(NEVER - 1)
    }

    fn since(&self, moment: &AtomicU64, at: Instant) -> Option<Duration> {
        match moment.load(Ordering::Acquire) {
            NEVER => None,
            moment => Some(Duration::from_millis(self.moment(at).saturating_sub(moment))),
        }
    }

    fn silence(&self, at: Instant) -> Duration {
        self.since(&self.heard, at).unwrap_or_default()
    }
}

impl Memory {
    /// As `find`, at a moment when perhaps nothing has been heard for a while.
    pub async fn find_at(
        &self,
        news: &News,
        hash: &SessionHash,
        (now, at): (u64, Instant),
        load: impl Future<Output = Result<Option<(Session, Account)>, Unavailable>>,
    ) -> Result<Option<Arc<Live>>, Unavailable> {
        let silence = news.silence(at);
        if silence < SILENCE {
            return self.find(hash, now, load).await;
        }
        let Some(known) = self.known(hash, now).await else { return self.find(hash, now, load).await };
        if news.since(&known.confirmed, at).is_some_and(|age| age < SILENCE) {
            return Ok(Some(known));
        }
        if news.since(&news.failed, at).is_none_or(|age| age >= REST) {
            if let Ok(Ok(found)) = timeout(PATIENCE, load).await {
                return self.confirmed(news, &known, hash, (now, at), found).await;
            }
            news.failed.store(news.moment(at), Ordering::Release);
        }
        if silence < OUTAGE { Ok(Some(known)) } else { Err(Unavailable) }
    }

    async fn confirmed(
        &self,
        news: &News,
        known: &Arc<Live>,
        hash: &SessionHash,
        (now, at): (u64, Instant),
        found: Option<(Session, Account)>,
    ) -> Result<Option<Arc<Live>>, Unavailable> {
        if found.as_ref().is_some_and(|(_, account)| account == known.account()) {
            known.confirmed.store(news.moment(at), Ordering::Release);
            return Ok(Some(Arc::clone(known)));
        }
        if found.is_some() {
            self.forget_account(&known.session.account);
        }
        self.forget_session(hash).await;
        self.find(hash, now, std::future::ready(Ok(found))).await
    }
}

impl Live {
    pub(super) const fn unconfirmed() -> AtomicU64 {
        AtomicU64::new(NEVER)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::session::memory::tests::{hash, stored};

    type Found = Result<Option<(Session, Account)>, Unavailable>;

    /// A session in memory, and the moment since which nothing has been heard.
    struct Replica {
        memory: Memory,
        news: News,
        last: Instant,
    }

    impl Replica {
        async fn new() -> Self {
            let (memory, news, last) = (Memory::new(), News::new(), Instant::now());
            memory.find(&hash(1), 0, ready(Ok(Some(stored(1, 0))))).await.unwrap().unwrap();
            news.heard(last);
            Self { memory, news, last }
        }

        async fn find(
            &self,
            after: Duration,
            store: impl Future<Output = Found>,
        ) -> Result<bool, Unavailable> {
            let found = self.memory.find_at(&self.news, &hash(1), (0, self.last + after), store).await;
            found.map(|live| live.is_some())
        }
    }

    /// A moment earlier.
    fn before(moment: Duration) -> Duration {
        moment.saturating_sub(Duration::from_millis(1))
    }

    #[tokio::test]
    async fn attack_a_session_ended_elsewhere_is_used_where_changes_are_not_heard() {
        let replica = Replica::new().await;
        assert_eq!(replica.find(before(SILENCE), ready(Ok(None))).await, Ok(true), "memory");
        assert_eq!(replica.find(SILENCE, ready(Ok(None))).await, Ok(false));
        assert_eq!(replica.find(Duration::ZERO, ready(Ok(None))).await, Ok(false), "for good");
    }

    #[tokio::test]
    async fn in_silence_a_session_is_looked_up_every_five_seconds_and_not_more_often() {
        let replica = Replica::new().await;
        let alive = || ready(Ok(Some(stored(1, 0))));
        assert_eq!(replica.find(SILENCE, alive()).await, Ok(true));
        assert_eq!(replica.find(before(SILENCE * 2), ready(Ok(None))).await, Ok(true), "looked up just now");
        assert_eq!(replica.find(OUTAGE * 9, alive()).await, Ok(true), "as long as the store says so");
        replica.news.heard(replica.last + OUTAGE * 10);
        assert_eq!(replica.find(OUTAGE * 10, ready(Ok(None))).await, Ok(true), "memory counts again");
    }

    #[tokio::test]
    async fn attack_roles_taken_away_where_changes_are_not_heard() {
        let replica = Replica::new().await;
        let mut changed = stored(1, 0);
        changed.1.roles = vec!["less".to_owned()];
        let at = replica.last + SILENCE;
        let live = replica.memory.find_at(&replica.news, &hash(1), (0, at), ready(Ok(Some(changed)))).await;
        assert_eq!(live.unwrap().unwrap().account().roles, ["less"]);
    }

    #[tokio::test]
    async fn an_outage_signs_nobody_out_at_first_and_everybody_in_the_end() {
        let replica = Replica::new().await;
        let down = || ready(Err(Unavailable));
        assert_eq!(replica.find(SILENCE, down()).await, Ok(true));
        // who comes at once does not even ask, who comes later does not wait for ever
        assert_eq!(replica.find(before(SILENCE + REST), ready(Ok(None))).await, Ok(true));
        tokio::time::timeout(PATIENCE * 3, async {
            assert_eq!(replica.find(before(OUTAGE), pending()).await, Ok(true));
        })
        .await
        .unwrap();
        assert_eq!(replica.find(OUTAGE, down()).await, Err(Unavailable));
        // the store is back
        assert_eq!(replica.find(OUTAGE + REST, ready(Ok(Some(stored(1, 0))))).await, Ok(true));
    }

    #[tokio::test]
    async fn where_nobody_follows_changes_memory_counts() {
        let replica = Replica { news: News::new(), ..Replica::new().await };
        assert_eq!(replica.find(OUTAGE, ready(Ok(None))).await, Ok(true));
    }
}
