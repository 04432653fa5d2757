//! Governance overrides of tenants. A change is atomic: values, version, audit records and change record
//! are one transaction.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{
    Store, StoreChange, StoreError, audit, change_log,
    error::HasStoreError,
    value::{number, read_number, read_tenant, read_text, timestamp},
};
use crate::domain::{
    audit::{AdminAction, REDACTED},
    governance::{self, ChangeContext, Overrides, PropertyWrite},
    tenant::TenantId,
};

#[derive(Clone, Copy)]
pub struct GovernanceRepository<'a> {
    pub(super) store: &'a Store,
}

/// The overrides of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionedOverrides {
    pub tenant: TenantId,
    /// Incremented by each change; 0: nothing was ever set.
    pub version: u64,
    pub overrides: Overrides,
}

/// Why a change was rejected.
#[derive(Debug, thiserror::Error)]
pub enum GovernanceStoreError<E> {
    #[error("{0}")]
    Refused(E),
    #[error("these settings were changed concurrently: they are at version {version}")]
    Stale { version: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<E> HasStoreError for GovernanceStoreError<E> {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

/// The rows of a tenant, including properties that this version does not know.
type PropertyRows = BTreeMap<String, String>;

impl GovernanceRepository<'_> {
    /// All tenants for which something was ever set.
    pub async fn all(self) -> Result<Vec<VersionedOverrides>, StoreError> {
        self.store
            .with_deadline(async {
                let rows = sqlx::query(
                    "SELECT v.tenant, v.version, g.name, g.value FROM governance_versions v \
                     LEFT JOIN governance g ON g.tenant = v.tenant ORDER BY v.tenant",
                )
                .fetch_all(self.store.read())
                .await?;
                let mut all: Vec<(TenantId, u64, PropertyRows)> = Vec::new();
                for row in &rows {
                    let tenant = read_text(row, "tenant")?;
                    if all.last().is_none_or(|(last, ..)| last.as_str() != tenant) {
                        all.push((read_tenant(row)?, read_number(row, "version")?, PropertyRows::new()));
                    }
                    if let Some((_, _, values)) = all.last_mut() {
                        values.extend(value(row)?);
                    }
                }
                Ok(all.into_iter().map(|(tenant, version, rows)| from_rows(tenant, version, rows)).collect())
            })
            .await
    }

    pub async fn of(self, tenant: &TenantId) -> Result<VersionedOverrides, StoreError> {
        self.store
            .with_deadline(async {
                // one statement, so that version and values are consistent
                let rows = sqlx::query(
                    "SELECT v.version, g.name, g.value FROM governance_versions v \
                     LEFT JOIN governance g ON g.tenant = v.tenant WHERE v.tenant = $1",
                )
                .bind(tenant.as_str())
                .fetch_all(self.store.read())
                .await?;
                let version = rows.first().map(|row| read_number(row, "version")).transpose()?;
                let mut values = PropertyRows::new();
                for row in &rows {
                    values.extend(value(row)?);
                }
                Ok(from_rows(tenant.clone(), version.unwrap_or_default(), values))
            })
            .await
    }

    /// Applies the changes that `decide` derives from the stored overrides, with their rows locked, and records them
    /// as an `action` of the administrator. A change without effect does not increment the version.
    pub async fn update<E>(
        self,
        context: &ChangeContext<'_>,
        action: &'static str,
        decide: impl FnOnce(&VersionedOverrides) -> Result<Vec<PropertyWrite>, E>,
    ) -> Result<(VersionedOverrides, Vec<AdminAction>), GovernanceStoreError<E>> {
        let ChangeContext { tenant, expected_version, actor, now } = *context;
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                let (version, rows) = lock_tenant(&mut transaction, tenant).await?;
                if expected_version.is_some_and(|expected| expected != version) {
                    return Err(GovernanceStoreError::Stale { version });
                }
                let mut found = from_rows(tenant.clone(), version, rows.clone());
                let writes = decide(&found).map_err(GovernanceStoreError::Refused)?;
                let mut actions = Vec::new();
                for write in &writes {
                    actions.extend(write_property(&mut transaction, tenant, &rows, write, action).await?);
                }
                if actions.is_empty() {
                    // the row that was inserted for locking is removed
                    transaction.rollback().await?;
                    return Ok((found, actions));
                }
                found.version += 1;
                found.overrides.apply(&writes);
                sqlx::query("UPDATE governance_versions SET version = $2, changed_at = $3 WHERE tenant = $1")
                    .bind(tenant.as_str())
                    .bind(number(found.version))
                    .bind(timestamp(now))
                    .execute(&mut *transaction)
                    .await
                    .map_err(StoreError::from)?;
                audit::write(&mut transaction, tenant, actor, &actions, now).await?;
                change_log::record(
                    self.store,
                    &mut transaction,
                    &StoreChange::GovernanceChanged(tenant.clone()),
                    now,
                )
                .await?;
                transaction.commit().await?;
                Ok((found, actions))
            })
            .await
    }
}

