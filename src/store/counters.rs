//! Lockout counters. An update locks its rows until commit, so that each of two hundred parallel attempts
//! is counted, on one replica or on ten.

use std::{collections::HashMap, fmt::Write as _};

use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use super::{
    Store, StoreError,
    value::{duration, read_duration, read_number, read_text, read_timestamp, timestamp},
};
use crate::domain::{
    lockout::{Counter, CounterKey, LockState, LoginSubject},
    tenant::TenantId,
    time::Timestamp,
};

#[derive(Clone, Copy)]
pub struct CounterRepository<'a> {
    pub(super) store: &'a Store,
}

/// The column value of "locked until an administrator unlocks".
const UNTIL_ADMIN: i64 = -1;

impl CounterRepository<'_> {
    /// Passes the counters of `keys`, in that order, to `decide`, and stores the result in one transaction
    /// that locks their rows. The result of `decide` is valid only if this succeeds.
    pub async fn update<T>(
        self,
        keys: &[CounterKey],
        decide: impl FnOnce(&mut [(CounterKey, Counter)]) -> T,
    ) -> Result<T, StoreError> {
        self.store
            .with_deadline(async {
                if keys.is_empty() {
                    return Ok(decide(&mut []));
                }
                let mut transaction = self.store.begin().await?;
                let before = lock_rows(&mut transaction, keys).await?;
                let mut after = in_order(keys, &before);
                let decided = decide(&mut after);
                let was = |key: &CounterKey| before.get(&key.to_text()).copied().unwrap_or_default();
                let changed: Vec<_> = after.iter().filter(|(key, counter)| *counter != was(key)).collect();
                if changed.is_empty() {
                    // the rows that were inserted for locking are removed
                    transaction.rollback().await?;
                    return Ok(decided);
                }
                write(&mut transaction, &changed).await?;
                let void: Vec<_> = after.iter().filter(|(_, counter)| is_blank(counter)).collect();
                remove(&mut transaction, &void).await?;
                transaction.commit().await?;
                Ok(decided)
            })
            .await
    }

    /// The current counters, in the order of `keys`.
    pub async fn read(self, keys: &[CounterKey]) -> Result<Vec<(CounterKey, Counter)>, StoreError> {
        self.store.with_deadline(async {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let statement = format!(
                "SELECT name, failures, lockouts, locked_until, since, last_failure, window_ms FROM counters \
                 WHERE name IN {}",
                placeholders(keys.len())
            );
            let mut query = sqlx::query(AssertSqlSafe(statement));
            for key in keys {
                query = query.bind(key.to_text());
            }
            let rows = query.fetch_all(self.store.read()).await?;
            let found = rows.iter().map(read).collect::<Result<HashMap<_, _>, _>>()?;
            Ok(in_order(keys, &found))
        })
        .await
    }

    /// Resets counters.
    pub async fn reset(self, keys: &[CounterKey]) -> Result<(), StoreError> {
        self.update(keys, |counters| {
            for (_, counter) in counters {
                *counter = Counter::default();
            }
        })
        .await
    }

    /// Resets all counters of a name: its own, per address, and per known device.
    pub async fn reset_all_of(self, tenant: &TenantId, subject: &LoginSubject) -> Result<u64, StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                let done = sqlx::query("DELETE FROM counters WHERE owner = $1")
                    .bind(owner(tenant, subject))
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                Ok(done.rows_affected())
            })
            .await
    }

    /// Deletes all known networks of the account except the `most` with the latest successes.
    pub async fn limit_known_networks(
        self,
        tenant: &TenantId,
        who: &LoginSubject,
        most: u32,
    ) -> Result<u64, StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                let done = sqlx::query(
                    "DELETE FROM counters WHERE owner = $1 AND name NOT IN (SELECT name FROM counters \
                     WHERE owner = $1 ORDER BY last_failure DESC, name LIMIT $2)",
                )
                .bind(owner_of_networks(tenant, who))
                .bind(i64::from(most))
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok(done.rows_affected())
            })
            .await
    }
}

