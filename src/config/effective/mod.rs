//! The effective configuration in its written form: every key, secrets masked.

use super::{
    model::Settings,
    sections::{DeploymentFile, access::AccessSection, apim::ApimSection},
};

/// As TOML, to be read by people, and by Doorward again.
pub fn to_toml(settings: &Settings) -> String {
    toml::to_string(&to_deployment_file(settings))
        .unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
}

/// As JSON, for `check --json` and the private port.
pub fn to_json(settings: &Settings) -> serde_json::Value {
    let mut value = serde_json::to_value(to_deployment_file(settings)).unwrap_or_default();
    prune(&mut value);
    value
}

fn prune(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            entries.values_mut().for_each(prune);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

/// The configuration that would have the same effect, with every key written.
pub fn to_deployment_file(settings: &Settings) -> DeploymentFile {
    let defaults = &settings.defaults;
    DeploymentFile {
        apim: Some(ApimSection::of(defaults.anonymous)),
        server: Some((&settings.server).into()),
        admin: Some((&settings.admin).into()),
        management: Some((&settings.management).into()),
        portal: Some((&settings.portal).into()),
        tenancy: Some((&settings.tenancy).into()),
        sign_in: Some((&defaults.sign_in).into()),
        issuer: Some(defaults.issuers.iter().map(|issuer| (&**issuer).into()).collect()),
        accounts: Some((&settings.accounts).into()),
        session: Some((&defaults.session).into()),
        account_lock: Some((&*defaults.rules.account_lock).into()),
        password_policy: Some((&*defaults.rules.password_rules).into()),
        governance: Some(defaults.into()),
        // shown as the properties that it sets
        identity_mgt: None,
        access: Some(AccessSection::of(&defaults.access, &defaults.routes)),
        guard: Some(defaults.guards.iter().map(|guard| (&**guard).into()).collect()),
        branding: Some((&defaults.branding).into()),
        log: Some((&settings.log).into()),
        limits: Some((&settings.limits).into()),
    }
}

#[cfg(test)]
mod tests;
