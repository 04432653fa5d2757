//! Creating many accounts of one tenant in one transaction, with a few statements for all of them.

use std::collections::HashSet;

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{
    Accounts,
    create::{self, CreateError, Names},
};
use crate::{
    domain::{account::NewAccount, tenant::TenantId},
    store::{StoreError, counters::places},
};

impl Accounts<'_> {
    /// As `create` for each of them, in their order: one that cannot be created does not keep the others from it. Few enough
    /// for one statement: 100, say.
    pub async fn create_many(
        self,
        tenant: &TenantId,
        new: &[NewAccount],
        now: u64,
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
        now: u64,
    ) -> Result<Option<Vec<Result<(), CreateError>>>, StoreError> {
        let checked: Vec<Result<Names, CreateError>> = new.iter().map(Names::of).collect();
        self.store
            .within(async {
                let mut transaction = self.store.begin().await?;
                let mut taken = taken(&mut transaction, tenant, &checked).await?;
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
                    if !claim(&mut transaction, tenant, &rows).await? {
                        return Ok(None);
                    }
                }
                transaction.commit().await?;
                Ok(Some(outcomes))
            })
            .await
    }
}

/// Which of the names belong to accounts already.
async fn taken(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    checked: &[Result<Names, CreateError>],
) -> Result<HashSet<String>, StoreError> {
    let names: Vec<&str> = checked.iter().flatten().flat_map(Names::all).collect();
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let statement = format!(
        "SELECT name FROM login_names WHERE name IN {} AND tenant = ${}",
        places(names.len()),
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
async fn claim(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    rows: &[(&NewAccount, Names)],
) -> Result<bool, StoreError> {
    let mut claims: Vec<(&str, &NewAccount)> =
        rows.iter().flat_map(|(new, names)| names.all().map(|name| (name, *new))).collect();
    // in one order, so that two imports do not wait for each other
    claims.sort_unstable_by_key(|(name, _)| *name);
    let statement = format!(
        "INSERT INTO login_names (tenant, name, account) VALUES {} ON CONFLICT (tenant, name) DO NOTHING",
        create::tuples(claims.len(), 3)
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for (name, new) in &claims {
        query = query.bind(tenant.as_str()).bind(*name).bind(new.id.as_str());
    }
    let done = query.execute(connection).await?;
    Ok(done.rows_affected() == claims.len() as u64)
}