/// Inserts missing rows and locks all. Sorted by name, so that two transactions do not deadlock.
async fn lock_rows(
    connection: &mut AnyConnection,
    keys: &[CounterKey],
) -> Result<HashMap<String, Counter>, StoreError> {
    let mut named: Vec<(String, &CounterKey)> = keys.iter().map(|key| (key.to_text(), key)).collect();
    named.sort();
    named.dedup();
    let statement = format!(
        "INSERT INTO counters (name, owner, failures, lockouts, locked_until, since, last_failure) VALUES {} \
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner \
         RETURNING name, failures, lockouts, locked_until, since, last_failure, window_ms",
        (0..named.len()).fold(String::new(), |mut text, index| {
            let separator = if index == 0 { "" } else { ", " };
            let _ = write!(text, "{separator}(${}, ${}, 0, 0, 0, 0, 0)", 2 * index + 1, 2 * index + 2);
            text
        })
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for (name, key) in &named {
        query = query.bind(name.clone()).bind(owner_of(key));
    }
    query.fetch_all(connection).await?.iter().map(read).collect()
}

async fn write(connection: &mut AnyConnection, changed: &[&(CounterKey, Counter)]) -> Result<(), StoreError> {
    for (key, counter) in changed.iter().filter(|(_, counter)| !is_blank(counter)) {
        sqlx::query(
            "UPDATE counters SET failures = $2, lockouts = $3, locked_until = $4, since = $5, last_failure = $6, \
             window_ms = $7 WHERE name = $1",
        )
        .bind(key.to_text())
        .bind(i64::from(counter.failures))
        .bind(i64::from(counter.lockouts))
        .bind(match counter.locked_until {
            LockState::None => 0,
            // 0 means no lock, so a lock until the epoch is stored as 1
            LockState::Until(until) => timestamp(until).max(1),
            LockState::UntilAdmin => UNTIL_ADMIN,
        })
        .bind(timestamp(counter.since))
        .bind(timestamp(counter.last_failure))
        .bind(duration(counter.window))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn remove(connection: &mut AnyConnection, void: &[&(CounterKey, Counter)]) -> Result<(), StoreError> {
    if void.is_empty() {
        return Ok(());
    }
    let statement = format!("DELETE FROM counters WHERE name IN {}", placeholders(void.len()));
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for (key, _) in void {
        query = query.bind(key.to_text());
    }
    query.execute(connection).await?;
    Ok(())
}

/// Equal to a missing row.
fn is_blank(counter: &Counter) -> bool {
    counter.failures == 0 && counter.lockouts == 0 && counter.locked_until == LockState::None
}

fn in_order(keys: &[CounterKey], found: &HashMap<String, Counter>) -> Vec<(CounterKey, Counter)> {
    keys.iter().map(|key| (key.clone(), found.get(&key.to_text()).copied().unwrap_or_default())).collect()
}

fn read(row: &AnyRow) -> Result<(String, Counter), StoreError> {
    let count = |column| Ok::<_, StoreError>(u32::try_from(read_number(row, column)?).unwrap_or(u32::MAX));
    let counter = Counter {
        failures: count("failures")?,
        lockouts: count("lockouts")?,
        locked_until: match row.try_get::<i64, _>("locked_until")? {
            0 => LockState::None,
            until => u64::try_from(until)
                .map_or(LockState::UntilAdmin, |until| LockState::Until(Timestamp::from_millis(until))),
        },
        since: read_timestamp(row, "since")?,
        last_failure: read_timestamp(row, "last_failure")?,
        window: read_duration(row, "window_ms")?,
    };
    Ok((read_text(row, "name")?, counter))
}

fn owner_of(key: &CounterKey) -> String {
    match key {
        CounterKey::Account { tenant, account } => owner(tenant, &LoginSubject::Account(account.clone())),
        CounterKey::PortalName { tenant, name } => owner(tenant, &LoginSubject::PortalName(*name)),
        CounterKey::UnknownName { tenant, bucket } => owner(tenant, &LoginSubject::UnknownName(*bucket)),
        CounterKey::AccountAddress { tenant, subject, .. }
        | CounterKey::Spelling { tenant, subject, .. }
        | CounterKey::Forgiven { tenant, subject }
        | CounterKey::UnknownNetworks { tenant, subject }
        | CounterKey::Device { tenant, subject, .. }
        | CounterKey::Devices { tenant, subject } => owner(tenant, subject),
        // an unlock does not remove the known networks of an account
        CounterKey::KnownNetwork { tenant, subject, .. } => owner_of_networks(tenant, subject),
        CounterKey::Address { .. }
        | CounterKey::Nameless { .. }
        | CounterKey::PortalSession { .. }
        | CounterKey::Confusable { .. } => String::new(),
    }
}

fn owner_of_networks(tenant: &TenantId, who: &LoginSubject) -> String {
    format!("known-network|{}", owner(tenant, who))
}

fn owner(tenant: &TenantId, subject: &LoginSubject) -> String {
    format!("{tenant}|{subject}")
}

/// `($1, $2, $3)`: placeholders for this many values.
pub(super) fn placeholders(count: usize) -> String {
    let numbers: Vec<String> = (1..=count).map(|number| format!("${number}")).collect();
    format!("({})", numbers.join(", "))
}
