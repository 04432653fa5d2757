//! What other processes have to hear about: a session ended, an account or a tenant's settings changed. Written in the transaction of the
//! change itself, so that there is no change nobody hears of, and no news of a change that did not happen.

use sqlx::{AnyConnection, Row as _};

use super::{
    Store, StoreError, Watch,
    value::{number, read_number},
};
use crate::domain::{account::AccountId, session::SessionHash, tenant::TenantId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    SessionEnded(SessionHash),
    /// All of an account, or all but one: whoever remembers sessions of it asks again.
    SessionsOf(AccountId),
    /// Its password, profile or locks; or it is gone.
    AccountChanged(AccountId),
    /// What administrators have set for a tenant.
    Governance(TenantId),
    /// More than can be told one by one: whoever remembers anything asks again.
    Everything,
}

impl Change {
    fn to_row(&self) -> (&'static str, String) {
        match self {
            Self::SessionEnded(hash) => ("session", hash.to_hex()),
            Self::SessionsOf(account) => ("sessions", account.to_string()),
            Self::AccountChanged(account) => ("account", account.to_string()),
            Self::Governance(tenant) => ("governance", tenant.to_string()),
            Self::Everything => ("everything", String::new()),
        }
    }

    fn from_row(kind: &str, subject: &str) -> Self {
        let account = || AccountId::parse(subject).ok();
        let change = match kind {
            "session" => SessionHash::from_hex(subject).map(Self::SessionEnded),
            "sessions" => account().map(Self::SessionsOf),
            "account" => account().map(Self::AccountChanged),
            "governance" => TenantId::parse(subject).ok().map(Self::Governance),
            _ => None,
        };
        // a newer replica may tell what this one does not know
        change.unwrap_or(Self::Everything)
    }
}

/// Records a change as the last thing of its transaction: until commit, nobody else can record one.
pub(super) async fn record(
    store: &Store,
    connection: &mut AnyConnection,
    change: &Change,
    now: u64,
) -> Result<(), StoreError> {
    let row = sqlx::query("UPDATE change_clock SET last = last + 1 RETURNING last")
        .fetch_one(&mut *connection)
        .await?;
    let (kind, subject) = change.to_row();
    sqlx::query("INSERT INTO changes (id, kind, subject, recorded_at) VALUES ($1, $2, $3, $4)")
        .bind(row.try_get::<i64, _>("last")?)
        .bind(kind)
        .bind(subject)
        .bind(number(now))
        .execute(&mut *connection)
        .await?;
    if let Some(wake) = store.database().wake {
        sqlx::query(wake).execute(&mut *connection).await?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
pub struct Changes<'a> {
    pub(super) store: &'a Store,
}

/// More at once are told as [`Change::Everything`]: looking everything up again costs less then.
const MOST: i64 = 1000;

impl Changes<'_> {
    /// The number of the last change.
    pub async fn last(self) -> Result<u64, StoreError> {
        self.store
            .within(async {
                let row = sqlx::query("SELECT last FROM change_clock").fetch_one(self.store.read()).await?;
                read_number(&row, "last")
            })
            .await
    }

    /// What changed after the change `after`, and the number of the last one told.
    pub async fn since(self, after: u64) -> Result<(u64, Vec<Change>), StoreError> {
        self.store
            .within(async {
                let rows = sqlx::query(
                    "SELECT c.last, h.id, h.kind, h.subject FROM change_clock c \
                 LEFT JOIN changes h ON h.id > $1 ORDER BY h.id LIMIT $2",
                )
                .bind(number(after))
                .bind(MOST + 1)
                .fetch_all(self.store.read())
                .await?;
                let Some(first) = rows.first() else {
                    return Err(StoreError::unreadable("no clock of changes", &"the table is empty"));
                };
                let last = read_number(first, "last")?;
                if last == after {
                    return Ok((after, Vec::new()));
                }
                // a gap: what was not read in time has been purged. A clock that went back: another database.
                let first: Option<i64> = first.try_get("id")?;
                let complete = first == Some(number(after.saturating_add(1)));
                if !complete || last < after || i64::try_from(rows.len()).is_ok_and(|rows| rows > MOST) {
                    return Ok((last, vec![Change::Everything]));
                }
                let mut told = (after, Vec::with_capacity(rows.len()));
                for row in &rows {
                    told.0 = read_number(row, "id")?;
                    let (kind, subject): (String, String) = (row.try_get("kind")?, row.try_get("subject")?);
                    told.1.push(Change::from_row(&kind, &subject));
                }
                Ok(told)
            })
            .await
    }

    /// Follows what changes from here on, or after the change `after`.
    pub async fn watch(self, after: Option<u64>) -> Result<Watch, StoreError> {
        let seen = match after {
            Some(after) => after,
            None => self.last().await?,
        };
        Ok(Watch::new(self.store.clone(), seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_it_was_written() {
        let account = AccountId::from_bytes([3; 16]);
        for change in [
            Change::SessionEnded(SessionHash::new([9; 32])),
            Change::SessionsOf(account.clone()),
            Change::AccountChanged(account),
            Change::Governance(TenantId::super_tenant()),
            Change::Everything,
        ] {
            let (kind, subject) = change.to_row();
            assert_eq!(Change::from_row(kind, &subject), change);
        }
    }

    #[test]
    fn what_this_version_does_not_know_means_everything() {
        for (kind, subject) in
            [("consent", "x"), ("session", "not a hash"), ("account", ""), ("governance", "a/b")]
        {
            assert_eq!(Change::from_row(kind, subject), Change::Everything);
        }
    }
}
