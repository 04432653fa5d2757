//! WSO2's codes and messages for failed logins, for logs, audit records and administrators. Clients get one
//! message for all of them.

use std::fmt;

use crate::domain::tenant::TenantId;

/// WSO2's login error codes. In its recovery API, 17005 to 17009 have other meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginErrorCode {
    InvalidCredentials,
    LockedByAttempts,
    LockedByAdmin,
    Disabled,
}

impl LoginErrorCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidCredentials => "17002",
            Self::LockedByAttempts => "17003:MaxAttemptsExceeded",
            Self::LockedByAdmin => "17003:AdminInitiated",
            Self::Disabled => "17004",
        }
    }
}

impl fmt::Display for LoginErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The account that a message is about.
#[derive(Debug, Clone, Copy)]
pub struct AccountLabel<'a> {
    pub user: &'a str,
    pub user_store: &'a str,
    pub tenant: &'a TenantId,
}

impl AccountLabel<'_> {
    /// The line that log scrapers match: it must not change by a byte.
    pub fn locked(self) -> String {
        format!("Account is locked for {self}. Cannot login until the account is unlocked.")
    }

    pub fn locked_by_admin(self) -> String {
        format!("Account is locked by admin for {self}. Cannot login until the account is unlocked.")
    }

    pub fn disabled(self) -> String {
        format!("Account is disabled for {self}. Cannot login until the account is enabled.")
    }
}

impl fmt::Display for AccountLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, user_store, tenant } = self;
        write!(f, "user {} in user store {} in tenant {tenant}", OneLine(user), OneLine(user_store))
    }
}

/// A name as entered, without line breaks (log injection).
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        self.0.chars().try_for_each(|c| fmt::Write::write_char(f, if breaks(c) { '\u{fffd}' } else { c }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alex(tenant: &TenantId) -> AccountLabel<'_> {
        AccountLabel { user: "alex", user_store: "PRIMARY", tenant }
    }

    #[test]
    fn log_line_matches_wso2_to_the_byte() {
        let tenant = TenantId::super_tenant();
        for (line, written) in [
            (
                alex(&tenant).locked(),
                "Account is locked for user alex in user store PRIMARY in tenant carbon.super. Cannot login until the \
                 account is unlocked.",
            ),
            (
                alex(&tenant).locked_by_admin(),
                "Account is locked by admin for user alex in user store PRIMARY in tenant carbon.super. Cannot login \
                 until the account is unlocked.",
            ),
            (
                alex(&tenant).disabled(),
                "Account is disabled for user alex in user store PRIMARY in tenant carbon.super. Cannot login until \
                 the account is enabled.",
            ),
        ] {
            assert_eq!(line, written);
        }
    }

    #[test]
    fn attack_log_injection_by_name() {
        let tenant = TenantId::super_tenant();
        let subject = AccountLabel { user: "x\r\nAccount is\u{2028}fine\u{1b}[2J", ..alex(&tenant) };
        assert_eq!(
            subject.to_string(),
            "user x\u{fffd}\u{fffd}Account is\u{fffd}fine\u{fffd}[2J in user store PRIMARY in tenant carbon.super"
        );
    }
}
