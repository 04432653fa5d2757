//! Accounts: found by id or by what was typed at sign-in, listed by tenant.

mod change;
mod create;
mod password;
mod row;

use sqlx::Row as _;

pub use create::{CreateError, UpdateError};
pub use password::NewPassword;

use super::{Store, StoreError};
use crate::domain::{
    account::{Account, AccountId, LoginName, StoredPassword},
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

    /// Whoever a typed name means. One statement, whether there is such an account or not.
    pub async fn by_login(self, name: &LoginName) -> Result<Option<(Account, StoredPassword)>, StoreError> {
        self.store
            .within(async {
                let mut candidates = name.candidates();
                let Some((tenant, key)) = candidates.next() else { return Ok(None) };
                // with one candidate only, the second is the same
                let (other_tenant, other_key) = candidates.next().unwrap_or_else(|| (tenant, key.clone()));
                let found = sqlx::query(concat!(
                    "SELECT ",
                    row::columns!(),
                    " FROM login_names n JOIN accounts a ON a.id = n.account \
                 WHERE (n.tenant = $1 AND n.name = $2) OR (n.tenant = $3 AND n.name = $4) \
                 ORDER BY CASE WHEN n.tenant = $1 AND n.name = $2 THEN 0 ELSE 1 END LIMIT 1"
                ))
                .bind(tenant.as_str())
                .bind(key)
                .bind(other_tenant.as_str())
                .bind(other_key)
                .fetch_optional(self.store.read())
                .await?;
                found.as_ref().map(row::read).transpose()
            })
            .await
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
