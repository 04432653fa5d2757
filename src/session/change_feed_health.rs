//! Health of the change feed. The session cache is trusted while the feed works. If it fails, every cached
//! session is looked up again; if the store fails as well, sessions stay valid for [`MAX_OUTAGE`].

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::timeout;

use super::{
    active_session::ActiveSession, session_cache::SessionCache, session_service::SessionsUnavailable,
};
use crate::domain::{
    account::Account,
    session::{Session, SessionHash},
    time::{Timestamp, millis},
};

/// The store is polled for changes twice a second: after this time without a response the feed counts as down.
const FEED_TIMEOUT: Duration = Duration::from_secs(5);
/// How long sessions stay valid while the store is unavailable; a database failover takes less.
const MAX_OUTAGE: Duration = Duration::from_mins(2);
/// Timeout of a confirmation by the store, ...
const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(1);
/// ... and the pause after a failed one, so that not every request waits for the timeout.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// The time of a lookup.
#[derive(Clone, Copy)]
pub(super) struct LookupTime {
    /// Expiry of sessions.
    pub now: Timestamp,
    /// Monotonic: age of the last contact with the change feed.
    pub at: Instant,
}

pub(super) struct ChangeFeedHealth {
    /// Other times are stored as milliseconds since this one.
    start: Instant,
    last_contact: AtomicU64,
    last_failure: AtomicU64,
}

/// No feed is followed, as in a short command; or no confirmation has failed yet.
const NEVER: u64 = u64::MAX;

impl ChangeFeedHealth {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            last_contact: AtomicU64::new(NEVER),
            last_failure: AtomicU64::new(NEVER),
        }
    }

    /// Records that all changes up to this time have been applied.
    pub fn record_contact(&self, at: Instant) {
        self.last_contact.store(self.millis_at(at), Ordering::Release);
    }

    fn millis_at(&self, at: Instant) -> u64 {
        millis(at.saturating_duration_since(self.start)).min(NEVER - 1)
    }

    fn elapsed_since(&self, moment: &AtomicU64, at: Instant) -> Option<Duration> {
        match moment.load(Ordering::Acquire) {
            NEVER => None,
            moment => Some(Duration::from_millis(self.millis_at(at).saturating_sub(moment))),
        }
    }

    fn since_contact(&self, at: Instant) -> Duration {
        self.elapsed_since(&self.last_contact, at).unwrap_or_default()
    }
}

impl SessionCache {
    /// As `find`, but confirms a cached session at the store while the change feed is down.
    pub async fn find_at(
        &self,
        feed: &ChangeFeedHealth,
        hash: &SessionHash,
        time: LookupTime,
        load: impl Future<Output = Result<Option<(Session, Account)>, SessionsUnavailable>>,
    ) -> Result<Option<Arc<ActiveSession>>, SessionsUnavailable> {
        let LookupTime { now, at } = time;
        let since_contact = feed.since_contact(at);
        if since_contact < FEED_TIMEOUT {
            return self.find(hash, now, load).await;
        }
        let Some(known) = self.get_cached(hash, now).await else { return self.find(hash, now, load).await };
        if feed.elapsed_since(&known.confirmed, at).is_some_and(|age| age < FEED_TIMEOUT) {
            return Ok(Some(known));
        }
        if feed.elapsed_since(&feed.last_failure, at).is_none_or(|age| age >= RETRY_INTERVAL) {
            if let Ok(Ok(found)) = timeout(CONFIRMATION_TIMEOUT, load).await {
                return self.apply_confirmation(feed, &known, time, found).await;
            }
            feed.last_failure.store(feed.millis_at(at), Ordering::Release);
        }
        if since_contact < MAX_OUTAGE { Ok(Some(known)) } else { Err(SessionsUnavailable) }
    }

    async fn apply_confirmation(
        &self,
        feed: &ChangeFeedHealth,
        known: &Arc<ActiveSession>,
        time: LookupTime,
        found: Option<(Session, Account)>,
    ) -> Result<Option<Arc<ActiveSession>>, SessionsUnavailable> {
        if found.as_ref().is_some_and(|(_, account)| account == known.account()) {
            known.confirmed.store(feed.millis_at(time.at), Ordering::Release);
            return Ok(Some(Arc::clone(known)));
        }
        if found.is_some() {
            self.invalidate_account(&known.session.account);
        }
        let hash = &known.session.hash;
        self.invalidate_session(hash).await;
        self.find(hash, time.now, std::future::ready(Ok(found))).await
    }
}

