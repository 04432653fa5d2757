//! What a tenant may set for itself: `session`, `account_lock`, `password_policy`. Each is checked where it is written, and
//! laid over what is below it by a function that cannot fail.

use std::time::Duration;

use super::{Scope, accounts::in_range};
use crate::{
    config::{
        document::Key,
        model,
        raw::{
            account_lock::{self, AccountLock},
            password_policy::PasswordPolicy,
            session::Session,
            text::As,
            values::duration::Positive,
        },
    },
    domain::{
        lockout::{LockoutSettings, Threshold},
        password,
    },
};

fn time(written: Option<&As<Positive>>, below: Duration) -> Duration {
    written.map_or(below, |As(time)| time.0)
}

impl Session {
    pub fn checked(self, key: &Key, scope: &mut Scope<'_>) -> Self {
        in_range(&key.name("max_per_account"), self.max_per_account, 1..=1_000, scope);
        if let Some(As(idle)) = &self.idle_timeout
            && idle.0 < Duration::from_mins(2)
        {
            let remedy = "write at least \"2m\": when a session was used last is written once a minute";
            scope.mistake(&key.name("idle_timeout"), "this is shorter than can be measured", remedy);
        }
        self
    }

    pub fn over(&self, below: &model::Session) -> model::Session {
        model::Session {
            idle_timeout: time(self.idle_timeout.as_ref(), below.idle_timeout),
            lifetime: time(self.lifetime.as_ref(), below.lifetime),
            max_per_account: self.max_per_account.map_or(below.max_per_account, |most| most as usize),
        }
    }
}

impl AccountLock {
    pub fn checked(self, key: &Key, scope: &mut Scope<'_>) -> Self {
        in_range(&key.name("max_attempts"), self.max_attempts, 1..=1_000, scope);
        in_range(&key.name("max_lockouts"), self.max_lockouts, 0..=1_000, scope);
        in_range(&key.name("ratio"), self.ratio, 1..=1_000, scope);
        for (name, threshold) in [
            ("address", &self.address),
            ("account_and_address", &self.account_and_address),
            ("device", &self.device),
        ] {
            if let Some(threshold) = threshold {
                let key = key.name(name).name("max_attempts");
                in_range(&key, threshold.max_attempts, 0..=1_000_000, scope);
            }
        }
        self
    }

    pub fn over(&self, below: &LockoutSettings) -> LockoutSettings {
        LockoutSettings {
            enabled: self.enabled.unwrap_or(below.enabled),
            max_attempts: self.max_attempts.unwrap_or(below.max_attempts),
            time: self.time.as_ref().map_or(below.time, |As(time)| *time),
            ratio: self.ratio.unwrap_or(below.ratio),
            max_duration: time(self.max_duration.as_ref(), below.max_duration),
            max_lockouts: self.max_lockouts.unwrap_or(below.max_lockouts),
            address: threshold(self.address.as_ref(), below.address),
            account_and_address: threshold(self.account_and_address.as_ref(), below.account_and_address),
            device: threshold(self.device.as_ref(), below.device),
            allow: match &self.allow {
                Some(networks) => networks.iter().map(|As(network)| *network).collect(),
                None => below.allow.clone(),
            },
            bypass_role: match &self.bypass_role {
                Some(As(role)) => role.0.clone(),
                None => below.bypass_role.clone(),
            },
        }
    }
}

impl PasswordPolicy {
    pub fn checked(self, key: &Key, scope: &mut Scope<'_>) -> Self {
        for (name, written, most) in [
            ("min_length", self.min_length, 1..=1_024),
            ("max_length", self.max_length, 1..=1_024),
            ("history", self.history, 0..=100),
            ("expiry_days", self.expiry_days, 0..=36_500),
            ("min_score", self.min_score, 0..=4),
        ] {
            in_range(&key.name(name), written, most, scope);
        }
        if let (Some(least), Some(most)) = (self.min_length, self.max_length)
            && most < least
        {
            let message = "no password is as long as min_length and as short as this";
            scope.mistake(&key.name("max_length"), message, "make it at least min_length");
        }
        if scope.is_tenant() && self.breached_url.is_some() {
            let message = "a tenant cannot say whom this machine asks";
            scope.mistake(&key.name("breached_url"), message, "set it in deployment.toml");
        }
        self
    }

    pub fn over(&self, below: &password::PasswordPolicy) -> password::PasswordPolicy {
        let min_length = self.min_length.unwrap_or(below.min_length);
        password::PasswordPolicy {
            enabled: self.enabled.unwrap_or(below.enabled),
            min_length,
            // of two files, so that the one cannot know the other
            max_length: self.max_length.unwrap_or(below.max_length).max(min_length),
            pattern: match &self.pattern {
                Some(As(pattern)) => pattern.clone(),
                None => below.pattern.clone(),
            },
            message: match &self.message {
                Some(As(message)) => message.0.clone(),
                None => below.message.clone(),
            },
            history: self.history.unwrap_or(below.history),
            expiry_days: self.expiry_days.unwrap_or(below.expiry_days),
            common_list: self.common_list.unwrap_or(below.common_list),
            min_score: self.min_score.and_then(|score| score.try_into().ok()).unwrap_or(below.min_score),
            context_words: match &self.context_words {
                Some(words) => words.iter().map(|As(word)| word.0.clone()).collect(),
                None => below.context_words.clone(),
            },
            breached_url: match &self.breached_url {
                Some(As(url)) => Some(url.0.clone()),
                None => below.breached_url.clone(),
            },
        }
    }
}

/// Keys not written are those of the table below, or the built-in ones; 0 attempts switch it off.
fn threshold(written: Option<&account_lock::Threshold>, below: Option<Threshold>) -> Option<Threshold> {
    let Some(written) = written else { return below };
    let below = below.unwrap_or(Threshold {
        max_attempts: 100,
        window: Duration::from_hours(1),
        time: Duration::from_mins(15),
    });
    let max_attempts = written.max_attempts.unwrap_or(below.max_attempts);
    (max_attempts > 0).then(|| Threshold {
        max_attempts,
        window: time(written.window.as_ref(), below.window),
        time: time(written.time.as_ref(), below.time),
    })
}
