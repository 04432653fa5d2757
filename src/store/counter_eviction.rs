//! Counter eviction: caps the number of counters that an attacker can create: names at the portal's login,
//! addresses, names at addresses. The least significant counters are deleted.
//!
//! Names that Doorward does not know share buckets, since no user has them. At the portal's login every
//! name may have a user: in shared buckets, which only a success resets, a flood of random names would
//! eventually lock all users. So each name has its own row, and the number of rows is limited.
//!
//! The significance of a row decreases with age: each failure counts like one minute, which is how often
//! this runs, and a lock like several. So no attacker can displace other rows permanently. One more attempt
//! at each of a quarter of a million names displaces rows for one more minute; locks of all of them, even
//! until an administrator unlocks, for 15 minutes.

use sqlx::{AssertSqlSafe, Row as _};

use super::{Store, StoreError, counters::placeholders, purge::BATCH};

/// Rows selected per scan of the table: their names take about 10 MiB.
const MAX_SELECTED: i64 = 100_000;

/// The significance of a row as a shift of its last failure: one minute per failure since the last lock,
/// five per earlier lock, and 15 for a lock in force. Not more: a row that gains much from few attempts
/// could fill the table for long. ($1: now.)
macro_rules! significance {
    () => {
        "last_failure + CAST(60000 AS BIGINT) * (failures + 5 * lockouts + \
         CASE WHEN locked_until < 0 OR locked_until > $1 THEN 15 ELSE 0 END)"
    };
}

/// All counters except those of accounts and of unknown names and the known networks of accounts, whose number is bounded
/// otherwise.
macro_rules! evictable {
    () => {
        " FROM counters WHERE name NOT LIKE 'name|%|account:%' AND name NOT LIKE 'name|%|unknown:%' \
         AND name NOT LIKE 'unknown-networks|%' AND name NOT LIKE 'known-network|%'"
    };
}

impl Store {
    /// Deletes the least significant counters until `max` are left; returns the number deleted.
    pub(super) async fn evict_counters(&self, max: u64, now: i64) -> Result<u64, StoreError> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let mut gone = 0;
        loop {
            let chosen = self.select_for_eviction(max, now).await?;
            let mut round = 0;
            for names in chosen.chunks(usize::try_from(BATCH).unwrap_or(1)) {
                round += self.delete_unchanged(names, now).await?;
            }
            gone += round;
            // rows that could not be deleted are in use, and are retried in the next run
            if round == 0 {
                return Ok(gone);
            }
        }
    }

    async fn select_for_eviction(&self, max: i64, now: i64) -> Result<Vec<String>, StoreError> {
        self.with_deadline(async {
            let row = sqlx::query(concat!("SELECT COUNT(*) AS evictable", evictable!()))
                .fetch_one(self.read())
                .await?;
            let excess = row.try_get::<i64, _>("evictable")?.saturating_sub(max);
            if excess <= 0 {
                return Ok(Vec::new());
            }
            let rows = sqlx::query(concat!(
                "SELECT name",
                evictable!(),
                " AND last_failure <= $1 ORDER BY ",
                significance!(),
                " LIMIT $2"
            ))
            .bind(now)
            .bind(excess.min(MAX_SELECTED))
            .fetch_all(self.read())
            .await?;
            rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
        })
        .await
    }

    /// Deletes the counters that have not changed since their selection.
    async fn delete_unchanged(&self, names: &[String], now: i64) -> Result<u64, StoreError> {
        self.with_deadline(async {
            let statement = format!(
                "DELETE FROM counters WHERE name IN (SELECT name FROM counters WHERE name IN {} \
                 AND last_failure <= ${}{})",
                placeholders(names.len()),
                names.len() + 1,
                self.database().skip_locked
            );
            let mut query = sqlx::query(AssertSqlSafe(statement));
            for name in names {
                query = query.bind(name.as_str());
            }
            let mut transaction = self.begin().await?;
            let done = query.bind(now).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(done.rows_affected())
        })
        .await
    }
}
