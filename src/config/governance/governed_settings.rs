//! Maps governance properties to typed settings, and back in WSO2's units.

use std::{sync::Arc, time::Duration};

use crate::{
    config::model::{AccountRules, ExpiryRules, PasswordRules, TenantPolicy},
    domain::{
        account::{LoginAttribute, LoginAttributes},
        governance::{ExpiryRule, Overrides, property},
        lockout::LockoutSettings,
        password::JavaPattern,
    },
};

const LOCK_ENABLE: &str = "account.lock.handler.lock.on.max.failed.attempts.enable";
const LOCK_ATTEMPTS: &str = "account.lock.handler.On.Failure.Max.Attempts";
const LOCK_TIME: &str = "account.lock.handler.Time";
const LOCK_RATIO: &str = "account.lock.handler.login.fail.timeout.ratio";
const POLICY_ENABLE: &str = "passwordPolicy.enable";
const POLICY_MIN: &str = "passwordPolicy.min.length";
const POLICY_MAX: &str = "passwordPolicy.max.length";
const POLICY_PATTERN: &str = "passwordPolicy.pattern";
const POLICY_MESSAGE: &str = "passwordPolicy.errorMsg";
const HISTORY_ENABLE: &str = "passwordHistory.enable";
const HISTORY_COUNT: &str = "passwordHistory.count";
const EXPIRY_ENABLE: &str = "passwordExpiry.enablePasswordExpiry";
const EXPIRY_DAYS: &str = "passwordExpiry.passwordExpiryInDays";
const EXPIRY_SKIP: &str = "passwordExpiry.skipIfNoApplicableRules";
const EXPIRY_SCOPE: &str = "passwordExpiry.enforcementScope";
const EXPIRY_RULE: &str = "passwordExpiry.rule";
const DISABLE_ENABLE: &str = "account.disable.handler.enable";
const LOGIN_ENABLE: &str = "account.multiattributelogin.handler.enable";
const LOGIN_CLAIMS: &str = "account.multiattributelogin.handler.allowedattributes";

const SCOPE_ORGANISATION: &str = "ORG_WIDE";
const SCOPE_APPLICATIONS: &str = "APP_WITH_ENFORCER";

/// The section and key of our own for the same setting, where there is one.
pub fn own_key(property: &str) -> Option<(&'static str, &'static str)> {
    Some(match property {
        LOCK_ENABLE => ("account_lock", "enabled"),
        LOCK_ATTEMPTS => ("account_lock", "max_attempts"),
        LOCK_TIME => ("account_lock", "time"),
        LOCK_RATIO => ("account_lock", "ratio"),
        POLICY_ENABLE => ("password_policy", "enabled"),
        POLICY_MIN => ("password_policy", "min_length"),
        POLICY_MAX => ("password_policy", "max_length"),
        POLICY_PATTERN => ("password_policy", "pattern"),
        POLICY_MESSAGE => ("password_policy", "message"),
        HISTORY_ENABLE | HISTORY_COUNT => ("password_policy", "history"),
        EXPIRY_ENABLE | EXPIRY_DAYS => ("password_policy", "expiry_days"),
        _ => return None,
    })
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
        for (name, value) in overrides.iter() {
            self.set(name, value);
        }
        self
    }

    /// Values were validated when they were set; an invalid one leaves the inherited setting.
    fn set(&mut self, name: &str, value: &str) {
        let Self {
            account_lock: lock,
            password_rules: passwords,
            login,
            reject_disabled_accounts: disabled_stay_out,
        } = self;
        match name {
            LOCK_ENABLE => flag(&mut lock.enabled, value),
            LOCK_ATTEMPTS => number(&mut lock.max_attempts, value),
            LOCK_TIME => {
                if let Ok(minutes) = value.parse() {
                    lock.time = Duration::from_secs(u64::saturating_mul(minutes, 60));
                }
            }
            LOCK_RATIO => number(&mut lock.ratio, value),
            POLICY_ENABLE => flag(&mut passwords.enabled, value),
            POLICY_MIN => number(&mut passwords.min_length, value),
            POLICY_MAX => number(&mut passwords.max_length, value),
            POLICY_PATTERN => {
                // compiling takes longer than all the rest together
                if passwords.pattern.as_ref().is_none_or(|pattern| pattern.source() != value)
                    && let Ok(pattern) = JavaPattern::compile(value)
                {
                    passwords.pattern = Some(pattern);
                }
            }
            POLICY_MESSAGE => value.clone_into(&mut passwords.message),
            HISTORY_ENABLE => flag(&mut passwords.history_enabled, value),
            HISTORY_COUNT => number(&mut passwords.history_count, value),
            EXPIRY_ENABLE => flag(&mut passwords.expiry.enabled, value),
            EXPIRY_DAYS => number(&mut passwords.expiry.days, value),
            EXPIRY_SKIP => flag(&mut passwords.expiry.only_by_rule, value),
            EXPIRY_SCOPE => passwords.expiry.left_to_applications = value == SCOPE_APPLICATIONS,
            DISABLE_ENABLE => flag(disabled_stay_out, value),
            LOGIN_ENABLE => flag(&mut login.multi_attribute, value),
            LOGIN_CLAIMS => {
                let listed: Arc<[_]> = value.split(',').filter_map(LoginAttribute::from_claim).collect();
                if !listed.is_empty() {
                    login.attributes = listed;
                }
            }
            _ => {
                if let Some(number) = rule_number(name) {
                    set_rule(&mut passwords.expiry, number, value);
                }
            }
        }
    }
}

