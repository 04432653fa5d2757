//! The rules for accounts: those that governance can change. Tenants without rules of their own share the defaults.

use std::sync::Arc;

use super::PasswordRules;
use crate::{
    config::{
        governance::{
            GovernedSettings,
            governed_settings::{GovernedProperty, set},
        },
        sections::{
            account_lock::{self, AccountLockSection},
            password_policy::PasswordPolicySection,
            portal::PortalProfile,
        },
    },
    domain::{
        account::{LoginAttribute, LoginAttributes},
        lockout::LockoutSettings,
        password::PasswordPolicy,
    },
};

#[derive(Debug, Clone)]
pub struct AccountRules {
    pub account_lock: Arc<LockoutSettings>,
    pub password_rules: Arc<PasswordRules>,
    /// The policy compiled from the rules.
    pub password_policy: Arc<PasswordPolicy>,
    /// Attributes by which an account is found at sign-in.
    pub login_attributes: LoginAttributes,
    /// Whether disabled accounts are rejected at sign-in.
    pub reject_disabled_accounts: bool,
}

impl AccountRules {
    /// The settings that properties can change: these rules with the sections of one file applied.
    pub fn governed(
        &self,
        account_lock: &AccountLockSection,
        password_policy: &PasswordPolicySection,
    ) -> GovernedSettings {
        GovernedSettings {
            account_lock: account_lock.inherit_from(&self.account_lock),
            password_rules: password_policy.inherit_from(&self.password_rules),
            login: self.login_attributes.clone(),
            reject_disabled_accounts: self.reject_disabled_accounts,
        }
    }

    /// These rules with governed settings applied.
    #[must_use]
    pub fn with_governed(&self, governed: GovernedSettings) -> Self {
        let GovernedSettings { account_lock, password_rules, login, reject_disabled_accounts } = governed;
        let mut rules = Self { login_attributes: login, reject_disabled_accounts, ..self.clone() };
        if account_lock != *self.account_lock {
            rules.account_lock = Arc::new(account_lock);
        }
        if password_rules != *self.password_rules {
            rules.password_policy = Arc::new(password_rules.policy());
            rules.password_rules = Arc::new(password_rules);
        }
        rules
    }
}

impl AccountRules {
    /// Where nothing is written: WSO2's values with its profile, values that are safe without further keys with the generic one.
    pub fn default_for(profile: PortalProfile) -> Self {
        let (account_lock, password_rules) = match profile {
            PortalProfile::Wso2Apim => (LockoutSettings::default(), PasswordRules::default()),
            PortalProfile::Generic => (account_lock::safe_default(), PasswordRules::safe_default()),
        };
        Self {
            account_lock: Arc::new(account_lock),
            password_policy: Arc::new(password_rules.policy()),
            password_rules: Arc::new(password_rules),
            login_attributes: LoginAttributes::default(),
            reject_disabled_accounts: true,
        }
    }
}

/// WSO2's properties for the settings that no section has.
pub const GOVERNED: &[GovernedProperty] = &[
    GovernedProperty {
        name: "account.disable.handler.enable",
        own_key: None,
        set: |settings, value| set(&mut settings.reject_disabled_accounts, value),
        get: |rules| Some(rules.reject_disabled_accounts.to_string()),
    },
    GovernedProperty {
        name: "account.multiattributelogin.handler.enable",
        own_key: None,
        set: |settings, value| set(&mut settings.login.multi_attribute, value),
        get: |rules| Some(rules.login_attributes.multi_attribute.to_string()),
    },
    GovernedProperty {
        name: "account.multiattributelogin.handler.allowedattributes",
        own_key: None,
        set: |settings, value| {
            let listed: Arc<[_]> = value.split(',').filter_map(LoginAttribute::from_claim).collect();
            if !listed.is_empty() {
                settings.login.attributes = listed;
            }
        },
        get: |rules| {
            let attributes = rules.login_attributes.attributes.iter();
            Some(attributes.map(|one| one.claim()).collect::<Vec<_>>().join(","))
        },
    },
];
