//! `[account_lock]`, and `account_lock` of a tenant's file

use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::{duration::Positive, name::NotEmpty},
};

/// Lockout after wrong passwords, on every login channel. Unknown names are counted and locked like known ones.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct AccountLockSection {
    /// Count wrong passwords and lock accounts. Locks set by an administrator apply in both cases.
    #[schemars(extend("default" = false,
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
    /// Also lock out an address (IPv6: its /64) that guesses at many accounts. Without this table no address is.
    pub address: Option<ThresholdSection>,
    /// Also lock out an address from one account. Without this table none is.
    pub account_and_address: Option<ThresholdSection>,
    /// Count wrong passwords on a browser that has signed in to the account before apart from all others, so that
    /// other clients cannot lock its owner out there. Without this table they are counted together. All known browsers of an
    /// account together have twice as many as one; a changed password makes all of them unknown.
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
    pub tell: Option<bool>,
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
