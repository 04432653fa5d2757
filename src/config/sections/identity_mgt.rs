//! `[identity_mgt]`: sections WSO2 has in its deployment.toml

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::governance::{PropertyTable, ScalarText};
use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        governance::file_properties::{FileProperty, file_property, flatten},
    },
    domain::governance::{connector_named, property_in_any_case},
};

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

impl IdentityMgtSection {
    /// The governance properties that it sets.
    pub fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Vec<FileProperty> {
        let AccountLockingSection {
            enable_account_locking,
            allowed_failed_attempts,
            auto_unlock_after,
            auto_unlock_time_increment_ratio,
        } = self.account_locking.unwrap_or_default();
        let AccountDisablingSection { enable_account_disabling } = self.account_disabling.unwrap_or_default();
        let (locking, disabling) = ("account_locking", "account_disabling");
        let mut all: Vec<FileProperty> = [
            (
                locking,
                "enable_account_locking",
                "account.lock.handler.lock.on.max.failed.attempts.enable",
                enable_account_locking,
            ),
            (
                locking,
                "allowed_failed_attempts",
                "account.lock.handler.On.Failure.Max.Attempts",
                allowed_failed_attempts,
            ),
            (locking, "auto_unlock_after", "account.lock.handler.Time", auto_unlock_after),
            (
                locking,
                "auto_unlock_time_increment_ratio",
                "account.lock.handler.login.fail.timeout.ratio",
                auto_unlock_time_increment_ratio,
            ),
            (
                disabling,
                "enable_account_disabling",
                "account.disable.handler.enable",
                enable_account_disabling,
            ),
        ]
        .into_iter()
        .filter_map(|(table, name, property, value)| {
            file_property(property, key.name(table).name(name), &value?.0, scope)
        })
        .collect();
        let schemes = self.events.and_then(|events| events.schemes).unwrap_or_default();
        let mut found = Vec::new();
        flatten(&schemes, &key.name("events").name("schemes"), "", &mut found);
        all.extend(
            found.into_iter().filter_map(|(name, key, value)| scheme_property(&name, key, &value, scope)),
        );
        all
    }
}

/// `passwordPolicy.properties.min.length`
fn scheme_property(
    path: &str,
    key: KeyPath,
    value: &str,
    scope: &mut DocumentContext<'_>,
) -> Option<FileProperty> {
    let Some((scheme, name)) = path.split_once(".properties.") else {
        scope.mistake(&key, "this has no effect", "only `<event handler>.properties.<name>` does");
        return None;
    };
    // names a Java class: Doorward always evaluates the policy itself
    if name.starts_with("class.") {
        return None;
    }
    // a property whose name does not begin with that of its handler
    let whole = connector_named(scheme).and_then(|connector| connector.property(name));
    let name = whole.map_or_else(|| format!("{scheme}.{name}"), |named| named.name.into_owned());
    // WSO2 writes these into a properties file, which takes two backslashes for one
    let value =
        if property_in_any_case(&name).is_some() { value.replace("\\\\", "\\") } else { value.to_owned() };
    file_property(&name, key, &value, scope)
}
