//! `[account_lock]`, and `account_lock` of a tenant's file

use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        governance::governed_settings::{GovernedProperty, set},
        text_form::AsText,
        values::{
            duration::{Positive, positive_or_inherited},
            name::NotEmpty,
        },
    },
    domain::lockout::{LockoutSettings, LockoutThreshold},
};

/// Lockout after wrong passwords, on every login channel. Unknown names are counted and locked like known ones.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct AccountLockSection {
    /// Count wrong passwords and lock accounts. Locks set by an administrator apply in both cases.
    #[schemars(extend("x-default" = "`false` with `profile = \"wso2-apim\"`, `true` with `\"generic\"`",
        "x-source" = "WSO2 `account.lock.handler.lock.on.max.failed.attempts.enable`"))]
    pub enabled: Option<bool>,
    /// Wrong passwords that lock an account, 1 to 1000.
    #[schemars(extend("default" = 5, "x-source" = "WSO2 `account.lock.handler.On.Failure.Max.Attempts`"))]
    pub max_attempts: Option<u32>,
    /// How long the first lock lasts; `0s`: until an administrator unlocks.
    #[schemars(extend("default" = "5m", "x-source" = "WSO2 `account.lock.handler.Time`"))]
    pub time: Option<AsText<Duration>>,
    /// Each further lock without a sign-in between lasts this many times as long as the one before, 1 to 1000.
    #[schemars(extend("default" = 2, "x-source" = "WSO2 `account.lock.handler.login.fail.timeout.ratio`"))]
    pub ratio: Option<u32>,
    /// No lock lasts longer.
    #[schemars(extend("default" = "24h"))]
    pub max_duration: Option<AsText<Positive>>,
    /// After this many locks in a row only an administrator unlocks, at most 1000; 0: never.
    #[schemars(extend("default" = 0))]
    pub max_lockouts: Option<u32>,
    /// Also lock out an address (IPv6: its /64) that guesses at many accounts. Without this table no address is locked
    /// out, except in the profile `generic`.
    pub address: Option<ThresholdSection>,
    /// Also lock out an address from one account. Without this table none is.
    pub account_and_address: Option<ThresholdSection>,
    /// Count wrong passwords on a browser that has signed in to the account before apart from all others, so that other clients
    /// cannot lock its owner out there. Without this table they are counted together, except in the profile `generic`. All known
    /// browsers of an account together have twice as many as one; a changed password makes all of them unknown.
    #[schemars(extend("x-source" = "OWASP Slow Down Online Guessing Attacks with Device Cookies"))]
    pub device: Option<ThresholdSection>,
    /// Addresses that are never locked out as addresses; accounts still are.
    #[schemars(extend("default" = []))]
    pub allow: Option<Vec<AsText<IpNet>>>,
    /// Accounts with this role are never locked by wrong passwords; an address that guesses at them is. At the management API
    /// their failures count for each network, and for all networks without a recent success, like those of other accounts.
    #[schemars(extend("default" = "Internal/system", "x-source" = "WSO2 account lock handler"))]
    pub bypass_role: Option<AsText<NotEmpty>>,
    /// Say at the sign-in page that an account is locked, and for how many minutes more, or disabled. Locks by wrong
    /// passwords do not disclose whether an account exists (unknown names are locked alike); a lock or disablement by an
    /// administrator does.
    #[schemars(extend("default" = false))]
    pub show_failure_reason: Option<bool>,
}

/// How many wrong passwords within which time lock out for how long.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct ThresholdSection {
    /// Wrong passwords that lock, at most 1000000; 0 switches this table off.
    #[schemars(extend("default" = 100))]
    pub max_attempts: Option<u32>,
    /// Wrong passwords longer ago than this are forgotten.
    #[schemars(extend("default" = "1h"))]
    pub window: Option<AsText<Positive>>,
    /// How long the lock lasts.
    #[schemars(extend("default" = "15m"))]
    pub time: Option<AsText<Positive>>,
}

