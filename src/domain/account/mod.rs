//! The account of one user in one tenant, with its profile.

pub mod confusable;
pub mod login;
pub mod names;

use std::{collections::BTreeMap, fmt, sync::Arc};

pub use login::{LoginAttribute, LoginAttributes};
pub use names::LoginName;

use super::{tenant::TenantId, time::Timestamp};

/// The default user store.
pub const PRIMARY: &str = "PRIMARY";

/// Permanent id of an account, independent of its user name: 32 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Arc<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account id has 32 digits, 0 to 9 and a to f")]
pub struct BadAccountId;

impl AccountId {
    /// From 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(hex::encode(bytes).into())
    }

    pub fn parse(written: &str) -> Result<Self, BadAccountId> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if written.len() == 32 && written.bytes().all(is_digit) {
            Ok(Self(written.into()))
        } else {
            Err(BadAccountId)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The stored data of an account, without its password and its lockout counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub tenant: TenantId,
    /// `PRIMARY`, or the name of the directory the account was imported from.
    pub user_store: String,
    /// As entered; compared in the form of `names::canonical`.
    pub username: String,
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub roles: Vec<String>,
    pub disabled: bool,
    pub admin_lock: Option<AdminLock>,
    pub must_change_password: bool,
    pub password_changed_at: Timestamp,
    pub created_at: Timestamp,
    pub last_login_at: Option<Timestamp>,
    /// Everything else that was imported or set, by claim name.
    pub claims: BTreeMap<String, String>,
}

impl Account {
    /// Whether the account can be used at all: not locked by an administrator, nor disabled in a tenant
    /// that rejects disabled accounts.
    pub fn allows_login(&self, reject_disabled_accounts: bool) -> bool {
        !(self.disabled && reject_disabled_accounts) && self.admin_lock.is_none()
    }
}

/// A lock without an expiry: an administrator sets and removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminLock {
    pub reason: LockedReason,
    pub since: Timestamp,
}

/// Why an account is locked, in the words of WSO2's claim `lockedReason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockedReason {
    AdminInitiated,
    MaxAttemptsExceeded,
    IdleAccount,
    PendingSelfRegistration,
    PendingEmailVerification,
    PendingAskPassword,
    PendingAdminForcedUserPasswordReset,
}

