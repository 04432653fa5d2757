//! Audit records in the order of the changes, written in the transaction of the change itself.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{
    Store, StoreError,
    value::{number, read_number, read_tenant, read_text, read_timestamp, timestamp},
};
use crate::domain::{
    audit::{Actor, AdminAction, AuditRecord},
    tenant::TenantId,
    time::Timestamp,
};

#[derive(Clone, Copy)]
pub struct AuditRepository<'a> {
    pub(super) store: &'a Store,
}

/// A page of records, the newest first: at most `limit` before the record `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditPage {
    pub before: Option<u64>,
    pub limit: u32,
}

impl AuditRepository<'_> {
    /// Records changes outside of the store, such as in a tenant's file.
    pub async fn record(
        self,
        tenant: &TenantId,
        actor: &Actor,
        actions: &[AdminAction],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                write(&mut transaction, tenant, actor, actions, now).await?;
                transaction.commit().await?;
                Ok(())
            })
            .await
    }

    /// The records of a tenant, or all.
    pub async fn list(
        self,
        tenant: Option<&TenantId>,
        page: AuditPage,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let before = page.before.map_or(i64::MAX, number);
        self.store
            .with_deadline(async {
                let query = match tenant {
                    Some(tenant) => sqlx::query(concat!(
                        "SELECT id, at, tenant, actor, address, request_id, action, target, before, after FROM audit ",
                        "WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
                    ))
                    .bind(tenant.as_str()),
                    None => sqlx::query(concat!(
                        "SELECT id, at, tenant, actor, address, request_id, action, target, before, after FROM audit ",
                        "WHERE id < $1 ORDER BY id DESC LIMIT $2"
                    )),
                };
                let rows =
                    query.bind(before).bind(i64::from(page.limit)).fetch_all(self.store.read()).await?;
                rows.iter().map(read).collect()
            })
            .await
    }
}

/// Call after all other rows of a transaction except the change record: blocks other writers until commit.
pub(super) async fn write(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    actor: &Actor,
    actions: &[AdminAction],
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = sqlx::query("UPDATE audit_clock SET last = last + $1 RETURNING last")
        .bind(i64::try_from(actions.len()).unwrap_or(i64::MAX))
        .fetch_one(&mut *connection)
        .await?;
    let last: i64 = row.try_get("last")?;
    for (action, to_come) in actions.iter().zip((0..actions.len()).rev()) {
        sqlx::query(
            "INSERT INTO audit (id, at, tenant, actor, address, request_id, action, target, before, after) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(last - i64::try_from(to_come).unwrap_or_default())
        .bind(timestamp(now))
        .bind(tenant.as_str())
        .bind(actor.to_string())
        .bind(actor.address.map(|address| address.to_string()))
        .bind(actor.request_id.clone())
        .bind(action.action)
        .bind(action.target.clone())
        .bind(action.before.clone())
        .bind(action.after.clone())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

fn read(row: &AnyRow) -> Result<AuditRecord, StoreError> {
    Ok(AuditRecord {
        id: read_number(row, "id")?,
        at: read_timestamp(row, "at")?,
        tenant: read_tenant(row)?,
        actor: read_text(row, "actor")?,
        address: row.try_get("address")?,
        request_id: row.try_get("request_id")?,
        action: read_text(row, "action")?,
        target: read_text(row, "target")?,
        before: row.try_get("before")?,
        after: row.try_get("after")?,
    })
}
