//! Where SQLite and PostgreSQL differ. No other file asks which of the two it talks to.

use std::{
    borrow::Cow,
    io,
    path::Path,
    str::FromStr as _,
    time::{Duration, Instant},
};

use sqlx::{
    AnyConnection, AnyPool, ConnectOptions as _, Connection as _,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    migrate::{MigrateError, Migrator},
    postgres::PgListener,
};

use super::{
    StoreError,
    log_sync::LogSync,
    postgres_server,
    renewal::Renewal,
    sqlite_file::{self, Identity},
};
use crate::config::model::{Store as Settings, StoreLocation};

/// How long a statement waits for a connection or for another writer.
const WAIT: Duration = Duration::from_secs(5);
/// The channel PostgreSQL wakes watchers on.
const CHANNEL: &str = "doorward_changes";

/// The first statement of a transaction that reads and then writes what it has read.
///
/// SQLite: a plain `BEGIN` takes the write lock late and then fails with "database is locked" instead of waiting.
/// PostgreSQL: what the rows locked below rely on, whatever the server's default is; and a transaction whose owner died
/// elsewhere gives its locks back. All of it for this transaction only: behind a pooler the next one of this connection may be
/// another client's.
const BEGIN_SQLITE: &str = "BEGIN IMMEDIATE";
const BEGIN_POSTGRES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '5s'; \
                              SET LOCAL statement_timeout = '10s'; \
                              SET LOCAL idle_in_transaction_session_timeout = '15s'";
/// 40 pages of 8 KiB. Rows that are shorter than 2 KB are neither compressed nor stored elsewhere.
const PROBE_POSTGRES: &str = "CREATE TEMPORARY TABLE doorward_space_probe ON COMMIT DROP AS \
                              SELECT repeat(md5(page::text), 50) FROM generate_series(1, 160) AS page";
/// One process at a time brings the tables up to date. A lock of the transaction: one of the session would stay with a pooler.
const BEGIN_MIGRATION: &str = "BEGIN; SELECT pg_advisory_xact_lock(7163102746)";

/// Connections to one database.
pub struct Database {
    /// SQLite has one writer at a time: a second would only wait in a worse queue. With PostgreSQL half of all.
    pub write: AnyPool,
    pub read: AnyPool,
    pub begin: &'static str,
    /// A statement of the transaction that records a change, to wake who watches elsewhere.
    pub wake: Option<&'static str>,
    /// Behind a `SELECT` of rows to delete: passes over those somebody else works on, and waits for nobody.
    pub pass_over: &'static str,
    /// Which connections of both pools are replaced.
    pub renewal: Renewal,
    /// What puts committed changes on the disk, where the database does not do that itself.
    pub log: Option<LogSync>,
    file: Option<Identity>,
    server: Option<AnyConnectOptions>,
}

/// Why a server gives no connection.
pub enum Unreachable {
    /// It answers, and has given as many as it may.
    Full(String),
    Down(String),
}

impl Database {
    /// Connects, and brings the tables up to date.
    pub async fn open(settings: &Settings, migrator: &Migrator) -> Result<Self, StoreError> {
        install_default_drivers();
        match &settings.location {
            StoreLocation::Sqlite(path) => sqlite(path, settings.max_connections, migrator).await,
            StoreLocation::Postgres(url) => postgres(url.expose(), settings.max_connections, migrator).await,
        }
    }

