//! Persistent store: accounts, sessions, counters, governance overrides. One SQL for SQLite and PostgreSQL.
//!
//! A change is durable when the call returns; a cancelled call leaves no partial change. Changes that
//! concern other replicas are recorded in the same transaction (`change_log`).

mod accounts;
mod audit;
mod change_feed;
mod change_log;
mod counter_eviction;
mod counters;
mod dialect;
mod error;
mod governance;
mod health;
mod log_sync;
mod migrations;
mod postgres_server;
mod purge;
mod renewal;
mod secrets;
mod sessions;
mod sqlite_file;
#[cfg(test)]
mod tests;
mod transaction;
mod value;

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::AnyPool;
use tokio::runtime::Handle;

pub use accounts::{
    AccountPage, AccountRepository, CreateError, NewPassword, OwnerCondition, PasswordUpdate, StoredAccount,
};
pub use audit::{AuditPage, AuditRepository};
pub use change_feed::ChangeFeed;
pub use change_log::{ChangeLog, StoreChange};
pub use counters::CounterRepository;
pub use error::StoreError;
pub use governance::{GovernanceRepository, GovernanceStoreError, VersionedOverrides};
pub use purge::{PurgedRows, Retention};
pub use sessions::SessionRepository;

use error::HasStoreError;
use health::StoreHealth;

use crate::config::model::{StoreLocation, StoreSettings as Settings};

/// Timeout of a call, longer than any statement on a healthy store.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A handle, cheap to clone: all clones share the connections.
#[derive(Clone)]
pub struct Store {
    shared: Arc<StoreInner>,
}

struct StoreInner {
    database: dialect::Database,
    location: StoreLocation,
    runtime: Handle,
    health: StoreHealth,
}

impl Store {
    /// Connects and migrates the tables. Several processes may do this concurrently.
    ///
    /// All connections use the runtime of this call: it must outlive the store, and never block.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        // no timeout: a migration of large tables may take long
        let database = dialect::Database::open(settings, &migrations::all()).await?;
        let (location, home) = (settings.location.clone(), Handle::current());
        let shared = StoreInner { database, location, runtime: home, health: StoreHealth::new() };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub fn accounts(&self) -> AccountRepository<'_> {
        AccountRepository { store: self }
    }

    pub fn sessions(&self) -> SessionRepository<'_> {
        SessionRepository { store: self }
    }

    pub fn counters(&self) -> CounterRepository<'_> {
        CounterRepository { store: self }
    }

    pub fn governance(&self) -> GovernanceRepository<'_> {
        GovernanceRepository { store: self }
    }

    pub fn audit(&self) -> AuditRepository<'_> {
        AuditRepository { store: self }
    }

    pub fn changes(&self) -> ChangeLog<'_> {
        ChangeLog { store: self }
    }

    /// Closes all connections after their current work. SQLite then merges its log into the file.
    pub async fn close(&self) {
        self.shared.database.read.close().await;
        self.shared.database.write.close().await;
    }

    /// Whether other replicas may use the same store.
    pub fn has_replicas(&self) -> bool {
        matches!(self.shared.location, StoreLocation::Postgres(_))
    }

    fn database(&self) -> &dialect::Database {
        &self.shared.database
    }

    fn health(&self) -> &StoreHealth {
        &self.shared.health
    }

    fn read(&self) -> &AnyPool {
        &self.shared.database.read
    }

    /// Runs a call with a timeout, because a server that has lost its network neither responds nor
    /// fails.
    ///
    /// Fails at once while the store is known to be unavailable, and as soon as that is detected.
    ///
    /// Sockets and timers belong to the runtime of the store, whichever worker calls this: a connection
    /// that is opened here is used by other workers, also after this one has ended.
    async fn with_deadline<T, E: HasStoreError>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if let Some(error) = self.health().down() {
            return Err(error.into());
        }
        let mut work = pin!(async {
            let in_time = tokio::time::timeout(CALL_TIMEOUT, work);
            tokio::select! {
                biased;
                done = in_time => done.unwrap_or_else(|_| {
                    let text = format!("no answer within {} seconds", CALL_TIMEOUT.as_secs());
                    Err(StoreError::Unavailable(text).into())
                }),
                error = self.health().wait_until_down() => Err(error.into()),
            }
        });
        let done = poll_fn(|context| {
            let _home = self.shared.runtime.enter();
            work.as_mut().poll(context)
        })
        .await;
        let failed = done.as_ref().err().and_then(HasStoreError::store_error);
        if let Some(error) = failed.filter(|error| error.is_fault()) {
            if matches!(error, StoreError::Unwritable(_)) {
                self.database().renewal.record_fault(Instant::now());
            }
            self.health().record_failure(error);
        }
        done
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.shared.location).finish()
    }
}
