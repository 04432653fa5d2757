//! Conversions between Rust types and the types that both databases support.

use std::time::Duration;

use sqlx::{Row as _, any::AnyRow};

use super::StoreError;
use crate::domain::{
    account::AccountId,
    tenant::TenantId,
    time::{Timestamp, millis},
};

/// A number as stored, saturated at `i64::MAX`.
pub fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A timestamp as stored: in milliseconds since the epoch.
pub fn timestamp(at: Timestamp) -> i64 {
    number(at.as_millis())
}

/// A duration as stored: in milliseconds.
pub fn duration(duration: Duration) -> i64 {
    number(millis(duration))
}

pub fn flag(value: bool) -> i64 {
    i64::from(value)
}

pub fn read_number(row: &AnyRow, column: &str) -> Result<u64, StoreError> {
    let stored: i64 = row.try_get(column)?;
    Ok(u64::try_from(stored).unwrap_or_default())
}

pub fn read_timestamp(row: &AnyRow, column: &str) -> Result<Timestamp, StoreError> {
    read_number(row, column).map(Timestamp::from_millis)
}

pub fn read_optional_timestamp(row: &AnyRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    let stored: Option<i64> = row.try_get(column)?;
    Ok(stored.map(|stored| Timestamp::from_millis(u64::try_from(stored).unwrap_or_default())))
}

pub fn read_duration(row: &AnyRow, column: &str) -> Result<Duration, StoreError> {
    read_number(row, column).map(Duration::from_millis)
}

pub fn read_flag(row: &AnyRow, column: &str) -> Result<bool, StoreError> {
    Ok(row.try_get::<i64, _>(column)? != 0)
}

pub fn read_text(row: &AnyRow, column: &str) -> Result<String, StoreError> {
    Ok(row.try_get(column)?)
}

pub fn read_tenant(row: &AnyRow) -> Result<TenantId, StoreError> {
    let text = read_text(row, "tenant")?;
    TenantId::parse(&text).map_err(|error| StoreError::unreadable("a tenant", &format!("{text:?}: {error}")))
}

pub fn read_account(row: &AnyRow, column: &str) -> Result<AccountId, StoreError> {
    let text = read_text(row, column)?;
    AccountId::parse(&text)
        .map_err(|error| StoreError::unreadable("an account id", &format!("{text:?}: {error}")))
}
