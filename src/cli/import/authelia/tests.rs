//! Options one by one, access rules in their order, and a whole file.

use super::*;
use crate::{
    account::ImportedUser,
    cli::import::{
        report::{Outcome, ReportLine},
        users_file,
    },
};

const FILE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/import/configuration.yml"));
const USERS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/import/users_database.yml"));

fn imported(text: &str, domain: Option<&str>) -> (String, Vec<ReportLine>) {
    let mut source = SourceSettings::from_yaml(text).unwrap();
    let mut draft = DeploymentDraft::default();
    translate(&mut source, &AutheliaContext { domain, ..AutheliaContext::default() }, &mut draft);
    (draft.to_toml("Authelia"), draft.report.settings)
}

#[test]
fn each_option_has_its_place_or_its_reason() {
    use Outcome::{Left, Noted, TakenOver};

    for (line, key, outcome, written) in [
        (
            "server: {address: 'tcp://127.0.0.1:9000'}",
            "server.address",
            TakenOver,
            "listen = [\"127.0.0.1:9000\"]",
        ),
        ("server: {address: 'unix:///run/a.sock'}", "server.address", Left, ""),
        ("server: {buffers: {read: 4096}}", "server.buffers.read", Noted, ""),
        ("log: {level: 'debug'}", "log.level", TakenOver, "[log]\nlevel = \"debug\""),
        ("session: {inactivity: '10m'}", "session.inactivity", TakenOver, "idle_timeout = \"10m\""),
        ("session: {expiration: 3600}", "session.expiration", TakenOver, "lifetime = \"1h\""),
        ("session: {expiration: '1w'}", "session.expiration", TakenOver, "lifetime = \"168h\""),
        ("session: {expiration: 'soon'}", "session.expiration", Left, ""),
        ("session: {name: 'x'}", "session.name", Noted, ""),
        ("session: {remember_me: '1M'}", "session.remember_me", Left, ""),
        ("regulation: {max_retries: 7}", "regulation.max_retries", TakenOver, "max_attempts = 7"),
        (
            "regulation: {max_retries: 0}",
            "regulation.max_retries",
            TakenOver,
            "[account_lock]\nenabled = false",
        ),
        ("regulation: {ban_time: '1h'}", "regulation.ban_time", TakenOver, "time = \"1h\"\nratio = 1"),
        (
            "regulation: {modes: ['ip'], find_time: '3m'}",
            "regulation.modes",
            TakenOver,
            "[account_lock.address]\nmax_attempts = 3\nwindow = \"3m\"",
        ),
        (
            "password_policy: {standard: {enabled: true, min_length: 9, require_number: true}}",
            "password_policy.standard.require_number",
            TakenOver,
            "min_length = 9\nmax_length = 256\npattern = \"(?=.*[0-9]).*\"",
        ),
        (
            "password_policy: {standard: {enabled: false, min_length: 9}}",
            "password_policy.standard.min_length",
            Noted,
            "",
        ),
        (
            "password_policy: {zxcvbn: {enabled: true, min_score: 4}}",
            "password_policy.zxcvbn",
            TakenOver,
            "min_score = 4",
        ),
        (
            "authentication_backend: {file: {password: {argon2: {memory: 32768}}}}",
            "authentication_backend.file.password.argon2.memory",
            TakenOver,
            "hash_memory = 32768",
        ),
        (
            "authentication_backend: {ldap: {address: 'ldap://a'}}",
            "authentication_backend.ldap.address",
            Left,
            "",
        ),
        (
            "identity_providers: {oidc: {hmac_secret: 'hunter2'}}",
            "identity_providers.oidc.hmac_secret",
            Left,
            "",
        ),
        ("storage: {encryption_key: 'hunter2'}", "storage.encryption_key", Noted, ""),
        ("totp: {issuer: 'a'}", "totp.issuer", Left, ""),
        ("no_such: {option: 1}", "no_such.option", Left, ""),
    ] {
        let (text, report) = imported(line, None);
        let found: Vec<_> =
            report.iter().filter(|found| found.key == key).map(|found| found.outcome).collect();
        assert_eq!(found, [outcome], "{line}: {report:#?}");
        assert!(text.contains(written) && !text.contains("hunter2"), "{line}: {text}");
    }
}

/// The routes for these rules of portal.example, each as (resource, policy).
fn routes(rules: &[(&str, &str)], default: &str) -> Vec<String> {
    let rule = |(resource, policy): &(&str, &str)| {
        let resources =
            if resource.is_empty() { String::new() } else { format!(", resources: ['{resource}']") };
        format!("    - {{domain: portal.example, policy: {policy}{resources}}}\n")
    };
    let rules = rules.iter().map(rule).collect::<Vec<_>>().concat();
    let text = format!("access_control:\n  default_policy: {default}\n  rules:\n{rules}");
    let (toml, _) = imported(&text, None);
    let pairs = toml.split("[[access.route]]\n").skip(1).map(|route| {
        let value = |line: Option<&str>| line.and_then(|line| line.split('"').nth(1)).unwrap().to_owned();
        let mut lines = route.lines();
        format!("{} {}", value(lines.next()), value(lines.next()))
    });
    pairs.collect()
}

