//! Import of accounts from other systems with their password hashes, so that users keep their passwords.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::Deserialize;
use serde_json::error::Category;

use super::hashing::{
    HasherBusy, Password, PasswordHasher, hash_method::HashMethod, hash_method::InvalidHash,
};
use crate::{
    config::document::nearest::nearest,
    crypto::{RandomUnavailable, random_bytes},
    domain::{
        account::{AccountId, AdminLock, LockedReason, NewAccount, PRIMARY, StoredPassword, UserProfile},
        tenant::TenantId,
        time::Timestamp,
    },
    store::{CreateError, Store, StoreError},
};

/// Accounts per transaction, which blocks other writers for a few milliseconds.
pub const IMPORT_BATCH: usize = 100;

/// One user of an import: a JSON object with these fields, or a CSV row with these columns.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedUser {
    pub username: String,
    pub user_store: Option<String>,
    /// A hash of any supported method; the password stays valid.
    pub password_hash: Option<String>,
    /// The plaintext password, if known; hashed at once, without a policy check.
    pub password: Option<String>,
    #[serde(default)]
    pub must_change_password: bool,
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    #[serde(default)]
    pub roles: Vec<String>,
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
    #[serde(default)]
    pub disabled: bool,
    #[serde(default)]
    pub locked: bool,
}

/// The names of a CSV's columns, beside `claims.NAME`.
const COLUMNS: [&str; 12] = [
    "username",
    "user_store",
    "password_hash",
    "password",
    "must_change_password",
    "email",
    "mobile",
    "given_name",
    "family_name",
    "roles",
    "disabled",
    "locked",
];

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("both password and password_hash are given: keep one")]
    TwoPasswords,
    #[error("password_hash: {0}")]
    Hash(#[from] InvalidHash),
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error(transparent)]
    Busy(#[from] HasherBusy),
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

/// Why a row or a JSON line is not a user. The message quotes no values: one may be a password in the wrong column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportRowError {
    #[error("there is no username")]
    NoUsername,
    /// Neither this column nor another one has a known name.
    #[error(
        "column {column} has no name that is known; the first line has to be names of columns, `username` among them"
    )]
    NoHeader { column: u32 },
    #[error("column {column}: `{name}` is not known ({}`doorward user import --help` names all)", suggestion(.near.as_deref()))]
    UnknownColumn { column: u32, name: String, near: Option<&'static str> },
    #[error("column {column}, {name}: write true or false")]
    NotABool { column: u32, name: String },
    #[error("column {column}: {problem}")]
    Json { column: usize, problem: &'static str },
}

fn suggestion(near: Option<&str>) -> String {
    near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default()
}

/// Prints the user name only, no credentials or personal data.
impl fmt::Debug for ImportedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, user_store, .. } = self;
        f.debug_struct("ImportedUser")
            .field("username", username)
            .field("user_store", user_store)
            .finish_non_exhaustive()
    }
}

impl ImportedUser {
    pub fn from_json(line: &str) -> Result<Self, ImportRowError> {
        serde_json::from_str(line).map_err(|error| {
            // serde's message quotes the input
            let problem = match error.classify() {
                Category::Data => {
                    "a key that is unknown or there twice, a value of the wrong type, or no username"
                }
                Category::Syntax | Category::Eof | Category::Io => "not JSON",
            };
            ImportRowError::Json { column: error.column(), problem }
        })
    }

