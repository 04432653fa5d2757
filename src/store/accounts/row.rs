//! Conversion of accounts from and to rows.

use std::collections::BTreeMap;

use sqlx::{Row as _, any::AnyRow};

use super::StoredAccount;
use crate::{
    domain::account::{Account, AdminLock, LockedReason, StoredPassword},
    store::{
        StoreError,
        value::{read_account, read_flag, read_optional_timestamp, read_tenant, read_text, read_timestamp},
    },
};

/// The columns that `read` needs, of `accounts a`.
macro_rules! columns {
    () => {
        "a.id, a.tenant, a.user_store, a.username, a.email, a.mobile, a.given_name, a.family_name, a.roles, a.claims, \
         a.disabled, a.lock_reason, a.locked_at, a.password, a.must_change_password, a.password_changed_at, \
         a.created_at, a.last_login_at"
    };
}
pub(super) use columns;

pub fn read(row: &AnyRow) -> Result<StoredAccount, StoreError> {
    let roles: Vec<String> = json(row, "roles", "roles of an account")?;
    let claims: BTreeMap<String, String> = json(row, "claims", "claims of an account")?;
    let account = Account {
        id: read_account(row, "id")?,
        tenant: read_tenant(row)?,
        user_store: read_text(row, "user_store")?,
        username: read_text(row, "username")?,
        email: row.try_get("email")?,
        mobile: row.try_get("mobile")?,
        given_name: row.try_get("given_name")?,
        family_name: row.try_get("family_name")?,
        roles,
        disabled: read_flag(row, "disabled")?,
        admin_lock: admin_lock(row)?,
        must_change_password: read_flag(row, "must_change_password")?,
        password_changed_at: read_timestamp(row, "password_changed_at")?,
        created_at: read_timestamp(row, "created_at")?,
        last_login_at: read_optional_timestamp(row, "last_login_at")?,
        claims,
    };
    Ok(StoredAccount { account, password: StoredPassword::new(read_text(row, "password")?) })
}

fn admin_lock(row: &AnyRow) -> Result<Option<AdminLock>, StoreError> {
    let Some(text) = row.try_get::<Option<String>, _>("lock_reason")? else { return Ok(None) };
    // an unknown reason (of a newer version) is a lock as well
    let reason = LockedReason::parse(&text).unwrap_or(LockedReason::AdminInitiated);
    Ok(Some(AdminLock { reason, since: read_optional_timestamp(row, "locked_at")?.unwrap_or_default() }))
}

fn json<T: serde::de::DeserializeOwned>(
    row: &AnyRow,
    column: &str,
    what: &'static str,
) -> Result<T, StoreError> {
    serde_json::from_str(&read_text(row, column)?).map_err(|error| StoreError::unreadable(what, &error))
}

pub fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::unreadable("an account to be stored", &error))
}