    /// Whether the file is still the one that was opened.
    pub fn verify(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), Identity::verify)
    }

    /// Checks that the database answers, without the pools, which may be busy.
    pub async fn ask_directly(&self) -> Result<(), Unreachable> {
        const LONG: Duration = Duration::from_secs(2);
        let Some(server) = &self.server else {
            let answer = sqlx::query("SELECT last FROM change_clock").fetch_one(&self.read).await;
            return answer.map(drop).or_else(|error| match error {
                sqlx::Error::PoolTimedOut => Ok(()),
                error => Err(Unreachable::Down(StoreError::from(error).reason())),
            });
        };
        let asking = async {
            let mut connection = server.connect().await?;
            sqlx::raw_sql("SELECT last FROM change_clock").execute(&mut connection).await?;
            connection.close().await
        };
        match tokio::time::timeout(LONG, asking).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let is_full = code(&error).is_some_and(|code| code == "53300");
                let reason = StoreError::from(error).reason();
                Err(if is_full { Unreachable::Full(reason) } else { Unreachable::Down(reason) })
            }
            Err(_) => Err(Unreachable::Down(format!("no answer within {} seconds", LONG.as_secs()))),
        }
    }

    /// Makes the database allocate new pages on its disk for a moment, more than a change needs.
    pub async fn probe_space(&self) -> Result<(), StoreError> {
        if let Some(file) = self.file.clone() {
            let probing = tokio::task::spawn_blocking(move || sqlite_file::probe_space(file.path()));
            return probing.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())));
        }
        // a table of this connection's own: its pages are given back when the transaction ends
        let mut transaction = self.write.begin_with(self.begin).await?;
        sqlx::raw_sql(PROBE_POSTGRES).execute(&mut *transaction).await?;
        Ok(transaction.rollback().await?)
    }

    /// What is told at once when something changes, where the database can do that.
    pub async fn listen(&self) -> Result<Option<PgListener>, StoreError> {
        let Some(options) = &self.server else { return Ok(None) };
        let mut listener = PgListener::connect(options.database_url.as_str()).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(listener))
    }
}

async fn sqlite(path: &Path, readers: u32, migrator: &Migrator) -> Result<Database, StoreError> {
    sqlite_file::prepare(path)?;
    let options = options(&sqlite_url(path))?;
    let renewal = Renewal::new(Instant::now());
    let pool = || {
        // a file does not go away as a server does: connections are kept, and not asked whether they live
        replacing_outdated(AnyPoolOptions::new(), &renewal)
            .acquire_timeout(WAIT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    switch_to_wal(&options).await?;
    let write = pool()
        .max_connections(1)
        .after_connect(|connection, _| Box::pin(prepare(connection, PREPARE_WRITER)))
        .connect_with(options.clone())
        .await?;
    // two processes that start together: the second finds the work done
    let mut transaction = write.begin_with(BEGIN_SQLITE).await?;
    migrator.run(&mut *transaction).await.map_err(schema)?;
    transaction.commit().await?;
    let file = Identity::of(path)?;
    let log = LogSync::of(file.clone());
    log.acknowledge().await?;
    sqlite_file::mark(path)?;
    let read = pool()
        .max_connections(readers.max(1))
        .after_connect(|connection, _| Box::pin(prepare(connection, PREPARE_READER)))
        .connect_with(options)
        .await?;
    Ok(Database {
        write,
        read,
        begin: BEGIN_SQLITE,
        wake: None,
        pass_over: "",
        renewal,
        log: Some(log),
        file: Some(file),
        server: None,
    })
}

fn replacing_outdated(pool: AnyPoolOptions, renewal: &Renewal) -> AnyPoolOptions {
    let renewal = renewal.clone();
    pool.before_acquire(move |_, connection| {
        let is_current = !renewal.is_outdated(connection.age, Instant::now());
        Box::pin(async move { Ok(is_current) })
    })
}

/// With WAL, `synchronous = NORMAL` loses nothing when a process dies; what the machine could lose is synced by `LogSync`.
const PREPARE_WRITER: &str = "PRAGMA busy_timeout = 5000; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; \
                              PRAGMA journal_size_limit = 67108864;";
const PREPARE_READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON;";

/// Readers then do not wait for the writer. The file remembers it. SQLite does not wait for the lock this needs, so
/// that of two processes that start together one has to try again.
async fn switch_to_wal(options: &AnyConnectOptions) -> Result<(), StoreError> {
    let start = Instant::now();
    let mut connection = options.connect().await?;
    loop {
        match prepare(&mut connection, "PRAGMA journal_mode = WAL;").await {
            Err(error) if start.elapsed() < WAIT && is_busy(&error) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            switched => {
                drop(connection.close().await);
                return Ok(switched?);
            }
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code == "5")
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}

async fn postgres(url: &str, connections: u32, migrator: &Migrator) -> Result<Database, StoreError> {
    let options = options(url)?;
    let connecting = tokio::time::timeout(WAIT, options.connect()).await;
    let late = |_| StoreError::Unavailable("no connection within 5 seconds".to_owned());
    let mut connection = connecting.map_err(late)??;
    let opened = async {
        let mut transaction = connection.begin_with(BEGIN_MIGRATION).await?;
        migrator.run(&mut *transaction).await.map_err(schema)?;
        transaction.commit().await?;
        postgres_server::check_statements(&mut connection, &options).await?;
        Ok::<_, StoreError>(postgres_server::allowed_connections(&mut connection, connections).await?)
    };
    let opened = opened.await;
    drop(connection.close().await);
    let connections = opened?;
    let renewal = Renewal::new(Instant::now());
    let pool = |connections: u32| {
        replacing_outdated(AnyPoolOptions::new(), &renewal)
            .acquire_timeout(WAIT)
            .max_connections(connections.max(1))
            .connect_with(options.clone())
    };
    // writers wait for each other's rows, as two hundred do who guess at one name: no reader waits behind them
    let readers = connections.div_ceil(2);
    Ok(Database {
        read: pool(readers).await?,
        write: pool(connections.saturating_sub(readers)).await?,
        begin: BEGIN_POSTGRES,
        wake: Some("SELECT pg_notify('doorward_changes', '')"),
        pass_over: " FOR UPDATE SKIP LOCKED",
        renewal: renewal.clone(),
        log: None,
        file: None,
        server: Some(options),
    })
}

async fn prepare(connection: &mut AnyConnection, statements: &'static str) -> sqlx::Result<()> {
    sqlx::raw_sql(statements).execute(connection).await.map(drop)
}

fn options(url: &str) -> Result<AnyConnectOptions, StoreError> {
    let options = AnyConnectOptions::from_str(url)?;
    // names and hashes are in statements' arguments; what is slow shows in the metrics
    Ok(options.disable_statement_logging())
}

fn sqlite_url(path: &Path) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    format!("sqlite:{}", utf8_percent_encode(&path.to_string_lossy(), NON_ALPHANUMERIC))
}

fn schema(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) => StoreError::from(error),
        MigrateError::VersionMismatch(version) => StoreError::Schema(format!(
            "its tables of version {version} are not those of this program: it belongs to something else"
        )),
        error => StoreError::Schema(error.to_string()),
    }
}

