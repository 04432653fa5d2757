//! Sessions: how they end.

use std::time::Duration;

use doorward::internals::{
    domain::{
        account::{AccountId, AdminLock, LockedReason},
        session::SessionHash,
        time::Timestamp,
    },
    store::{NewPassword, PasswordUpdate, Store},
};

use super::{NOW, acme, alex, ms, new_account, new_session, session_of};
use crate::support::database::{Database, on_both_databases};

on_both_databases!(
    session_is_stored_unchanged,
    use_extends_a_session_up_to_its_lifetime,
    store_outage_does_not_count_as_idle_time,
    attack_use_revives_an_ended_session,
    ends_one_or_all_sessions_of_an_account,
    session_limit_ends_the_oldest,
    concurrent_ends_count_each_session_once,
    lock_or_password_change_ends_sessions_atomically,
    attack_session_for_an_account_that_changed_meanwhile,
);

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

async fn set_password(store: &Store, id: &AccountId, retained_session: Option<&SessionHash>, now: Timestamp) {
    let hash = new_account(acme(), "x").password;
    let new = NewPassword { hash, must_change: false, history_length: 1 };
    store.accounts().set_password(id, PasswordUpdate { new: &new, retained_session, now }).await.unwrap();
}

async fn session_is_stored_unchanged(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    let mut session = new_session(&account);
    session.idle = Duration::MAX;
    session.expires_at = Timestamp::from_millis(u64::MAX);
    assert!(store.sessions().insert(&session, account.password_changed_at, true).await.unwrap());
    let found = database.open().await.sessions().find(&session.hash).await.unwrap().unwrap();
    assert_eq!(found.ends_at().as_millis(), i64::MAX.unsigned_abs(), "as good as never");
    let session = session_of(&store, &account).await;
    assert_eq!(store.sessions().find(&session.hash).await.unwrap().as_ref(), Some(&session));
    assert_eq!(store.sessions().find(&new_session(&account).hash).await.unwrap(), None);
}

async fn store_outage_does_not_count_as_idle_time(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    let idle_until = async |end: Timestamp| {
        let mut session = new_session(&account);
        session.last_seen_at = end - HOUR;
        store.sessions().insert(&session, account.password_changed_at, true).await.unwrap();
        session.hash
    };
    let (cut, back) = (NOW, NOW + 10 * MINUTE);
    let [before, during, soon, late] = [
        idle_until(cut).await,
        idle_until(cut + ms(1)).await,
        idle_until(back + MINUTE).await,
        idle_until(back + HOUR).await,
    ];
    let mut short = new_session(&account);
    (short.last_seen_at, short.expires_at) = (cut - MINUTE, back);
    store.sessions().insert(&short, account.password_changed_at, true).await.unwrap();
    assert_eq!(
        store.sessions().extend_after_outage(cut, cut + HOUR + ms(1)).await.unwrap(),
        0,
        "too long a cut"
    );
    assert_eq!(store.sessions().extend_after_outage(cut, back).await.unwrap(), 2);
    for (hash, last_seen_at) in
        [(before, cut - HOUR), (during, back), (soon, back), (late, back), (short.hash, cut - MINUTE)]
    {
        let found = store.sessions().find(&hash).await.unwrap().unwrap();
        assert_eq!(found.last_seen_at, last_seen_at);
    }
    assert_eq!(
        store.sessions().extend_after_outage(cut, back).await.unwrap(),
        0,
        "by the first replica that notices"
    );
    assert!(store.sessions().touch(&during, back + ms(1)).await.unwrap());
    assert!(!store.sessions().touch(&before, back + ms(1)).await.unwrap(), "it was over before");
}

async fn use_extends_a_session_up_to_its_lifetime(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    let session = session_of(&store, &account).await;
    let seen = |time: Timestamp| {
        let store = store.clone();
        let hash = session.hash;
        async move {
            let alive = store.sessions().touch(&hash, time).await.unwrap();
            let found = store.sessions().find(&hash).await.unwrap().unwrap();
            (alive, found.last_seen_at, found.ends_at())
        }
    };
    assert_eq!(seen(NOW + HOUR / 2).await, (true, NOW + HOUR / 2, NOW + HOUR * 3 / 2));
    assert_eq!(
        seen(NOW + MINUTE).await,
        (true, NOW + HOUR / 2, NOW + HOUR * 3 / 2),
        "a late report takes nothing"
    );
    for half_hours in 2..48 {
        assert!(seen(NOW + half_hours * HOUR / 2).await.0);
    }
    assert_eq!(seen(NOW + 24 * HOUR - ms(1)).await, (true, NOW + 24 * HOUR - ms(1), NOW + 24 * HOUR));
    assert!(!seen(NOW + 24 * HOUR).await.0);
}

async fn attack_use_revives_an_ended_session(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    let session = session_of(&store, &account).await;
    assert!(!store.sessions().touch(&session.hash, NOW + HOUR).await.unwrap(), "an hour of silence");
    assert!(store.sessions().find(&session.hash).await.unwrap().unwrap().is_expired(NOW + HOUR));
    assert!(store.sessions().end(&session.hash, NOW).await.unwrap());
    assert!(!store.sessions().touch(&session.hash, NOW + ms(1)).await.unwrap());
    assert_eq!(store.sessions().find(&session.hash).await.unwrap(), None);
}

