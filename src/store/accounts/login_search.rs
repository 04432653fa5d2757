//! Finds the account of a login name.

use sqlx::{AnyPool, any::AnyRow};

use super::{StoredAccount, create::name_key, row};
use crate::{
    domain::{
        account::{Account, LoginAttribute, LoginAttributes, LoginName, login, names},
        tenant::TenantId,
    },
    store::{StoreError, value::read_text},
};

/// Marks rows that were found by login name, not by phone number.
const BY_NAME: &str = "name";

/// A login name with its possible readings in order of precedence.
pub struct LoginSearch<'a> {
    readings: Vec<NameReading<'a>>,
}

struct NameReading<'a> {
    tenant: &'a TenantId,
    /// Among `login_names`.
    key: String,
    phone: Option<String>,
    allowed: LoginAttributes,
}

const NAMES: &str = concat!(
    "SELECT 'name' AS place, ",
    row::columns!(),
    " FROM login_names n JOIN accounts a ON a.id = n.account \
     WHERE (n.tenant = $1 AND n.name = $2) OR (n.tenant = $3 AND n.name = $4)"
);

/// Must equal the expression of the index `accounts_by_mobile`. Two matches are ambiguous already.
const NAMES_AND_PHONES: &str = concat!(
    "SELECT 'name' AS place, ",
    row::columns!(),
    " FROM login_names n JOIN accounts a ON a.id = n.account \
     WHERE (n.tenant = $1 AND n.name = $2) OR (n.tenant = $3 AND n.name = $4) \
     UNION ALL SELECT * FROM (SELECT 'mobile' AS place, ",
    row::columns!(),
    " FROM accounts a WHERE a.tenant = $5 AND replace(replace(replace(replace(replace(replace(\
     a.mobile, ' ', ''), '-', ''), '(', ''), ')', ''), '.', ''), '/', '') = $6 LIMIT 2) AS phones"
);

impl<'a> LoginSearch<'a> {
    pub fn of(name: &'a LoginName, allowed: impl Fn(&TenantId) -> LoginAttributes) -> Self {
        let ways = name.candidates().map(|(tenant, key)| {
            let allowed = allowed(tenant);
            let phone = Some(&key).filter(|_| allowed.allows(LoginAttribute::Mobile));
            NameReading { tenant, phone: phone.and_then(|key| login::normalize_phone(key)), key, allowed }
        });
        Self { readings: ways.collect() }
    }

    pub async fn run(&self, pool: &AnyPool) -> Result<Option<StoredAccount>, StoreError> {
        let Some(first) = self.readings.first() else { return Ok(None) };
        // with one reading only, the second is the same
        let second = self.readings.get(1).unwrap_or(first);
        // a number with a tenant suffix is not a number as a whole: at most one reading has a phone number
        let phone = self.readings.iter().find_map(|way| Some((way.tenant, way.phone.as_ref()?)));
        let query = sqlx::query(if phone.is_some() { NAMES_AND_PHONES } else { NAMES })
            .bind(first.tenant.as_str())
            .bind(first.key.clone())
            .bind(second.tenant.as_str())
            .bind(second.key.clone());
        let query = match phone {
            Some((tenant, phone)) => query.bind(tenant.as_str()).bind(phone.clone()),
            None => query,
        };
        let rows = query.fetch_all(pool).await?;
        let FoundAccounts { by_name, by_phone } = split_rows(&rows)?;
        for way in &self.readings {
            if let Some(found) = by_name.iter().find(|found| way.names_account(&found.account)) {
                return Ok(Some(found.clone()));
            }
            if way.phone.is_some()
                && let [one] = by_phone.as_slice()
            {
                return Ok(Some(one.clone()));
            }
        }
        Ok(None)
    }
}

impl NameReading<'_> {
    /// Whether this is an allowed login name of the account: its user name or its e-mail address.
    fn names_account(&self, account: &Account) -> bool {
        let username = || name_key(&account.user_store, &account.username) == self.key;
        let email = || account.email.as_deref().and_then(|email| names::canonical(email).ok());
        account.tenant == *self.tenant
            && (self.allowed.allows(LoginAttribute::Username) && username()
                || self.allowed.allows(LoginAttribute::Email)
                    && email().as_deref() == Some(self.key.as_str()))
    }
}

/// The rows that were found by login name, and those by phone number.
#[derive(Default)]
struct FoundAccounts {
    by_name: Vec<StoredAccount>,
    by_phone: Vec<StoredAccount>,
}

fn split_rows(rows: &[AnyRow]) -> Result<FoundAccounts, StoreError> {
    let mut found = FoundAccounts::default();
    for row in rows {
        let of_kind =
            if read_text(row, "place")? == BY_NAME { &mut found.by_name } else { &mut found.by_phone };
        of_kind.push(row::read(row)?);
    }
    Ok(found)
}
