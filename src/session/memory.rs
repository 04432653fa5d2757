//! The memory of sessions. A known session costs no store access; what changed elsewhere is forgotten when the store's
//! change stream says so, and everything after a while, whatever was lost.

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
    live::{Live, Person},
    sessions::Unavailable,
};
use crate::domain::{
    account::{Account, AccountId},
    session::{Session, SessionHash},
};

/// One takes about a KiB.
const SESSIONS: u64 = 50_000;
/// Cookies that name nothing.
const UNKNOWN: u64 = 10_000;
const UNKNOWN_FOR: Duration = Duration::from_secs(10);
/// At the latest after this a session is read again.
const TRUSTED_FOR: Duration = Duration::from_mins(15);

pub(super) struct Memory {
    sessions: Cache<SessionHash, Arc<Live>>,
    /// Which `Person` is the current one: sessions that hold another are loaded anew.
    persons: sync::Cache<AccountId, Arc<Person>>,
    unknown: sync::Cache<SessionHash, ()>,
    /// Rises with every change: what was read before one is not remembered after it.
    changes: AtomicU64,
}

#[derive(Clone)]
enum Miss {
    Unknown,
    Unavailable,
}

impl Memory {
    pub fn new() -> Self {
        Self {
            sessions: Cache::builder().max_capacity(SESSIONS).time_to_live(TRUSTED_FOR).build(),
            persons: sync::Cache::builder().max_capacity(SESSIONS).time_to_live(TRUSTED_FOR).build(),
            unknown: sync::Cache::builder().max_capacity(UNKNOWN).time_to_live(UNKNOWN_FOR).build(),
            changes: AtomicU64::new(0),
        }
    }

    /// The session, from memory or by `load`, which runs once however many ask at a time.
    pub async fn find(
        &self,
        hash: &SessionHash,
        now: u64,
        load: impl Future<Output = Result<Option<(Session, Account)>, Unavailable>>,
    ) -> Result<Option<Arc<Live>>, Unavailable> {
        if self.unknown.contains_key(hash) {
            return Ok(None);
        }
        if let Some(live) = self.known(hash, now).await {
            return Ok(Some(live));
        }
        let changes = self.changes.load(Ordering::Acquire);
        let loaded = self.sessions.try_get_with(*hash, async {
            let found = load.await.map_err(|Unavailable| Miss::Unavailable)?;
            let (session, account) =
                found.filter(|(session, _)| !session.is_over(now)).ok_or(Miss::Unknown)?;
            let person = self.persons.get_with(account.id.clone(), || Arc::new(Person { account }));
            Ok(Arc::new(Live::new(session, person)))
        });
        match loaded.await {
            Ok(live) => {
                if self.changes.load(Ordering::Acquire) != changes {
                    self.persons.invalidate(&live.session.account);
                }
                Ok(Some(live))
            }
            Err(miss) => match *miss {
                Miss::Unknown => {
                    // a cookie is given out after its session is stored, so one that names nothing never will
                    self.unknown.insert(*hash, ());
                    Ok(None)
                }
                Miss::Unavailable => Err(Unavailable),
            },
        }
    }

    /// What memory alone says.
    pub async fn known(&self, hash: &SessionHash, now: u64) -> Option<Arc<Live>> {
        let live = self.sessions.get(hash).await?;
        let current = self.persons.get(&live.session.account);
        if current.is_some_and(|person| Arc::ptr_eq(&person, &live.person)) && !live.is_over(now) {
            return Some(live);
        }
        // changed, or it was perhaps used at another Doorward in the meantime
        self.sessions.invalidate(hash).await;
        None
    }

    /// Whether it is in memory, alive or not.
    pub fn holds(&self, hash: &SessionHash) -> bool {
        self.sessions.contains_key(hash)
    }

