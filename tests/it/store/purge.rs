//! The purge removes expired rows and keeps the others.

use std::time::Duration;

use doorward::internals::{
    domain::lockout::{Counter, CounterKey, LockState, LoginSubject},
    store::{PurgedRows, Retention},
};

use super::{NOW, acme, alex, ms, new_session, session_of};
use crate::support::database::{Database, on_both_databases};

on_both_databases!(purge_deletes_any_number_of_ended_sessions, purge_deletes_old_unlocked_counters);

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

async fn purge_deletes_any_number_of_ended_sessions(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    for _ in 0..1100 {
        let mut session = new_session(&account);
        session.expires_at = NOW + ms(1);
        store.sessions().insert(&session, account.password_changed_at, true).await.unwrap();
    }
    let alive = session_of(&store, &account).await;
    let silent = session_of(&store, &account).await;
    store.sessions().touch(&alive.hash, NOW + HOUR - ms(1)).await.unwrap();
    let keep = Retention { sessions: Duration::ZERO, ..Retention::default() };
    assert_eq!(
        store.purge(Retention::default(), NOW + HOUR).await.unwrap(),
        PurgedRows::default(),
        "a cut may be on"
    );
    let purged = store.purge(keep, NOW + HOUR).await.unwrap();
    assert_eq!(purged, PurgedRows { sessions: 1101, ..PurgedRows::default() });
    assert!(store.sessions().find(&alive.hash).await.unwrap().is_some());
    assert!(store.sessions().find(&silent.hash).await.unwrap().is_none());
    assert_eq!(store.purge(Retention::default(), NOW + HOUR).await.unwrap(), PurgedRows::default());
}

async fn purge_deletes_old_unlocked_counters(database: Database) {
    let store = database.open().await;
    let keys: Vec<_> =
        (0..4).map(|bucket| CounterKey::of(acme(), LoginSubject::UnknownName(bucket))).collect();
    let locks = [
        (LockState::None, NOW),
        (LockState::UntilAdmin, NOW),
        (LockState::Until(NOW + 60 * DAY), NOW),
        (LockState::None, NOW + 60 * DAY),
    ];
    let wanted = store.counters().update(&keys, |counters| {
        for ((_, counter), (locked_until, last_failure)) in counters.iter_mut().zip(locks) {
            *counter = Counter {
                failures: 1,
                lockouts: 1,
                locked_until,
                since: NOW,
                last_failure,
                window: Duration::ZERO,
            };
        }
        counters.to_vec()
    });
    let wanted = wanted.await.unwrap();
    let keep = Retention { counters: Duration::from_hours(30 * 24), ..Retention::default() };
    assert_eq!(store.purge(keep, NOW + 29 * DAY).await.unwrap().counters, 0);
    assert_eq!(store.purge(keep, NOW + 31 * DAY).await.unwrap().counters, 1);
    let left = store.counters().read(&keys).await.unwrap();
    assert_eq!(left[0].1, Counter::default());
    assert_eq!(left[1..], wanted[1..], "a lock is not forgotten");
    assert_eq!(store.purge(keep, NOW + 900 * DAY).await.unwrap().counters, 2);
    assert_eq!(store.counters().read(&keys).await.unwrap()[1], wanted[1], "least of all one without end");
}
