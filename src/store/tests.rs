//! Faults of SQLite that only its own connection can provoke.

use tempfile::TempDir;

use super::*;
use crate::domain::{
    lockout::{Counter, CounterKey, LoginSubject},
    tenant::TenantId,
};

async fn store() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::parse("sqlite:doorward.db", folder.path()).unwrap();
    (Store::open(&Settings { location, max_connections: 1 }).await.unwrap(), folder)
}

impl Store {
    /// Runs statements on the connection that writes.
    async fn with_writer(&self, statements: &'static str) {
        sqlx::raw_sql(statements).execute(&self.database().write).await.unwrap();
    }
}

fn keys(count: u16) -> Vec<CounterKey> {
    let tenant = TenantId::super_tenant();
    (0..count).map(|bucket| CounterKey::of(tenant.clone(), LoginSubject::UnknownName(bucket))).collect()
}

async fn count(store: &Store, keys: &[CounterKey]) -> Result<(), StoreError> {
    let each = |counters: &mut [(CounterKey, Counter)]| {
        for (_, counter) in counters {
            counter.failures += 1;
        }
    };
    store.counters().update(keys, each).await
}

#[tokio::test]
async fn a_store_heals_by_itself_after_its_writer_failed() {
    const FULL: &str = "the store accepts no changes: database or disk is full (code 13)";
    const READ_ONLY: &str = "the store accepts no changes: attempt to write a readonly database (code 8)";
    for (fault, words) in [("PRAGMA max_page_count = 1", FULL), ("PRAGMA query_only = ON", READ_ONLY)] {
        let (store, _folder) = store().await;
        store.with_writer(fault).await;
        // enough rows to need another page
        let error = count(&store, &keys(400)).await.unwrap_err();
        assert_eq!(error.to_string(), words);
        // the fault is limited to this connection
        count(&store, &keys(400)).await.unwrap();
        let counters = store.counters().read(&keys(400)).await.unwrap();
        assert!(counters.iter().all(|(_, counter)| counter.failures == 1), "{fault}: all or nothing");
    }
}
