//! Schema migrations. Forward only, and additive only: replicas of the previous version keep working with
//! the new tables during a rolling update. Unused columns are dropped one release later.

use std::borrow::Cow;

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

const ALL: &[(i64, &str, &str)] = &[
    (1, "accounts", include_str!("0001_accounts.sql")),
    (2, "secrets", include_str!("0002_secrets.sql")),
    (3, "counter_windows", include_str!("0003_counter_windows.sql")),
    (4, "governance", include_str!("0004_governance.sql")),
];

pub fn all() -> Migrator {
    let migrations = ALL.iter().map(|(version, name, sql)| {
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // a newer replica may have added migrations that this version does not know
    migrator.set_ignore_missing(true);
    // sqlx's own lock belongs to the session, and would stay with a pooler
    migrator.set_locking(false);
    migrator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_each_other() {
        let versions: Vec<i64> = ALL.iter().map(|(version, ..)| *version).collect();
        assert_eq!(versions, (1..=i64::try_from(ALL.len()).unwrap()).collect::<Vec<_>>());
    }

    #[test]
    fn a_migration_only_adds() {
        for (version, _, sql) in ALL {
            for statement in statements(sql) {
                let adds = ["CREATE TABLE ", "CREATE INDEX ", "INSERT INTO ", "UPDATE "]
                    .iter()
                    .any(|begin| statement.starts_with(begin));
                // a row the older replica writes has no value for the new column
                let extends = statement.contains(" ADD COLUMN ")
                    && (!statement.contains("NOT NULL") || statement.contains("DEFAULT"));
                assert!(
                    adds || extends,
                    "migration {version} takes something from older replicas: {statement}"
                );
            }
        }
    }

    #[test]
    fn migrations_use_types_both_databases_have() {
        for (version, _, sql) in ALL {
            for statement in statements(sql).iter().filter(|s| s.starts_with("CREATE TABLE ")) {
                let columns = statement.split_once('(').unwrap().1;
                for column in columns.lines().map(str::trim).filter(|line| !line.is_empty()) {
                    let kind = column.split_whitespace().nth(1).unwrap_or_default().trim_end_matches(',');
                    let portable = matches!(kind, "TEXT" | "BIGINT" | "KEY") || column == ")";
                    assert!(portable, "migration {version}: {column}");
                }
            }
        }
    }

    fn statements(sql: &str) -> Vec<String> {
        let code: Vec<&str> = sql.lines().filter(|line| !line.starts_with("--")).collect();
        let all = code.join("\n");
        all.split(';').map(|statement| statement.trim().to_owned()).filter(|s| !s.is_empty()).collect()
    }
}
