//! Session cache. A cached session costs no store access; the change feed invalidates what changed on other
//! replicas, and a TTL bounds the effect of lost notifications.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::{future::Cache, sync};

use super::{
    active_session::{ActiveSession, SessionOwner},
    session_service::SessionsUnavailable,
};
use crate::domain::{
    account::{Account, AccountId},
    session::{Session, SessionHash},
    time::Timestamp,
};

/// One entry takes about 1 KiB.
const MAX_SESSIONS: u64 = 50_000;
/// Cookies without a session.
const MAX_UNKNOWN: u64 = 10_000;
const UNKNOWN_TTL: Duration = Duration::from_secs(10);
/// A cached session is read again after this time.
const SESSION_TTL: Duration = Duration::from_mins(15);

pub(super) struct SessionCache {
    sessions: Cache<SessionHash, Arc<ActiveSession>>,
    /// The current `SessionOwner` of each account: sessions with another one are reloaded.
    owners: sync::Cache<AccountId, Arc<SessionOwner>>,
    unknown: sync::Cache<SessionHash, ()>,
    /// Incremented by every change: data that was read before a change is not cached after it.
    changes: AtomicU64,
}

#[derive(Clone)]
enum Miss {
    Unknown,
    Unavailable,
}

impl SessionCache {
    pub fn new() -> Self {
        Self {
            sessions: Cache::builder().max_capacity(MAX_SESSIONS).time_to_live(SESSION_TTL).build(),
            owners: sync::Cache::builder().max_capacity(MAX_SESSIONS).time_to_live(SESSION_TTL).build(),
            unknown: sync::Cache::builder().max_capacity(MAX_UNKNOWN).time_to_live(UNKNOWN_TTL).build(),
            changes: AtomicU64::new(0),
        }
    }

    /// Returns the session from the cache, or from `load`, which runs once for concurrent calls.
    pub async fn find(
        &self,
        hash: &SessionHash,
        now: Timestamp,
        load: impl Future<Output = Result<Option<(Session, Account)>, SessionsUnavailable>>,
    ) -> Result<Option<Arc<ActiveSession>>, SessionsUnavailable> {
        if self.unknown.contains_key(hash) {
            return Ok(None);
        }
        if let Some(live) = self.get_cached(hash, now).await {
            return Ok(Some(live));
        }
        let changes = self.changes.load(Ordering::Acquire);
        let loaded = self.sessions.try_get_with(*hash, async {
            let found = load.await.map_err(|SessionsUnavailable| Miss::Unavailable)?;
            let (session, account) =
                found.filter(|(session, _)| !session.is_expired(now)).ok_or(Miss::Unknown)?;
            let owner = self.owners.get_with(account.id.clone(), || Arc::new(SessionOwner { account }));
            Ok(Arc::new(ActiveSession::new(session, owner)))
        });
        match loaded.await {
            Ok(live) => {
                if self.changes.load(Ordering::Acquire) != changes {
                    self.owners.invalidate(&live.session.account);
                }
                Ok(Some(live))
            }
            Err(miss) => match *miss {
                Miss::Unknown => {
                    // a cookie is issued after its session is stored, so an unknown one stays unknown
                    self.unknown.insert(*hash, ());
                    Ok(None)
                }
                Miss::Unavailable => Err(SessionsUnavailable),
            },
        }
    }

    /// Returns the session if it is cached.
    pub async fn get_cached(&self, hash: &SessionHash, now: Timestamp) -> Option<Arc<ActiveSession>> {
        let live = self.sessions.get(hash).await?;
        let current = self.owners.get(&live.session.account);
        if current.is_some_and(|owner| Arc::ptr_eq(&owner, &live.owner)) && !live.is_expired(now) {
            return Some(live);
        }
        // changed, or possibly used on another replica in the meantime
        self.sessions.invalidate(hash).await;
        None
    }

    /// Whether the session is cached, active or not.
    pub fn contains(&self, hash: &SessionHash) -> bool {
        self.sessions.contains_key(hash)
    }

