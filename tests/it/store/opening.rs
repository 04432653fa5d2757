//! Opening a store: its tables are made once, whoever comes first, and a store that is down says so.

use std::{os::unix::fs::PermissionsExt as _, path::Path, thread};

use doorward::{
    config::model::{Store as Settings, StoreLocation},
    store::{Store, StoreError},
};

use super::{acme, alex, whoever_types};
use crate::support::database::{Database, Kind, block_on, on_both_databases};

on_both_databases!(
    a_store_keeps_what_it_has_over_a_restart,
    many_who_open_a_new_store_at_once_all_find_it_ready,
    a_replica_works_on_tables_a_newer_one_has_extended,
    tables_that_are_not_ours_are_left_alone,
    a_closed_store_is_unavailable,
    what_the_database_refuses_is_told_in_its_own_words,
    a_store_answers_again_after_its_connections_were_cut,
);

async fn a_store_keeps_what_it_has_over_a_restart(database: Database) {
    let store = database.open().await;
    let id = alex(&store).await.id;
    store.ping().await.unwrap();
    store.close().await;
    let store = database.open().await;
    assert_eq!(whoever_types(&store, "alex").await, Some(id));
    assert_eq!(store.location(), &database.settings().location);
    if let StoreLocation::Sqlite(path) = store.location() {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        let wal = std::fs::metadata(path.with_extension("db-wal")).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, wal & 0o777), (0o600, 0o600), "nobody else's to read");
    }
}

async fn many_who_open_a_new_store_at_once_all_find_it_ready(database: Database) {
    let starters: Vec<_> = (0..6)
        .map(|_| {
            let settings = database.settings();
            thread::spawn(move || {
                block_on(async {
                    let store = Store::open(&settings).await.unwrap();
                    store.accounts().count(&acme()).await.unwrap()
                })
            })
        })
        .collect();
    for starter in starters {
        assert_eq!(starter.join().unwrap(), 0);
    }
}

async fn a_replica_works_on_tables_a_newer_one_has_extended(database: Database) {
    let store = database.open().await;
    let id = alex(&store).await.id;
    database
        .run(
            "ALTER TABLE accounts ADD COLUMN nickname TEXT; \
             INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 9999, 'newer', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
    assert_eq!(whoever_types(&store, "alex").await, Some(id.clone()), "one that runs");
    store.accounts().set_disabled(&id, true, super::NOW).await.unwrap();
    let restarted = database.open().await;
    assert_eq!(whoever_types(&restarted, "alex").await, Some(id), "and one that starts");
}

async fn tables_that_are_not_ours_are_left_alone(database: Database) {
    database.open().await.close().await;
    let other = match database.kind {
        Kind::Sqlite => "UPDATE _sqlx_migrations SET checksum = x'00'",
        Kind::Postgres => "UPDATE _sqlx_migrations SET checksum = '\\x00'",
    };
    database.run(other).await;
    let error = Store::open(&database.settings()).await.unwrap_err();
    assert!(matches!(error, StoreError::Schema(_)), "{error}");
}

async fn a_closed_store_is_unavailable(database: Database) {
    let store = database.open().await;
    store.close().await;
    for error in [store.ping().await.unwrap_err(), store.accounts().count(&acme()).await.unwrap_err()] {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    let error = store.counters().reset(&[]).await;
    assert!(error.is_ok(), "nothing to do needs no store");
}

async fn a_store_answers_again_after_its_connections_were_cut(database: Database) {
    let store = database.open().await;
    let id = alex(&store).await.id;
    if database.kind == Kind::Postgres {
        database
            .run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await;
    }
    assert_eq!(whoever_types(&store, "alex").await, Some(id.clone()));
    assert!(store.accounts().record_login(&id, super::NOW).await.unwrap());
}

async fn opened(url: &str) -> Result<Store, StoreError> {
    let location = StoreLocation::parse(url, Path::new("/")).unwrap();
    Store::open(&Settings { location, max_connections: 1 }).await
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres:///doorward?host={}&user=ann&password=geheim", folder.path().display());
    let error = block_on(opened(&url)).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(!error.to_string().contains("geheim"), "{error}");
}

#[test]
fn a_file_that_cannot_be_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/missing/doorward.db", folder.path().display());
    let error = block_on(opened(&url)).unwrap_err().to_string();
    assert!(error.contains("missing does not exist"), "{error}");

    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "this is no database, and long enough to be looked at as one").unwrap();
    let error = block_on(opened(&format!("sqlite:{}", text.display()))).unwrap_err().to_string();
    assert!(error.contains("not a database"), "{error}");
    assert!(std::fs::read(&text).unwrap().starts_with(b"this is no database"));
}

async fn what_the_database_refuses_is_told_in_its_own_words(mut database: Database) {
    let words = match database.kind {
        Kind::Sqlite => {
            std::fs::write(database.folder.path().join("doorward.db"), "no database, and long enough")
                .unwrap();
            "the store refused: file is not a database (code 26)"
        }
        Kind::Postgres => {
            let (_, server) = database.url.split_once('?').unwrap();
            database.url = format!("postgres:///nowhere?{server}");
            "the store refused: database \"nowhere\" does not exist (code 3D000)"
        }
    };
    let refused = Store::open(&database.settings()).await.err().unwrap();
    assert_eq!(refused.to_string(), words);
}