    pub async fn forget_session(&self, hash: &SessionHash) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.sessions.invalidate(hash).await;
    }

    /// The account or its sessions have changed.
    pub fn forget_account(&self, account: &AccountId) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.persons.invalidate(account);
    }

    pub fn forget_all(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.persons.invalidate_all();
        self.sessions.invalidate_all();
        self.unknown.invalidate_all();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{net::Ipv4Addr, sync::atomic::AtomicUsize};

    use super::*;
    use crate::domain::tenant::TenantId;

    const MINUTE: u64 = 60_000;

    pub fn hash(n: u8) -> SessionHash {
        SessionHash::new([n; 32])
    }

    /// A store that counts how often it is asked.
    #[derive(Default)]
    struct Asked(AtomicUsize);

    impl Asked {
        fn times(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }

        async fn answer(
            &self,
            found: Result<Option<(Session, Account)>, Unavailable>,
        ) -> Result<Option<(Session, Account)>, Unavailable> {
            self.0.fetch_add(1, Ordering::Relaxed);
            std::future::ready(found).await
        }
    }

    pub fn stored(n: u8, last_seen_at: u64) -> (Session, Account) {
        let account = AccountId::from_bytes([1; 16]);
        let session = Session {
            hash: hash(n),
            account: account.clone(),
            tenant: TenantId::super_tenant(),
            created_at: 0,
            last_seen_at,
            signed_in_at: 0,
            expires_at: 100 * MINUTE,
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
            password_changed_at: 0,
            created_at: 0,
            last_login_at: None,
            claims: std::collections::BTreeMap::new(),
        };
        (session, account)
    }

    #[tokio::test]
    async fn a_known_session_costs_no_store_access() {
        let (memory, store) = (Memory::new(), Asked::default());
        for _ in 0..3 {
            let live = memory.find(&hash(1), 0, store.answer(Ok(Some(stored(1, 0))))).await.unwrap().unwrap();
            assert_eq!((live.user.name.as_str(), live.user.display_name.as_deref()), ("alex", Some("Alex")));
        }
        assert_eq!(store.times(), 1);
    }

    #[tokio::test]
    async fn what_names_nothing_is_asked_for_once() {
        let (memory, store) = (Memory::new(), Asked::default());
        for _ in 0..3 {
            assert!(memory.find(&hash(1), 0, store.answer(Ok(None))).await.unwrap().is_none());
        }
        assert_eq!(store.times(), 1);
    }

    #[tokio::test]
    async fn a_store_that_is_down_closes_what_is_not_in_memory_and_is_asked_again() {
        let (memory, store) = (Memory::new(), Asked::default());
        memory.find(&hash(1), 0, store.answer(Ok(Some(stored(1, 0))))).await.unwrap();
        for _ in 0..2 {
            assert!(memory.find(&hash(2), 0, store.answer(Err(Unavailable))).await.is_err());
            assert!(memory.find(&hash(1), 0, store.answer(Err(Unavailable))).await.unwrap().is_some());
        }
        assert_eq!(store.times(), 3);
    }

    #[tokio::test]
    async fn a_change_of_the_account_reads_all_its_sessions_again_and_no_others() {
        let (memory, store) = (Memory::new(), Asked::default());
        for n in [1, 2] {
            memory.find(&hash(n), 0, store.answer(Ok(Some(stored(n, 0))))).await.unwrap();
        }
        memory.forget_account(&AccountId::from_bytes([9; 16]));
        assert!(memory.find(&hash(1), 0, store.answer(Ok(None))).await.unwrap().is_some());
        assert_eq!(store.times(), 2);
        memory.forget_account(&AccountId::from_bytes([1; 16]));
        assert!(memory.find(&hash(1), 0, store.answer(Ok(None))).await.unwrap().is_none(), "ended");
        for _ in 0..2 {
            assert!(memory.find(&hash(2), 0, store.answer(Ok(Some(stored(2, 0))))).await.unwrap().is_some());
        }
        assert_eq!(store.times(), 4);
    }

    #[tokio::test]
    async fn a_session_that_ended_while_it_was_read_is_not_remembered() {
        let (memory, store) = (Memory::new(), Asked::default());
        let read_then_ended = async {
            let found = store.answer(Ok(Some(stored(1, 0)))).await;
            memory.forget_session(&hash(1)).await;
            found
        };
        memory.find(&hash(1), 0, read_then_ended).await.unwrap();
        assert!(memory.find(&hash(1), 0, store.answer(Ok(None))).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_session_ends_by_age_and_by_silence_unless_it_was_used_elsewhere() {
        let (memory, store) = (Memory::new(), Asked::default());
        let live = memory.find(&hash(1), 0, store.answer(Ok(Some(stored(1, 0))))).await.unwrap().unwrap();
        // used here: nothing to ask
        live.touch(5 * MINUTE);
        assert!(memory.find(&hash(1), 14 * MINUTE, store.answer(Ok(None))).await.unwrap().is_some());
        assert_eq!(store.times(), 1);
        // silent here, used at another Doorward
        let elsewhere = store.answer(Ok(Some(stored(1, 20 * MINUTE))));
        assert!(memory.find(&hash(1), 25 * MINUTE, elsewhere).await.unwrap().is_some());
        // silent everywhere
        let silent = store.answer(Ok(Some(stored(1, 20 * MINUTE))));
        assert!(memory.find(&hash(1), 30 * MINUTE, silent).await.unwrap().is_none());
        // too old
        let busy = store.answer(Ok(Some(stored(2, 99 * MINUTE))));
        assert!(memory.find(&hash(2), 100 * MINUTE, busy).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_store_hears_of_use_once_a_minute() {
        let (memory, store) = (Memory::new(), Asked::default());
        let live = memory.find(&hash(1), 0, store.answer(Ok(Some(stored(1, 0))))).await.unwrap().unwrap();
        let told: Vec<_> = [1, 59_999, 60_000, 60_001, 119_999, 120_000].map(|at| live.touch(at)).into();
        assert_eq!(told, [false, false, true, false, false, true]);
        assert_eq!(live.last_seen_at(), 120_000);
    }
}
