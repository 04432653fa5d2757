//! Options one by one, and a whole file.

use std::path::Path;

use super::*;
use crate::cli::import::{
    report::{Outcome, ReportLine},
    users_file::USERS_FILE,
};

const FILE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/import/oauth2-proxy.cfg"));

fn imported(text: &str) -> (String, Vec<ReportLine>) {
    let mut source = SourceSettings::from_toml(text, Path::new("oauth2-proxy.cfg")).unwrap();
    let mut draft = DeploymentDraft::default();
    translate(&mut source, &ProxyContext::default(), &mut draft);
    (draft.to_toml("oauth2-proxy"), draft.report.settings)
}

#[test]
fn each_option_has_its_place_or_its_reason() {
    use Outcome::{Left, Noted, TakenOver};

    for (line, key, outcome, written) in [
        ("http_address = \":8000\"", "http_address", TakenOver, "listen = [\"0.0.0.0:8000\"]"),
        ("http_address = \"unix:///run/o.sock\"", "http_address", Left, ""),
        ("upstreams = [\"http://p:1/\"]", "upstreams[0]", TakenOver, "url = \"http://p:1\""),
        ("upstreams = [\"unix:///run/p.sock\"]", "upstreams[0]", TakenOver, "url = \"unix:/run/p.sock\""),
        ("upstreams = [\"h2c://p:1/\"]", "upstreams[0]", TakenOver, "http2 = true"),
        ("upstreams = [\"file:///var/www/#/static/\"]", "upstreams[0]", Left, ""),
        ("upstreams = [\"static://202\"]", "upstreams[0]", Left, ""),
        ("upstreams = [\"http://u:hunter2@p/\"]", "upstreams[0]", TakenOver, "url = \"http://p\""),
        (
            "upstreams = [\"http://p:1/\"]\npass_host_header = false",
            "pass_host_header",
            TakenOver,
            "host = \"p:1\"",
        ),
        ("cookie_expire = \"30m\"", "cookie_expire", TakenOver, "lifetime = \"30m\""),
        ("cookie_expire = \"0\"", "cookie_expire", Left, ""),
        ("cookie_name = \"x\"", "cookie_name", Noted, ""),
        (
            "skip_auth_routes = [\"^/docs/\"]",
            "skip_auth_routes[0]",
            TakenOver,
            "match = \"/docs/**\"\naccess = \"open\"",
        ),
        (
            "skip_auth_routes = [\"GET=^/a$\"]",
            "skip_auth_routes[0]",
            TakenOver,
            "match = \"GET /a\"\naccess = \"open\"",
        ),
        ("skip_auth_routes = [\"GET!=^/a$\"]", "skip_auth_routes[0]", Left, ""),
        ("skip_auth_routes = [\"!=^/a$\"]", "skip_auth_routes[0]", Left, ""),
        ("skip_auth_regex = [\"^/x|y\"]", "skip_auth_regex[0]", Left, ""),
        ("api_routes = [\"^/api/\"]", "api_routes[0]", TakenOver, "access = \"signed-in\"\nas = \"api\""),
        ("skip_auth_preflight = true", "skip_auth_preflight", TakenOver, "match = \"OPTIONS /**\""),
        ("trusted_ips = [\"10.0.0.0/8\"]", "trusted_ips", Left, ""),
        ("reverse_proxy = true", "reverse_proxy", Left, ""),
        (
            "redirect_url = \"https://a.example/oauth2/callback\"",
            "redirect_url",
            TakenOver,
            "public_url = \"https://a.example\"",
        ),
        ("metrics_address = \":9000\"", "metrics_address", TakenOver, "[admin]\nlisten = \"0.0.0.0:9000\""),
        ("ssl_upstream_insecure_skip_verify = true", "ssl_upstream_insecure_skip_verify", Left, ""),
        ("insecure_oidc_allow_unverified_email = true", "insecure_oidc_allow_unverified_email", Left, ""),
        ("insecure_oidc_allow_unverified_email = false", "insecure_oidc_allow_unverified_email", Noted, ""),
        ("pass_user_headers = true", "pass_user_headers", TakenOver, "identity_headers = \"oauth2-proxy\""),
        ("request_logging = false", "request_logging", TakenOver, "access = \"off\""),
        ("email_domains = [\"*\"]", "email_domains", Noted, ""),
        ("allowed_groups = []", "allowed_groups", Noted, ""),
        ("htpasswd_file = \"nosuch\"", "htpasswd_file", Left, ""),
        ("no_such_option = 1", "no_such_option", Left, ""),
    ] {
        let (text, report) = imported(line);
        let found: Vec<_> =
            report.iter().filter(|found| found.key == key).map(|found| found.outcome).collect();
        assert_eq!(found, [outcome], "{line}: {report:#?}");
        assert!(text.contains(written) && !text.contains("hunter2"), "{line}: {text}");
    }
}

#[test]
fn no_option_is_dropped_silently() {
    let source = SourceSettings::from_toml(FILE, Path::new("f")).unwrap();
    let (_, report) = imported(FILE);
    for key in source.root_names() {
        let is_named = report.iter().any(|line| line.key == key || line.key.starts_with(&format!("{key}[")));
        assert!(is_named, "{key}: {report:#?}");
    }
}

/// Attack: tokens that oauth2-proxy refused become valid with the switch to Doorward.
#[test]
fn attack_tokens_of_users_that_were_not_admitted() {
    const ISSUER: &str = "oidc_issuer_url = \"https://i.example\"\nclient_id = \"c\"\n";
    const TOKENS: &str = "skip_jwt_bearer_tokens = true\n";
    for (options, is_accepted) in [
        (format!("{ISSUER}{TOKENS}"), false),
        (format!("{ISSUER}{TOKENS}email_domains = [\"*\"]"), true),
        (ISSUER.to_owned(), false),
        (format!("{ISSUER}skip_jwt_bearer_tokens = false"), false),
        (format!("{ISSUER}{TOKENS}email_domains = [\"example.com\"]"), false),
        (format!("{ISSUER}{TOKENS}allowed_groups = [\"dev\"]"), false),
        (format!("{ISSUER}{TOKENS}authenticated_emails_file = \"f\""), false),
        (format!("{ISSUER}{TOKENS}github_org = \"o\""), false),
    ] {
        let (text, _) = imported(&options);
        assert_eq!(text.contains("\n[[issuer]]\n"), is_accepted, "{options}: {text}");
        assert_eq!(text.contains("\n# [[issuer]]\n"), !is_accepted, "{options}: {text}");
    }
}

#[test]
fn imports_accounts_with_usable_hashes_only() {
    let mut draft = DeploymentDraft::default();
    let htpasswd = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/import/htpasswd"));
    let context = ProxyContext { htpasswd: Some(htpasswd.to_owned()), ..ProxyContext::default() };
    let mut source =
        SourceSettings::from_toml("htpasswd_file = \"f\"\nhtpasswd_user_groups = [\"dev\"]", Path::new("f"))
            .unwrap();
    let users = translate(&mut source, &context, &mut draft).unwrap();
    let lines: Vec<serde_json::Value> =
        users.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{USERS_FILE}");
    assert!(lines[0]["password_hash"].as_str().unwrap().starts_with("$2y$") && lines[0]["roles"][0] == "dev");
    assert_eq!(lines[1], serde_json::json!({ "username": "sam", "roles": ["dev"] }));
}
