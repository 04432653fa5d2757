//! Differences between SQLite and PostgreSQL. No other file distinguishes the two.

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
    renewal::ConnectionRenewal,
    sqlite_file::{self, FileIdentity},
};
use crate::config::model::{StoreLocation, StoreSettings as Settings};

/// How long a statement waits for a connection or for another writer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The PostgreSQL notification channel of the change feed.
const CHANNEL: &str = "doorward_changes";

/// The first statement of a transaction that reads and then writes what it has read.
///
/// SQLite: a plain `BEGIN` takes the write lock late and then fails with "database is locked" instead of waiting.
/// PostgreSQL: the isolation level that the row locks rely on, whatever the default of the server is; and
/// timeouts that release the locks of a client that has died. Set per transaction: behind a pooler the next
/// one of this connection may belong to another client.
const BEGIN_SQLITE: &str = "BEGIN IMMEDIATE";
const BEGIN_POSTGRES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '5s'; \
                              SET LOCAL statement_timeout = '10s'; \
                              SET LOCAL idle_in_transaction_session_timeout = '15s'";
/// 40 pages of 8 KiB. Rows that are shorter than 2 KB are neither compressed nor stored elsewhere.
const PROBE_POSTGRES: &str = "CREATE TEMPORARY TABLE doorward_space_probe ON COMMIT DROP AS \
                              SELECT repeat(md5(page::text), 50) FROM generate_series(1, 160) AS page";
/// One process at a time migrates the tables. The lock belongs to the transaction: a session lock would
/// stay with a pooler.
const BEGIN_MIGRATION: &str = "BEGIN; SELECT pg_advisory_xact_lock(7163102746)";

/// Connections to one database.
pub struct Database {
    /// SQLite has one writer at a time: a second connection would only wait inside SQLite. With PostgreSQL half of all connections.
    pub write: AnyPool,
    pub read: AnyPool,
    pub begin: &'static str,
    /// Notifies the change feeds of other replicas, in the transaction that records a change.
    pub notify_statement: Option<&'static str>,
    /// Suffix of a `SELECT` of rows to delete: skips locked rows instead of waiting for them.
    pub skip_locked: &'static str,
    /// Which connections of both pools are replaced.
    pub renewal: ConnectionRenewal,
    /// Syncs committed changes to the disk, if the database does not do that itself.
    pub log: Option<LogSync>,
    file: Option<FileIdentity>,
    server: Option<AnyConnectOptions>,
}

