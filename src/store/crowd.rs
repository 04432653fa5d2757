//! What strangers can make up without end takes bounded room: names at the portal's sign-in, addresses, names at
//! addresses. The counters that say least make way.
//!
//! Names Doorward itself does not know share buckets, since nobody is behind them. At the portal's sign-in somebody may be
//! behind any name: in shared buckets, which only a success empties, a flood of random names would sooner or later lock
//! everybody. So each has a row of its own, and of the rows there are only so many. To have somebody's four wrong guesses
//! forgotten, an attacker has to guess four times at a quarter of a million other names; to undo a lock, five times.

use sqlx::{AssertSqlSafe, Row as _};

use super::{Store, StoreError, counters::places, purge::BATCH};

/// Rows chosen in one look through the table.
const CHOSEN: i64 = 10_000;

/// All but the counters of accounts and of unknown names, of which there are only so many anyhow.
macro_rules! strays {
    () => {
        " FROM counters WHERE name NOT LIKE 'name|%|account:%' AND name NOT LIKE 'name|%|unknown:%'"
    };
}

impl Store {
    /// Takes away so many that `keep` are left; how many those were. Locks in force go last, then those of names that were
    /// locked most often, then those with most failures; among equals the newest stay.
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
                " AND last_failure <= $1 ORDER BY \
                 CASE WHEN locked_until < 0 THEN 2 WHEN locked_until > $1 THEN 1 ELSE 0 END, \
                 lockouts, failures, last_failure LIMIT $2"
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