    /// Roles are separated by `;`, a claim has a column `claims.NAME`; empty values are ignored.
    pub fn from_csv<'a>(
        row: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<Self, ImportRowError> {
        let mut user = Self::default();
        for ((name, value), column) in row.clone().zip(1..) {
            if value.is_empty() {
                continue;
            }
            let text = || Some(value.to_owned());
            match name {
                "username" => value.clone_into(&mut user.username),
                "user_store" => user.user_store = text(),
                "password_hash" => user.password_hash = text(),
                "password" => user.password = text(),
                "must_change_password" => user.must_change_password = parse_flag(column, name, value)?,
                "email" => user.email = text(),
                "mobile" => user.mobile = text(),
                "given_name" => user.given_name = text(),
                "family_name" => user.family_name = text(),
                "roles" => user.roles = value.split(';').map(|role| role.trim().to_owned()).collect(),
                "disabled" => user.disabled = parse_flag(column, name, value)?,
                "locked" => user.locked = parse_flag(column, name, value)?,
                _ => match name.strip_prefix("claims.") {
                    Some(claim) => drop(user.claims.insert(claim.to_owned(), value.to_owned())),
                    None => return Err(unknown_column(column, name, row.map(|(name, _)| name))),
                },
            }
        }
        if user.username.is_empty() { Err(ImportRowError::NoUsername) } else { Ok(user) }
    }
}

/// If a file has no header line, its first line may contain a password: an unknown column name is quoted
/// only if another column shows that the line is a header.
fn unknown_column<'a>(column: u32, name: &str, mut names: impl Iterator<Item = &'a str>) -> ImportRowError {
    if names.any(|name| name == "username") {
        ImportRowError::UnknownColumn { column, name: name.to_owned(), near: nearest(name, COLUMNS) }
    } else {
        ImportRowError::NoHeader { column }
    }
}