impl AccountLockSection {
    #[must_use]
    pub fn validated(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Self {
        scope.check_range(&key.name("max_attempts"), self.max_attempts, 1..=1_000);
        scope.check_range(&key.name("max_lockouts"), self.max_lockouts, 0..=1_000);
        scope.check_range(&key.name("ratio"), self.ratio, 1..=1_000);
        for (name, threshold) in [
            ("address", &self.address),
            ("account_and_address", &self.account_and_address),
            ("device", &self.device),
        ] {
            if let Some(threshold) = threshold {
                let key = key.name(name).name("max_attempts");
                scope.check_range(&key, threshold.max_attempts, 0..=1_000_000);
            }
        }
        self
    }

    pub fn inherit_from(&self, below: &LockoutSettings) -> LockoutSettings {
        LockoutSettings {
            enabled: self.enabled.unwrap_or(below.enabled),
            max_attempts: self.max_attempts.unwrap_or(below.max_attempts),
            time: self.time.as_ref().map_or(below.time, |AsText(time)| *time),
            ratio: self.ratio.unwrap_or(below.ratio),
            max_duration: positive_or_inherited(self.max_duration.as_ref(), below.max_duration),
            max_lockouts: self.max_lockouts.unwrap_or(below.max_lockouts),
            address: threshold(self.address.as_ref(), below.address),
            account_and_address: threshold(self.account_and_address.as_ref(), below.account_and_address),
            device: threshold(self.device.as_ref(), below.device),
            exempt_networks: match &self.allow {
                Some(networks) => networks.iter().map(|AsText(network)| *network).collect(),
                None => below.exempt_networks.clone(),
            },
            bypass_role: match &self.bypass_role {
                Some(AsText(role)) => role.0.clone(),
                None => below.bypass_role.clone(),
            },
            discloses_locks: self.show_failure_reason.unwrap_or(below.discloses_locks),
        }
    }
}

/// Without keys in the generic profile: also for an address that guesses at many accounts, and for known browsers.
pub fn safe_default() -> LockoutSettings {
    LockoutSettings {
        enabled: true,
        address: Some(DEFAULT_THRESHOLD),
        device: Some(LockoutThreshold { max_attempts: 10, ..DEFAULT_THRESHOLD }),
        ..LockoutSettings::default()
    }
}

const DEFAULT_THRESHOLD: LockoutThreshold =
    LockoutThreshold { max_attempts: 100, window: Duration::from_hours(1), time: Duration::from_mins(15) };

/// Keys not written are those of the table below, or the built-in ones; 0 attempts switch it off.
fn threshold(
    written: Option<&ThresholdSection>,
    inherited: Option<LockoutThreshold>,
) -> Option<LockoutThreshold> {
    let Some(written) = written else { return inherited };
    let inherited = inherited.unwrap_or(DEFAULT_THRESHOLD);
    let max_attempts = written.max_attempts.unwrap_or(inherited.max_attempts);
    (max_attempts > 0).then(|| LockoutThreshold {
        max_attempts,
        window: positive_or_inherited(written.window.as_ref(), inherited.window),
        time: positive_or_inherited(written.time.as_ref(), inherited.time),
    })
}

impl From<&LockoutSettings> for AccountLockSection {
    fn from(settings: &LockoutSettings) -> Self {
        Self {
            enabled: Some(settings.enabled),
            max_attempts: Some(settings.max_attempts),
            time: Some(AsText(settings.time)),
            ratio: Some(settings.ratio),
            max_duration: Some(AsText(Positive(settings.max_duration))),
            max_lockouts: Some(settings.max_lockouts),
            address: settings.address.map(Into::into),
            account_and_address: settings.account_and_address.map(Into::into),
            device: settings.device.map(Into::into),
            allow: Some(settings.exempt_networks.iter().copied().map(AsText).collect()),
            bypass_role: Some(AsText(NotEmpty(settings.bypass_role.clone()))),
            show_failure_reason: Some(settings.discloses_locks),
        }
    }
}

impl From<LockoutThreshold> for ThresholdSection {
    fn from(threshold: LockoutThreshold) -> Self {
        Self {
            max_attempts: Some(threshold.max_attempts),
            window: Some(AsText(Positive(threshold.window))),
            time: Some(AsText(Positive(threshold.time))),
        }
    }
}

/// WSO2's properties for these settings.
pub const GOVERNED: &[GovernedProperty] = &[
    GovernedProperty {
        name: "account.lock.handler.lock.on.max.failed.attempts.enable",
        own_key: Some(("account_lock", "enabled")),
        set: |settings, value| set(&mut settings.account_lock.enabled, value),
        get: |rules| Some(rules.account_lock.enabled.to_string()),
    },
    GovernedProperty {
        name: "account.lock.handler.On.Failure.Max.Attempts",
        own_key: Some(("account_lock", "max_attempts")),
        set: |settings, value| set(&mut settings.account_lock.max_attempts, value),
        get: |rules| Some(rules.account_lock.max_attempts.to_string()),
    },
    GovernedProperty {
        name: "account.lock.handler.Time",
        own_key: Some(("account_lock", "time")),
        set: |settings, value| {
            if let Ok(minutes) = value.parse::<u64>() {
                settings.account_lock.time = Duration::from_secs(minutes.saturating_mul(60));
            }
        },
        get: |rules| {
            let time = rules.account_lock.time;
            // files may have seconds: no shorter than it is, and 0 means until an administrator unlocks
            Some(time.as_secs().div_ceil(60).max(u64::from(!time.is_zero())).to_string())
        },
    },
    GovernedProperty {
        name: "account.lock.handler.login.fail.timeout.ratio",
        own_key: Some(("account_lock", "ratio")),
        set: |settings, value| set(&mut settings.account_lock.ratio, value),
        get: |rules| Some(rules.account_lock.ratio.to_string()),
    },
];
