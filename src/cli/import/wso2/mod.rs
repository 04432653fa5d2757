//! WSO2 API Manager's `deployment.toml` and `tenant-conf.json`.

use std::collections::BTreeMap;

use toml::Value;
use url::Url;

use super::{
    deployment_draft::{DeploymentDraft, toml_key},
    source_settings::SourceSettings,
};
use crate::config::document::{DocumentNode, NodeValue, json};

/// The port of WSO2's servlet transport for plain HTTP; `server.offset` is added.
const HTTP_PORT: u32 = 9763;

/// The purpose of tables that an operator may look for here. The first name that matches applies.
const REASONS: &[(&str, &str)] = &[
    ("apim.analytics", "analytics of WSO2's gateway"),
    ("apim.cors", "CORS of WSO2's gateway; Doorward's is `access.cors_allowed_origins`"),
    ("apim.devportal", "a setting of the devportal itself"),
    ("apim.gateway", "WSO2's gateway, which Doorward does not protect"),
    ("apim.idp", "the devportal's own sign-in, which stays"),
    ("apim.jwt", "the token that WSO2's gateway sends to backends"),
    ("apim.key_manager", "WSO2's key manager"),
    ("apim.throttling", "limits of WSO2's gateway; Doorward's are `[limits]`"),
    ("apim", "WSO2 API Manager"),
    ("database", "WSO2's databases, which Doorward does not use"),
    ("event", "WSO2's event listeners"),
    ("identity_mgt.password", "WSO2's password rules; Doorward's are `[password_policy]`"),
    ("identity_mgt", "account features of WSO2 that Doorward does not have"),
    ("keystore", "WSO2's key stores; Doorward's certificates are `[server.tls]`"),
    ("oauth", "WSO2's token endpoint"),
    ("output_adapter", "WSO2's mail and messages; Doorward sends none"),
    ("session", "WSO2's own sessions, which stay"),
    ("super_admin", "WSO2's administrator, who stays in WSO2"),
    ("transport", "WSO2's listeners; Doorward's are `server.listen` and `[server.tls]`"),
    ("truststore", "WSO2's trusted certificates; Doorward's are `portal.upstream.ca_file`"),
    ("user_store", "WSO2's users, who stay in WSO2"),
];

/// Translates `deployment.toml`. `upstream` is the address of the portal, where the operator names one.
pub fn translate_deployment(
    source: &mut SourceSettings,
    upstream: Option<&str>,
    draft: &mut DeploymentDraft,
) {
    anonymous_mode(source, draft);
    portal(source, upstream, draft);
    account_locking(source, draft);
    account_disabling(source, draft);
    event_schemes(source, draft);
    cross_tenant(source, draft);
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for key in source.remaining() {
        *counted.entry(group(&key)).or_default() += 1;
    }
    for table in counted.into_keys() {
        let reason = REASONS.iter().find(|(name, _)| is_below(&table, name)).map(|(_, reason)| *reason);
        draft.noted(&table, reason.unwrap_or("belongs to WSO2"));
    }
}

/// `apim.cors.allow_origins` is reported as `apim.cors`, `super_admin.username` as `super_admin`.
fn group(key: &str) -> String {
    let parts: Vec<&str> = key.split('.').collect();
    let depth = match parts.first() {
        Some(&("apim" | "identity_mgt")) if parts.get(1) == Some(&"devportal") => 3,
        Some(&("apim" | "identity_mgt" | "server")) => 2,
        _ => 1,
    };
    parts.get(..depth).unwrap_or(&parts).join(".")
}

fn is_below(key: &str, table: &str) -> bool {
    // `identity_mgt.password` stands for all tables of that beginning
    key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
}

fn anonymous_mode(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    const KEY: &str = "apim.devportal.enable_anonymous_mode";
    match source.take_bool(KEY) {
        Some(true) => {
            draft.set_with_note(KEY, KEY, true, "visitors who have not signed in see the public pages");
        }
        Some(false) => {
            draft.set(KEY, KEY, false);
        }
        // as WSO2 reads it
        None if source.take(KEY).is_some() => {
            draft.set_with_note(KEY, KEY, false, "every value but `true` is false");
        }
        None => {
            draft.add_default(KEY, true);
            draft.left(
                KEY,
                "not written, so WSO2's default `true` is taken over: visitors see the public pages; write false to close the portal",
            );
        }
    }
}