fn parse_flag(column: u32, name: &str, value: &str) -> Result<bool, ImportRowError> {
    let value = value.to_ascii_lowercase();
    match value.as_str() {
        "1" | "yes" => Ok(true),
        "0" | "no" => Ok(false),
        other => {
            bool::from_str(other).map_err(|_| ImportRowError::NotABool { column, name: name.to_owned() })
        }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct AccountImport {
    store: Store,
    hasher: PasswordHasher,
}

impl AccountImport {
    pub fn new(store: Store, hasher: PasswordHasher) -> Self {
        Self { store, hasher }
    }

    /// Imports users into one tenant, at most `IMPORT_BATCH` per call; returns the result of each, in order.
    pub async fn run(
        &self,
        tenant: &TenantId,
        users: Vec<ImportedUser>,
        now: Timestamp,
    ) -> Result<Vec<Result<AccountId, ImportError>>, StoreError> {
        let mut prepared = Vec::with_capacity(users.len());
        for user in users {
            prepared.push(self.prepare(tenant, user, now).await);
        }
        let mut new = Vec::with_capacity(prepared.len());
        let mut ids = Vec::with_capacity(prepared.len());
        for account in prepared {
            ids.push(account.map(|account| {
                let id = account.id.clone();
                new.push(account);
                id
            }));
        }
        let mut created = self.store.accounts().create_many(tenant, &new, now).await?.into_iter();
        let outcome = |id: Result<AccountId, ImportError>| {
            let id = id?;
            created.next().unwrap_or(Ok(()))?;
            Ok(id)
        };
        Ok(ids.into_iter().map(outcome).collect())
    }

    async fn prepare(
        &self,
        tenant: &TenantId,
        user: ImportedUser,
        now: Timestamp,
    ) -> Result<NewAccount, ImportError> {
        let password = match (user.password_hash, user.password) {
            (Some(_), Some(_)) => return Err(ImportError::TwoPasswords),
            (Some(hash), None) => {
                // a hash that cannot be parsed could never be verified
                HashMethod::parse(&hash)?;
                StoredPassword::new(hash)
            }
            (None, Some(password)) => StoredPassword::new(self.hasher.hash(&Password::new(password)).await?),
            (None, None) => StoredPassword::unusable(),
        };
        Ok(NewAccount {
            id: AccountId::from_bytes(random_bytes()?),
            tenant: tenant.clone(),
            user_store: user.user_store.unwrap_or_else(|| PRIMARY.to_owned()),
            username: user.username,
            password,
            must_change_password: user.must_change_password,
            disabled: user.disabled,
            admin_lock: user.locked.then_some(AdminLock { reason: LockedReason::AdminInitiated, since: now }),
            profile: UserProfile {
                email: user.email,
                mobile: user.mobile,
                given_name: user.given_name,
                family_name: user.family_name,
                roles: user.roles,
                claims: user.claims,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(row: &[(&str, &str)]) -> Result<ImportedUser, ImportRowError> {
        ImportedUser::from_csv(row.iter().copied())
    }

    #[test]
    fn csv_and_json_import_the_same_user() {
        let row = csv(&[
            ("username", "alex"),
            ("email", "alex@example.org"),
            ("mobile", ""),
            ("roles", "Internal/subscriber; admin"),
            ("claims.country", "DE"),
            ("locked", "Yes"),
            ("password_hash", "{SSHA}x"),
        ]);
        let line = r#"{"username": "alex", "email": "alex@example.org", "roles": ["Internal/subscriber", "admin"],
            "claims": {"country": "DE"}, "locked": true, "password_hash": "{SSHA}x"}"#;
        assert_eq!(row, ImportedUser::from_json(line));
    }

    /// Attack by mishap: debug output of an import ends up in terminals, tickets and logs.
    #[test]
    fn attack_a_broken_import_prints_no_password_and_no_hash() {
        for line in [
            r#"{"username": "alex", "password": 4711471147114711}"#,
            r#"{"username": "alex", "roles": "hunter2hunter2"}"#,
            r#"{"username": "alex", "locked": "hunter2hunter2"}"#,
            r#"{"username": "alex", "hunter2hunter2": "password"}"#,
            r#"{"username": "alex", "password_hash": "$2b$04$hunter2hunter2" "#,
            r#"{"username": "alex", "claims": {"a": ["hunter2hunter2"]}}"#,
            r#""hunter2hunter2""#,
            "hunter2hunter2",
        ] {
            let said = ImportedUser::from_json(line).unwrap_err().to_string();
            assert!(!said.contains("hunter2") && !said.contains("4711") && said.contains("column"), "{said}");
        }
        // a file without a header line has a password where a column name should be
        for row in [
            [("alex", "kim"), ("hunter2", "x")],
            [("hunter2", "x"), ("passw0rd", "y")],
            [("username", "kim"), ("locked", "hunter2")],
        ] {
            let said = csv(&row).unwrap_err().to_string();
            assert!(!said.contains("hunter2") && said.contains("column "), "{said}");
        }
        let user = ImportedUser {
            password: Some("hunter2".to_owned()),
            password_hash: Some("$2b$04$hunter2".to_owned()),
            ..ImportedUser::from_json(r#"{"username": "alex"}"#).unwrap()
        };
        let printed = format!("{user:?} {user:#?}");
        assert!(!printed.contains("hunter2") && printed.contains("alex"), "{printed}");
    }

    #[test]
    fn names_unknown_column_only_if_there_is_a_header_line() {
        let row = |column| csv(&[("username", "a"), (column, "x")]).unwrap_err().to_string();
        assert_eq!(
            row("role"),
            "column 2: `role` is not known (did you mean `roles`? `doorward user import --help` names all)"
        );
        assert_eq!(
            row("colour"),
            "column 2: `colour` is not known (`doorward user import --help` names all)"
        );
        assert_eq!(
            csv(&[("name", "a"), ("roles", "x")]).unwrap_err().to_string(),
            "column 1 has no name that is known; the first line has to be names of columns, `username` among them"
        );
        for column in COLUMNS {
            let read = csv(&[("username", "a"), (column, "1")]);
            assert!(read.is_ok(), "{column}: {read:?}");
        }
    }

    #[test]
    fn rejects_values_that_cannot_be_parsed() {
        for (row, said) in [
            (&[("username", "a"), ("colour", "red")][..], "column 2"),
            (&[("username", "a"), ("locked", "perhaps")], "locked"),
            (&[("username", "")], "username"),
            (&[], "username"),
        ] {
            assert!(csv(row).unwrap_err().to_string().contains(said), "{row:?}");
        }
        for line in ["", "{}", "[]", r#"{"username": "a", "colour": "red"}"#, r#"{"username": 1}"#] {
            assert!(ImportedUser::from_json(line).is_err(), "{line}");
        }
    }
}
