//! Which changed keys a running Doorward cannot take over.

use super::{model::Settings, sections::limits};

/// The changed keys that need a restart, as they are written; everything else applies at once.
pub fn keys_needing_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let tls = |settings: &Settings| settings.server.tls.as_ref().map(|tls| tls.listen.clone());
    // at a listener that stays
    let encrypts = |settings: &Settings, other: &Settings| {
        let management = &settings.management;
        management.tls.is_some() && management.listen.is_some() && other.management.listen.is_some()
    };
    [
        ("server.listen", old.server.listen != new.server.listen),
        ("server.workers", old.server.workers != new.server.workers),
        ("server.tls.listen", tls(old) != tls(new)),
        ("admin.listen", old.admin.listen != new.admin.listen),
        ("management.listen", old.management.listen != new.management.listen),
        ("management.cert_file", encrypts(old, new) != encrypts(new, old)),
        ("tenancy.capacity", old.tenancy.capacity != new.tenancy.capacity),
        ("accounts.enabled", old.accounts.enabled != new.accounts.enabled),
        ("accounts.store_url", old.accounts.store.location != new.accounts.store.location),
        (
            "accounts.store_connections",
            old.accounts.store.max_connections != new.accounts.store.max_connections,
        ),
        ("accounts.hash_memory", old.accounts.hashing.memory != new.accounts.hashing.memory),
        ("accounts.hash_iterations", old.accounts.hashing.iterations != new.accounts.hashing.iterations),
        ("accounts.hash_parallel", old.accounts.hashing.parallel != new.accounts.hashing.parallel),
        ("accounts.hash_queue", old.accounts.hashing.queue != new.accounts.hashing.queue),
    ]
    .into_iter()
    .chain(limits::restart_keys(&old.limits, &new.limits))
    .filter_map(|(key, changed)| changed.then_some(key))
    .collect()
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
        let documented: Vec<_> = schema::keys(&schema::deployment())
            .into_iter()
            .filter(|key| key.restart || key.effect.contains("needs a restart"))
            .map(|key| key.path)
            .collect();
        let mut known: Vec<_> = CASES.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
        known.push("management.cert_file");
        known.sort_unstable();
        known.dedup();
        let mut documented: Vec<_> = documented.iter().map(String::as_str).collect();
        documented.sort_unstable();
        assert_eq!(documented, known);
    }
}
