//! `[accounts]`, `[session]`, `[account_lock]`, `[password_policy]` as they would be written.

use crate::{
    config::{
        governance::typed,
        model::{Accounts, PasswordRules, Session, TenantDefaults},
        raw::{
            self,
            text::As,
            values::{duration::Positive, name::NotEmpty, store::StoreUrl, web::SecureUrl},
        },
        secret::Secret,
    },
    domain::lockout::{LockoutSettings, Threshold},
};

pub fn accounts(accounts: &Accounts) -> raw::accounts::Accounts {
    let number = |value: usize| u32::try_from(value).ok();
    let hashing = &accounts.hashing;
    raw::accounts::Accounts {
        enabled: Some(accounts.enabled),
        store_url: Some(As(StoreUrl(Secret::new(accounts.store.location.to_string())))),
        store_url_file: None,
        store_connections: Some(accounts.store.max_connections),
        hash_memory: Some(hashing.memory),
        hash_iterations: Some(hashing.iterations),
        hash_parallel: number(hashing.parallel),
        hash_queue: number(hashing.queue),
    }
}

pub fn session(session: &Session) -> raw::session::Session {
    raw::session::Session {
        idle_timeout: Some(As(Positive(session.idle_timeout))),
        lifetime: Some(As(Positive(session.lifetime))),
        max_per_account: u32::try_from(session.max_per_account).ok(),
    }
}

pub fn account_lock(settings: &LockoutSettings) -> raw::account_lock::AccountLock {
    raw::account_lock::AccountLock {
        enabled: Some(settings.enabled),
        max_attempts: Some(settings.max_attempts),
        time: Some(As(settings.time)),
        ratio: Some(settings.ratio),
        max_duration: Some(As(Positive(settings.max_duration))),
        max_lockouts: Some(settings.max_lockouts),
        address: settings.address.map(threshold),
        account_and_address: settings.account_and_address.map(threshold),
        device: settings.device.map(threshold),
        allow: Some(settings.allow.iter().copied().map(As).collect()),
        bypass_role: Some(As(NotEmpty(settings.bypass_role.clone()))),
        tell: Some(settings.tell),
    }
}

pub fn password_policy(rules: &PasswordRules) -> raw::password_policy::PasswordPolicy {
    let fallback = PasswordRules::default();
    // 0 says off, and nothing of the number that counts once a tenant switches it on
    let shown =
        |on: bool, number: u32, usual: u32| if on { Some(number) } else { (number == usual).then_some(0) };
    raw::password_policy::PasswordPolicy {
        enabled: Some(rules.enabled),
        min_length: Some(rules.min_length),
        max_length: Some(rules.max_length),
        pattern: rules.pattern.clone().map(As),
        message: Some(As(NotEmpty(rules.message.clone()))),
        history: shown(rules.history_enabled, rules.history_count, fallback.history_count),
        expiry_days: shown(rules.expiry.enabled, rules.expiry.days, fallback.expiry.days),
        common_list: Some(rules.common_list),
        min_score: Some(rules.min_score.into()),
        context_words: Some(rules.context_words),
        words: Some(rules.words.iter().cloned().map(|word| As(NotEmpty(word))).collect()),
        breached_url: rules.breached_url.as_deref().map(|url| As(SecureUrl(url.to_owned()))),
        breached_required: Some(rules.breached.required),
        breached_tolerated: u32::try_from(rules.breached.tolerated).ok(),
    }
}

/// What no other key says.
pub fn governance(defaults: &TenantDefaults) -> raw::governance::Properties {
    let rules = password_policy(&defaults.rules.password_rules);
    let said = |name: &str| match typed::key_of(name) {
        Some(("password_policy", "history")) => rules.history.is_some(),
        Some(("password_policy", "expiry_days")) => rules.expiry_days.is_some(),
        other => other.is_some(),
    };
    raw::governance::Properties::of(defaults.governance.iter().filter(|(name, _)| !said(name)))
}

fn threshold(threshold: Threshold) -> raw::account_lock::Threshold {
    raw::account_lock::Threshold {
        max_attempts: Some(threshold.max_attempts),
        window: Some(As(Positive(threshold.window))),
        time: Some(As(Positive(threshold.time))),
    }
}