/// Locks the overrides of a tenant, also if there are none.
async fn lock_tenant(
    connection: &mut AnyConnection,
    tenant: &TenantId,
) -> Result<(u64, PropertyRows), StoreError> {
    let row = sqlx::query(
        "INSERT INTO governance_versions (tenant, version, changed_at) VALUES ($1, 0, 0) \
         ON CONFLICT (tenant) DO UPDATE SET tenant = excluded.tenant RETURNING version",
    )
    .bind(tenant.as_str())
    .fetch_one(&mut *connection)
    .await?;
    let version = read_number(&row, "version")?;
    let rows = sqlx::query("SELECT name, value FROM governance WHERE tenant = $1")
        .bind(tenant.as_str())
        .fetch_all(connection)
        .await?;
    let mut values = PropertyRows::new();
    for row in &rows {
        values.extend(value(row)?);
    }
    Ok((version, values))
}

/// One write; `None` if it changes nothing.
async fn write_property(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    rows: &PropertyRows,
    write: &PropertyWrite,
    action: &'static str,
) -> Result<Option<AdminAction>, StoreError> {
    let (name, after) = match write {
        PropertyWrite::Set { name, value } => (name, Some(value)),
        PropertyWrite::Clear { name } => (name, None),
    };
    let before = rows.get(name);
    if before == after {
        return Ok(None);
    }
    let query = match after {
        Some(value) => sqlx::query(
            "INSERT INTO governance (tenant, name, value) VALUES ($1, $2, $3) \
             ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value",
        )
        .bind(tenant.as_str())
        .bind(name.clone())
        .bind(value.clone()),
        None => sqlx::query("DELETE FROM governance WHERE tenant = $1 AND name = $2")
            .bind(tenant.as_str())
            .bind(name.clone()),
    };
    query.execute(connection).await?;
    let shown = |value: Option<&String>| {
        value.map(|value| if is_secret(name) { REDACTED.to_owned() } else { value.clone() })
    };
    Ok(Some(AdminAction { action, target: name.clone(), before: shown(before), after: shown(after) }))
}

fn is_secret(name: &str) -> bool {
    name.starts_with(governance::SECRET_PREFIX)
}

/// A value, where the row has one.
fn value(row: &AnyRow) -> Result<Option<(String, String)>, StoreError> {
    let name: Option<String> = row.try_get("name")?;
    let value: Option<String> = row.try_get("value")?;
    Ok(name.zip(value))
}

fn from_rows(tenant: TenantId, version: u64, rows: PropertyRows) -> VersionedOverrides {
    let (overrides, left_out) = Overrides::from_rows(rows);
    if !left_out.is_empty() {
        tracing::warn!(%tenant, properties = ?left_out, "settings ignored: this version does not know them");
    }
    VersionedOverrides { tenant, version, overrides }
}
