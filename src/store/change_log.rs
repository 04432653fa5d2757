//! Change log for other replicas: ended sessions, changed accounts and tenant settings. Written in the
//! transaction of the change itself, so that no change is missing, and no entry is without a change.

use sqlx::{AnyConnection, Row as _};

use super::{
    ChangeFeed, Store, StoreError,
    value::{number, read_number, timestamp},
};
use crate::domain::{account::AccountId, session::SessionHash, tenant::TenantId, time::Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChange {
    SessionEnded(SessionHash),
    /// All sessions of an account, or all but one, have ended: caches reload its sessions.
    SessionsChanged(AccountId),
    /// The password, profile or locks of an account changed, or it was deleted.
    AccountChanged(AccountId),
    /// The governance overrides of a tenant changed.
    GovernanceChanged(TenantId),
    /// More changes than are listed one by one: caches reload everything.
    Everything,
}

impl StoreChange {
    fn to_row(&self) -> (&'static str, String) {
        match self {
            Self::SessionEnded(hash) => ("session", hash.to_hex()),
            Self::SessionsChanged(account) => ("sessions", account.to_string()),
            Self::AccountChanged(account) => ("account", account.to_string()),
            Self::GovernanceChanged(tenant) => ("governance", tenant.to_string()),
            Self::Everything => ("everything", String::new()),
        }
    }

    fn from_row(kind: &str, subject: &str) -> Self {
        let account = || AccountId::parse(subject).ok();
        let change = match kind {
            "session" => SessionHash::from_hex(subject).map(Self::SessionEnded),
            "sessions" => account().map(Self::SessionsChanged),
            "account" => account().map(Self::AccountChanged),
            "governance" => TenantId::parse(subject).ok().map(Self::GovernanceChanged),
            _ => None,
        };
        // a newer replica may record kinds that this version does not know
        change.unwrap_or(Self::Everything)
    }
}

/// Records a change as the last statement of its transaction: blocks other writers until commit.
pub(super) async fn record(
    store: &Store,
    connection: &mut AnyConnection,
    change: &StoreChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = sqlx::query("UPDATE change_clock SET last = last + 1 RETURNING last")
        .fetch_one(&mut *connection)
        .await?;
    let (kind, subject) = change.to_row();
    sqlx::query("INSERT INTO changes (id, kind, subject, recorded_at) VALUES ($1, $2, $3, $4)")
        .bind(row.try_get::<i64, _>("last")?)
        .bind(kind)
        .bind(subject)
        .bind(timestamp(now))
        .execute(&mut *connection)
        .await?;
    if let Some(wake) = store.database().notify_statement {
        sqlx::query(wake).execute(&mut *connection).await?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
pub struct ChangeLog<'a> {
    pub(super) store: &'a Store,
}

/// More changes are reported as [`StoreChange::Everything`]: reloading everything costs less then.
const MAX_CHANGES: i64 = 1000;

impl ChangeLog<'_> {
    /// The number of the last change.
    pub async fn last(self) -> Result<u64, StoreError> {
        self.store
            .with_deadline(async {
                let row = sqlx::query("SELECT last FROM change_clock").fetch_one(self.store.read()).await?;
                read_number(&row, "last")
            })
            .await
    }

    /// The changes after the number `after`, and the number of the last one returned.
    pub async fn since(self, after: u64) -> Result<(u64, Vec<StoreChange>), StoreError> {
        self.store
            .with_deadline(async {
                let rows = sqlx::query(
                    "SELECT c.last, h.id, h.kind, h.subject FROM change_clock c \
                 LEFT JOIN changes h ON h.id > $1 ORDER BY h.id LIMIT $2",
                )
                .bind(number(after))
                .bind(MAX_CHANGES + 1)
                .fetch_all(self.store.read())
                .await?;
                let Some(first) = rows.first() else {
                    return Err(StoreError::unreadable("no clock of changes", &"the table is empty"));
                };
                let last = read_number(first, "last")?;
                if last == after {
                    return Ok((after, Vec::new()));
                }
                // a gap: unread changes have been purged. A clock that went back: another database.
                let first: Option<i64> = first.try_get("id")?;
                let complete = first == Some(number(after.saturating_add(1)));
                if !complete || last < after || i64::try_from(rows.len()).is_ok_and(|rows| rows > MAX_CHANGES)
                {
                    return Ok((last, vec![StoreChange::Everything]));
                }
                let mut read = (after, Vec::with_capacity(rows.len()));
                for row in &rows {
                    read.0 = read_number(row, "id")?;
                    let (kind, subject): (String, String) = (row.try_get("kind")?, row.try_get("subject")?);
                    read.1.push(StoreChange::from_row(&kind, &subject));
                }
                Ok(read)
            })
            .await
    }

    /// Follows changes from now on.
    pub async fn follow(self) -> Result<ChangeFeed, StoreError> {
        let seen = self.last().await?;
        Ok(ChangeFeed::new(self.store.clone(), seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_it_was_written() {
        let account = AccountId::from_bytes([3; 16]);
        for change in [
            StoreChange::SessionEnded(SessionHash::new([9; 32])),
            StoreChange::SessionsChanged(account.clone()),
            StoreChange::AccountChanged(account),
            StoreChange::GovernanceChanged(TenantId::super_tenant()),
            StoreChange::Everything,
        ] {
            let (kind, subject) = change.to_row();
            assert_eq!(StoreChange::from_row(kind, &subject), change);
        }
    }

    #[test]
    fn unknown_change_kind_reads_as_everything() {
        for (kind, subject) in
            [("consent", "x"), ("session", "not a hash"), ("account", ""), ("governance", "a/b")]
        {
            assert_eq!(StoreChange::from_row(kind, subject), StoreChange::Everything);
        }
    }
}
