//! Accounts: found by id or login name, listed by tenant.

mod change;
mod create;
mod create_many;
mod login_search;
mod password;
mod row;

pub use create::CreateError;
pub use password::{NewPassword, OwnerCondition, PasswordUpdate};

use super::{Store, StoreError};
use crate::domain::{
    account::{Account, AccountId, LoginAttributes, LoginName, StoredPassword},
    tenant::TenantId,
};

#[derive(Clone, Copy)]
pub struct AccountRepository<'a> {
    pub(super) store: &'a Store,
}

/// An account with its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccount {
    pub account: Account,
    pub password: StoredPassword,
}

/// A part of a list: at most `limit` after the account whose `key` is `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPage {
    /// The `name_key` of the last account of the page before.
    pub after: Option<String>,
    /// Only accounts whose user name or e-mail address contains this, in any case.
    pub containing: Option<String>,
    pub limit: u32,
}

impl AccountPage {
    pub fn first(limit: u32) -> Self {
        Self { after: None, containing: None, limit }
    }

    /// The page after the account of this name.
    #[must_use]
    pub fn after(mut self, user_store: &str, username: &str) -> Self {
        self.after = Some(create::name_key(user_store, username));
        self
    }

    #[must_use]
    pub fn containing(mut self, text: Option<&str>) -> Self {
        self.containing = text.map(str::to_lowercase);
        self
    }

    /// The `LIKE` pattern, with wildcards in the text escaped.
    fn like_pattern(&self) -> String {
        let mut pattern = "%".to_owned();
        for character in self.containing.iter().flat_map(|text| text.chars()) {
            if matches!(character, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.push('%');
        pattern
    }
}

const LIST: &str = concat!(
    "SELECT ",
    row::columns!(),
    " FROM accounts a WHERE a.tenant = $1 AND a.name_key > $2 ORDER BY a.name_key LIMIT $3"
);
const LIST_CONTAINING: &str = concat!(
    "SELECT ",
    row::columns!(),
    " FROM accounts a WHERE a.tenant = $1 AND a.name_key > $2 \
     AND (lower(a.name_key) LIKE $4 ESCAPE '\\' OR lower(a.email) LIKE $4 ESCAPE '\\') ORDER BY a.name_key LIMIT $3"
);

impl AccountRepository<'_> {
    pub async fn find(self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self.find_with_password(id).await?.map(|found| found.account))
    }

    pub async fn find_with_password(self, id: &AccountId) -> Result<Option<StoredAccount>, StoreError> {
        self.store
            .with_deadline(async {
                let found =
                    sqlx::query(concat!("SELECT ", row::columns!(), " FROM accounts a WHERE a.id = $1"))
                        .bind(id.as_str())
                        .fetch_optional(self.store.read())
                        .await?;
                found.as_ref().map(row::read).transpose()
            })
            .await
    }

    /// The account of a login name, by the login attributes that the tenants allow. One statement, whether
    /// the account exists or not.
    pub async fn by_login(
        self,
        name: &LoginName,
        allowed: impl Fn(&TenantId) -> LoginAttributes,
    ) -> Result<Option<StoredAccount>, StoreError> {
        let search = login_search::LoginSearch::of(name, allowed);
        self.store.with_deadline(async { search.run(self.store.read()).await }).await
    }

    /// The accounts of a tenant in the order of their names.
    pub async fn list(self, tenant: &TenantId, page: &AccountPage) -> Result<Vec<Account>, StoreError> {
        self.store
            .with_deadline(async {
                let query = sqlx::query(if page.containing.is_some() { LIST_CONTAINING } else { LIST })
                    .bind(tenant.as_str())
                    .bind(page.after.as_deref().unwrap_or_default())
                    .bind(i64::from(page.limit));
                let query = if page.containing.is_some() { query.bind(page.like_pattern()) } else { query };
                let rows = query.fetch_all(self.store.read()).await?;
                rows.iter().map(|row| row::read(row).map(|found| found.account)).collect()
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_like_wildcards() {
        for (text, pattern) in [("Alex", "%alex%"), ("a_b%c\\d", "%a\\_b\\%c\\\\d%"), ("", "%%")] {
            assert_eq!(AccountPage::first(1).containing(Some(text)).like_pattern(), pattern);
        }
    }
}
