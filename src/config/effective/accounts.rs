//! `[accounts]`, `[session]`, `[account_lock]`, `[password_policy]` as they would be written.

use crate::{
    config::{
        governance::governed_settings,
        model::{AccountSettings, PasswordRules, SessionSettings, TenantDefaults},
        secret::Secret,
        sections,
        text_form::AsText,
        values::{duration::Positive, name::NotEmpty, store::StoreUrl, web::SecureUrl},
    },
    domain::lockout::{LockoutSettings, LockoutThreshold},
};

pub fn accounts(accounts: &AccountSettings) -> sections::accounts::AccountsSection {
    let number = |value: usize| u32::try_from(value).ok();
    let hashing = &accounts.hashing;
    sections::accounts::AccountsSection {
        enabled: Some(accounts.enabled),
        store_url: Some(AsText(StoreUrl(Secret::new(accounts.store.location.to_string())))),
        store_url_file: None,
        store_connections: Some(accounts.store.max_connections),
        hash_memory: Some(hashing.memory),
        hash_iterations: Some(hashing.iterations),
        hash_parallel: number(hashing.parallel),
        hash_queue: number(hashing.queue),
    }
}

pub fn session(session: &SessionSettings) -> sections::session::SessionSection {
    sections::session::SessionSection {
        idle_timeout: Some(AsText(Positive(session.idle_timeout))),
        lifetime: Some(AsText(Positive(session.lifetime))),
        max_per_account: u32::try_from(session.max_per_account).ok(),
    }
}

pub fn account_lock(settings: &LockoutSettings) -> sections::account_lock::AccountLockSection {
    sections::account_lock::AccountLockSection {
        enabled: Some(settings.enabled),
        max_attempts: Some(settings.max_attempts),
        time: Some(AsText(settings.time)),
        ratio: Some(settings.ratio),
        max_duration: Some(AsText(Positive(settings.max_duration))),
        max_lockouts: Some(settings.max_lockouts),
        address: settings.address.map(threshold),
        account_and_address: settings.account_and_address.map(threshold),
        device: settings.device.map(threshold),
        allow: Some(settings.exempt_networks.iter().copied().map(AsText).collect()),
        bypass_role: Some(AsText(NotEmpty(settings.bypass_role.clone()))),
        tell: Some(settings.discloses_locks),
    }
}

pub fn password_policy(rules: &PasswordRules) -> sections::password_policy::PasswordPolicySection {
    let fallback = PasswordRules::default();
    // 0 means off, but hides the number that applies once a tenant enables it
    let shown =
        |on: bool, number: u32, usual: u32| if on { Some(number) } else { (number == usual).then_some(0) };
    sections::password_policy::PasswordPolicySection {
        enabled: Some(rules.enabled),
        min_length: Some(rules.min_length),
        max_length: Some(rules.max_length),
        pattern: rules.pattern.clone().map(AsText),
        message: Some(AsText(NotEmpty(rules.message.clone()))),
        history: shown(rules.history_enabled, rules.history_count, fallback.history_count),
        expiry_days: shown(rules.expiry.enabled, rules.expiry.days, fallback.expiry.days),
        common_list: Some(rules.common_list),
        min_score: Some(rules.min_score.into()),
        context_words: Some(rules.context_words),
        words: Some(rules.words.iter().cloned().map(|word| AsText(NotEmpty(word))).collect()),
        breached_url: rules.breached_url.as_deref().map(|url| AsText(SecureUrl(url.to_owned()))),
        breached_required: Some(rules.breached.required),
        breached_tolerated: u32::try_from(rules.breached.max_occurrences).ok(),
    }
}

/// Properties that no other key states.
pub fn governance(defaults: &TenantDefaults) -> sections::governance::PropertyTable {
    let rules = password_policy(&defaults.rules.password_rules);
    let is_stated_elsewhere = |name: &str| match governed_settings::own_key(name) {
        Some(("password_policy", "history")) => rules.history.is_some(),
        Some(("password_policy", "expiry_days")) => rules.expiry_days.is_some(),
        other => other.is_some(),
    };
    sections::governance::PropertyTable::masked(
        defaults.governance.iter().filter(|(name, _)| !is_stated_elsewhere(name)),
    )
}

fn threshold(threshold: LockoutThreshold) -> sections::account_lock::ThresholdSection {
    sections::account_lock::ThresholdSection {
        max_attempts: Some(threshold.max_attempts),
        window: Some(AsText(Positive(threshold.window))),
        time: Some(AsText(Positive(threshold.time))),
    }
}