/// Whether an error, by its code, says that the database is down, full or overloaded, not that we made a mistake.
/// PostgreSQL has five letters (<https://www.postgresql.org/docs/current/errcodes-appendix.html>), SQLite a number
/// (<https://www.sqlite.org/rescode.html>).
pub fn passes_by_itself(code: &str) -> bool {
    if code.len() == 5 {
        // connection, transaction rollback, resources, operator intervention, system; and a transaction that waited too
        // long, for its owner or for a lock
        return ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
            || matches!(code, "25P03" | "55P03");
    }
    // busy, locked
    matches!(sqlite_class(code), Some(5 | 6))
}

/// Whether an error, by its code, says that the database takes no changes, and its connection is to be replaced.
pub fn is_unwritable(code: &str) -> bool {
    if code.len() == 5 {
        // a read-only transaction, the server's disk is full, its files fail
        return matches!(code, "25006" | "53100" | "58030");
    }
    // no memory, read-only, i/o, full, cannot open
    matches!(sqlite_class(code), Some(7 | 8 | 10 | 13 | 14))
}

/// The lower byte of an extended code.
fn sqlite_class(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_a_database_that_is_down_are_known() {
        for (code, passes) in [
            ("57P01", true),
            ("53300", true),
            ("40P01", true),
            ("55P03", true),
            ("23505", false),
            ("42P01", false),
            ("5", true),
            ("517", true),
            ("13", false),
            ("2067", false),
            ("1", false),
            ("", false),
        ] {
            assert_eq!(passes_by_itself(code), passes, "{code}");
        }
    }

    #[test]
    fn codes_of_a_database_that_takes_no_changes_are_known() {
        for (code, unwritable) in [
            ("25006", true),
            ("53100", true),
            ("53300", false),
            ("23505", false),
            ("8", true),
            ("1032", true),
            ("778", true),
            ("13", true),
            ("14", true),
            ("5", false),
            ("1", false),
            ("", false),
        ] {
            assert_eq!(is_unwritable(code), unwritable, "{code}");
        }
    }

    #[test]
    fn a_path_survives_being_a_url() {
        assert_eq!(sqlite_url(Path::new("/a b?#%.db")), "sqlite:%2Fa%20b%3F%23%25%2Edb");
    }
}
