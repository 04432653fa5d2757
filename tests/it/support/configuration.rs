//! The `deployment.toml` of the harness: the only file that contains the names of its keys.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{idp::Idp, portal::Portal};

/// `deployment.toml` as a tree; keys are set by their dotted path.
pub struct Configuration(Value);

impl Configuration {
    /// The system chooses the ports; the proxy stops without a drain delay.
    pub fn before(portal: &Portal) -> Self {
        Self(json!({
            "server": { "listen": ["127.0.0.1:0"], "workers": 1, "drain_delay": "0s", "drain_timeout": "1s" },
            "admin": { "listen": "127.0.0.1:0" },
            "portal": { "profile": "wso2-apim", "upstream": [{ "path": "/", "url": portal.url() }] },
            "log": { "access": "off" },
            "apim": { "devportal": { "enable_anonymous_mode": true } },
            // the harness's identity providers are all on this machine
            "tenancy": { "issuers_on_loopback": true },
        }))
    }

    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        let mut at = &mut self.0;
        for key in path.split('.') {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            at = &mut at[key];
        }
        *at = value.into();
    }

    /// Appends to a list: `issuer`, `portal.upstream`, `access.route`.
    pub fn push(&mut self, path: &str, value: Value) {
        let mut list = self.get(path).as_array().cloned().unwrap_or_default();
        list.push(value);
        self.set(path, list);
    }

    pub fn get(&self, path: &str) -> &Value {
        path.split('.').fold(&self.0, |at, key| &at[key])
    }

    pub fn write(&self, file: &Path) {
        let text = toml::to_string(&self.0).expect("a tree that TOML can say");
        // renamed over the old file: the file watcher never reads half a file
        let beside = file.with_extension("new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, file).unwrap();
    }
}

/// An `[[issuer]]` whose keys come from the provider's key set.
pub fn issuer(idp: &Idp) -> Value {
    json!({ "issuer": idp.issuer(), "audiences": [idp.audience], "jwks_url": idp.keys_url() })
}

/// As `issuer`, with opaque tokens asked for at the provider.
pub fn introspecting_issuer(idp: &Idp) -> Value {
    let mut issuer = issuer(idp);
    issuer["introspection"] = json!({
        "url": idp.introspection_url(), "client_id": "doorward", "client_secret": "s3cret",
    });
    issuer
}

#[test]
fn keys_are_set_by_their_path() {
    let portal = Portal::answering("").start();
    let mut configuration = Configuration::before(&portal);
    configuration.set("apim.devportal.enable_anonymous_mode", false);
    configuration.push("issuer", json!({"issuer": "a"}));
    configuration.push("issuer", json!({"issuer": "b"}));
    assert_eq!(configuration.get("apim.devportal.enable_anonymous_mode"), &json!(false));
    assert_eq!(configuration.get("issuer").as_array().unwrap().len(), 2);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deployment.toml");
    configuration.write(&file);
    let read: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
    assert_eq!(read["apim"]["devportal"]["enable_anonymous_mode"].as_bool(), Some(false));
}
