//! Deletes outdated rows in small batches, so that other statements do not wait.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::{Store, StoreError, health::MAX_BRIDGED_OUTAGE, value::timestamp};
use crate::domain::time::Timestamp;

/// Rows per statement: milliseconds of work.
pub(super) const BATCH: i64 = 500;

/// Retention periods of outdated rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Ended sessions. A replica without access to the store may still report their use.
    pub sessions: Duration,
    /// The change log. A replica that is without the store for longer may miss changes.
    pub changes: Duration,
    /// Counters without a window, after their last failure. Counters of accounts stay as long as the
    /// account, counters that are locked until an administrator unlocks stay without limit.
    pub counters: Duration,
    /// The maximum number of counters that attackers can create; see [`super::counter_eviction`].
    pub max_evictable_counters: u64,
    /// Audit records.
    pub audit: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            sessions: MAX_BRIDGED_OUTAGE,
            changes: Duration::from_hours(24),
            counters: Duration::from_hours(90 * 24),
            max_evictable_counters: 1 << 18,
            // PCI DSS 4.0 §10.5.1 asks for a year
            audit: Duration::from_hours(400 * 24),
        }
    }
}

/// The number of deleted rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PurgedRows {
    pub sessions: u64,
    pub changes: u64,
    pub counters: u64,
    pub audit: u64,
}

impl Store {
    /// Several replicas may run this concurrently.
    pub async fn purge(&self, retention: Retention, now: Timestamp) -> Result<PurgedRows, StoreError> {
        let before = |age: Duration| timestamp(now - age);
        let mut purged = PurgedRows {
            sessions: self
                .in_batches(
                    "DELETE FROM sessions WHERE hash IN",
                    "SELECT hash FROM sessions WHERE ends_at <= $1 ORDER BY ends_at",
                    before(retention.sessions),
                )
                .await?,
            changes: self
                .in_batches(
                    "DELETE FROM changes WHERE id IN",
                    "SELECT id FROM changes WHERE recorded_at <= $1 ORDER BY id",
                    before(retention.changes),
                )
                .await?,
            counters: self
                .in_batches(
                    "DELETE FROM counters WHERE name IN",
                    "SELECT name FROM counters WHERE window_ms > 0 AND since <= $1 - window_ms \
                     AND locked_until >= 0 AND locked_until <= $1 ORDER BY last_failure",
                    timestamp(now),
                )
                .await?,
            audit: self
                .in_batches(
                    "DELETE FROM audit WHERE id IN",
                    "SELECT id FROM audit WHERE at <= $1 ORDER BY at",
                    before(retention.audit),
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
                before(retention.counters),
            )
            .await?;
        purged.counters += self.evict_counters(retention.max_evictable_counters, timestamp(now)).await?;
        Ok(purged)
    }

    async fn in_batches(
        &self,
        delete: &'static str,
        pick: &'static str,
        before: i64,
    ) -> Result<u64, StoreError> {
        let statement = format!("{delete} ({pick} LIMIT $2{})", self.database().skip_locked);
        let mut gone = 0;
        loop {
            let batch = self
                .with_deadline(async {
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
            // a batch that is not full is the last; rows that are added meanwhile wait for the next run
            if i64::try_from(batch).is_ok_and(|batch| batch < BATCH) {
                return Ok(gone);
            }
        }
    }
}
