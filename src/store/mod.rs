//! What must outlive a restart: accounts, sessions, counters, what administrators set. One SQL for SQLite and PostgreSQL.
//!
//! A change is on the disk, or with the server, when the call returns; a call that is given up half-way leaves
//! nothing behind. What other processes have to hear about is written down in the same transaction (`changes`).

mod accounts;
mod audit;
mod changes;
mod counters;
mod crowd;
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
mod watch;

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::AnyPool;
use tokio::runtime::Handle;

pub use accounts::{Accounts, CreateError, NewPassword, Page, UpdateError};
pub use audit::{Audit, AuditPage};
pub use changes::{Change, Changes};
pub use counters::Counters;
pub use error::StoreError;
pub use governance::{Governance, GovernanceError, Stored};
pub use purge::{Keep, Purged};
pub use sessions::Sessions;
pub use watch::Watch;

use error::Failure;
use health::Health;

use crate::config::model::{Store as Settings, StoreLocation};

/// Longer than any statement takes on a store that works. After it the caller is told that the store is down.
const PATIENCE: Duration = Duration::from_secs(10);

/// A handle, cheap to clone: all clones share the connections.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    database: dialect::Database,
    location: StoreLocation,
    home: Handle,
    health: Health,
}

impl Store {
    /// Connects, and brings the tables up to date. Several processes may do this at once.
    ///
    /// The runtime it is called on moves the bytes for all others: it must outlive the store, and never block.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        // a migration of large tables takes its time: no deadline
        let database = dialect::Database::open(settings, &migrations::all()).await?;
        let (location, home) = (settings.location.clone(), Handle::current());
        let shared = Shared { database, location, home, health: Health::new() };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub fn accounts(&self) -> Accounts<'_> {
        Accounts { store: self }
    }

    pub fn sessions(&self) -> Sessions<'_> {
        Sessions { store: self }
    }

    pub fn counters(&self) -> Counters<'_> {
        Counters { store: self }
    }

    pub fn governance(&self) -> Governance<'_> {
        Governance { store: self }
    }

    pub fn audit(&self) -> Audit<'_> {
        Audit { store: self }
    }

    pub fn changes(&self) -> Changes<'_> {
        Changes { store: self }
    }

    /// For probes: whether it answers now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.within(async {
            sqlx::query("SELECT last FROM change_clock").fetch_one(self.read()).await?;
            Ok(())
        })
        .await
    }

    /// Ends all connections; what is under way is finished first. SQLite then folds its log into the file.
    pub async fn close(&self) {
        self.shared.database.read.close().await;
        self.shared.database.write.close().await;
    }

    /// Whether other replicas may work on it.
    pub fn has_replicas(&self) -> bool {
        matches!(self.shared.location, StoreLocation::Postgres(_))
    }

    pub fn location(&self) -> &StoreLocation {
        &self.shared.location
    }

    fn database(&self) -> &dialect::Database {
        &self.shared.database
    }

    fn health(&self) -> &Health {
        &self.shared.health
    }

    fn read(&self) -> &AnyPool {
        &self.shared.database.read
    }

    /// Does something with the store, and gives up if it neither answers nor fails, as a server does that has lost its
    /// network.
    ///
    /// It does not even begin while the store is known not to answer, and ends as soon as that is found.
    ///
    /// Whichever worker's thread this runs on, sockets and timers are those of the store's own runtime: a connection
    /// that was made here is used by other workers, also when this one has ended.
    async fn within<T, E: Failure>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        if let Some(error) = self.health().down() {
            return Err(error.into());
        }
        let mut work = pin!(async {
            let in_time = tokio::time::timeout(PATIENCE, work);
            tokio::select! {
                biased;
                done = in_time => done.unwrap_or_else(|_| {
                    let text = format!("no answer within {} seconds", PATIENCE.as_secs());
                    Err(StoreError::Unavailable(text).into())
                }),
                error = self.health().goes_down() => Err(error.into()),
            }
        });
        let done = poll_fn(|context| {
            let _home = self.shared.home.enter();
            work.as_mut().poll(context)
        })
        .await;
        let failed = done.as_ref().err().and_then(Failure::of_store);
        if let Some(error) = failed.filter(|error| error.is_fault()) {
            if matches!(error, StoreError::Unwritable(_)) {
                self.database().renewal.record_fault(Instant::now());
            }
            self.health().failed(error);
        }
        done
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.shared.location).finish()
    }
}
