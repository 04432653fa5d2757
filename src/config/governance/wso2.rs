//! The sections WSO2's own deployment.toml has for some properties.

use super::file_properties::{FileProperty, file_property, flatten};
use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        sections::identity_mgt::{AccountDisablingSection, AccountLockingSection, IdentityMgtSection},
    },
    domain::governance::{connector_named, property_in_any_case},
};

/// `[identity_mgt]`.
pub fn identity_mgt(
    raw: IdentityMgtSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Vec<FileProperty> {
    let AccountLockingSection {
        enable_account_locking,
        allowed_failed_attempts,
        auto_unlock_after,
        auto_unlock_time_increment_ratio,
    } = raw.account_locking.unwrap_or_default();
    let AccountDisablingSection { enable_account_disabling } = raw.account_disabling.unwrap_or_default();
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
        (disabling, "enable_account_disabling", "account.disable.handler.enable", enable_account_disabling),
    ]
    .into_iter()
    .filter_map(|(table, name, property, value)| {
        file_property(property, key.name(table).name(name), &value?.0, scope)
    })
    .collect();
    let schemes = raw.events.and_then(|events| events.schemes).unwrap_or_default();
    let mut found = Vec::new();
    flatten(&schemes, &key.name("events").name("schemes"), "", &mut found);
    all.extend(found.into_iter().filter_map(|(name, key, value)| scheme_property(&name, key, &value, scope)));
    all
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
