//! Which changed keys a running Doorward cannot take over.

use super::{
    model::Settings,
    sections::{accounts, admin, limits, management, server, tenancy},
};

/// The changed keys that need a restart, as they are written; everything else applies at once.
pub fn keys_needing_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    restart_keys(old, new).filter_map(|(key, is_changed)| is_changed.then_some(key)).collect()
}

fn restart_keys(old: &Settings, new: &Settings) -> impl Iterator<Item = (&'static str, bool)> {
    [
        server::restart_keys(&old.server, &new.server),
        admin::restart_keys(&old.admin, &new.admin),
        management::restart_keys(&old.management, &new.management),
        tenancy::restart_keys(&old.tenancy, &new.tenancy),
        accounts::restart_keys(&old.accounts, &new.accounts),
        limits::restart_keys(&old.limits, &new.limits),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;
    use crate::config::{load::parse, schema};

    fn settings(text: &str) -> Settings {
        let text = format!("{text}\n[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n");
        parse(&text, Path::new("d.toml"), &BTreeMap::new()).unwrap()
    }

    const CASES: [(&str, &[&str]); 20] = [
        ("", &[]),
        ("[server]\nlisten = [\"127.0.0.1:1\"]", &["server.listen"]),
        ("[server]\nworkers = 63", &["server.workers"]),
        ("[server.tls]\ncert_file = \"c\"\nkey_file = \"k\"", &["server.tls.listen"]),
        ("[admin]\nlisten = \"off\"", &["admin.listen"]),
        (
            "[accounts]\nenabled = true\n[management]\nlisten = \"127.0.0.1:9443\"",
            &["management.listen", "accounts.enabled"],
        ),
        (
            "[management]\nread_only = true\nadmin_roles = []\nclear_text = true\ncert_file = \"c\"\nkey_file = \"k\"",
            &[],
        ),
        ("[tenancy]\ncapacity = 5", &["tenancy.capacity"]),
        ("[accounts]\nenabled = true", &["accounts.enabled"]),
        ("[accounts]\nstore_url = \"sqlite:x.db\"", &["accounts.store_url"]),
        ("[accounts]\nstore_connections = 3", &["accounts.store_connections"]),
        ("[accounts]\nhash_memory = 8192", &["accounts.hash_memory"]),
        ("[accounts]\nhash_iterations = 3", &["accounts.hash_iterations"]),
        ("[accounts]\nhash_parallel = 63", &["accounts.hash_parallel"]),
        ("[accounts]\nhash_queue = 3", &["accounts.hash_queue"]),
        ("[limits.client]\nhash_slots = 7", &["limits.client.hash_slots"]),
        (
            "[session]\nlifetime = \"1h\"\n[account_lock]\nenabled = true\n[password_policy]\nenabled = true",
            &[],
        ),
        ("[log]\naccess = \"off\"", &[]),
        ("[apim.devportal]\nenable_anonymous_mode = false", &[]),
        ("[tenancy]\nttl = \"1s\"\nfolder = \"x\"\nwatch = \"off\"\n[log]\nlevel = \"debug\"", &[]),
    ];

    #[test]
    fn lists_changed_keys_that_need_a_restart() {
        let old = settings("");
        for (text, keys) in CASES {
            assert_eq!(keys_needing_restart(&old, &settings(text)), keys, "{text}");
        }
    }

    /// Attack: passwords that go on in clear text where a certificate has been written.
    #[test]
    fn attack_eavesdropping_after_a_certificate_is_added() {
        let listen = "[accounts]\nenabled = true\n[management]\nlisten = \"127.0.0.1:9443\"\n";
        let with = |cert: &str| settings(&format!("{listen}cert_file = \"{cert}\"\nkey_file = \"k\""));
        let without = settings(listen);
        assert_eq!(keys_needing_restart(&without, &with("c")), ["management.cert_file"]);
        assert_eq!(keys_needing_restart(&with("c"), &without), ["management.cert_file"]);
        assert!(keys_needing_restart(&with("c"), &with("d")).is_empty(), "another one is taken over");
    }

    #[test]
    fn restart_keys_match_the_schema() {
        let keys = schema::keys(&schema::deployment());
        let documented = keys.iter().filter(|key| key.restart || key.effect.contains("needs a restart"));
        let mut documented: Vec<_> = documented.map(|key| key.path.as_str()).collect();
        documented.sort_unstable();
        let settings = settings("");
        let mut known: Vec<_> = restart_keys(&settings, &settings).map(|(key, _)| key).collect();
        known.sort_unstable();
        assert_eq!(documented, known);
        let elsewhere = ["management.cert_file"];
        let mut tested: Vec<_> =
            CASES.iter().flat_map(|(_, keys)| keys.iter().copied()).chain(elsewhere).collect();
        tested.sort_unstable();
        tested.dedup();
        assert_eq!(documented, tested, "each restart key needs a case that changes it");
    }
}
