//! The change feed: each replica receives the changes of the others.

use std::time::{Duration, Instant};

use doorward::internals::{
    domain::account::{AdminLock, LockedReason},
    store::{NewPassword, PasswordUpdate, Retention, Store, StoreChange},
};

use super::{NOW, acme, alex, ms, new_account, next_changes, poll_until_changed, session_of};
use crate::support::database::{Database, Kind, on_both_databases, with_database};

on_both_databases!(
    replica_receives_changes_within_a_second,
    irrelevant_updates_create_no_change,
    concurrent_changes_are_all_delivered,
    late_reader_gets_the_everything_change,
    change_feed_survives_cut_connections,
);

async fn replica_receives_changes_within_a_second(database: Database) {
    let (here, there) = (database.open().await, database.open().await);
    let account = alex(&here).await;
    let mut watch = there.changes().follow().await.unwrap();
    let account_changed = [StoreChange::AccountChanged(account.id.clone())];

    let session = session_of(&here, &account).await;
    here.sessions().end(&session.hash, NOW).await.unwrap();
    assert_eq!(next_changes(&mut watch).await, [StoreChange::SessionEnded(session.hash)]);

    session_of(&here, &account).await;
    here.sessions().end_all(&account.id, None, NOW).await.unwrap();
    assert_eq!(next_changes(&mut watch).await, [StoreChange::SessionsChanged(account.id.clone())]);

    session_of(&here, &account).await;
    here.sessions().end_oldest(&account.id, 0, NOW).await.unwrap();
    assert_eq!(next_changes(&mut watch).await, [StoreChange::SessionsChanged(account.id.clone())]);

    let lock = AdminLock { reason: LockedReason::AdminInitiated, since: NOW };
    here.accounts().set_admin_lock(&account.id, Some(lock), NOW).await.unwrap();
    assert_eq!(next_changes(&mut watch).await, account_changed);

    let password =
        NewPassword { hash: new_account(acme(), "x").password, must_change: false, history_length: 0 };
    let update = PasswordUpdate { new: &password, retained_session: None, now: NOW };
    here.accounts().set_password(&account.id, update).await.unwrap();
    assert_eq!(next_changes(&mut watch).await, account_changed);
}

async fn irrelevant_updates_create_no_change(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    let before = store.changes().last().await.unwrap();
    let session = session_of(&store, &account).await;
    store.sessions().touch(&session.hash, NOW).await.unwrap();
    store.accounts().record_login(&account.id, NOW).await.unwrap();
    store.sessions().end_all(&account.id, Some(&session.hash), NOW).await.unwrap();
    store.sessions().end_oldest(&account.id, 9, NOW).await.unwrap();
    assert_eq!(store.changes().last().await.unwrap(), before);
}

async fn end_all_at_once(stores: &[Store], count: usize) -> Vec<StoreChange> {
    let account = alex(&stores[0]).await;
    let mut expected = Vec::new();
    let mut tasks = Vec::new();
    for index in 0..count {
        let hash = session_of(&stores[0], &account).await.hash;
        expected.push(StoreChange::SessionEnded(hash));
        let store = stores[index % stores.len()].clone();
        tasks.push(tokio::spawn(async move { store.sessions().end(&hash, NOW).await.unwrap() }));
    }
    for task in tasks {
        assert!(task.await.unwrap());
    }
    expected
}

async fn concurrent_changes_are_all_delivered(database: Database) {
    let (one, other, third) = (database.open().await, database.open().await, database.open().await);
    let mut watch = third.changes().follow().await.unwrap();
    let listening = tokio::spawn(async move {
        let mut all = Vec::new();
        while all.len() < 120 {
            all.extend(watch.poll().await.unwrap());
        }
        all
    });
    let mut expected = end_all_at_once(&[one, other], 120).await;
    let mut received = listening.await.unwrap();
    let key = |change: &StoreChange| format!("{change:?}");
    expected.sort_by_key(key);
    received.sort_by_key(key);
    assert_eq!(received, expected, "each exactly once");
}

async fn late_reader_gets_the_everything_change(database: Database) {
    let store = database.open().await;
    let before = store.changes().last().await.unwrap();
    end_all_at_once(std::slice::from_ref(&store), 3).await;
    assert_eq!(store.changes().since(before).await.unwrap().1.len(), 3);
    let keep = Retention { changes: Duration::ZERO, ..Retention::default() };
    assert_eq!(store.purge(keep, NOW + ms(1)).await.unwrap().changes, 3);
    let last = store.changes().last().await.unwrap();
    assert_eq!(store.changes().since(before).await.unwrap(), (last, vec![StoreChange::Everything]));
    assert_eq!(store.changes().since(last).await.unwrap(), (last, vec![]));
    // the store was restored from a backup
    assert_eq!(store.changes().since(last + 5).await.unwrap(), (last, vec![StoreChange::Everything]));
}

async fn change_feed_survives_cut_connections(database: Database) {
    let (here, there) = (database.open().await, database.open().await);
    let account = alex(&here).await;
    let mut watch = there.changes().follow().await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(50), poll_until_changed(&mut watch)).await.is_err(),
        "nothing to hear"
    );
    if database.kind == Kind::Postgres {
        database
            .run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await;
    }
    let start = Instant::now();
    here.accounts().set_disabled(&account.id, true, NOW).await.unwrap();
    let heard = loop {
        match poll_until_changed(&mut watch).await {
            Ok(changes) => break changes,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(5), "{error}"),
        }
    };
    assert_eq!(heard, [StoreChange::AccountChanged(account.id)]);
}

/// Ten in a row would take five seconds if each had to wait for the next poll.
#[test]
fn postgresql_notifies_watchers() {
    with_database(Kind::Postgres, |database| async move {
        let (here, there) = (database.open().await, database.open().await);
        let account = alex(&here).await;
        let mut watch = there.changes().follow().await.unwrap();
        let start = Instant::now();
        for round in 0..10 {
            // it has looked, and rests
            assert!(
                tokio::time::timeout(Duration::from_millis(50), poll_until_changed(&mut watch))
                    .await
                    .is_err()
            );
            here.accounts().set_disabled(&account.id, round % 2 == 0, NOW).await.unwrap();
            assert_eq!(next_changes(&mut watch).await.len(), 1);
        }
        assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
    });
}
