//! Readers do not wait for writers.

use std::time::Duration;

use doorward::internals::domain::lockout::{CounterKey, LoginSubject};
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::{acme, alex, session_of};
use crate::support::database::{Kind, with_database};

#[test]
fn attack_guesses_waiting_for_a_counter_block_sessions() {
    with_database(Kind::Postgres, async |database| {
        let store = database.open().await;
        let session = session_of(&store, &alex(&store).await).await;
        let key = CounterKey::of(acme(), LoginSubject::UnknownName(1));
        let count = |counters: &mut [(CounterKey, doorward::internals::domain::lockout::Counter)]| {
            counters[0].1.failures += 1;
        };
        store.counters().update(std::slice::from_ref(&key), count).await.unwrap();

        let mut holder = AnyConnection::connect(&database.address()).await.unwrap();
        sqlx::raw_sql("BEGIN; SELECT name FROM counters FOR UPDATE").execute(&mut holder).await.unwrap();
        let guesses: Vec<_> = (0..20)
            .map(|_| {
                let (store, key) = (store.clone(), key.clone());
                tokio::spawn(async move { store.counters().update(&[key], count).await })
            })
            .collect();
        let waiting = "SELECT COUNT(*) AS waiting FROM pg_stat_activity \
                       WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let mut beside = AnyConnection::connect(&database.address()).await.unwrap();
        loop {
            let row = sqlx::query(waiting).fetch_one(&mut beside).await.unwrap();
            if row.try_get::<i64, _>("waiting").unwrap() >= 2 {
                break;
            }
            tokio::task::yield_now().await;
        }
        let found = tokio::time::timeout(Duration::from_secs(2), store.sessions().find(&session.hash)).await;
        assert!(found.expect("at once, without waiting for writers").unwrap().is_some());

        sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
        for attempt in guesses {
            attempt.await.unwrap().unwrap();
        }
        let read = store.counters().read(&[key]).await.unwrap();
        assert_eq!(read[0].1.failures, 21, "each is counted");
    });
}