async fn ends_one_or_all_sessions_of_an_account(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    let bo = store.accounts().create(&new_account(acme(), "bo"), NOW).await.unwrap();
    let theirs = session_of(&store, &bo).await;
    let (one, two, three) = (
        session_of(&store, &account).await,
        session_of(&store, &account).await,
        session_of(&store, &account).await,
    );
    store.sessions().touch(&two.hash, NOW + ms(5)).await.unwrap();
    let listed = store.sessions().list(&account.id).await.unwrap();
    assert_eq!((listed.len(), listed[0].hash), (3, two.hash), "the one used last comes first");

    assert!(store.sessions().end(&one.hash, NOW).await.unwrap());
    assert!(!store.sessions().end(&one.hash, NOW).await.unwrap());
    assert_eq!(store.sessions().end_all(&account.id, Some(&two.hash), NOW).await.unwrap(), 1);
    assert_eq!(store.sessions().find(&three.hash).await.unwrap(), None);
    assert!(store.sessions().find(&two.hash).await.unwrap().is_some(), "the caller's own session stays");
    assert_eq!(store.sessions().end_all(&account.id, None, NOW).await.unwrap(), 1);
    assert_eq!(store.sessions().end_all(&account.id, None, NOW).await.unwrap(), 0);
    assert!(store.sessions().find(&theirs.hash).await.unwrap().is_some(), "sessions of other accounts stay");
}

async fn session_limit_ends_the_oldest(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    let mut sessions = Vec::new();
    for age in 0..5 {
        let session = session_of(&store, &account).await;
        store.sessions().touch(&session.hash, NOW + ms(100 - age)).await.unwrap();
        sessions.push(session.hash);
    }
    assert_eq!(store.sessions().end_oldest(&account.id, 5, NOW).await.unwrap(), 0);
    assert_eq!(store.sessions().end_oldest(&account.id, 2, NOW).await.unwrap(), 3);
    let left: Vec<_> = store.sessions().list(&account.id).await.unwrap().iter().map(|s| s.hash).collect();
    assert_eq!(left, sessions[..2]);
}

async fn concurrent_ends_count_each_session_once(database: Database) {
    let stores = [database.open().await, database.open().await];
    let account = alex(&stores[0]).await;
    for _ in 0..10 {
        for _ in 0..12 {
            session_of(&stores[0], &account).await;
        }
        let id = &account.id;
        let (one, other) = (stores[0].sessions(), stores[1].sessions());
        let keep = doorward::internals::store::Retention {
            sessions: Duration::ZERO,
            ..doorward::internals::store::Retention::default()
        };
        let purge = stores[1].purge(keep, NOW + HOUR);
        let (all, oldest, purged) =
            tokio::join!(one.end_all(id, None, NOW), other.end_oldest(id, 1, NOW), purge);
        let ended = all.unwrap() + oldest.unwrap() + purged.unwrap().sessions;
        let left = one.list(id).await.unwrap().len() as u64;
        assert_eq!(ended + left, 12, "each once");
        one.end_all(id, None, NOW).await.unwrap();
    }
}

async fn attack_session_for_an_account_that_changed_meanwhile(database: Database) {
    let store = database.open().await;
    let seen = alex(&store).await;
    let begin =
        async || store.sessions().insert(&new_session(&seen), seen.password_changed_at, true).await.unwrap();
    let (accounts, id) = (store.accounts(), &seen.id);
    assert!(begin().await);

    let lock = AdminLock { reason: LockedReason::AdminInitiated, since: NOW };
    accounts.set_admin_lock(id, Some(lock), NOW).await.unwrap();
    assert!(!begin().await, "locked");
    accounts.set_admin_lock(id, None, NOW).await.unwrap();
    assert!(begin().await);

    accounts.set_disabled(id, true, NOW).await.unwrap();
    assert!(!begin().await, "disabled");
    accounts.set_disabled(id, false, NOW).await.unwrap();
    assert!(begin().await);

    set_password(&store, id, None, NOW + ms(1)).await;
    assert!(!begin().await, "another password");
}

/// The caller may be cancelled before a second step.
async fn lock_or_password_change_ends_sessions_atomically(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    let bystander = store.accounts().create(&new_account(acme(), "kim"), NOW).await.unwrap();
    session_of(&store, &bystander).await;
    let (accounts, id) = (store.accounts(), &account.id);
    let alive = async || store.sessions().list(id).await.unwrap().len();

    session_of(&store, &account).await;
    let lock = AdminLock { reason: LockedReason::AdminInitiated, since: NOW };
    accounts.set_admin_lock(id, Some(lock), NOW).await.unwrap();
    assert_eq!(alive().await, 0);
    accounts.set_admin_lock(id, None, NOW).await.unwrap();

    session_of(&store, &account).await;
    accounts.set_admin_lock(id, None, NOW).await.unwrap();
    accounts.set_disabled(id, false, NOW).await.unwrap();
    assert_eq!(alive().await, 1, "what opens an account ends nothing");
    accounts.set_disabled(id, true, NOW).await.unwrap();
    assert_eq!(alive().await, 0);
    accounts.set_disabled(id, false, NOW).await.unwrap();

    let (mine, _other) = (session_of(&store, &account).await, session_of(&store, &account).await);
    set_password(&store, id, Some(&mine.hash), NOW).await;
    assert_eq!(store.sessions().list(id).await.unwrap(), [mine]);
    set_password(&store, id, None, NOW).await;
    assert_eq!(alive().await, 0);
    assert_eq!(store.sessions().list(&bystander.id).await.unwrap().len(), 1);
}
