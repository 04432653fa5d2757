//! How long a password is good, and how often it may come back.

use super::{PasswordPolicy, Rule, Violation};
use crate::domain::governance::{ExpiryRule, expiry_days};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// WSO2's code at sign-in with a password whose time is over.
pub const EXPIRED: &str = "80009";

/// How long passwords are good, and whose. By default for ever, as NIST advises.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expiry {
    /// For those to whom no rule applies; zero: for ever.
    pub days: u32,
    pub rules: Vec<ExpiryRule>,
    /// Without a rule that applies, for ever.
    pub only_by_rule: bool,
}

impl Expiry {
    pub fn after(days: u32) -> Self {
        Self { days, ..Self::default() }
    }
}

impl PasswordPolicy {
    /// When a password that somebody with these roles set at this moment expires (milliseconds since the epoch). Nobody
    /// here has groups.
    pub fn expires_at(&self, roles: &[String], changed_at: u64) -> Option<u64> {
        let Expiry { days, rules, only_by_rule } = &self.expiry;
        let days = expiry_days(rules, *days, *only_by_rule, roles, &[])?;
        Some(changed_at.saturating_add(u64::from(days).saturating_mul(DAY)))
    }

    pub fn is_expired(&self, roles: &[String], changed_at: u64, now: u64) -> bool {
        self.expires_at(roles, changed_at).is_some_and(|end| now >= end)
    }

    /// How many of the newest stored passwords, the one in use first, a new one has to differ from.
    pub fn looks_back(&self) -> u32 {
        self.history
    }

    /// Whether the new password matched any of those.
    pub fn history_violation(&self, matched: bool) -> Option<Violation> {
        (self.history > 0 && matched).then_some(Violation::Broken(Rule::NotUsedBefore(self.history)))
    }
}
