//! The password of an account, and its password history.

use super::AccountRepository;
use crate::{
    domain::{
        account::{AccountId, HashFormat, StoredPassword},
        session::SessionHash,
        time::Timestamp,
    },
    store::{
        StoreChange, StoreError, change_log, sessions,
        value::{flag, read_account, read_text, timestamp},
    },
};

/// A new password for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPassword {
    pub hash: StoredPassword,
    /// The user must change the password at the next sign-in.
    pub must_change: bool,
    /// The length of the password history, including this one.
    pub history_length: u32,
}

/// A new password that takes effect `now`.
#[derive(Debug, Clone, Copy)]
pub struct PasswordUpdate<'a> {
    pub new: &'a NewPassword,
    /// All other sessions of the account end.
    pub retained_session: Option<&'a SessionHash>,
    pub now: Timestamp,
}

/// The condition that must still apply to an account when its owner's change is stored.
#[derive(Debug, Clone, Copy)]
pub struct OwnerCondition {
    /// When the password that the owner proved was set.
    pub password_changed_at: Timestamp,
    pub reject_disabled_accounts: bool,
}

impl AccountRepository<'_> {
    /// `false`: the account does not exist.
    pub async fn set_password(self, id: &AccountId, update: PasswordUpdate<'_>) -> Result<bool, StoreError> {
        self.replace_password(id, update, None).await
    }

    /// As `set_password`, by a user whose password was verified. `false`: an administrator has since set another
    /// password, or locked or disabled the account (if the tenant rejects disabled accounts), and that stays in force.
    pub async fn change_password(
        self,
        id: &AccountId,
        update: PasswordUpdate<'_>,
        condition: OwnerCondition,
    ) -> Result<bool, StoreError> {
        self.replace_password(id, update, Some(condition)).await
    }

    async fn replace_password(
        self,
        id: &AccountId,
        update: PasswordUpdate<'_>,
        condition: Option<OwnerCondition>,
    ) -> Result<bool, StoreError> {
        let PasswordUpdate { new, retained_session, now } = update;
        self.store.with_deadline(async {
            let mut transaction = self.store.begin().await?;
            // locks the account until commit, so that two concurrent changes leave two entries in its history
            let held = match condition {
                None => sqlx::query("UPDATE accounts SET must_change_password = $2 WHERE id = $1"),
                Some(_) => sqlx::query(
                    "UPDATE accounts SET must_change_password = $2 WHERE id = $1 AND password_changed_at = $3 \
                     AND disabled <= $4 AND locked_at IS NULL",
                ),
            };
            let held = held.bind(id.as_str()).bind(flag(new.must_change));
            let held = match condition {
                None => held,
                Some(OwnerCondition { password_changed_at, reject_disabled_accounts }) => {
                    held.bind(timestamp(password_changed_at)).bind(flag(!reject_disabled_accounts))
                }
            };
            let held = held.execute(&mut *transaction).await?;
            if held.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(
                "INSERT INTO password_history (account, seq, password, replaced_at) \
                 SELECT a.id, (SELECT COALESCE(MAX(h.seq), 0) + 1 FROM password_history h WHERE h.account = a.id), \
                 a.password, $2 FROM accounts a WHERE a.id = $1 AND a.password <> $3",
            )
            .bind(id.as_str())
            .bind(timestamp(now))
            .bind(StoredPassword::unusable().expose())
            .execute(&mut *transaction)
            .await?;
            sqlx::query("UPDATE accounts SET password = $2, password_changed_at = $3 WHERE id = $1")
                .bind(id.as_str())
                .bind(new.hash.expose())
                .bind(timestamp(now))
                .execute(&mut *transaction)
                .await?;
            sqlx::query(
                "DELETE FROM password_history WHERE account = $1 AND seq <= \
                 (SELECT MAX(h.seq) FROM password_history h WHERE h.account = $1) - $2",
            )
            .bind(id.as_str())
            .bind(i64::from(new.history_length.saturating_sub(1)))
            .execute(&mut *transaction)
            .await?;
            sessions::end_sessions_of(&mut transaction, id, retained_session).await?;
            change_log::record(self.store, &mut transaction, &StoreChange::AccountChanged(id.clone()), now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Replaces the hash of the same password. `false`: the password has changed since `old` was read.
    pub async fn rehash(
        self,
        id: &AccountId,
        old: &StoredPassword,
        new: &StoredPassword,
    ) -> Result<bool, StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                let done = sqlx::query("UPDATE accounts SET password = $3 WHERE id = $1 AND password = $2")
                    .bind(id.as_str())
                    .bind(old.expose())
                    .bind(new.expose())
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                Ok(done.rows_affected() == 1)
            })
            .await
    }

    /// Stored passwords with another prefix or length than current hashes, after `after` in the order of ids.
    pub async fn passwords_in_other_formats(
        self,
        current: &HashFormat,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<(AccountId, StoredPassword)>, StoreError> {
        self.store
            .with_deadline(async {
                let rows = sqlx::query(
                    "SELECT id, password FROM accounts WHERE id > $1 AND password <> $2 \
                     AND NOT (substr(password, 1, $3) = $4 AND length(password) = $5) ORDER BY id LIMIT $6",
                )
                .bind(after.map_or("", AccountId::as_str))
                .bind(StoredPassword::unusable().expose())
                .bind(i32::try_from(current.prefix.len()).unwrap_or(i32::MAX))
                .bind(current.prefix.as_str())
                .bind(i32::try_from(current.length).unwrap_or(i32::MAX))
                .bind(i64::from(limit))
                .fetch_all(self.store.read())
                .await?;
                let read =
                    |row| Ok((read_account(row, "id")?, StoredPassword::new(read_text(row, "password")?)));
                rows.iter().map(read).collect()
            })
            .await
    }

    /// At most `count` passwords, the current one first.
    pub async fn password_history(
        self,
        id: &AccountId,
        count: u32,
    ) -> Result<Vec<StoredPassword>, StoreError> {
        self.store
            .with_deadline(async {
                let current = sqlx::query("SELECT password FROM accounts WHERE id = $1")
                    .bind(id.as_str())
                    .fetch_optional(self.store.read())
                    .await?;
                let before = sqlx::query(
                    "SELECT password FROM password_history WHERE account = $1 ORDER BY seq DESC LIMIT $2",
                )
                .bind(id.as_str())
                .bind(i64::from(count))
                .fetch_all(self.store.read())
                .await?;
                let mut history = Vec::new();
                for row in current.iter().chain(&before) {
                    let password = StoredPassword::new(read_text(row, "password")?);
                    if password.is_usable() {
                        history.push(password);
                    }
                }
                history.truncate(usize::try_from(count).unwrap_or(usize::MAX));
                Ok(history)
            })
            .await
    }
}
