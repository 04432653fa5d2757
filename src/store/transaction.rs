//! A transaction that reads rows and then writes them.

use std::{
    ops::{Deref, DerefMut},
    time::Instant,
};

use sqlx::{Any, AnyConnection};

use super::{Store, StoreError};

/// Dropped without `commit`, it is rolled back.
pub(super) struct Transaction<'s> {
    inner: sqlx::Transaction<'static, Any>,
    store: &'s Store,
}

impl Store {
    /// Begins a transaction; it must not wait for anything but the store.
    pub(super) async fn begin(&self) -> Result<Transaction<'_>, StoreError> {
        let database = self.database();
        let begun = match database.write.begin_with(database.begin).await {
            // the database has rolled back a transaction that the driver considers open: the connection is unusable
            Err(sqlx::Error::InvalidSavePointStatement | sqlx::Error::BeginFailed) => {
                database.renewal.record_fault(Instant::now());
                database.write.begin_with(database.begin).await
            }
            begun => begun,
        };
        Ok(Transaction { inner: begun?, store: self })
    }
}

impl Transaction<'_> {
    /// Returns when the changes are durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.inner.commit().await?;
        // the connection is released: other transactions commit while this waits for the disk
        if let Some(log) = &self.store.database().log {
            log.acknowledge().await?;
        }
        self.store.health().record_write();
        Ok(())
    }

    pub async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.inner.rollback().await?)
    }
}

impl Deref for Transaction<'_> {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}
