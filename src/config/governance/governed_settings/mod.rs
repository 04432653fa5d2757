//! Maps governance properties to typed settings, and back in WSO2's units.

use std::{str::FromStr, sync::Arc};

use crate::{
    config::{
        model::{AccountRules, ExpiryRules, PasswordRules, TenantPolicy, account_rules},
        sections::{account_lock, password_policy},
    },
    domain::{
        account::LoginAttributes,
        governance::{Overrides, property},
        lockout::LockoutSettings,
    },
};

/// A property that sets a typed setting. It is declared beside the setting.
pub struct GovernedProperty {
    pub name: &'static str,
    /// The section and key of our own for the same setting, where there is one.
    pub own_key: Option<(&'static str, &'static str)>,
    /// Values were validated when they were set; an invalid one leaves the inherited setting.
    pub set: fn(&mut GovernedSettings, &str),
    /// The setting in WSO2's units. `None`: it has no value of that form.
    pub get: fn(&AccountRules) -> Option<String>,
}

fn governed(name: &str) -> Option<&'static GovernedProperty> {
    [account_lock::GOVERNED, password_policy::GOVERNED, account_rules::GOVERNED]
        .into_iter()
        .flatten()
        .find(|property| property.name == name)
}

/// The section and key of our own for the same setting, where there is one.
pub fn own_key(property: &str) -> Option<(&'static str, &'static str)> {
    governed(property)?.own_key
}

/// Parses the text into the setting; an invalid text leaves the setting as it is.
pub fn set<T: FromStr>(setting: &mut T, value: &str) {
    if let Ok(value) = value.parse() {
        *setting = value;
    }
}

/// The settings that properties can change.
#[derive(Debug, Clone)]
pub struct GovernedSettings {
    pub account_lock: LockoutSettings,
    pub password_rules: PasswordRules,
    pub login: LoginAttributes,
    pub reject_disabled_accounts: bool,
}

impl GovernedSettings {
    #[must_use]
    pub fn with(mut self, overrides: &Overrides) -> Self {
        let inherited = self.password_rules.pattern.clone();
        for (name, value) in overrides.iter() {
            if let Some(property) = governed(name) {
                (property.set)(&mut self, value);
            } else if let Some(number) = ExpiryRules::rule_number(name) {
                self.password_rules.expiry.set_rule(number, value);
            }
        }
        // an inherited message describes the inherited pattern
        if self.password_rules.pattern != inherited && overrides.get("passwordPolicy.errorMsg").is_none() {
            self.password_rules.message.clear();
        }
        self
    }
}

/// The sources of properties without a typed setting; the last one with a value wins.
#[derive(Debug, Clone, Default)]
pub struct GovernanceLayers {
    pub deployment: Arc<Overrides>,
    pub tenant_file: Arc<Overrides>,
    pub administrators: Arc<Overrides>,
    /// The version of the administrator overrides.
    pub version: u64,
}

impl GovernanceLayers {
    pub fn get(&self, name: &str) -> Option<&str> {
        [&self.administrators, &self.tenant_file, &self.deployment]
            .into_iter()
            .find_map(|layer| layer.get(name))
    }
}

/// The value of a property in force for a tenant, in WSO2's units; secrets too. Empty for an unknown property.
pub fn effective_value(policy: &TenantPolicy, name: &str) -> String {
    let Some(named) = property(name) else { return String::new() };
    setting_value(policy, &named.name)
        .or_else(|| policy.governance.get(&named.name).map(str::to_owned))
        .unwrap_or_else(|| named.property.default.to_owned())
}

/// The numbers of the rules by which passwords expire: `passwordExpiry.rule<number>`.
pub fn rule_numbers(policy: &TenantPolicy) -> impl Iterator<Item = u32> {
    policy.rules.password_rules.expiry.rules.keys().copied()
}

/// A value that is in force as a setting.
fn setting_value(policy: &TenantPolicy, name: &str) -> Option<String> {
    match governed(name) {
        Some(property) => (property.get)(&policy.rules),
        None => Some(policy.rules.password_rules.expiry.rule(ExpiryRules::rule_number(name)?)),
    }
}

#[cfg(test)]
mod tests;
