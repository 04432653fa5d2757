//! Accounts: found by id or by what was typed at sign-in, listed by tenant.

mod change;
mod create;
mod find;
mod password;
mod row;

use sqlx::Row as _;

pub use create::{CreateError, UpdateError};
pub use password::NewPassword;

use super::{Store, StoreError};
use crate::domain::{
    account::{Account, AccountId, LoginAttributes, LoginName, StoredPassword},
    tenant::TenantId,
};

#[derive(Clone, Copy)]
pub struct Accounts<'a> {
    pub(super) store: &'a Store,
}

/// A part of a list: at most `limit` after the account whose `key` is `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Of the last account of the page before, as [`Page::key_of`] makes it.
    pub after: Option<String>,
    pub limit: u32,
}

impl Page {
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    pub fn following(last: &Account, limit: u32) -> Self {
        Self { after: Some(create::name_key(&last.user_store, &last.username)), limit }
    }
}

impl Accounts<'_> {
    pub async fn find(self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self.find_with_password(id).await?.map(|(account, _)| account))
    }

    pub async fn find_with_password(
        self,
        id: &AccountId,
    ) -> Result<Option<(Account, StoredPassword)>, StoreError> {
        self.store
            .within(async {
                let found =
                    sqlx::query(concat!("SELECT ", row::columns!(), " FROM accounts a WHERE a.id = $1"))
                        .bind(id.as_str())
                        .fetch_optional(self.store.read())
                        .await?;
                found.as_ref().map(row::read).transpose()
            })
            .await
    }

    /// Whoever a typed name means, by what the tenants allow people to be found by. One statement, whether there is such an
    /// account or not.
    pub async fn by_login(
        self,
        name: &LoginName,
        allowed: impl Fn(&TenantId) -> LoginAttributes,
    ) -> Result<Option<(Account, StoredPassword)>, StoreError> {
        let search = find::Search::of(name, allowed);
        self.store.within(async { search.run(self.store.read()).await }).await
    }

    /// The accounts of a tenant in the order of their names.
    pub async fn list(self, tenant: &TenantId, page: &Page) -> Result<Vec<Account>, StoreError> {
        self.store
            .within(async {
                let rows = sqlx::query(concat!(
                    "SELECT ",
                    row::columns!(),
                    " FROM accounts a WHERE a.tenant = $1 AND a.name_key > $2 ORDER BY a.name_key LIMIT $3"
                ))
                .bind(tenant.as_str())
                .bind(page.after.as_deref().unwrap_or_default())
                .bind(i64::from(page.limit))
                .fetch_all(self.store.read())
                .await?;
                rows.iter().map(|row| row::read(row).map(|(account, _)| account)).collect()
            })
            .await
    }

    pub async fn count(self, tenant: &TenantId) -> Result<u64, StoreError> {
        self.store
            .within(async {
                let row = sqlx::query("SELECT COUNT(*) AS accounts FROM accounts WHERE tenant = $1")
                    .bind(tenant.as_str())
                    .fetch_one(self.store.read())
                    .await?;
                let count: i64 = row.try_get("accounts")?;
                Ok(u64::try_from(count).unwrap_or_default())
            })
            .await
    }
}
