//! Creates accounts. A login name or an e-mail address is unique within a tenant.

use std::collections::HashSet;

use sqlx::{AnyConnection, AssertSqlSafe};

use super::{
    AccountRepository,
    row::{self, to_json},
};
use crate::{
    domain::{
        account::{
            Account, AccountId, InvalidUserProfile, NewAccount,
            names::{self, BadLoginName},
        },
        tenant::TenantId,
        time::Timestamp,
    },
    store::{
        StoreError,
        error::HasStoreError,
        value::{flag, timestamp},
    },
};

#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("this name is already taken in this tenant")]
    NameTaken,
    #[error("this e-mail address is already taken in this tenant")]
    EmailTaken,
    #[error(transparent)]
    BadName(#[from] BadLoginName),
    #[error(transparent)]
    BadProfile(#[from] InvalidUserProfile),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HasStoreError for CreateError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

/// The key of an account in lists, and its user name among `login_names`. A stored name can always be parsed.
pub fn name_key(user_store: &str, username: &str) -> String {
    names::key(user_store, &names::canonical(username).unwrap_or_default())
}

impl AccountRepository<'_> {
    /// Of concurrent calls for one name, one succeeds.
    pub async fn create(self, new: &NewAccount, now: Timestamp) -> Result<Account, CreateError> {
        let names = LoginNames::of(new)?;
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                insert(&mut transaction, &[(new, names.clone())], now).await?;
                // sorted, so that two transactions that claim each other's names do not deadlock
                let mut wanted: Vec<&str> = names.all().collect();
                wanted.sort_unstable();
                let mut taken = HashSet::new();
                for wanted in wanted {
                    if !claim_name(&mut transaction, &new.tenant, wanted, &new.id).await? {
                        taken.insert(wanted.to_owned());
                    }
                }
                names.check(&taken)?;
                let account = load(&mut transaction, &new.id)
                    .await?
                    .ok_or_else(|| StoreError::Refused("a new account cannot be read".to_owned()))?;
                transaction.commit().await?;
                Ok(account)
            })
            .await
    }
}

/// The login names of an account: its user name, and its e-mail address if that differs.
#[derive(Debug, Clone)]
pub struct LoginNames {
    name: String,
    email: Option<String>,
}

impl LoginNames {
    pub fn of(new: &NewAccount) -> Result<Self, CreateError> {
        let name =
            names::key(&names::canonical_user_store(&new.user_store)?, &names::canonical(&new.username)?);
        let email = new.profile.validate()?.filter(|email| *email != name);
        Ok(Self { name, email })
    }

    pub fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.email.as_deref())
    }

    pub fn check(&self, taken: &HashSet<String>) -> Result<(), CreateError> {
        if taken.contains(&self.name) {
            return Err(CreateError::NameTaken);
        }
        match &self.email {
            Some(email) if taken.contains(email) => Err(CreateError::EmailTaken),
            _ => Ok(()),
        }
    }
}

const COLUMNS: usize = 18;

pub async fn insert(
    connection: &mut AnyConnection,
    rows: &[(&NewAccount, LoginNames)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let statement = format!(
        "INSERT INTO accounts (id, tenant, user_store, username, name_key, email, mobile, given_name, family_name, \
         roles, claims, disabled, lock_reason, locked_at, password, must_change_password, password_changed_at, \
         created_at) VALUES {}",
        tuple_placeholders(rows.len(), COLUMNS)
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for (new, names) in rows {
        let profile = &new.profile;
        query = query
            .bind(new.id.as_str())
            .bind(new.tenant.as_str())
            .bind(new.user_store.trim().to_ascii_uppercase())
            .bind(new.username.trim())
            .bind(names.name.as_str())
            .bind(trimmed(profile.email.as_ref()))
            .bind(profile.mobile.clone())
            .bind(profile.given_name.clone())
            .bind(profile.family_name.clone())
            .bind(to_json(&profile.roles)?)
            .bind(to_json(&profile.claims)?)
            .bind(flag(new.disabled))
            .bind(new.admin_lock.map(|lock| lock.reason.as_str()))
            .bind(new.admin_lock.map(|lock| timestamp(lock.since)))
            .bind(new.password.expose())
            .bind(flag(new.must_change_password))
            .bind(timestamp(now))
            .bind(timestamp(now));
    }
    query.execute(connection).await?;
    Ok(())
}

/// `($1, $2), ($3, $4)`
pub fn tuple_placeholders(rows: usize, columns: usize) -> String {
    let tuple = |row: usize| {
        let places = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({})", places.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(tuple).collect::<Vec<_>>().join(", ")
}

/// Reads the account within the transaction.
async fn load(connection: &mut AnyConnection, id: &AccountId) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query(concat!("SELECT ", row::columns!(), " FROM accounts a WHERE a.id = $1"))
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(|row| row::read(row).map(|found| found.account)).transpose()
}

/// Claims a login name for an account; `false` if another account has it.
async fn claim_name(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    name: &str,
    id: &AccountId,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO login_names (tenant, name, account) VALUES ($1, $2, $3) ON CONFLICT (tenant, name) DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(name)
    .bind(id.as_str())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn trimmed(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_across_rows() {
        assert_eq!(tuple_placeholders(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }
}
