//! Browsers that are signed in.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{
    Change, Store, StoreError, changes,
    health::LONGEST_CUT,
    value::{flag, millis, number, read_account, read_number, read_tenant, read_text},
};
use crate::domain::{
    account::AccountId,
    session::{Session, SessionHash},
};

#[derive(Clone, Copy)]
pub struct Sessions<'a> {
    pub(super) store: &'a Store,
}

/// A session that is used within a minute after an outage is still valid.
const SOON: u64 = 60_000;

macro_rules! columns {
    () => {
        "hash, account, tenant, created_at, last_seen_at, signed_in_at, expires_at, idle, user_agent, address"
    };
}

impl Sessions<'_> {
    /// For an account as it was when its owner proved who they are. `false`: it has been locked, disabled (where that
    /// counts), deleted or given another password meanwhile.
    pub async fn insert(
        self,
        session: &Session,
        password_changed_at: u64,
        disabled_stay_out: bool,
    ) -> Result<bool, StoreError> {
        self.store
            .within(async {
                let mut transaction = self.store.begin().await?;
                // holds the account until commit: a lock comes before, and is seen, or after, and ends this session
                let held = sqlx::query(
                    "UPDATE accounts SET disabled = disabled \
                     WHERE id = $1 AND disabled <= $3 AND lock_reason IS NULL AND password_changed_at = $2",
                )
                .bind(session.account.as_str())
                .bind(number(password_changed_at))
                .bind(flag(!disabled_stay_out))
                .execute(&mut *transaction)
                .await?;
                if held.rows_affected() == 0 {
                    return Ok(false);
                }
                sqlx::query(concat!(
                    "INSERT INTO sessions (",
                    columns!(),
                    ", ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
                ))
                .bind(session.hash.to_hex())
                .bind(session.account.as_str())
                .bind(session.tenant.as_str())
                .bind(number(session.created_at))
                .bind(number(session.last_seen_at))
                .bind(number(session.signed_in_at))
                .bind(number(session.expires_at))
                .bind(millis(session.idle))
                .bind(session.user_agent.as_str())
                .bind(session.address.to_string())
                .bind(number(session.ends_at()))
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok(true)
            })
            .await
    }

    /// Also one that is over and not yet purged: `Session::is_over` tells.
    pub async fn find(self, hash: &SessionHash) -> Result<Option<Session>, StoreError> {
        self.store
            .within(async {
                let found = sqlx::query(concat!("SELECT ", columns!(), " FROM sessions WHERE hash = $1"))
                    .bind(hash.to_hex())
                    .fetch_optional(self.store.read())
                    .await?;
                found.as_ref().map(read).transpose()
            })
            .await
    }

    /// It is in use: its silence begins anew. `false`: it is over, and stays so.
    pub async fn touch(self, hash: &SessionHash, now: u64) -> Result<bool, StoreError> {
        self.store
            .within(async {
                let mut transaction = self.store.begin().await?;
                let done = sqlx::query(
                    "UPDATE sessions SET \
                 last_seen_at = CASE WHEN last_seen_at > $2 THEN last_seen_at ELSE $2 END, \
                 ends_at = CASE WHEN expires_at - $2 < idle THEN expires_at \
                 WHEN last_seen_at > $2 THEN ends_at ELSE $2 + idle END \
                 WHERE hash = $1 AND ends_at > $2",
                )
                .bind(hash.to_hex())
                .bind(number(now))
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok(done.rows_affected() == 1)
            })
            .await
    }

    /// The store did not answer from `since` to `now`: sessions that were valid then, and would have ended by idleness meanwhile or
    /// end at once, count as used now. Not after an outage that was too long. Several replicas may do this at once.
    pub async fn bridge(self, since: u64, now: u64) -> Result<u64, StoreError> {
        if now.saturating_sub(since) > u64::try_from(LONGEST_CUT.as_millis()).unwrap_or(u64::MAX) {
            return Ok(0);
        }
        let mut transaction = self.store.begin().await?;
        let done = sqlx::query(
            "UPDATE sessions SET last_seen_at = $2, \
             ends_at = CASE WHEN expires_at - $2 < idle THEN expires_at ELSE $2 + idle END \
             WHERE ends_at > $1 AND ends_at <= $3 AND expires_at > $2",
        )
        .bind(number(since))
        .bind(number(now))
        .bind(number(now.saturating_add(SOON)))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }

    /// Ends one, on every replica. `false`: there was none.
    pub async fn end(self, hash: &SessionHash, now: u64) -> Result<bool, StoreError> {
        self.store
            .within(async {
                let mut transaction = self.store.begin().await?;
                let done = sqlx::query("DELETE FROM sessions WHERE hash = $1")
                    .bind(hash.to_hex())
                    .execute(&mut *transaction)
                    .await?;
                if done.rows_affected() == 0 {
                    return Ok(false);
                }
                changes::record(self.store, &mut transaction, &Change::SessionEnded(*hash), now).await?;
                transaction.commit().await?;
                Ok(true)
            })
            .await
    }

    /// Ends all of an account but, maybe, the one that asks; how many there were.
    pub async fn end_all(
        self,
        account: &AccountId,
        except: Option<&SessionHash>,
        now: u64,
    ) -> Result<u64, StoreError> {
        self.store
            .within(async {
                let mut transaction = self.store.begin().await?;
                hold(&mut transaction, account).await?;
                let ended = end_of(&mut transaction, account, except).await?;
                if ended > 0 {
                    changes::record(self.store, &mut transaction, &Change::SessionsOf(account.clone()), now)
                        .await?;
                    transaction.commit().await?;
                }
                Ok(ended)
            })
            .await
    }

    /// Ends those of an account that were used longest ago, until `keep` are left; how many.
    pub async fn end_oldest(self, account: &AccountId, keep: u32, now: u64) -> Result<u64, StoreError> {
        self.store
            .within(async {
                let mut transaction = self.store.begin().await?;
                hold(&mut transaction, account).await?;
                let done = sqlx::query(
                    "DELETE FROM sessions WHERE account = $1 AND hash NOT IN \
                 (SELECT hash FROM sessions WHERE account = $1 ORDER BY last_seen_at DESC, hash LIMIT $2)",
                )
                .bind(account.as_str())
                .bind(i64::from(keep))
                .execute(&mut *transaction)
                .await?;
                if done.rows_affected() > 0 {
                    changes::record(self.store, &mut transaction, &Change::SessionsOf(account.clone()), now)
                        .await?;
                    transaction.commit().await?;
                }
                Ok(done.rows_affected())
            })
            .await
    }

    /// The sessions of an account, the one used last first.
    pub async fn list(self, account: &AccountId) -> Result<Vec<Session>, StoreError> {
        self.store
            .within(async {
                let rows = sqlx::query(concat!(
                    "SELECT ",
                    columns!(),
                    " FROM sessions WHERE account = $1 ORDER BY last_seen_at DESC, hash"
                ))
                .bind(account.as_str())
                .fetch_all(self.store.read())
                .await?;
                rows.iter().map(read).collect()
            })
            .await
    }
}