fn portal(source: &mut SourceSettings, upstream: Option<&str>, draft: &mut DeploymentDraft) {
    draft.add_default("portal.profile", "wso2-apim");
    let offset = source.take_number("server.offset");
    let port = HTTP_PORT.saturating_add(offset.unwrap_or(0));
    let local = format!("http://127.0.0.1:{port}");
    let (key, note) = match (upstream, offset) {
        (Some(_), _) => ("--upstream", ""),
        (None, Some(_)) => {
            ("server.offset", "WSO2's HTTP port on this machine; name another with --upstream")
        }
        (None, None) => ("the portal", "WSO2's HTTP port on this machine; name another with --upstream"),
    };
    if upstream.is_some() && offset.is_some() {
        draft.noted("server.offset", "the portal's address is that of --upstream");
    }
    draft.push(key, "portal.upstream", vec![("url", upstream.unwrap_or(&local).into())], note);
    let public = source.text("apim.devportal.url").and_then(|url| Url::parse(&url).ok());
    match public.map(|url| url.origin().ascii_serialization()) {
        // browsers do not use WSO2's own port on this machine
        Some(origin) if !origin.contains("localhost") && origin != "null" => {
            source.take("apim.devportal.url");
            draft.set("apim.devportal.url", "server.public_url", origin);
        }
        _ => {}
    }
    match source.take_text("server.hostname") {
        Some(host) if host == "localhost" => draft.noted("server.hostname", "WSO2 on this machine"),
        Some(host) => {
            draft.left(
                "server.hostname",
                format!("if browsers reach Doorward as {host}, set `server.public_url`"),
            );
        }
        None => {}
    }
}

fn account_locking(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    const TABLE: &str = "identity_mgt.account_locking";
    let key = |name: &str| format!("{TABLE}.{name}");
    let mut is_taken = false;
    if let Some(enabled) = source.take_bool(&key("enable_account_locking")) {
        is_taken |= draft.set(&key("enable_account_locking"), "account_lock.enabled", enabled);
    }
    if let Some(attempts) = source.take_number(&key("allowed_failed_attempts")) {
        is_taken |=
            draft.set(&key("allowed_failed_attempts"), "account_lock.max_attempts", i64::from(attempts));
    }
    if let Some(minutes) = source.take_number(&key("auto_unlock_after")) {
        is_taken |= draft.set(&key("auto_unlock_after"), "account_lock.time", format!("{minutes}m"));
    }
    if let Some(ratio) = source.take_number(&key("auto_unlock_time_increment_ratio")) {
        is_taken |=
            draft.set(&key("auto_unlock_time_increment_ratio"), "account_lock.ratio", i64::from(ratio));
    }
    for name in source.remaining().into_iter().filter(|name| name.starts_with(TABLE)) {
        source.take(&name);
        draft.left(&name, "not a value that Doorward knows: see `[account_lock]`");
    }
    if is_taken {
        draft.left(
            TABLE,
            "WSO2 verifies these passwords: to count them in Doorward, add `[[guard]]` as docs/INTEGRATIONS.md shows",
        );
    }
}

fn account_disabling(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    const KEY: &str = "identity_mgt.account_disabling.enable_account_disabling";
    if let Some(enabled) = source.take_bool(KEY) {
        draft.set(KEY, KEY, enabled);
    }
}

fn cross_tenant(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    const KEY: &str = "apim.devportal.enable_cross_tenant_subscriptions";
    match source.take_bool(KEY) {
        Some(true) => {
            draft.set_with_note(
                KEY,
                "access.cross_tenant",
                true,
                "every tenant accepts the users of all others",
            );
        }
        Some(false) => {
            draft.set(KEY, "access.cross_tenant", false);
        }
        None => {}
    }
}

/// Governance properties by event handler, which Doorward reads as WSO2 does.
fn event_schemes(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    const TABLE: &str = "identity_mgt.events.schemes";
    let Some(schemes) = source.take(TABLE) else { return };
    let mut found = Vec::new();
    flatten(&schemes, &mut Vec::new(), &mut found);
    for (names, value) in found {
        let Some((last, tables)) = names.split_last() else { continue };
        let key = format!("{TABLE}.{}", names.join("."));
        if last.starts_with("class.") {
            draft.noted(&key, "names a Java class; Doorward evaluates the rules itself");
            continue;
        }
        let tables: Vec<String> = tables.iter().map(|name| toml_key(name)).collect();
        // the quoted key has dots of its own, so it is no part of the table's name
        draft.set_in_table(&key, &format!("{TABLE}.{}", tables.join(".")), &toml_key(last), value);
    }
}

fn flatten(node: &DocumentNode, names: &mut Vec<String>, found: &mut Vec<(Vec<String>, Value)>) {
    let value = match &node.value {
        NodeValue::Table(entries) => {
            for entry in entries {
                names.push(entry.name.clone());
                flatten(&entry.node, names, found);
                names.pop();
            }
            return;
        }
        NodeValue::Text(text) => Value::from(text.as_str()),
        NodeValue::Bool(value) => Value::from(*value),
        NodeValue::Number(number) => {
            number.as_i64().map_or_else(|| Value::from(number.to_string()), Value::from)
        }
        NodeValue::Null | NodeValue::List(_) => return,
    };
    found.push((names.clone(), value));
}

/// Reports the keys of a `tenant-conf.json`, which is kept as it is.
pub fn report_tenant_conf(text: &str, name: &str, draft: &mut DeploymentDraft) -> Result<(), json::Error> {
    let source = SourceSettings::of(json::parse(text)?);
    for key in source.root_names() {
        let whole = format!("{name}, {key}");
        match key.as_str() {
            "EnableAnonymous" => draft.taken_over(&whole, "kept: Doorward reads it as WSO2 does"),
            "Doorward" => draft.taken_over(&whole, "kept: these are Doorward's own settings"),
            _ => draft.noted(&whole, "kept: belongs to WSO2"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
