//! Somebody who can sign in here: an account of one tenant, and what is known about its owner.

pub mod login;
pub mod names;

use std::{collections::BTreeMap, fmt, sync::Arc};

pub use login::{LoginAttribute, LoginAttributes};
pub use names::{BadLoginName, LoginName};

use super::tenant::TenantId;

/// The user store of accounts that name none.
pub const PRIMARY: &str = "PRIMARY";

/// Names an account for ever, also when its owner is renamed: 32 lower hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Arc<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account id has 32 digits, 0 to 9 and a to f")]
pub struct BadAccountId;

impl AccountId {
    /// Of 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(hex(&bytes).into())
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

/// Lower hex digits, two a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

/// What is kept of an account, without its password and without the count of wrong guesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub tenant: TenantId,
    /// `PRIMARY`, or the name of the directory the account was imported from.
    pub user_store: String,
    /// As its owner writes it; how it is compared is `names::canonical`.
    pub username: String,
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub roles: Vec<String>,
    pub disabled: bool,
    pub admin_lock: Option<AdminLock>,
    pub must_change_password: bool,
    /// Milliseconds since the epoch, as all times here.
    pub password_changed_at: u64,
    pub created_at: u64,
    pub last_login_at: Option<u64>,
    /// Everything else that was imported or set, by claim name.
    pub claims: BTreeMap<String, String>,
}

impl Account {
    /// Whether anybody may use it at all, whatever the password: not locked by an administrator, nor disabled where the
    /// tenant has disabled accounts stay out.
    pub fn is_open(&self, disabled_stay_out: bool) -> bool {
        !(self.disabled && disabled_stay_out) && self.admin_lock.is_none()
    }
}

/// A lock that no time opens: somebody decided, somebody has to take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminLock {
    pub reason: LockedReason,
    pub since: u64,
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

/// A password as it is kept: a salted hash with the name of its method in front. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword(String);

impl StoredPassword {
    /// What no method makes and no password matches.
    const UNUSABLE: &str = "!";

    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Of an account whose owner has yet to choose a password.
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
    pub profile: Profile,
}

/// What an administrator may change about an account at any time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub roles: Vec<String>,
    pub claims: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProfile {
    #[error("not an e-mail address")]
    Email,
    #[error("a name, number or role has a control character or is longer than 1024 bytes")]
    Text,
}

impl Profile {
    /// Whether all of it can be kept and shown. Gives the e-mail address as it is compared.
    pub fn check(&self) -> Result<Option<String>, BadProfile> {
        let shown = [&self.mobile, &self.given_name, &self.family_name].into_iter().flatten();
        let texts = shown.chain(&self.roles).chain(self.claims.keys()).chain(self.claims.values());
        for text in texts {
            if text.len() > 1024 || text.chars().any(char::is_control) {
                return Err(BadProfile::Text);
            }
        }
        let Some(email) = &self.email else { return Ok(None) };
        let email = names::canonical(email).map_err(|_| BadProfile::Email)?;
        // what delivers mail decides on the rest
        let parts = email.rsplit_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty());
        if parts.is_none() || email.contains(char::is_whitespace) {
            return Err(BadProfile::Email);
        }
        Ok(Some(email))
    }
}

impl NewAccount {
    /// With a password and nothing else, in the primary user store.
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
            profile: Profile::default(),
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
    fn a_profile_is_kept_only_if_it_can_be_shown() {
        let with_email = |email: &str| Profile { email: Some(email.to_owned()), ..Profile::default() };
        for (email, compared) in [
            ("Alex@Example.org", Ok(Some("alex@example.org".to_owned()))),
            (" alex@example.org ", Ok(Some("alex@example.org".to_owned()))),
            ("alex", Err(BadProfile::Email)),
            ("@example.org", Err(BadProfile::Email)),
            ("alex@", Err(BadProfile::Email)),
            ("a lex@example.org", Err(BadProfile::Email)),
            ("alex@example.org\r\nBcc: all@example.org", Err(BadProfile::Email)),
            ("", Err(BadProfile::Email)),
        ] {
            assert_eq!(with_email(email).check(), compared, "{email:?}");
        }
        let named = |name: &str| Profile { given_name: Some(name.to_owned()), ..Profile::default() };
        assert_eq!(named("Zoë").check(), Ok(None));
        assert_eq!(named("Zo\0").check(), Err(BadProfile::Text));
        assert_eq!(named(&"a".repeat(1025)).check(), Err(BadProfile::Text));
        let roles = Profile { roles: vec!["Internal/\nsystem".to_owned()], ..Profile::default() };
        assert_eq!(roles.check(), Err(BadProfile::Text));
    }

    #[test]
    fn a_stored_password_does_not_print() {
        assert_eq!(format!("{:?}", StoredPassword::new("$argon2id$geheim")), "********");
        assert!(!StoredPassword::unusable().is_usable());
        assert!(StoredPassword::new("$argon2id$").is_usable());
    }
}