/// How the database answers a new connection.
pub enum Reachability {
    Answers,
    /// The server responds, but its connection limit is reached.
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
        self.file.as_ref().map_or(Ok(()), FileIdentity::verify)
    }

    /// Checks the database on a new connection, because the pools may be busy.
    pub async fn check_without_pool(&self) -> Reachability {
        const LONG: Duration = Duration::from_secs(2);
        let Some(server) = &self.server else {
            let answer = sqlx::query("SELECT last FROM change_clock").fetch_one(&self.read).await;
            return match answer {
                Ok(_) | Err(sqlx::Error::PoolTimedOut) => Reachability::Answers,
                Err(error) => Reachability::Down(StoreError::from(error).reason()),
            };
        };
        let asking = async {
            let mut connection = server.connect().await?;
            sqlx::raw_sql("SELECT last FROM change_clock").execute(&mut connection).await?;
            connection.close().await
        };
        match tokio::time::timeout(LONG, asking).await {
            Ok(Ok(())) => Reachability::Answers,
            Ok(Err(error)) => {
                let is_full = code(&error).is_some_and(|code| code == "53300");
                let reason = StoreError::from(error).reason();
                if is_full { Reachability::Full(reason) } else { Reachability::Down(reason) }
            }
            Err(_) => Reachability::Down(format!("no answer within {} seconds", LONG.as_secs())),
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

    /// Subscribes to change notifications, if the database supports them.
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
    let renewal = ConnectionRenewal::new(Instant::now());
    let pool = || {
        // a file does not disconnect like a server: connections are kept, and not tested
        replacing_outdated(AnyPoolOptions::new(), &renewal)
            .acquire_timeout(ACQUIRE_TIMEOUT)
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
    let file = FileIdentity::of(path)?;
    let log = LogSync::of(file.clone());
    log.acknowledge().await?;
    sqlite_file::write_marker(path)?;
    let read = pool()
        .max_connections(readers.max(1))
        .after_connect(|connection, _| Box::pin(prepare(connection, PREPARE_READER)))
        .connect_with(options)
        .await?;
    Ok(Database {
        write,
        read,
        begin: BEGIN_SQLITE,
        notify_statement: None,
        skip_locked: "",
        renewal,
        log: Some(log),
        file: Some(file),
        server: None,
    })
}

fn replacing_outdated(pool: AnyPoolOptions, renewal: &ConnectionRenewal) -> AnyPoolOptions {
    let renewal = renewal.clone();
    pool.before_acquire(move |_, connection| {
        let is_current = !renewal.is_outdated(connection.age, Instant::now());
        Box::pin(async move { Ok(is_current) })
    })
}

/// With WAL, `synchronous = NORMAL` loses nothing if the process crashes; `LogSync` protects against a crash of the host.
const PREPARE_WRITER: &str = "PRAGMA busy_timeout = 5000; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; \
                              PRAGMA journal_size_limit = 67108864;";
const PREPARE_READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON;";

/// With WAL, readers do not wait for the writer. The mode is stored in the file. SQLite does not wait for
/// the lock that the switch needs, so one of two processes that start together has to retry.
async fn switch_to_wal(options: &AnyConnectOptions) -> Result<(), StoreError> {
    let start = Instant::now();
    let mut connection = options.connect().await?;
    loop {
        match prepare(&mut connection, "PRAGMA journal_mode = WAL;").await {
            Err(error) if start.elapsed() < ACQUIRE_TIMEOUT && is_busy(&error) => {
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
    let connecting = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await;
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
    let renewal = ConnectionRenewal::new(Instant::now());
    let pool = |connections: u32| {
        replacing_outdated(AnyPoolOptions::new(), &renewal)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_connections(connections.max(1))
            .connect_with(options.clone())
    };
    // writers wait for row locks, as do two hundred attempts at one name: readers have their own pool
    let readers = connections.div_ceil(2);
    Ok(Database {
        read: pool(readers).await?,
        write: pool(connections.saturating_sub(readers)).await?,
        begin: BEGIN_POSTGRES,
        notify_statement: Some("SELECT pg_notify('doorward_changes', '')"),
        skip_locked: " FOR UPDATE SKIP LOCKED",
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
    // statement logs would contain names and hashes; slow statements show in the metrics
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
            "its tables of version {version} were not created by Doorward: the database belongs to another program"
        )),
        error => StoreError::Schema(error.to_string()),
    }
}

/// Whether an error code means that the database is down, full or overloaded, and not a programming error. PostgreSQL
/// codes have five characters (<https://www.postgresql.org/docs/current/errcodes-appendix.html>), SQLite codes are
/// numbers (<https://www.sqlite.org/rescode.html>).
pub fn is_transient(code: &str) -> bool {
    if code.len() == 5 {
        // connection, transaction rollback, resources, operator intervention, system; and a transaction that waited too
        // long, for its owner or for a lock
        return ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
            || matches!(code, "25P03" | "55P03");
    }
    // busy, locked
    matches!(sqlite_class(code), Some(5 | 6))
}

/// Whether an error code means that the database accepts no changes, and its connection has to be replaced.
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
    fn classifies_codes_of_an_unavailable_database() {
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
            assert_eq!(is_transient(code), passes, "{code}");
        }
    }

    #[test]
    fn classifies_codes_of_an_unwritable_database() {
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
