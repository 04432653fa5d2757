//! The rules for accounts: those that governance can change. Tenants that say nothing of their own share what they start from.

use std::sync::Arc;

use super::PasswordRules;
use crate::{
    config::governance::Governed,
    domain::{account::LoginAttributes, lockout::LockoutSettings, password::PasswordPolicy},
};

#[derive(Debug, Clone)]
pub struct AccountRules {
    pub account_lock: Arc<LockoutSettings>,
    pub password_rules: Arc<PasswordRules>,
    /// What the rules come to.
    pub password_policy: Arc<PasswordPolicy>,
    /// By what somebody may be found who signs in.
    pub login: LoginAttributes,
    /// Whether accounts that are switched off stay out.
    pub disabled_stay_out: bool,
}

impl AccountRules {
    /// What was governed, on top of these.
    #[must_use]
    pub fn changed(&self, governed: Governed) -> Self {
        let Governed { account_lock, passwords, login, disabled_stay_out } = governed;
        let mut rules = Self { login, disabled_stay_out, ..self.clone() };
        if account_lock != *self.account_lock {
            rules.account_lock = Arc::new(account_lock);
        }
        if passwords != *self.password_rules {
            rules.password_policy = Arc::new(passwords.policy());
            rules.password_rules = Arc::new(passwords);
        }
        rules
    }
}

/// WSO2's, where nothing is written.
impl Default for AccountRules {
    fn default() -> Self {
        let passwords = PasswordRules::default();
        Self {
            account_lock: Arc::default(),
            password_policy: Arc::new(passwords.policy()),
            password_rules: Arc::new(passwords),
            login: LoginAttributes::default(),
            disabled_stay_out: true,
        }
    }
}
