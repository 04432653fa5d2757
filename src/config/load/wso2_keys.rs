//! WSO2's own keys in `deployment.toml`: they are taken out of the document before it is read, and `doorward check`
//! notes them.

use crate::config::document::{DocumentNode, KeyPath, NodeValue, SourcePosition, nearest::nearest};

/// Tables at the root that only WSO2's products read.
const WSO2_TABLES: [&str; 38] = [
    "admin_service",
    "authentication",
    "authorization_manager",
    "cache",
    "carbon_health_check",
    "catalina",
    "clustering",
    "cors",
    "database",
    "database_configuration",
    "datasource",
    "encryption",
    "event",
    "event_handler",
    "event_listener",
    "event_stream",
    "identity",
    "indexing",
    "keystore",
    "message_builders",
    "monitoring",
    "oauth",
    "output_adapter",
    "passthru_http",
    "realm_manager",
    "recaptcha",
    "registry",
    "resource",
    "saml",
    "scim2",
    "secrets",
    "service_provider",
    "super_admin",
    "tenant_mgt",
    "transport",
    "truststore",
    "user_mgt",
    "user_store",
];

/// A name with this in it is meant for `enable_anonymous_mode`, however it is written.
const ANONYMOUS: &str = "anon";

/// Tables that WSO2 and Doorward share, with Doorward's keys. All other keys there are WSO2's, unless one is nearly
/// a key of Doorward: a misspelt `enable_anonymous_mode` stays a mistake.
const SHARED_TABLES: [(&[&str], &[&str]); 3] = [
    (&["apim"], &["devportal"]),
    (&["apim", "devportal"], &["enable_anonymous_mode"]),
    (&["identity_mgt"], &["account_locking", "account_disabling", "events"]),
];

/// WSO2's keys in tables that have the same name in Doorward.
const SAME_NAMES: [(&str, &[&str]); 2] = [
    (
        "server",
        &[
            "base_path",
            "custom_config_path",
            "discard_empty_caches",
            "enable_restart_from_api",
            "enable_shutdown_from_api",
            "hostname",
            "force_local_cache",
            "mgt_hostname",
            "node_ip",
            "offset",
            "proxy_context_path",
            "server_details",
            "server_role",
            "userstore_hostname",
        ],
    ),
    ("session", &["timeout"]),
];

/// So many of its tables, and no `[portal]`: the file is WSO2's.
const MIN_FOREIGN_TABLES: usize = 2;

/// A key that WSO2 reads, and Doorward does not.
pub struct Wso2Key {
    pub key: KeyPath,
    pub place: SourcePosition,
}

impl Wso2Key {
    /// Where Doorward has the setting, if it has one.
    pub fn remedy(&self) -> &'static str {
        let key = self.key.to_string();
        if key.starts_with("identity_mgt.password") {
            "the rules for passwords here are those of [password_policy]"
        } else if key.starts_with("session.") {
            "the lifetimes of sessions here are those of [session]"
        } else {
            ""
        }
    }
}

/// The names of WSO2's tables, if the document is WSO2's whole file; otherwise none.
pub fn foreign_tables(root: &DocumentNode) -> Vec<&str> {
    let names: Vec<&str> = root
        .entries()
        .iter()
        .map(|entry| entry.name.as_str())
        .filter(|name| WSO2_TABLES.contains(name))
        .collect();
    let is_foreign = names.len() >= MIN_FOREIGN_TABLES && root.entry("portal").is_none();
    if is_foreign { names } else { Vec::new() }
}

/// Takes WSO2's keys out of the document.
pub fn take_wso2_keys(root: &mut DocumentNode) -> Vec<Wso2Key> {
    let mut taken = Vec::new();
    take(root, &KeyPath::root(), &|name| WSO2_TABLES.contains(&name), &mut taken);
    for (table, names) in SAME_NAMES {
        take(root, &KeyPath::root().name(table), &|name| names.contains(&name), &mut taken);
    }
    // the tables inside first: what is left of `apim` is then Doorward's
    for (table, own) in SHARED_TABLES.iter().rev() {
        let key = table.iter().fold(KeyPath::root(), |key, name| key.name(name));
        let is_wso2 = |name: &str| {
            nearest(name, own.iter().copied()).is_none() && !name.to_ascii_lowercase().contains(ANONYMOUS)
        };
        take(root, &key, &is_wso2, &mut taken);
    }
    taken
}

fn take(root: &mut DocumentNode, table: &KeyPath, is_wso2: &dyn Fn(&str) -> bool, taken: &mut Vec<Wso2Key>) {
    let Some(NodeValue::Table(entries)) = root.at_mut(table).map(|node| &mut node.value) else { return };
    entries.retain(|entry| {
        let is_wso2 = is_wso2(&entry.name);
        if is_wso2 {
            taken.push(Wso2Key { key: table.name(&entry.name), place: entry.place.clone() });
        }
        !is_wso2
    });
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::document::{Findings, toml};

    fn taken(text: &str) -> (Vec<String>, serde_json::Value) {
        let mut root = toml::parse(text, &mut Findings::new(Path::new("d.toml"))).unwrap();
        let keys = take_wso2_keys(&mut root).iter().map(|taken| taken.key.to_string()).collect();
        (keys, root.to_json())
    }

    #[test]
    fn takes_only_the_keys_of_wso2() {
        for (text, key) in [
            ("[apim.devportal]\nurl = \"https://a/devportal\"", "apim.devportal.url"),
            ("[apim.devportal]\nenable_ratings = true", "apim.devportal.enable_ratings"),
            (
                "[[apim.devportal.application_attributes]]\nname = \"a\"",
                "apim.devportal.application_attributes",
            ),
            ("[apim]\ngateway_type = \"Regular\"", "apim.gateway_type"),
            ("[apim.cors]\nallow_origins = \"*\"", "apim.cors"),
            ("[super_admin]\nusername = \"$ref{a.b}\"", "super_admin"),
            ("[server]\nhostname = \"a\"", "server.hostname"),
            ("[session.timeout]\nidle_session_timeout = \"15m\"", "session.timeout"),
            ("[event.default_listener.identity_mgt]\npriority = \"50\"", "event"),
            ("[[event_handler]]\nname = \"passwordPolicy\"", "event_handler"),
            ("[identity_mgt.password_policy]\nmin_length = 8", "identity_mgt.password_policy"),
        ] {
            assert_eq!(taken(text).0, [key], "{text}");
        }
    }

    #[test]
    fn leaves_keys_of_doorward_and_their_misspellings() {
        for text in [
            "[apim.devportal]\nenable_anonymous_mode = false",
            "[apim.devportal]\nenable_anonymus_mode = false",
            "[apim.devportal]\nenable_anonymous = false",
            "[apim]\nenable_anonymous_mode = false",
            "[apim.devportl]\nenable_anonymous_mode = false",
            "[apim.devportal]\nenableAnonymousMode = false",
            "[identity_mgt.account_lokcing]\nallowed_failed_attempts = 3",
            "[server]\nlisen = []",
            "[session]\nidle = \"5m\"",
            "apim = 1",
        ] {
            let (keys, rest) = taken(text);
            assert_eq!(keys, Vec::<String>::new(), "{text}");
            let whole = toml::parse(text, &mut Findings::new(Path::new("d.toml"))).unwrap();
            assert_eq!(rest, whole.to_json(), "{text}");
        }
    }
}
