//! Password expiry and password history.

use std::time::Duration;

use super::{PasswordPolicy, PasswordRule, Violation};
use crate::domain::{
    governance::{ExpiryRule, expiry_days},
    time::Timestamp,
};

const DAY: Duration = Duration::from_hours(24);

/// When passwords expire. By default never, as NIST recommends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PasswordExpiry {
    /// For users without an applicable rule; zero: never.
    pub days: u32,
    pub rules: Vec<ExpiryRule>,
    /// Passwords of users without an applicable rule never expire.
    pub only_by_rule: bool,
}

impl PasswordPolicy {
    /// When a password set at `changed_at` by a user with these roles expires. Doorward has no groups.
    pub fn expires_at(&self, roles: &[String], changed_at: Timestamp) -> Option<Timestamp> {
        let PasswordExpiry { days, rules, only_by_rule } = &self.expiry;
        let days = expiry_days(rules, *days, *only_by_rule, roles, &[])?;
        Some(changed_at + DAY.saturating_mul(days))
    }

    pub fn is_expired(&self, roles: &[String], changed_at: Timestamp, now: Timestamp) -> bool {
        self.expires_at(roles, changed_at).is_some_and(|end| now >= end)
    }

    /// The number of recent passwords, including the current one, that a new password must differ from.
    pub fn history_length(&self) -> u32 {
        self.history
    }

    /// The violation if the new password matched one of them.
    pub fn history_violation(&self, matched: bool) -> Option<Violation> {
        (self.history > 0 && matched).then_some(Violation::Broken(PasswordRule::NotUsedBefore(self.history)))
    }
}
