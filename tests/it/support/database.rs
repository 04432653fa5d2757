//! A fresh, empty store for a test: a file of SQLite, or a database of the one PostgreSQL server.

use std::future::Future;

use doorward::internals::{
    config::model::{StoreLocation, StoreSettings as Settings},
    store::Store,
};
use sqlx::{AnyConnection, Connection as _};
use tempfile::TempDir;

use super::postgres::Postgres;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

pub struct Database {
    pub kind: Kind,
    pub url: String,
    /// For files beside it.
    pub folder: TempDir,
}

impl Database {
    /// `None` where it may be left out.
    async fn new(kind: Kind) -> Option<Self> {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let url = match kind {
            Kind::Sqlite => "sqlite:doorward.db".to_owned(),
            Kind::Postgres => {
                let server = Postgres::server()?;
                let name = format!("doorward_{:x}", fastrand::u64(..));
                let mut connection = AnyConnection::connect(&server.url("postgres")).await.unwrap();
                let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
                sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
                server.url(&name)
            }
        };
        Some(Self { kind, url, folder })
    }

    pub fn settings(&self) -> Settings {
        Settings {
            location: StoreLocation::parse(&self.url, self.folder.path()).unwrap(),
            max_connections: 4,
        }
    }

    /// As one replica has it; each call is another replica.
    pub async fn open(&self) -> Store {
        Store::open(&self.settings()).await.unwrap()
    }

    /// For connections of the test's own.
    pub fn address(&self) -> String {
        match self.settings().location {
            StoreLocation::Sqlite(path) => format!("sqlite:{}", path.display()),
            StoreLocation::Postgres(url) => url.expose().to_owned(),
        }
    }

    /// Behind the store's back.
    pub async fn run(&self, statement: &'static str) {
        let mut connection = AnyConnection::connect(&self.address()).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Runs a test with a database of this kind.
pub fn with_database<F: Future>(kind: Kind, test: impl FnOnce(Database) -> F) {
    block_on(async {
        if let Some(database) = Database::new(kind).await {
            test(database).await;
        }
    });
}

/// As the workers of the proxy do: one thread, one runtime.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Makes of each `async fn name(Database)` two tests, `sqlite::name` and `postgres::name`. One that is not listed is
/// dead code, which the compiler reports.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                crate::support::database::with_database(crate::support::database::Kind::Sqlite, super::$name);
            })+
        }
        mod postgres {
            $(#[test]
            fn $name() {
                crate::support::database::with_database(crate::support::database::Kind::Postgres, super::$name);
            })+
        }
    };
}
pub(crate) use on_both_databases;
