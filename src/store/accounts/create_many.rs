//! Creating many accounts of one tenant in one transaction, with a few statements for all of them.

use std::collections::HashSet;

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{
    AccountRepository,
    create::{self, CreateError, LoginNames},
};
use crate::{
    domain::{account::NewAccount, tenant::TenantId, time::Timestamp},
    store::{StoreError, counters::placeholders},
};

impl AccountRepository<'_> {
    /// As `create` for each of them, in order: a failure of one does not affect the others. At most about
    /// 100, for one statement.
    pub async fn create_many(
        self,
        tenant: &TenantId,
        new: &[NewAccount],
        now: Timestamp,
    ) -> Result<Vec<Result<(), CreateError>>, StoreError> {
        if let Some(outcomes) = self.create_together(tenant, new, now).await? {
            return Ok(outcomes);
        }
        // another process has taken one of the names meanwhile
        let mut outcomes = Vec::with_capacity(new.len());
        for new in new {
            outcomes.push(match self.create(new, now).await {
                Ok(_) => Ok(()),
                Err(CreateError::Store(error)) => return Err(error),
                Err(refused) => Err(refused),
            });
        }
        Ok(outcomes)
    }

    /// `None` if a name was taken between the search for names and their insertion; nothing is created then.
    async fn create_together(
        self,
        tenant: &TenantId,
        new: &[NewAccount],
        now: Timestamp,
    ) -> Result<Option<Vec<Result<(), CreateError>>>, StoreError> {
        let checked: Vec<Result<LoginNames, CreateError>> = new.iter().map(LoginNames::of).collect();
        self.store
            .with_deadline(async {
                let mut transaction = self.store.begin().await?;
                let mut taken = taken_names(&mut transaction, tenant, &checked).await?;
                let mut rows = Vec::with_capacity(new.len());
                let mut outcomes = Vec::with_capacity(new.len());
                for (new, names) in new.iter().zip(checked) {
                    outcomes.push(names.and_then(|names| {
                        names.check(&taken)?;
                        taken.extend(names.all().map(ToOwned::to_owned));
                        rows.push((new, names));
                        Ok(())
                    }));
                }
                if !rows.is_empty() {
                    create::insert(&mut transaction, &rows, now).await?;
                    if !claim_names(&mut transaction, tenant, &rows).await? {
                        return Ok(None);
                    }
                }
                transaction.commit().await?;
                Ok(Some(outcomes))
            })
            .await
    }
}

/// The names that are already taken.
async fn taken_names(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    checked: &[Result<LoginNames, CreateError>],
) -> Result<HashSet<String>, StoreError> {
    let names: Vec<&str> = checked.iter().flatten().flat_map(LoginNames::all).collect();
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let statement = format!(
        "SELECT name FROM login_names WHERE name IN {} AND tenant = ${}",
        placeholders(names.len()),
        names.len() + 1
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for name in names {
        query = query.bind(name);
    }
    let rows = query.bind(tenant.as_str()).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
}

/// False if another process has taken one of the names.
async fn claim_names(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    rows: &[(&NewAccount, LoginNames)],
) -> Result<bool, StoreError> {
    let mut claims: Vec<(&str, &NewAccount)> =
        rows.iter().flat_map(|(new, names)| names.all().map(|name| (name, *new))).collect();
    // sorted, so that two imports do not deadlock
    claims.sort_unstable_by_key(|(name, _)| *name);
    let statement = format!(
        "INSERT INTO login_names (tenant, name, account) VALUES {} ON CONFLICT (tenant, name) DO NOTHING",
        create::tuple_placeholders(claims.len(), 3)
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for (name, new) in &claims {
        query = query.bind(tenant.as_str()).bind(*name).bind(new.id.as_str());
    }
    let done = query.execute(connection).await?;
    Ok(done.rows_affected() == claims.len() as u64)
}
