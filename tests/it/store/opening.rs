//! Opening a store: its tables are created once, by whichever process is first, and a store that is down is an error.

use std::{os::unix::fs::PermissionsExt as _, path::Path, thread};

use doorward::internals::{
    config::model::{StoreLocation, StoreSettings as Settings},
    domain::session::SessionHash,
    store::{Store, StoreError},
};

use super::{account_by_login, alex, count_accounts};
use crate::support::database::{Database, Kind, block_on, on_both_databases};

on_both_databases!(
    data_survives_a_restart,
    concurrent_opening_of_a_new_store_succeeds,
    works_with_a_schema_of_a_newer_version,
    rejects_a_foreign_schema,
    a_closed_store_is_unavailable,
    error_contains_the_database_message,
    store_recovers_from_cut_connections,
);

async fn data_survives_a_restart(database: Database) {
    let store = database.open().await;
    let id = alex(&store).await.id;
    store.close().await;
    let store = database.open().await;
    assert_eq!(account_by_login(&store, "alex").await, Some(id));
    if let StoreLocation::Sqlite(path) = database.settings().location {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        let wal = std::fs::metadata(path.with_extension("db-wal")).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, wal & 0o777), (0o600, 0o600), "readable by the owner only");
    }
}

async fn concurrent_opening_of_a_new_store_succeeds(database: Database) {
    let starters: Vec<_> = (0..6)
        .map(|_| {
            let settings = database.settings();
            thread::spawn(move || {
                block_on(async {
                    let store = Store::open(&settings).await.unwrap();
                    count_accounts(&store).await
                })
            })
        })
        .collect();
    for starter in starters {
        assert_eq!(starter.join().unwrap(), 0);
    }
}

async fn works_with_a_schema_of_a_newer_version(database: Database) {
    let store = database.open().await;
    let id = alex(&store).await.id;
    database
        .run(
            "ALTER TABLE accounts ADD COLUMN nickname TEXT; \
             INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 9999, 'newer', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
    assert_eq!(account_by_login(&store, "alex").await, Some(id.clone()), "one that runs");
    store.accounts().set_disabled(&id, true, super::NOW).await.unwrap();
    let restarted = database.open().await;
    assert_eq!(account_by_login(&restarted, "alex").await, Some(id), "and one that starts");
}

async fn rejects_a_foreign_schema(database: Database) {
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
    let error = store.sessions().find(&SessionHash::new([0; 32])).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let error = store.counters().reset(&[]).await;
    assert!(error.is_ok(), "nothing to do needs no store");
}

async fn store_recovers_from_cut_connections(database: Database) {
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
    assert_eq!(account_by_login(&store, "alex").await, Some(id.clone()));
    assert!(store.accounts().record_login(&id, super::NOW).await.unwrap());
}

async fn opened(url: &str) -> Result<Store, StoreError> {
    let location = StoreLocation::parse(url, Path::new("/")).unwrap();
    Store::open(&Settings { location, max_connections: 1 }).await
}

#[test]
fn missing_server_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres:///doorward?host={}&user=ann&password=geheim", folder.path().display());
    let error = block_on(opened(&url)).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(!error.to_string().contains("geheim"), "{error}");
}

#[test]
fn unusable_store_file_is_explained() {
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

async fn error_contains_the_database_message(mut database: Database) {
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