fn set_rule(expiry: &mut ExpiryRules, number: u32, value: &str) {
    if value.is_empty() {
        expiry.rules.remove(&number);
    } else if let Ok(rule) = ExpiryRule::parse(value) {
        expiry.rules.insert(number, rule);
    }
}

fn rule_number(name: &str) -> Option<u32> {
    name.strip_prefix(EXPIRY_RULE)?.parse().ok()
}

fn flag(setting: &mut bool, value: &str) {
    if let Ok(value) = value.parse() {
        *setting = value;
    }
}

fn number(setting: &mut u32, value: &str) {
    if let Ok(value) = value.parse() {
        *setting = value;
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
    let AccountRules { account_lock: lock, password_rules: passwords, login_attributes: login, .. } =
        &policy.rules;
    let expiry = &passwords.expiry;
    Some(match name {
        LOCK_ENABLE => lock.enabled.to_string(),
        LOCK_ATTEMPTS => lock.max_attempts.to_string(),
        // files may have seconds: no shorter than it is, and 0 means until an administrator unlocks
        LOCK_TIME => lock.time.as_secs().div_ceil(60).max(u64::from(!lock.time.is_zero())).to_string(),
        LOCK_RATIO => lock.ratio.to_string(),
        POLICY_ENABLE => passwords.enabled.to_string(),
        POLICY_MIN => passwords.min_length.to_string(),
        // of two places, so that the one cannot know the other
        POLICY_MAX => passwords.max_length.max(passwords.min_length).to_string(),
        POLICY_PATTERN => passwords.pattern.as_ref().map(|pattern| pattern.source().to_owned())?,
        POLICY_MESSAGE => passwords.message.clone(),
        HISTORY_ENABLE => passwords.history_enabled.to_string(),
        HISTORY_COUNT => passwords.history_count.to_string(),
        EXPIRY_ENABLE => expiry.enabled.to_string(),
        EXPIRY_DAYS => expiry.days.to_string(),
        EXPIRY_SKIP => expiry.only_by_rule.to_string(),
        EXPIRY_SCOPE => {
            (if expiry.left_to_applications { SCOPE_APPLICATIONS } else { SCOPE_ORGANISATION }).to_owned()
        }
        DISABLE_ENABLE => policy.rules.reject_disabled_accounts.to_string(),
        LOGIN_ENABLE => login.multi_attribute.to_string(),
        LOGIN_CLAIMS => login.attributes.iter().map(|one| one.claim()).collect::<Vec<_>>().join(","),
        _ => expiry.rules.get(&rule_number(name)?).map(ToString::to_string).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