    pub async fn invalidate_session(&self, hash: &SessionHash) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.sessions.invalidate(hash).await;
    }

    /// The account or its sessions have changed.
    pub fn invalidate_account(&self, account: &AccountId) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.owners.invalidate(account);
    }

    pub fn invalidate_all(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.owners.invalidate_all();
        self.sessions.invalidate_all();
        self.unknown.invalidate_all();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{net::Ipv4Addr, sync::atomic::AtomicUsize};

    use super::*;
    use crate::domain::tenant::TenantId;

    const START: Timestamp = Timestamp::EPOCH;
    const MINUTE: Duration = Duration::from_mins(1);

    pub fn hash(n: u8) -> SessionHash {
        SessionHash::new([n; 32])
    }

    /// A store that counts its calls.
    #[derive(Default)]
    struct CountingStore(AtomicUsize);

    impl CountingStore {
        fn calls(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }

        async fn answer(
            &self,
            found: Result<Option<(Session, Account)>, SessionsUnavailable>,
        ) -> Result<Option<(Session, Account)>, SessionsUnavailable> {
            self.0.fetch_add(1, Ordering::Relaxed);
            std::future::ready(found).await
        }
    }

    pub fn stored(n: u8, last_seen_at: Timestamp) -> (Session, Account) {
        let account = AccountId::from_bytes([1; 16]);
        let session = Session {
            hash: hash(n),
            account: account.clone(),
            tenant: TenantId::super_tenant(),
            created_at: START,
            last_seen_at,
            signed_in_at: START,
            expires_at: START + 100 * MINUTE,
            idle: Duration::from_mins(10),
            user_agent: String::new(),
            address: Ipv4Addr::LOCALHOST.into(),
        };
        let account = Account {
            id: account,
            tenant: TenantId::super_tenant(),
            user_store: "PRIMARY".to_owned(),
            username: "alex".to_owned(),
            email: None,
            mobile: None,
            given_name: Some("Alex".to_owned()),
            family_name: None,
            roles: Vec::new(),
            disabled: false,
            admin_lock: None,
            must_change_password: false,
            password_changed_at: START,
            created_at: START,
            last_login_at: None,
            claims: std::collections::BTreeMap::new(),
        };
        (session, account)
    }

    #[tokio::test]
    async fn a_known_session_costs_no_store_access() {
        let (cache, store) = (SessionCache::new(), CountingStore::default());
        for _ in 0..3 {
            let live =
                cache.find(&hash(1), START, store.answer(Ok(Some(stored(1, START))))).await.unwrap().unwrap();
            assert_eq!((live.user.name.as_str(), live.user.display_name.as_deref()), ("alex", Some("Alex")));
        }
        assert_eq!(store.calls(), 1);
    }

    #[tokio::test]
    async fn caches_unknown_sessions() {
        let (cache, store) = (SessionCache::new(), CountingStore::default());
        for _ in 0..3 {
            assert!(cache.find(&hash(1), START, store.answer(Ok(None))).await.unwrap().is_none());
        }
        assert_eq!(store.calls(), 1);
    }

    #[tokio::test]
    async fn store_failure_is_not_cached() {
        let (cache, store) = (SessionCache::new(), CountingStore::default());
        cache.find(&hash(1), START, store.answer(Ok(Some(stored(1, START))))).await.unwrap();
        for _ in 0..2 {
            assert!(cache.find(&hash(2), START, store.answer(Err(SessionsUnavailable))).await.is_err());
            assert!(
                cache.find(&hash(1), START, store.answer(Err(SessionsUnavailable))).await.unwrap().is_some()
            );
        }
        assert_eq!(store.calls(), 3);
    }

    #[tokio::test]
    async fn account_change_invalidates_only_its_sessions() {
        let (cache, store) = (SessionCache::new(), CountingStore::default());
        for n in [1, 2] {
            cache.find(&hash(n), START, store.answer(Ok(Some(stored(n, START))))).await.unwrap();
        }
        cache.invalidate_account(&AccountId::from_bytes([9; 16]));
        assert!(cache.find(&hash(1), START, store.answer(Ok(None))).await.unwrap().is_some());
        assert_eq!(store.calls(), 2);
        cache.invalidate_account(&AccountId::from_bytes([1; 16]));
        assert!(cache.find(&hash(1), START, store.answer(Ok(None))).await.unwrap().is_none(), "ended");
        for _ in 0..2 {
            assert!(
                cache
                    .find(&hash(2), START, store.answer(Ok(Some(stored(2, START)))))
                    .await
                    .unwrap()
                    .is_some()
            );
        }
        assert_eq!(store.calls(), 4);
    }

    #[tokio::test]
    async fn session_ended_during_its_load_is_not_cached() {
        let (cache, store) = (SessionCache::new(), CountingStore::default());
        let read_then_ended = async {
            let found = store.answer(Ok(Some(stored(1, START)))).await;
            cache.invalidate_session(&hash(1)).await;
            found
        };
        cache.find(&hash(1), START, read_then_ended).await.unwrap();
        assert!(cache.find(&hash(1), START, store.answer(Ok(None))).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn idle_session_is_reloaded_before_it_ends() {
        let (cache, store) = (SessionCache::new(), CountingStore::default());
        let live =
            cache.find(&hash(1), START, store.answer(Ok(Some(stored(1, START))))).await.unwrap().unwrap();
        // used here: no store access
        live.touch(START + 5 * MINUTE);
        assert!(cache.find(&hash(1), START + 14 * MINUTE, store.answer(Ok(None))).await.unwrap().is_some());
        assert_eq!(store.calls(), 1);
        // idle here, used on another replica
        let elsewhere = store.answer(Ok(Some(stored(1, START + 20 * MINUTE))));
        assert!(cache.find(&hash(1), START + 25 * MINUTE, elsewhere).await.unwrap().is_some());
        // idle on all replicas
        let silent = store.answer(Ok(Some(stored(1, START + 20 * MINUTE))));
        assert!(cache.find(&hash(1), START + 30 * MINUTE, silent).await.unwrap().is_none());
        // too old
        let busy = store.answer(Ok(Some(stored(2, START + 99 * MINUTE))));
        assert!(cache.find(&hash(2), START + 100 * MINUTE, busy).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn writes_last_use_once_a_minute() {
        let (cache, store) = (SessionCache::new(), CountingStore::default());
        let live =
            cache.find(&hash(1), START, store.answer(Ok(Some(stored(1, START))))).await.unwrap().unwrap();
        let writes: Vec<_> = [1, 59_999, 60_000, 60_001, 119_999, 120_000]
            .map(|at| live.touch(Timestamp::from_millis(at)))
            .into();
        assert_eq!(writes, [false, false, true, false, false, true]);
        assert_eq!(live.last_seen_at(), START + 2 * MINUTE);
    }
}
