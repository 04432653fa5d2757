//! Taking away what nobody needs any more, in small batches, so that nobody waits for it.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::{Store, StoreError, health::LONGEST_CUT, value::number};

/// Rows a statement takes away: milliseconds of work.
pub(super) const BATCH: i64 = 500;

/// How long what is over is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Sessions that are over. While a replica is cut off from the store they may yet be found to be in use.
    pub sessions: Duration,
    /// Longer than a replica may be without the store and then still hear of every change.
    pub changes: Duration,
    /// Counters that only a success resets, without a new failure. Those of accounts stay as long as the account, those
    /// that are locked until somebody unlocks for good.
    pub counters: Duration,
    /// So many counters of what strangers can make up without end; see [`super::crowd`].
    pub strays: u64,
    /// Records of who has changed what.
    pub audit: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            sessions: LONGEST_CUT,
            changes: Duration::from_hours(24),
            counters: Duration::from_hours(90 * 24),
            strays: 1 << 18,
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
        let mut purged = Purged {
            sessions: self
                .in_batches(
                    "DELETE FROM sessions WHERE hash IN",
                    "SELECT hash FROM sessions WHERE ends_at <= $1 ORDER BY ends_at",
                    before(keep.sessions),
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
                    "SELECT name FROM counters WHERE window_ms > 0 AND since <= $1 - window_ms \
                     AND locked_until >= 0 AND locked_until <= $1 ORDER BY last_failure",
                    number(now),
                )
                .await?,
            audit: self
                .in_batches(
                    "DELETE FROM audit WHERE id IN",
                    "SELECT id FROM audit WHERE at <= $1 ORDER BY at",
                    before(keep.audit),
                )
                .await?,
        };
        purged.counters += self
            .in_batches(
                "DELETE FROM counters WHERE name IN",
                // the counter of an account is named after its id, 32 digits at the end
                "SELECT name FROM counters WHERE last_failure <= $1 AND locked_until >= 0 AND locked_until <= $1 \
                 AND NOT EXISTS (SELECT 1 FROM accounts WHERE id = substr(counters.name, length(counters.name) - 31)) \
                 ORDER BY last_failure",
                before(keep.counters),
            )
            .await?;
        purged.counters += self.crowd_out(keep.strays, number(now)).await?;
        Ok(purged)
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