/// Rules as (resource, policy), the default policy, and the routes.
type RuleRow<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a [&'a str]);

#[test]
fn routes_decide_as_the_rules_of_authelia() {
    let rows: &[RuleRow<'_>] = &[
        (&[("^/a/", "bypass")], "deny", &["/a/** open"]),
        (&[("^/a/", "one_factor"), ("^/a/b/", "bypass")], "deny", &["/a/** signed-in"]),
        (&[("^/a/b/", "one_factor"), ("^/a/", "bypass")], "deny", &["/a/b/** signed-in", "/a/** open"]),
        (&[("^/a/", "bypass"), ("", "two_factor")], "deny", &["/a/** open", "/** signed-in"]),
        (&[("", "deny"), ("^/a/", "bypass")], "deny", &["/** signed-in"]),
        // also closes /abc, which no route can express
        (&[("^/a", "one_factor"), ("", "bypass")], "deny", &[]),
        (&[("^/(a|b)$", "one_factor"), ("^/c$", "bypass")], "deny", &[]),
        (&[("^/a/", "one_factor")], "bypass", &["/a/** signed-in", "/** open"]),
        (&[("^/(a|b)$", "one_factor")], "bypass", &[]),
        (&[], "one_factor", &[]),
    ];
    for (rules, default, expected) in rows {
        assert_eq!(routes(rules, default), *expected, "{rules:?} {default}");
    }
}

/// Attack: a path that was closed for some clients is open to all after the switch.
#[test]
fn attack_bypass_with_a_condition_opens_nothing() {
    for condition in ["networks: ['10.0.0.0/8']", "subject: 'group:dev'", "query: [[{key: 'x'}]]"] {
        let text =
            format!("access_control:\n  rules:\n    - {{domain: a.example, policy: bypass, {condition}}}\n");
        let (toml, report) = imported(&text, None);
        assert!(!toml.contains("\"open\""), "{condition}: {toml}");
        assert!(
            report.iter().any(|line| line.key == "access_control.rules[0]" && line.outcome == Outcome::Left)
        );
    }
}

#[test]
fn several_hosts_need_a_choice() {
    let text = "access_control:\n  rules:\n    - {domain: [a.example, b.example], policy: bypass}\n    - {domain: '*.example', policy: bypass, resources: ['^/x$']}\n";
    assert!(!imported(text, None).0.contains("[[access.route]]"));
    let (toml, _) = imported(text, Some("a.example"));
    assert!(toml.contains("\"/**\"") && toml.contains("\"/x\""), "{toml}");
    let (toml, _) = imported(text, Some("c.example"));
    assert!(!toml.contains("\"/**\"") && toml.contains("\"/x\""), "{toml}");
}

#[test]
fn no_option_is_dropped_silently() {
    let source = SourceSettings::from_yaml(FILE).unwrap();
    let (_, report) = imported(FILE, Some("portal.example.com"));
    for key in source.remaining() {
        // lists are reported item by item, and some tables as a whole
        let is_named = report.iter().any(|line| {
            line.key.starts_with(&key) || key.starts_with(line.key.split(", ").next().unwrap_or_default())
        });
        assert!(is_named, "{key}: {report:#?}");
    }
    assert!(report.iter().all(|line| !line.text.contains("hunter2") && !line.key.contains("hunter2")));
}

#[test]
fn imports_accounts_with_usable_hashes_only() {
    let mut draft = DeploymentDraft::default();
    let users = users_file::from_authelia(USERS, &mut draft).unwrap();
    let users: Vec<ImportedUser> = users.lines().map(|line| ImportedUser::from_json(line).unwrap()).collect();
    assert_eq!(
        (users[0].username.as_str(), users[0].roles.as_slice()),
        ("alex", &["admins".to_owned(), "dev".to_owned()][..])
    );
    assert!(users[0].password_hash.as_ref().unwrap().starts_with("$argon2id$"));
    assert!(users[1].password_hash.is_none() && users[1].disabled);
    assert_eq!(draft.report.settings.len(), 1, "{:#?}", draft.report);
}

#[test]
fn durations_of_authelia() {
    for (written, expected) in [
        ("90", Some("90s")),
        ("5m", Some("5m")),
        ("8 hours", Some("8h")),
        ("1d", Some("24h")),
        ("1M", Some("720h")),
        ("2 weeks", Some("336h")),
        ("soon", None),
        ("", None),
    ] {
        assert_eq!(duration(written).as_deref(), expected, "{written}");
    }
}
