//! Rules that hold for several sections: what a tenant inherits, and values that contradict each other.

use std::{collections::BTreeMap, path::Path, time::Duration};

use crate::{
    config::{Settings, TenantPolicy, load, sections::accounts::HashingSettings, tenant_file},
    domain::{
        lockout::{LockoutSettings, LockoutThreshold},
        password::{BreachPolicy, JavaPattern, PasswordExpiry, PasswordPolicy},
        tenant::TenantId,
    },
};

const PORTAL: &str = "[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n";

fn settings(text: &str) -> Settings {
    load::parse(&format!("{PORTAL}{text}"), Path::new("/d.toml"), &BTreeMap::new()).unwrap()
}

fn tenant(deployment: &str, ours: &str) -> TenantPolicy {
    let conf = tenant_file::parse(&format!("{{\"Doorward\": {ours}}}"), Path::new("/t/acme.com/x")).unwrap();
    tenant_file::resolve(&settings(deployment), &TenantId::parse("acme.com").unwrap(), &conf, 1)
}

fn mistakes(text: &str) -> String {
    let parsed = load::parse(&format!("{PORTAL}{text}"), Path::new("d.toml"), &BTreeMap::new());
    parsed.map_or_else(
        |all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        |_| String::new(),
    )
}

#[test]
fn the_built_in_values_are_wso2s() {
    let defaults = settings("").defaults;
    let lock = &defaults.rules.account_lock;
    assert_eq!((lock.enabled, lock.max_attempts, lock.time.as_secs(), lock.ratio), (false, 5, 300, 2));
    assert!(lock.address.is_none() && lock.account_and_address.is_none() && lock.device.is_none());
    let rules = &defaults.rules.password_rules;
    assert_eq!((rules.enabled, rules.min_length, rules.max_length), (false, 6, 12));
    assert_eq!(rules.policy(), PasswordPolicy::default(), "nothing is asked for");
    let on = settings("[password_policy]\nenabled = true").defaults.rules.password_policy;
    assert_eq!(*on, PasswordPolicy::wso2());
}

#[test]
fn every_key_arrives() {
    let text = "[account_lock]\nenabled = true\nmax_attempts = 3\ntime = \"2m\"\nratio = 4\nmax_duration = \"1h\"\n\
        max_lockouts = 6\nallow = [\"10.0.0.0/8\"]\nbypass_role = \"admin\"\nshow_failure_reason = true\n\
        [account_lock.address]\nmax_attempts = 7\nwindow = \"8m\"\ntime = \"9m\"\n\
        [account_lock.account_and_address]\nmax_attempts = 10\nwindow = \"11m\"\ntime = \"12m\"\n\
        [account_lock.device]\nmax_attempts = 13\nwindow = \"14m\"\ntime = \"15m\"\n\
        [password_policy]\nenabled = true\nmin_length = 1\nmax_length = 2\npattern = \"x.*\"\nmessage = \"an x\"\n\
        history = 3\nexpiry_days = 4\ncommon_list = true\nmin_score = 1\ncontext_words = true\nwords = [\"acme\"]\n\
        breached_url = \"https://pwned.example/\"\nbreached_required = true\nbreached_tolerated = 5\n\
        [accounts]\nstore_connections = 4\nhash_memory = 65536\nhash_iterations = 3\nhash_parallel = 2\nhash_queue = 9\n";
    let threshold = |max_attempts, window, time| {
        let [window, time] = [window, time].map(Duration::from_mins);
        Some(LockoutThreshold { max_attempts, window, time })
    };
    let settings = settings(text);
    let lock = LockoutSettings {
        enabled: true,
        max_attempts: 3,
        time: Duration::from_mins(2),
        ratio: 4,
        max_duration: Duration::from_hours(1),
        max_lockouts: 6,
        address: threshold(7, 8, 9),
        account_and_address: threshold(10, 11, 12),
        device: threshold(13, 14, 15),
        exempt_networks: vec!["10.0.0.0/8".parse().unwrap()],
        bypass_role: "admin".to_owned(),
        discloses_locks: true,
    };
    assert_eq!(*settings.defaults.rules.account_lock, lock);
    let policy = PasswordPolicy {
        min_length: 1,
        max_length: 2,
        not_username: true,
        pattern: JavaPattern::compile("x.*").ok(),
        message: "an x".to_owned(),
        history: 3,
        expiry: PasswordExpiry { days: 4, ..PasswordExpiry::default() },
        not_common: true,
        min_score: 1,
        no_context_words: true,
        words: vec!["acme".to_owned()],
        breached: Some(BreachPolicy { max_occurrences: 5, required: true }),
    };
    assert_eq!(*settings.defaults.rules.password_policy, policy);
    let hashing = HashingSettings { memory: 65_536, iterations: 3, parallel: 2, queue: 9 };
    assert_eq!((settings.accounts.hashing, settings.accounts.store.max_connections), (hashing, 4));
}

