//! How long a password is good, and how often it may come back.

use super::{PasswordPolicy, Rule, Violation};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// WSO2's code at sign-in with a password whose time is over.
pub const EXPIRED: &str = "80009";

impl PasswordPolicy {
    /// When a password set at this moment expires (milliseconds since the epoch).
    pub fn expires_at(&self, changed_at: u64) -> Option<u64> {
        let life = u64::from(self.expiry_days).saturating_mul(DAY);
        (life > 0).then(|| changed_at.saturating_add(life))
    }

    pub fn is_expired(&self, changed_at: u64, now: u64) -> bool {
        self.expires_at(changed_at).is_some_and(|end| now >= end)
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