impl ActiveSession {
    pub(super) const fn unconfirmed() -> AtomicU64 {
        AtomicU64::new(NEVER)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::session::session_cache::tests::{hash, stored};

    type LookupResult = Result<Option<(Session, Account)>, SessionsUnavailable>;

    /// A cached session, and the time of the last contact with the change feed.
    struct Replica {
        cache: SessionCache,
        health: ChangeFeedHealth,
        last: Instant,
    }

    impl Replica {
        async fn new() -> Self {
            let (cache, health, last) = (SessionCache::new(), ChangeFeedHealth::new(), Instant::now());
            cache
                .find(&hash(1), Timestamp::EPOCH, ready(Ok(Some(stored(1, Timestamp::EPOCH)))))
                .await
                .unwrap()
                .unwrap();
            health.record_contact(last);
            Self { cache, health, last }
        }

        async fn find(
            &self,
            after: Duration,
            store: impl Future<Output = LookupResult>,
        ) -> Result<bool, SessionsUnavailable> {
            let found = self
                .cache
                .find_at(
                    &self.health,
                    &hash(1),
                    LookupTime { now: Timestamp::EPOCH, at: self.last + after },
                    store,
                )
                .await;
            found.map(|live| live.is_some())
        }
    }

    /// A moment earlier.
    fn before(moment: Duration) -> Duration {
        moment.saturating_sub(Duration::from_millis(1))
    }

    #[tokio::test]
    async fn attack_session_ended_elsewhere_while_the_feed_is_down() {
        let replica = Replica::new().await;
        assert_eq!(replica.find(before(FEED_TIMEOUT), ready(Ok(None))).await, Ok(true), "from the cache");
        assert_eq!(replica.find(FEED_TIMEOUT, ready(Ok(None))).await, Ok(false));
        assert_eq!(replica.find(Duration::ZERO, ready(Ok(None))).await, Ok(false), "for good");
    }

    #[tokio::test]
    async fn feed_outage_revalidates_sessions_every_five_seconds() {
        let replica = Replica::new().await;
        let alive = || ready(Ok(Some(stored(1, Timestamp::EPOCH))));
        assert_eq!(replica.find(FEED_TIMEOUT, alive()).await, Ok(true));
        assert_eq!(
            replica.find(before(FEED_TIMEOUT * 2), ready(Ok(None))).await,
            Ok(true),
            "looked up just now"
        );
        assert_eq!(replica.find(MAX_OUTAGE * 9, alive()).await, Ok(true), "as long as the store says so");
        replica.health.record_contact(replica.last + MAX_OUTAGE * 10);
        assert_eq!(replica.find(MAX_OUTAGE * 10, ready(Ok(None))).await, Ok(true), "the cache counts again");
    }

    #[tokio::test]
    async fn attack_roles_revoked_elsewhere_while_the_feed_is_down() {
        let replica = Replica::new().await;
        let mut changed = stored(1, Timestamp::EPOCH);
        changed.1.roles = vec!["less".to_owned()];
        let at = replica.last + FEED_TIMEOUT;
        let live = replica
            .cache
            .find_at(
                &replica.health,
                &hash(1),
                LookupTime { now: Timestamp::EPOCH, at },
                ready(Ok(Some(changed))),
            )
            .await;
        assert_eq!(live.unwrap().unwrap().account().roles, ["less"]);
    }

    #[tokio::test]
    async fn sessions_survive_an_outage_of_two_minutes() {
        let replica = Replica::new().await;
        let down = || ready(Err(SessionsUnavailable));
        assert_eq!(replica.find(FEED_TIMEOUT, down()).await, Ok(true));
        // an immediate retry does not query the store, a later one does not wait without limit
        assert_eq!(replica.find(before(FEED_TIMEOUT + RETRY_INTERVAL), ready(Ok(None))).await, Ok(true));
        tokio::time::timeout(CONFIRMATION_TIMEOUT * 3, async {
            assert_eq!(replica.find(before(MAX_OUTAGE), pending()).await, Ok(true));
        })
        .await
        .unwrap();
        assert_eq!(replica.find(MAX_OUTAGE, down()).await, Err(SessionsUnavailable));
        // the store is back
        assert_eq!(
            replica.find(MAX_OUTAGE + RETRY_INTERVAL, ready(Ok(Some(stored(1, Timestamp::EPOCH))))).await,
            Ok(true)
        );
    }

    #[tokio::test]
    async fn cache_is_trusted_where_no_feed_is_followed() {
        let replica = Replica { health: ChangeFeedHealth::new(), ..Replica::new().await };
        assert_eq!(replica.find(MAX_OUTAGE, ready(Ok(None))).await, Ok(true));
    }
}