#[test]
fn a_tenant_loosens_and_tightens_key_by_key() {
    let deployment = "[session]\nlifetime = \"2h\"\nidle_timeout = \"5m\"\n\
        [account_lock]\nenabled = true\nmax_attempts = 3\n[account_lock.address]\nmax_attempts = 50\ntime = \"9m\"\n\
        [password_policy]\nenabled = true\nmin_length = 8\nmax_length = 20\nhistory = 4\nwords = [\"acme\"]\n\
        breached_url = \"https://pwned.example/\"\n";
    let ours = r#"{"session": {"lifetime": "1h", "max_per_account": 1},
        "account_lock": {"max_attempts": 9, "time": "0s", "address": {"max_attempts": 70}, "device": {}},
        "password_policy": {"min_length": 30, "common_list": true}}"#;
    let policy = tenant(deployment, ours);
    let session = &policy.session;
    assert_eq!(
        (session.lifetime.as_secs(), session.idle_timeout.as_secs(), session.max_per_account),
        (3600, 300, 1)
    );
    let lock = &policy.rules.account_lock;
    assert_eq!((lock.enabled, lock.max_attempts, lock.time.as_secs()), (true, 9, 0));
    let (address, device) = (lock.address.unwrap(), lock.device.unwrap());
    assert_eq!((address.max_attempts, address.time.as_secs()), (70, 540));
    assert_eq!((device.max_attempts, device.window.as_secs()), (100, 3600));
    let rules = &policy.rules.password_policy;
    assert_eq!((rules.min_length, rules.max_length), (30, 30), "no password would fit otherwise");
    assert_eq!((rules.history, rules.not_common, rules.words.len()), (4, true, 1));
    assert!(
        rules.breached.is_some()
            && policy.rules.password_rules.breached_url.as_deref() == Some("https://pwned.example/")
    );
    // and a tenant without settings inherits everything
    let plain = tenant(deployment, "{}");
    assert_eq!((plain.rules.account_lock.max_attempts, plain.session.lifetime.as_secs()), (3, 7200));
    let off = tenant(deployment, r#"{"account_lock": {"address": {"max_attempts": 0}}}"#);
    assert_eq!(off.rules.account_lock.address, None);
}

#[test]
fn accounts_use_own_sign_in_page_unless_configured() {
    let own = "/.doorward/sign-in?tenant={tenant}&to={return_path}";
    for (text, url) in [
        ("[accounts]\nenabled = true", own),
        ("[accounts]\nenabled = true\n[portal]\nprofile = \"generic\"", own),
        ("[accounts]\nenabled = true\n[sign_in]\nurl = \"/login\"", "/login"),
        ("[accounts]\nenabled = false", "/devportal/services/configs?tenant={tenant}"),
    ] {
        let text =
            if text.contains("[portal]") { format!("{text}\n{PORTAL}") } else { format!("{PORTAL}{text}") };
        let settings = load::parse(&text, Path::new("/d.toml"), &BTreeMap::new()).unwrap();
        assert_eq!(settings.defaults.sign_in.url, url, "{text}");
        assert!(settings.defaults.sign_in.has_return_placeholder() == url.contains("return"));
    }
}

#[test]
fn the_store_is_a_file_beside_the_configuration_or_a_server() {
    let shown = |text: &str| settings(&format!("[accounts]\n{text}")).accounts.store.location.to_string();
    assert_eq!(shown(""), "sqlite:/doorward.db");
    assert_eq!(shown("store_url = \"sqlite:data/x.db\""), "sqlite:/data/x.db");
    assert_eq!(shown("store_url = \"postgres://u:p@db/x\""), "postgres://db/x");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    std::fs::write(&file, "postgres://u:geheim@db/y\n").unwrap();
    assert_eq!(shown(&format!("store_url_file = {file:?}")), "postgres://db/y");
    std::fs::write(&file, "mysql://u:geheim@db/y\n").unwrap();
    let message = mistakes(&format!("[accounts]\nstore_url_file = {file:?}"));
    assert!(message.contains("accounts.store_url_file") && !message.contains("geheim"), "{message}");
}

#[test]
fn rejects_contradictory_values() {
    for (text, key) in [
        ("[accounts]\nstore_url = \"mysql://db/x\"", "accounts.store_url"),
        ("[accounts]\nstore_url = \"sqlite:a\"\nstore_url_file = \"b\"", "accounts.store_url_file"),
        ("[accounts]\nhash_memory = 1", "accounts.hash_memory"),
        ("[accounts]\nhash_iterations = 0", "accounts.hash_iterations"),
        ("[accounts]\nhash_parallel = 9999", "accounts.hash_parallel"),
        ("[accounts]\nhash_queue = 0", "accounts.hash_queue"),
        ("[accounts]\nstore_connections = 0", "accounts.store_connections"),
        ("[session]\nidle_timeout = \"1m\"", "session.idle_timeout"),
        ("[session]\nlifetime = \"0s\"", "session.lifetime"),
        ("[session]\nmax_per_account = 0", "session.max_per_account"),
        ("[account_lock]\nmax_attempts = 0", "account_lock.max_attempts"),
        ("[account_lock]\nratio = 0", "account_lock.ratio"),
        ("[account_lock]\nmax_lockouts = 1001", "account_lock.max_lockouts"),
        ("[account_lock]\nallow = [\"x\"]", "account_lock.allow[0]"),
        ("[account_lock.address]\nwindow = \"0s\"", "account_lock.address.window"),
        ("[account_lock.device]\nmax_attempts = 1000001", "account_lock.device.max_attempts"),
        ("[password_policy]\nmin_length = 9\nmax_length = 8", "password_policy.max_length"),
        ("[password_policy]\nmin_length = 12", "password_policy.min_length"),
        ("[password_policy]\nmin_length = 13", "password_policy.min_length"),
        ("[password_policy]\nmin_score = 5", "password_policy.min_score"),
        ("[password_policy]\npattern = \"(\"", "password_policy.pattern"),
        ("[password_policy]\nhistory = 101", "password_policy.history"),
    ] {
        assert!(mistakes(text).contains(&format!("{key}: ")), "{text}: {}", mistakes(text));
    }
}

#[test]
fn attack_ssrf_by_a_tenants_breach_service_url() {
    let text = r#"{"Doorward": {"password_policy": {"breached_url": "https://127.0.0.1:9901/"}}}"#;
    let messages = tenant_file::parse(text, Path::new("/t/acme.com/x")).unwrap_err();
    assert!(messages.iter().any(|mistake| mistake.key.ends_with("breached_url")), "{messages:?}");
}
