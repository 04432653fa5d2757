//! What strangers can make up without end takes bounded room: names at the portal's sign-in, addresses, names at
//! addresses. The counters that say least make way.
//!
//! Names Doorward itself does not know share buckets, since nobody is behind them. At the portal's sign-in somebody may be
//! behind any name: in shared buckets, which only a success empties, a flood of random names would sooner or later lock
//! everybody. So each has a row of its own, and of the rows there are only so many.
//!
//! What a row says, ages: each failure is worth a minute, which is how often this is done, and a lock some more. So nothing an
//! attacker has put there keeps others out for good. One more guess at each of a quarter of a million names makes the table
//! forget for one more minute; locks at all of them, be they in force until an administrator comes, for a quarter of an hour.

use sqlx::{AssertSqlSafe, Row as _};

use super::{Store, StoreError, counters::places, purge::BATCH};

/// Rows chosen in one look through the table: their names are held meanwhile, some ten MiB.
const CHOSEN: i64 = 100_000;

/// How much later than its last failure a row seems to be: a minute for each failure since the last lock, for each lock before
/// as much as its five failures, and a quarter of an hour for one that is in force. No more than that: whatever is worth much
/// for few guesses is the way to fill the table for long. ($1: now.)
macro_rules! worth {
    () => {
        "last_failure + CAST(60000 AS BIGINT) * (failures + 5 * lockouts + \
         CASE WHEN locked_until < 0 OR locked_until > $1 THEN 15 ELSE 0 END)"
    };
}

/// All counters except those of accounts and of unknown names and the known networks of accounts, whose number is bounded
/// otherwise.
macro_rules! strays {
    () => {
        " FROM counters WHERE name NOT LIKE 'name|%|account:%' AND name NOT LIKE 'name|%|unknown:%' \
         AND name NOT LIKE 'unknown-networks|%' AND name NOT LIKE 'known-network|%'"
    };
}

impl Store {
    /// Takes away so many that `keep` are left, the least worth first; how many those were.
    pub(super) async fn crowd_out(&self, keep: u64, now: i64) -> Result<u64, StoreError> {
        let keep = i64::try_from(keep).unwrap_or(i64::MAX);
        let mut gone = 0;
        loop {
            let chosen = self.least_telling(keep, now).await?;
            let mut round = 0;
            for names in chosen.chunks(usize::try_from(BATCH).unwrap_or(1)) {
                round += self.take_away(names, now).await?;
            }
            gone += round;
            // what could not be taken away is in use, and waits for the next time
            if round == 0 {
                return Ok(gone);
            }
        }
    }

    async fn least_telling(&self, keep: i64, now: i64) -> Result<Vec<String>, StoreError> {
        self.within(async {
            let row =
                sqlx::query(concat!("SELECT COUNT(*) AS strays", strays!())).fetch_one(self.read()).await?;
            let excess = row.try_get::<i64, _>("strays")?.saturating_sub(keep);
            if excess <= 0 {
                return Ok(Vec::new());
            }
            let rows = sqlx::query(concat!(
                "SELECT name",
                strays!(),
                " AND last_failure <= $1 ORDER BY ",
                worth!(),
                " LIMIT $2"
            ))
            .bind(now)
            .bind(excess.min(CHOSEN))
            .fetch_all(self.read())
            .await?;
            rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
        })
        .await
    }

    /// Those of them that nobody has counted on meanwhile.
    async fn take_away(&self, names: &[String], now: i64) -> Result<u64, StoreError> {
        self.within(async {
            let statement = format!(
                "DELETE FROM counters WHERE name IN (SELECT name FROM counters WHERE name IN {} \
                 AND last_failure <= ${}{})",
                places(names.len()),
                names.len() + 1,
                self.database().pass_over
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
