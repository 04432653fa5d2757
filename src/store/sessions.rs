//! Browser sessions in the store.

use std::time::Duration;

use sqlx::{AnyConnection, any::AnyRow};

use super::{
    Store, StoreChange, StoreError, change_log,
    health::MAX_BRIDGED_OUTAGE,
    value::{duration, flag, read_account, read_duration, read_tenant, read_text, read_timestamp, timestamp},
};
use crate::domain::{
    account::AccountId,
    session::{Session, SessionHash},
    time::Timestamp,
};

#[derive(Clone, Copy)]
pub struct SessionRepository<'a> {
    pub(super) store: &'a Store,
}

/// An extended session stays valid for at least one minute after an outage.
const MIN_REMAINING: Duration = Duration::from_mins(1);

macro_rules! columns {
    () => {
        "hash, account, tenant, created_at, last_seen_at, signed_in_at, expires_at, idle, user_agent, address"
    };
}

impl SessionRepository<'_> {
    /// Inserts a session if the account has not changed since its password was verified. `false`: the account has
    /// been locked, disabled (if the tenant rejects disabled accounts), deleted or given another password since.
    pub async fn insert(
        self,
        session: &Session,
        password_changed_at: Timestamp,
        reject_disabled_accounts: bool,
    ) -> Result<bool, StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                // locks the account row until commit: an administrator lock is either seen here, or ends this session afterwards
                let held = sqlx::query(
                    "UPDATE accounts SET disabled = disabled \
                     WHERE id = $1 AND disabled <= $3 AND lock_reason IS NULL AND password_changed_at = $2",
                )
                .bind(session.account.as_str())
                .bind(timestamp(password_changed_at))
                .bind(flag(!reject_disabled_accounts))
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
                .bind(timestamp(session.created_at))
                .bind(timestamp(session.last_seen_at))
                .bind(timestamp(session.signed_in_at))
                .bind(timestamp(session.expires_at))
                .bind(duration(session.idle))
                .bind(session.user_agent.as_str())
                .bind(session.address.to_string())
                .bind(timestamp(session.ends_at()))
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok(true)
            })
            .await
    }

    /// May return an expired session that is not yet purged: check `Session::is_expired`.
    pub async fn find(self, hash: &SessionHash) -> Result<Option<Session>, StoreError> {
        self.store
            .with_deadline(async {
                let found = sqlx::query(concat!("SELECT ", columns!(), " FROM sessions WHERE hash = $1"))
                    .bind(hash.to_hex())
                    .fetch_optional(self.store.read())
                    .await?;
                found.as_ref().map(read).transpose()
            })
            .await
    }

    /// Records a use, which restarts the idle timeout. `false`: the session has ended.
    pub async fn touch(self, hash: &SessionHash, now: Timestamp) -> Result<bool, StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                let done = sqlx::query(
                    "UPDATE sessions SET \
                 last_seen_at = CASE WHEN last_seen_at > $2 THEN last_seen_at ELSE $2 END, \
                 ends_at = CASE WHEN expires_at - $2 < idle THEN expires_at \
                 WHEN last_seen_at > $2 THEN ends_at ELSE $2 + idle END \
                 WHERE hash = $1 AND ends_at > $2",
                )
                .bind(hash.to_hex())
                .bind(timestamp(now))
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok(done.rows_affected() == 1)
            })
            .await
    }

    /// Extends sessions after an outage from `since` to `now`: sessions that were valid before, and would
    /// have become idle during the outage or directly after it, count as used now. Not after a longer
    /// outage. Several replicas may run this concurrently.
    pub async fn extend_after_outage(self, since: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        if now.saturating_since(since) > MAX_BRIDGED_OUTAGE {
            return Ok(0);
        }
        let mut transaction = self.store.begin().await?;
        let done = sqlx::query(
            "UPDATE sessions SET last_seen_at = $2, \
             ends_at = CASE WHEN expires_at - $2 < idle THEN expires_at ELSE $2 + idle END \
             WHERE ends_at > $1 AND ends_at <= $3 AND expires_at > $2",
        )
        .bind(timestamp(since))
        .bind(timestamp(now))
        .bind(timestamp(now + MIN_REMAINING))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }

    /// Ends a session on every replica. `false`: it does not exist.
    pub async fn end(self, hash: &SessionHash, now: Timestamp) -> Result<bool, StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                let done = sqlx::query("DELETE FROM sessions WHERE hash = $1")
                    .bind(hash.to_hex())
                    .execute(&mut *transaction)
                    .await?;
                if done.rows_affected() == 0 {
                    return Ok(false);
                }
                change_log::record(self.store, &mut transaction, &StoreChange::SessionEnded(*hash), now)
                    .await?;
                transaction.commit().await?;
                Ok(true)
            })
            .await
    }

    /// Ends all sessions of an account except, optionally, the caller's; returns their number.
    pub async fn end_all(
        self,
        account: &AccountId,
        except: Option<&SessionHash>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                lock_account(&mut transaction, account).await?;
                let ended = end_sessions_of(&mut transaction, account, except).await?;
                if ended > 0 {
                    change_log::record(
                        self.store,
                        &mut transaction,
                        &StoreChange::SessionsChanged(account.clone()),
                        now,
                    )
                    .await?;
                    transaction.commit().await?;
                }
                Ok(ended)
            })
            .await
    }

    /// Ends the least recently used sessions of an account until `keep` are left; returns their number.
    pub async fn end_oldest(self, account: &AccountId, keep: u32, now: Timestamp) -> Result<u64, StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                lock_account(&mut transaction, account).await?;
                let done = sqlx::query(
                    "DELETE FROM sessions WHERE account = $1 AND hash NOT IN \
                 (SELECT hash FROM sessions WHERE account = $1 ORDER BY last_seen_at DESC, hash LIMIT $2)",
                )
                .bind(account.as_str())
                .bind(i64::from(keep))
                .execute(&mut *transaction)
                .await?;
                if done.rows_affected() > 0 {
                    change_log::record(
                        self.store,
                        &mut transaction,
                        &StoreChange::SessionsChanged(account.clone()),
                        now,
                    )
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
            .with_deadline(async {
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

/// Ends sessions in a transaction that has locked the account; returns their number.
pub(super) async fn end_sessions_of(
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

/// Locks the account row: two transactions that end several of its sessions could otherwise deadlock.
async fn lock_account(connection: &mut AnyConnection, account: &AccountId) -> Result<(), StoreError> {
    sqlx::query("UPDATE accounts SET disabled = disabled WHERE id = $1")
        .bind(account.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Session, StoreError> {
    let (hash, address) = (read_text(row, "hash")?, read_text(row, "address")?);
    Ok(Session {
        hash: SessionHash::from_hex(&hash)
            .ok_or_else(|| StoreError::unreadable("the hash of a session", &hash))?,
        account: read_account(row, "account")?,
        tenant: read_tenant(row)?,
        created_at: read_timestamp(row, "created_at")?,
        last_seen_at: read_timestamp(row, "last_seen_at")?,
        signed_in_at: read_timestamp(row, "signed_in_at")?,
        expires_at: read_timestamp(row, "expires_at")?,
        idle: read_duration(row, "idle")?,
        user_agent: read_text(row, "user_agent")?,
        address: address
            .parse()
            .map_err(|error| StoreError::unreadable("the address of a session", &error))?,
    })
}
