//! Making an account, and changing what is known of its owner. A name or an address belongs to one account of a tenant.

use std::collections::HashSet;

use sqlx::{AnyConnection, AssertSqlSafe};

use super::{
    Accounts,
    row::{self, to_json},
};
use crate::{
    domain::{
        account::{
            Account, AccountId, BadProfile, NewAccount, Profile,
            names::{self, BadLoginName},
        },
        tenant::TenantId,
    },
    store::{
        Change, StoreError, changes,
        error::Failure,
        value::{flag, number},
    },
};

#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("somebody of this tenant has this name already")]
    NameTaken,
    #[error("somebody of this tenant has this e-mail address already")]
    EmailTaken,
    #[error(transparent)]
    BadName(#[from] BadLoginName),
    #[error(transparent)]
    BadProfile(#[from] BadProfile),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error("there is no such account")]
    Missing,
    #[error("somebody of this tenant has this e-mail address already")]
    EmailTaken,
    #[error(transparent)]
    BadProfile(#[from] BadProfile),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for CreateError {
    fn of_store(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

impl Failure for UpdateError {
    fn of_store(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

/// Where an account stands in lists, and its user name among `login_names`. A name that was kept can be read.
pub fn name_key(user_store: &str, username: &str) -> String {
    names::key(user_store, &names::canonical(username).unwrap_or_default())
}

impl Accounts<'_> {
    /// Of several that come at once for one name, one gets it.
    pub async fn create(self, new: &NewAccount, now: u64) -> Result<Account, CreateError> {
        let names = Names::of(new)?;
        self.store
            .within(async {
                let mut transaction = self.store.begin().await?;
                insert(&mut transaction, &[(new, names.clone())], now).await?;
                // in one order, so that two transactions that want each other's name and address do not deadlock
                let mut wanted: Vec<&str> = names.all().collect();
                wanted.sort_unstable();
                let mut taken = HashSet::new();
                for wanted in wanted {
                    if !claim(&mut transaction, &new.tenant, wanted, &new.id).await? {
                        taken.insert(wanted.to_owned());
                    }
                }
                names.check(&taken)?;
                let account = load(&mut transaction, &new.id)
                    .await?
                    .ok_or_else(|| StoreError::Refused("it does not show a new account".to_owned()))?;
                transaction.commit().await?;
                Ok(account)
            })
            .await
    }

    /// Replaces what an administrator may change at any time.
    pub async fn update_profile(
        self,
        id: &AccountId,
        profile: &Profile,
        now: u64,
    ) -> Result<(), UpdateError> {
        let email = profile.check()?;
        self.store
            .within(async {
                let mut transaction = self.store.begin().await?;
                sqlx::query(
                "UPDATE accounts SET email = $2, mobile = $3, given_name = $4, family_name = $5, roles = $6, \
                 claims = $7 WHERE id = $1",
            )
            .bind(id.as_str())
            .bind(trimmed(profile.email.as_ref()))
            .bind(profile.mobile.clone())
            .bind(profile.given_name.clone())
            .bind(profile.family_name.clone())
            .bind(to_json(&profile.roles)?)
            .bind(to_json(&profile.claims)?)
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::from)?;
                let Some(account) = load(&mut transaction, id).await? else {
                    return Err(UpdateError::Missing);
                };
                let name = name_key(&account.user_store, &account.username);
                sqlx::query("DELETE FROM login_names WHERE account = $1 AND name <> $2")
                    .bind(id.as_str())
                    .bind(name.clone())
                    .execute(&mut *transaction)
                    .await
                    .map_err(StoreError::from)?;
                if let Some(email) = email.as_ref().filter(|email| **email != name)
                    && !claim(&mut transaction, &account.tenant, email, id).await?
                {
                    return Err(UpdateError::EmailTaken);
                }
                changes::record(self.store, &mut transaction, &Change::AccountChanged(id.clone()), now)
                    .await?;
                transaction.commit().await?;
                Ok(())
            })
            .await
    }
}

/// What an account is found by: its name, and its e-mail address unless that is the name.
#[derive(Debug, Clone)]
pub struct Names {
    name: String,
    email: Option<String>,
}

impl Names {
    pub fn of(new: &NewAccount) -> Result<Self, CreateError> {
        let name = names::key(&names::canonical_store(&new.user_store)?, &names::canonical(&new.username)?);
        let email = new.profile.check()?.filter(|email| *email != name);
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
    rows: &[(&NewAccount, Names)],
    now: u64,
) -> Result<(), StoreError> {
    let statement = format!(
        "INSERT INTO accounts (id, tenant, user_store, username, name_key, email, mobile, given_name, family_name, \
         roles, claims, disabled, lock_reason, locked_at, password, must_change_password, password_changed_at, \
         created_at) VALUES {}",
        tuples(rows.len(), COLUMNS)
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
            .bind(new.admin_lock.map(|lock| number(lock.since)))
            .bind(new.password.expose())
            .bind(flag(new.must_change_password))
            .bind(number(now))
            .bind(number(now));
    }
    query.execute(connection).await?;
    Ok(())
}

/// `($1, $2), ($3, $4)`
pub fn tuples(rows: usize, columns: usize) -> String {
    let tuple = |row: usize| {
        let places = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({})", places.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(tuple).collect::<Vec<_>>().join(", ")
}

/// As it is within a transaction.
async fn load(connection: &mut AnyConnection, id: &AccountId) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query(concat!("SELECT ", row::columns!(), " FROM accounts a WHERE a.id = $1"))
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(|row| row::read(row).map(|(account, _)| account)).transpose()
}

/// Takes a name for an account; `false` if another has it.
async fn claim(
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
    fn places_are_numbered_from_one_row_to_the_next() {
        assert_eq!(tuples(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }
}