/// In the transaction of whoever holds the account; how many there were.
pub(super) async fn end_of(
    connection: &mut AnyConnection,
    account: &AccountId,
    except: Option<&SessionHash>,
) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM sessions WHERE account = $1 AND hash <> $2")
        .bind(account.as_str())
        .bind(except.map(SessionHash::to_hex).unwrap_or_default())
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Whoever ends several sessions of an account does so alone, or two would wait for each other's half.
async fn hold(connection: &mut AnyConnection, account: &AccountId) -> Result<(), StoreError> {
    sqlx::query("UPDATE accounts SET disabled = disabled WHERE id = $1")
        .bind(account.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Session, StoreError> {
    let (hash, address) = (read_text(row, "hash")?, read_text(row, "address")?);
    let idle: i64 = row.try_get("idle")?;
    Ok(Session {
        hash: SessionHash::from_hex(&hash)
            .ok_or_else(|| StoreError::unreadable("the hash of a session", &hash))?,
        account: read_account(row, "account")?,
        tenant: read_tenant(row)?,
        created_at: read_number(row, "created_at")?,
        last_seen_at: read_number(row, "last_seen_at")?,
        signed_in_at: read_number(row, "signed_in_at")?,
        expires_at: read_number(row, "expires_at")?,
        idle: std::time::Duration::from_millis(u64::try_from(idle).unwrap_or_default()),
        user_agent: read_text(row, "user_agent")?,
        address: address
            .parse()
            .map_err(|error| StoreError::unreadable("the address of a session", &error))?,
    })
}
