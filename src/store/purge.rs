//! Taking away what nobody needs any more, in small batches, so that nobody waits for it.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::{Store, StoreError, value::number};

/// Rows a statement takes away: milliseconds of work.
const BATCH: i64 = 500;

/// How long what is over is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Longer than a replica may be without the store and then still hear of every change.
    pub changes: Duration,
    /// Counters without a new failure. Those of accounts that are locked until somebody unlocks stay.
    pub counters: Duration,
    /// Records of who has changed what.
    pub audit: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            changes: Duration::from_hours(24),
            counters: Duration::from_hours(90 * 24),
            // PCI DSS 4.0 §10.5.1 asks for a year
            audit: Duration::from_hours(400 * 24),
        }
    }
}

/// How many rows are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    pub sessions: u64,
    pub changes: u64,
    pub counters: u64,
    pub audit: u64,
}

impl Store {
    /// Several replicas may do this at once.
    pub async fn purge(&self, keep: Keep, now: u64) -> Result<Purged, StoreError> {
        let before =
            |age: Duration| number(now.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
        Ok(Purged {
            sessions: self
                .in_batches(
                    "DELETE FROM sessions WHERE hash IN",
                    "SELECT hash FROM sessions WHERE ends_at <= $1 ORDER BY ends_at",
                    number(now),
                )
                .await?,
            changes: self
                .in_batches(
                    "DELETE FROM changes WHERE id IN",
                    "SELECT id FROM changes WHERE recorded_at <= $1 ORDER BY id",
                    before(keep.changes),
                )
                .await?,
            counters: self
                .in_batches(
                    "DELETE FROM counters WHERE name IN",
                    "SELECT name FROM counters WHERE last_failure <= $1 AND locked_until >= 0 \
                     AND locked_until <= $1 ORDER BY last_failure",
                    before(keep.counters),
                )
                .await?,
            audit: self
                .in_batches(
                    "DELETE FROM audit WHERE id IN",
                    "SELECT id FROM audit WHERE at <= $1 ORDER BY at",
                    before(keep.audit),
                )
                .await?,
        })
    }

    async fn in_batches(
        &self,
        delete: &'static str,
        pick: &'static str,
        before: i64,
    ) -> Result<u64, StoreError> {
        let statement = format!("{delete} ({pick} LIMIT $2{})", self.database().pass_over);
        let mut gone = 0;
        loop {
            let batch = self
                .within(async {
                    let mut transaction = self.begin().await?;
                    let done = sqlx::query(AssertSqlSafe(statement.as_str()))
                        .bind(before)
                        .bind(BATCH)
                        .execute(&mut *transaction)
                        .await?;
                    transaction.commit().await?;
                    Ok::<_, StoreError>(done.rows_affected())
                })
                .await?;
            gone += batch;
            // a batch that was not full was the last: another may have come meanwhile, and waits for the next time
            if i64::try_from(batch).is_ok_and(|batch| batch < BATCH) {
                return Ok(gone);
            }
        }
    }
}
