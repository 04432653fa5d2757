//! What administrators have set for tenants. A change is all or nothing: values, version, audit and the news of it are
//! one transaction.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{
    Change, Store, StoreError, audit, changes,
    error::Failure,
    value::{number, read_number, read_tenant, read_text},
};
use crate::domain::{
    audit::{Actor, Deed, SECRET},
    governance::{self, Overrides, Write},
    tenant::TenantId,
};

#[derive(Clone, Copy)]
pub struct Governance<'a> {
    pub(super) store: &'a Store,
}

/// What is set for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub tenant: TenantId,
    /// One more with each change; 0: nothing was ever set.
    pub version: u64,
    pub overrides: Overrides,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum GovernanceError<E> {
    #[error("{0}")]
    Refused(E),
    #[error("somebody else has changed these settings meanwhile: they are at version {version}")]
    Stale { version: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<E> Failure for GovernanceError<E> {
    fn of_store(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

/// The rows of a tenant as they are, also those this version does not know.
type Rows = BTreeMap<String, String>;

impl Governance<'_> {
    /// All tenants for which something was ever set.
    pub async fn all(self) -> Result<Vec<Stored>, StoreError> {
        self.store
            .within(async {
                let rows = sqlx::query(
                    "SELECT v.tenant, v.version, g.name, g.value FROM governance_versions v \
                     LEFT JOIN governance g ON g.tenant = v.tenant ORDER BY v.tenant",
                )
                .fetch_all(self.store.read())
                .await?;
                let mut all: Vec<(TenantId, u64, Rows)> = Vec::new();
                for row in &rows {
                    let tenant = read_text(row, "tenant")?;
                    if all.last().is_none_or(|(last, ..)| last.as_str() != tenant) {
                        all.push((read_tenant(row)?, read_number(row, "version")?, Rows::new()));
                    }
                    if let Some((_, _, values)) = all.last_mut() {
                        values.extend(value(row)?);
                    }
                }
                Ok(all.into_iter().map(|(tenant, version, rows)| stored(tenant, version, rows)).collect())
            })
            .await
    }

    pub async fn of(self, tenant: &TenantId) -> Result<Stored, StoreError> {
        self.store
            .within(async {
                // one statement, so that version and values are of one moment
                let rows = sqlx::query(
                    "SELECT v.version, g.name, g.value FROM governance_versions v \
                     LEFT JOIN governance g ON g.tenant = v.tenant WHERE v.tenant = $1",
                )
                .bind(tenant.as_str())
                .fetch_all(self.store.read())
                .await?;
                let version = rows.first().map(|row| read_number(row, "version")).transpose()?;
                let mut values = Rows::new();
                for row in &rows {
                    values.extend(value(row)?);
                }
                Ok(stored(tenant.clone(), version.unwrap_or_default(), values))
            })
            .await
    }

    /// Does what `decide` makes of what is set, with nobody between, and writes down that `actor` did. `expected` is the
    /// version the change was made for; what changes nothing leaves it as it is.
    pub async fn update<E>(
        self,
        tenant: &TenantId,
        expected: Option<u64>,
        decide: impl FnOnce(&Stored) -> Result<Vec<Write>, E>,
        (action, actor): (&'static str, &Actor),
        now: u64,
    ) -> Result<(Stored, Vec<Deed>), GovernanceError<E>> {
        self.store
            .within(async {
                let mut transaction = self.store.begin().await?;
                let (version, rows) = hold(&mut transaction, tenant).await?;
                if expected.is_some_and(|expected| expected != version) {
                    return Err(GovernanceError::Stale { version });
                }
                let mut found = stored(tenant.clone(), version, rows.clone());
                let writes = decide(&found).map_err(GovernanceError::Refused)?;
                let mut deeds = Vec::new();
                for write in &writes {
                    if let Some(deed) = put(&mut transaction, tenant, &rows, write, action).await? {
                        deeds.push(deed);
                    }
                }
                if deeds.is_empty() {
                    // the row made to be held goes with it
                    transaction.rollback().await?;
                    return Ok((found, deeds));
                }
                found.version += 1;
                found.overrides.apply(&writes);
                sqlx::query("UPDATE governance_versions SET version = $2, changed_at = $3 WHERE tenant = $1")
                    .bind(tenant.as_str())
                    .bind(number(found.version))
                    .bind(number(now))
                    .execute(&mut *transaction)
                    .await
                    .map_err(StoreError::from)?;
                audit::write(&mut transaction, tenant, actor, &deeds, now).await?;
                changes::record(self.store, &mut transaction, &Change::Governance(tenant.clone()), now)
                    .await?;
                transaction.commit().await?;
                Ok((found, deeds))
            })
            .await
    }
}

/// Locks what is set for a tenant, also if nothing is.
async fn hold(connection: &mut AnyConnection, tenant: &TenantId) -> Result<(u64, Rows), StoreError> {
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
    let mut values = Rows::new();
    for row in &rows {
        values.extend(value(row)?);
    }
    Ok((version, values))
}

/// One write; `None` if it changes nothing.
async fn put(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    rows: &Rows,
    write: &Write,
    action: &'static str,
) -> Result<Option<Deed>, StoreError> {
    let (name, after) = match write {
        Write::Set { name, value } => (name, Some(value)),
        Write::Clear { name } => (name, None),
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
        value.map(|value| if is_secret(name) { SECRET.to_owned() } else { value.clone() })
    };
    Ok(Some(Deed { action, target: name.clone(), before: shown(before), after: shown(after) }))
}

fn is_secret(name: &str) -> bool {
    name.starts_with(governance::SECRET)
}

/// A value, where the row has one.
fn value(row: &AnyRow) -> Result<Option<(String, String)>, StoreError> {
    let name: Option<String> = row.try_get("name")?;
    let value: Option<String> = row.try_get("value")?;
    Ok(name.zip(value))
}

fn stored(tenant: TenantId, version: u64, rows: Rows) -> Stored {
    let (overrides, left_out) = Overrides::read(rows);
    if !left_out.is_empty() {
        tracing::warn!(%tenant, properties = ?left_out, "these settings have no effect: this version does not know them");
    }
    Stored { tenant, version, overrides }
}
