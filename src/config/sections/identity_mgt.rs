//! `[identity_mgt]`: sections WSO2 has in its deployment.toml

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::sections::governance::{PropertyTable, ScalarText};

/// WSO2's own sections for accounts and passwords, read as WSO2 reads them.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct IdentityMgtSection {
    /// Wrong passwords lock an account, as `[account_lock]` says it.
    pub account_locking: Option<AccountLockingSection>,
    /// Accounts that are switched off.
    pub account_disabling: Option<AccountDisablingSection>,
    /// Properties by the event handler that WSO2 reads them in.
    pub events: Option<EventsSection>,
}

/// Wrong passwords lock an account, as `[account_lock]` says it.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct AccountLockingSection {
    /// `account.lock.handler.lock.on.max.failed.attempts.enable`.
    #[schemars(extend("x-default" = "`account_lock.enabled`", "x-source" = "WSO2 Identity Server, account locking"))]
    pub enable_account_locking: Option<ScalarText>,
    /// `account.lock.handler.On.Failure.Max.Attempts`.
    #[schemars(extend("x-default" = "`account_lock.max_attempts`", "x-source" = "WSO2 Identity Server, account locking"))]
    pub allowed_failed_attempts: Option<ScalarText>,
    /// `account.lock.handler.Time`, in minutes; 0: until an administrator unlocks.
    #[schemars(extend("x-default" = "`account_lock.time`", "x-source" = "WSO2 Identity Server, account locking"))]
    pub auto_unlock_after: Option<ScalarText>,
    /// `account.lock.handler.login.fail.timeout.ratio`.
    #[schemars(extend("x-default" = "`account_lock.ratio`", "x-source" = "WSO2 Identity Server, account locking"))]
    pub auto_unlock_time_increment_ratio: Option<ScalarText>,
}

/// Accounts that are switched off.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct AccountDisablingSection {
    /// `account.disable.handler.enable`: whether disabled accounts are rejected.
    #[schemars(extend("x-default" = "true", "x-source" = "WSO2 Identity Server, account disabling (false there)"))]
    pub enable_account_disabling: Option<ScalarText>,
}

/// Properties by the event handler that WSO2 reads them in.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct EventsSection {
    /// `passwordPolicy.properties.'min.length'` is the property `passwordPolicy.min.length`, and so on. As WSO2 hands
    /// these values on in a file of its own, two backslashes are one in them. Keys that begin with `class.` name Java
    /// classes and have no effect here.
    #[schemars(extend("x-default" = "none", "x-source" = "WSO2 API Manager, custom password policies"))]
    pub schemes: Option<PropertyTable>,
}
