//! Who is meant by what was typed at sign-in.

use sqlx::{AnyPool, any::AnyRow};

use super::{create::name_key, row};
use crate::{
    domain::{
        account::{Account, LoginAttribute, LoginAttributes, LoginName, StoredPassword, login, names},
        tenant::TenantId,
    },
    store::{StoreError, value::read_text},
};

/// In which of the two places a row was found.
const BY_NAME: &str = "name";

/// What was typed, read in the ways in which it may be meant, the first that exists counts.
pub struct Search<'a> {
    ways: Vec<Way<'a>>,
}

struct Way<'a> {
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

/// With the numbers of the index `accounts_by_mobile`, word for word. Two are one too many already.
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

impl<'a> Search<'a> {
    pub fn of(name: &'a LoginName, allowed: impl Fn(&TenantId) -> LoginAttributes) -> Self {
        let ways = name.candidates().map(|(tenant, key)| {
            let allowed = allowed(tenant);
            let phone = Some(&key).filter(|_| allowed.allow(LoginAttribute::Mobile));
            Way { tenant, phone: phone.and_then(|key| login::phone(key)), key, allowed }
        });
        Self { ways: ways.collect() }
    }

    pub async fn run(&self, pool: &AnyPool) -> Result<Option<(Account, StoredPassword)>, StoreError> {
        let Some(first) = self.ways.first() else { return Ok(None) };
        // with one way only, the second is the same
        let second = self.ways.get(1).unwrap_or(first);
        // a number with a tenant behind it is read as a whole, too, and no number then: one way at most has one
        let phone = self.ways.iter().find_map(|way| Some((way.tenant, way.phone.as_ref()?)));
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
        let (names, phones) = read(&rows)?;
        for way in &self.ways {
            if let Some(found) = names.iter().find(|(account, _)| way.is_named(account)) {
                return Ok(Some(found.clone()));
            }
            if way.phone.is_some()
                && let [one] = phones.as_slice()
            {
                return Ok(Some(one.clone()));
            }
        }
        Ok(None)
    }
}

impl Way<'_> {
    /// Whether the account has this name, as something it may be found by. One name may be both.
    fn is_named(&self, account: &Account) -> bool {
        let username = || name_key(&account.user_store, &account.username) == self.key;
        let email = || account.email.as_deref().and_then(|email| names::canonical(email).ok());
        account.tenant == *self.tenant
            && (self.allowed.allow(LoginAttribute::Username) && username()
                || self.allowed.allow(LoginAttribute::Email) && email().as_deref() == Some(self.key.as_str()))
    }
}

type Found = Vec<(Account, StoredPassword)>;

fn read(rows: &[AnyRow]) -> Result<(Found, Found), StoreError> {
    let (mut names, mut phones) = (Vec::new(), Vec::new());
    for row in rows {
        let place = if read_text(row, "place")? == BY_NAME { &mut names } else { &mut phones };
        place.push(row::read(row)?);
    }
    Ok((names, phones))
}
