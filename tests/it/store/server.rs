//! The store under faults of a PostgreSQL server or a pooler in front of it.

use std::path::Path;

use doorward::internals::{
    config::model::{StoreLocation, StoreSettings as Settings},
    domain::lockout::{Counter, CounterKey, LoginSubject},
    store::{Store, StoreError},
};
use futures_util::future::join_all;

use super::{NOW, acme, alex, new_account, session_of};
use crate::support::{
    database::{Database, Kind, with_database},
    pgbouncer::PgBouncer,
};

fn settings(url: &str) -> Settings {
    Settings { location: StoreLocation::parse(url, Path::new("/")).unwrap(), max_connections: 8 }
}

fn count(counters: &mut [(CounterKey, Counter)]) {
    counters[0].1.failures += 1;
}

fn key() -> CounterKey {
    CounterKey::of(acme(), LoginSubject::UnknownName(1))
}

/// Much at once, as replicas do it.
async fn work(store: &Store) -> Result<(), StoreError> {
    let account = alex(store).await;
    let writing = (0..20).map(|_| async {
        session_of(store, &account).await;
        store.counters().update(&[key()], count).await
    });
    let reading = (0..20).map(|_| store.accounts().find(&account.id));
    let (written, read) = tokio::join!(join_all(writing), join_all(reading));
    written.into_iter().collect::<Result<Vec<()>, _>>()?;
    read.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(store.counters().read(&[key()]).await?[0].1.failures, 20);
    assert_eq!(store.sessions().list(&account.id).await?.len(), 20);
    Ok(())
}

#[test]
fn three_connections_serve_many_requests() {
    with_database(Kind::Postgres, async |database| {
        database
            .run("DROP ROLE IF EXISTS doorward_few; CREATE ROLE doorward_few LOGIN CONNECTION LIMIT 3")
            .await;
        database.run("GRANT CREATE, USAGE ON SCHEMA public TO doorward_few").await;
        let url = database.url.replace("user=postgres", "user=doorward_few");
        let store = Store::open(&settings(&url)).await.unwrap();
        work(&store).await.unwrap();
        // the third is for changes
        let watch = store.changes().follow().await.unwrap();
        store.accounts().create(&new_account(acme(), "sam"), NOW).await.unwrap();
        drop(watch);
        store.close().await;
        database.run("DROP OWNED BY doorward_few; DROP ROLE doorward_few").await;
    });
}

async fn read_only(database: &Database, on: &'static str) {
    database
        .run(match on {
            "on" => {
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', \
                 current_database()); END $$; SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()"
            }
            _ => {
                "BEGIN READ WRITE; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET \
                 default_transaction_read_only', current_database()); END $$; COMMIT"
            }
        })
        .await;
}

#[test]
fn writes_resume_after_a_read_only_period() {
    with_database(Kind::Postgres, async |database| {
        let store = database.open().await;
        let account = alex(&store).await;
        read_only(&database, "on").await;
        for _ in 0..4 {
            let error = store.accounts().record_login(&account.id, NOW).await.unwrap_err();
            assert!(matches!(error, StoreError::Unwritable(_)), "{error}");
            assert!(error.to_string().contains("read-only transaction"), "{error}");
        }
        let state = store.check(NOW).await;
        assert!(state.down.is_none() && state.unwritable.is_some(), "{state:?}");
        read_only(&database, "off").await;
        for _ in 0..4 {
            assert!(store.accounts().record_login(&account.id, NOW).await.unwrap());
        }
        assert!(store.check(NOW).await.is_healthy());
    });
}

#[test]
fn a_connection_killed_within_a_transaction_is_replaced() {
    with_database(Kind::Postgres, async |database| {
        let store = database.open().await;
        let account = alex(&store).await;
        let address = database.address();
        let kill = move |_: &mut [(CounterKey, Counter)]| {
            std::thread::spawn(move || {
                crate::support::database::block_on(async {
                    use sqlx::Connection as _;
                    let mut beside = sqlx::AnyConnection::connect(&address).await.unwrap();
                    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                                WHERE datname = current_database() AND pid <> pg_backend_pid()";
                    sqlx::raw_sql(kill).execute(&mut beside).await.unwrap();
                });
            })
            .join()
            .unwrap();
        };
        let keys = [key()];
        let counted = store.counters().update(&keys, |counters| {
            count(counters);
            kill(counters);
        });
        assert!(matches!(counted.await, Err(StoreError::Unavailable(_))));
        for _ in 0..4 {
            assert!(store.accounts().record_login(&account.id, NOW).await.unwrap());
        }
        assert_eq!(store.counters().read(&[key()]).await.unwrap()[0].1.failures, 0, "nothing of it is left");
    });
}

#[test]
fn pgbouncer_works_or_is_rejected_with_a_remedy() {
    with_database(Kind::Postgres, async |database| {
        let Some(plain) = PgBouncer::before(&database, "") else { return };
        let refused = Store::open(&settings(&plain.url())).await.map(drop).map_err(|error| error.to_string());
        if let Err(refused) = refused {
            assert!(refused.contains("ignore_startup_parameters = extra_float_digits"), "{refused}");
        }
        let lenient = PgBouncer::before(&database, "ignore_startup_parameters = extra_float_digits").unwrap();
        let opened = Store::open(&settings(&lenient.url())).await;
        if PgBouncer::keeps_statements() {
            work(&opened.unwrap()).await.unwrap();
        } else {
            let refused = opened.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.contains("max_prepared_statements"), "{refused}");
        }
    });
}