impl LockedReason {
    pub const ALL: [Self; 7] = [
        Self::AdminInitiated,
        Self::MaxAttemptsExceeded,
        Self::IdleAccount,
        Self::PendingSelfRegistration,
        Self::PendingEmailVerification,
        Self::PendingAskPassword,
        Self::PendingAdminForcedUserPasswordReset,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdminInitiated => "ADMIN_INITIATED",
            Self::MaxAttemptsExceeded => "MAX_ATTEMPTS_EXCEEDED",
            Self::IdleAccount => "IDLE_ACCOUNT",
            Self::PendingSelfRegistration => "PENDING_SELF_REGISTRATION",
            Self::PendingEmailVerification => "PENDING_EMAIL_VERIFICATION",
            Self::PendingAskPassword => "PENDING_ASK_PASSWORD",
            Self::PendingAdminForcedUserPasswordReset => "PENDING_ADMIN_FORCED_USER_PASSWORD_RESET",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// A stored password: a salted hash, prefixed with the name of its method. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword(String);

impl StoredPassword {
    /// A value that no hash method produces and no password matches.
    const UNUSABLE: &str = "!";

    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For an account without a password.
    pub fn unusable() -> Self {
        Self(Self::UNUSABLE.to_owned())
    }

    pub fn is_usable(&self) -> bool {
        self.0 != Self::UNUSABLE
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// The form of current password hashes: all others are of other systems, or have other parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashFormat {
    pub prefix: String,
    /// The length of a whole hash, in bytes.
    pub length: usize,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub id: AccountId,
    pub tenant: TenantId,
    pub user_store: String,
    pub username: String,
    pub password: StoredPassword,
    pub must_change_password: bool,
    pub disabled: bool,
    pub admin_lock: Option<AdminLock>,
    pub profile: UserProfile,
}

/// The attributes of an account that an administrator may change at any time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserProfile {
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub roles: Vec<String>,
    pub claims: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUserProfile {
    #[error("not an e-mail address")]
    Email,
    #[error("a name, number or role has a control character or is longer than 1024 bytes")]
    Text,
}

impl UserProfile {
    /// Checks that all values can be stored and displayed. Returns the canonical e-mail address.
    pub fn validate(&self) -> Result<Option<String>, InvalidUserProfile> {
        let shown = [&self.mobile, &self.given_name, &self.family_name].into_iter().flatten();
        let texts = shown.chain(&self.roles).chain(self.claims.keys()).chain(self.claims.values());
        for text in texts {
            if text.len() > 1024 || text.chars().any(char::is_control) {
                return Err(InvalidUserProfile::Text);
            }
        }
        let Some(email) = &self.email else { return Ok(None) };
        let email = names::canonical(email).map_err(|_| InvalidUserProfile::Email)?;
        // the mail server validates the rest
        let parts = email.rsplit_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty());
        if parts.is_none() || email.contains(char::is_whitespace) {
            return Err(InvalidUserProfile::Email);
        }
        Ok(Some(email))
    }
}

impl NewAccount {
    /// An account in the primary user store with a password and an empty profile.
    pub fn new(
        id: AccountId,
        tenant: TenantId,
        username: impl Into<String>,
        password: StoredPassword,
    ) -> Self {
        Self {
            id,
            tenant,
            user_store: PRIMARY.to_owned(),
            username: username.into(),
            password,
            must_change_password: false,
            disabled: false,
            admin_lock: None,
            profile: UserProfile::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_lower_hex_digits() {
        let id = AccountId::from_bytes([0x0f; 16]);
        assert_eq!(id.as_str(), "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f");
        assert_eq!(AccountId::parse(id.as_str()), Ok(id));
        for written in
            ["", "0f", "0F0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0g", "../../x"]
        {
            assert_eq!(AccountId::parse(written), Err(BadAccountId), "{written:?}");
        }
    }

    #[test]
    fn reasons_are_written_as_wso2_writes_them() {
        for reason in LockedReason::ALL {
            assert_eq!(LockedReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(LockedReason::parse("ADMIN"), None);
    }

    #[test]
    fn rejects_profiles_with_control_characters_or_long_values() {
        let with_email =
            |email: &str| UserProfile { email: Some(email.to_owned()), ..UserProfile::default() };
        for (email, compared) in [
            ("Alex@Example.org", Ok(Some("alex@example.org".to_owned()))),
            (" alex@example.org ", Ok(Some("alex@example.org".to_owned()))),
            ("alex", Err(InvalidUserProfile::Email)),
            ("@example.org", Err(InvalidUserProfile::Email)),
            ("alex@", Err(InvalidUserProfile::Email)),
            ("a lex@example.org", Err(InvalidUserProfile::Email)),
            ("alex@example.org\r\nBcc: all@example.org", Err(InvalidUserProfile::Email)),
            ("", Err(InvalidUserProfile::Email)),
        ] {
            assert_eq!(with_email(email).validate(), compared, "{email:?}");
        }
        let named = |name: &str| UserProfile { given_name: Some(name.to_owned()), ..UserProfile::default() };
        assert_eq!(named("Zoë").validate(), Ok(None));
        assert_eq!(named("Zo\0").validate(), Err(InvalidUserProfile::Text));
        assert_eq!(named(&"a".repeat(1025)).validate(), Err(InvalidUserProfile::Text));
        let roles = UserProfile { roles: vec!["Internal/\nsystem".to_owned()], ..UserProfile::default() };
        assert_eq!(roles.validate(), Err(InvalidUserProfile::Text));
    }

    #[test]
    fn a_stored_password_does_not_print() {
        assert_eq!(format!("{:?}", StoredPassword::new("$argon2id$geheim")), "********");
        assert!(!StoredPassword::unusable().is_usable());
        assert!(StoredPassword::new("$argon2id$").is_usable());
    }
}
