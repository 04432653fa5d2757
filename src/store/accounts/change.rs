//! Changes of an account by administrators and logins.

use sqlx::{Any, query::Query};

use super::AccountRepository;
use crate::{
    domain::account::{AccountId, AdminLock},
    domain::time::Timestamp,
    store::{
        StoreChange, StoreError, change_log, sessions,
        value::{flag, timestamp},
    },
};

type Statement = Query<'static, Any, sqlx::any::AnyArguments>;

/// All return `false` if the account does not exist.
impl AccountRepository<'_> {
    /// Disabling an account ends its sessions.
    pub async fn set_disabled(
        self,
        id: &AccountId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = sqlx::query("UPDATE accounts SET disabled = $2 WHERE id = $1");
        self.change(id, statement.bind(id.to_string()).bind(flag(disabled)), disabled, now).await
    }

    /// `None` removes the lock. A locked account has no sessions.
    pub async fn set_admin_lock(
        self,
        id: &AccountId,
        lock: Option<AdminLock>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = sqlx::query("UPDATE accounts SET lock_reason = $2, locked_at = $3 WHERE id = $1")
            .bind(id.to_string())
            .bind(lock.map(|lock| lock.reason.as_str()))
            .bind(lock.map(|lock| timestamp(lock.since)));
        self.change(id, statement, lock.is_some(), now).await
    }

    /// Not recorded in the change log.
    pub async fn record_login(self, id: &AccountId, now: Timestamp) -> Result<bool, StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                let done = sqlx::query("UPDATE accounts SET last_login_at = $2 WHERE id = $1")
                    .bind(id.as_str())
                    .bind(timestamp(now))
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                Ok(done.rows_affected() == 1)
            })
            .await
    }

    /// Atomic: the caller may be cancelled at any time.
    async fn change(
        self,
        id: &AccountId,
        statement: Statement,
        ends_sessions: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                if statement.execute(&mut *transaction).await?.rows_affected() == 0 {
                    return Ok(false);
                }
                if ends_sessions {
                    sessions::end_sessions_of(&mut transaction, id, None).await?;
                }
                change_log::record(
                    self.store,
                    &mut transaction,
                    &StoreChange::AccountChanged(id.clone()),
                    now,
                )
                .await?;
                transaction.commit().await?;
                Ok(true)
            })
            .await
    }
}
