//! WSO2's file, and ours within it.

mod hostile;
mod issuers;

use std::{collections::BTreeMap, fs};

use proptest::prelude::*;

use super::*;
use crate::{
    config::model::{EgressPolicy, KeySource, UserTenant},
    domain::identity::CrossTenantAccess,
};

fn file() -> &'static Path {
    Path::new("/t/acme.com/tenant-conf.json")
}

fn settings(text: &str) -> Settings {
    let text = format!("{text}\n[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n");
    crate::config::load::parse(&text, Path::new("/t/d.toml"), &BTreeMap::new()).unwrap()
}

fn acme() -> TenantId {
    TenantId::parse("acme.com").unwrap()
}

fn mistakes(text: &str) -> String {
    let all = parse(text, file()).map_or_else(|mistakes| mistakes, |_| Vec::new());
    all.iter()
        .map(|m| m.to_string().replace("/t/acme.com/tenant-conf.json", "t"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn ours(text: &str) -> String {
    format!("{{\"Doorward\": {text}}}")
}

#[test]
fn enable_anonymous_is_read_as_wso2_reads_it() {
    for (written, means) in [
        ("{}", None),
        ("{\"EnableAnonymous\": true}", Some(true)),
        ("{\"EnableAnonymous\": false}", Some(false)),
        ("{\"EnableAnonymous\": \"TRUE\"}", Some(true)),
        ("{\"EnableAnonymous\": \"yes\"}", Some(false)),
        ("\u{feff}{\"EnableAnonymous\": false}", Some(false)),
    ] {
        assert_eq!(parse(written, file()).unwrap().anonymous, means, "{written}");
    }
}

#[test]
fn a_tenants_guards_stand_beside_those_of_the_deployment() {
    let settings = settings(
        "[accounts]\nenabled = true\n[[guard]]\nmatch = \"/oauth2/token\"\nuser_in = \"password-grant\"",
    );
    let text = ours(r#"{"guards": [{"match": "POST /login", "user_in": "form", "failed_status": [401]}]}"#);
    let policy = resolve(&settings, &acme(), &parse(&text, file()).unwrap(), 1);
    let patterns: Vec<_> = policy.guards.iter().map(|guard| guard.endpoint.pattern.as_str()).collect();
    assert_eq!(patterns, ["/oauth2/token", "/login"]);
    assert_eq!(policy.guards.iter().map(|guard| guard.is_tenant_defined).collect::<Vec<_>>(), [false, true]);
    // and nothing a tenant writes takes one away
    let none = resolve(&settings, &acme(), &parse(&ours(r#"{"guards": []}"#), file()).unwrap(), 1);
    assert_eq!(none.guards, settings.defaults.guards);
    // without accounts there is no store to count in, and `check` reports it
    let off = self::settings("");
    let messages = without_effect(&off, &parse(&text, file()).unwrap());
    assert!(messages.iter().any(|(_, message, _)| message.starts_with("accounts are off")), "{messages:?}");
    assert!(without_effect(&settings, &parse(&text, file()).unwrap()).is_empty());
    assert!(
        mistakes(&ours(r#"{"guards": [{"match": "/x", "user_in": "form"}]}"#))
            .contains("guards[0]: nothing tells")
    );
    // a client that controls the text of the response could guess without being counted
    for (signs, is_mistaken) in [
        (r#""failed_body": ["Wrong"]"#, true),
        (r#""failed_body": ["Wrong"], "failed_status": [401]"#, true),
        (r#""failed_body": ["Wrong"], "succeeded_redirect": ["/home*"]"#, false),
    ] {
        let text = ours(&format!(r#"{{"guards": [{{"match": "/x", "user_in": "form", {signs}}}]}}"#));
        let messages = parse(&text, file()).map_err(|mistakes| format!("{mistakes:?}"));
        assert_eq!(messages.is_err_and(|messages| messages.contains("a text alone")), is_mistaken, "{signs}");
    }
}

#[test]
fn attack_misspelt_key_leaves_tenant_anonymous() {
    for name in
        ["EnableAnonymus", "enableAnonymous", "ENABLEANONYMOUS", "EnableAnonimous", "Enable-Anonymous"]
    {
        let message = mistakes(&format!("{{\"{name}\": false}}"));
        let expected = format!("t:1:2: {name}: this key has no effect (did you mean `EnableAnonymous`?)");
        assert_eq!(message, expected);
    }
    for name in ["EnableMonetization", "EnableRecommendation", "Anonymous", "EnableAll", "AnonymousUsers"] {
        assert_eq!(mistakes(&format!("{{\"{name}\": false}}")), "", "{name} is WSO2's business");
    }
}

#[test]
fn wso2s_own_keys_are_wso2s_business() {
    let text = r#"{
        "EnableMonetization": false, "IsUnlimitedTierPaid": null, "Meta": {"Migration": {"a": [1, {"b": null}]}},
        "RESTAPIScopes": {"Scope": [{"Name": "apim:subscribe", "Roles": "Internal/subscriber"}]},
        "DefaultRoles": {}, "DefaultRoles": {"again": 1}, "doorward": 5
    }"#;
    assert_eq!(mistakes(text), "");
}

#[test]
fn mistakes_have_a_place() {
    insta::assert_snapshot!(mistakes(r#"{
  "EnableAnonymous": 1,
  "Doorward": {
    "hosts": ["dev.acme.com", "a:80"],
    "colour": "red",
    "routes": [{"match": "/x", "access": "closed"}],
    "branding": {"accent": "yellow"},
    "identity_headers": "oauth2_proxy",
    "sign_in": null
  }
}"#), @r##"
    t:2:22: EnableAnonymous: neither a boolean nor a text (write true or false)
    t:4:31: Doorward.hosts[1]: "a:80" is not a host name (write a host name without port, such as "acme.example.com")
    t:5:5: Doorward.colour: there is no key `colour` here (known here: hosts, issuers, sign_in, routes, guards, cross_tenant, cors_allowed_origins, websocket_origins, forward_token, authorization, identity_headers, session, account_lock, password_policy, governance, branding)
    t:6:42: Doorward.routes[0].access: `closed` is not one of the words known here (known here: open, anonymous, signed-in)
    t:7:28: Doorward.branding.accent: "yellow" is not a colour (write a colour "#rrggbb" with a contrast of at least 4.5 to white)
    t:8:25: Doorward.identity_headers: `oauth2_proxy` is not one of the words known here (did you mean `oauth2-proxy`?)
    t:9:16: Doorward.sign_in: null says nothing (leave the key out)
    "##);
}

#[test]
fn rejects_documents_that_are_not_a_tenant_file() {
    for (text, told) in [
        ("", "t:1:1: not JSON"),
        ("[]", "t: not a JSON object"),
        ("{\"EnableAnonymous\": true,}", "t:1:26: not JSON"),
        ("{\"EnableAnonymous\": null}", "neither a boolean nor a text"),
        ("{\"EnableAnonymous\": [true]}", "neither a boolean nor a text"),
        ("{\"Doorward\": 5}", "write an object"),
    ] {
        let all = mistakes(text);
        assert!(all.contains(told), "{text}: {all}");
    }
    let bomb = format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_BYTES));
    assert!(mistakes(&bomb).contains("larger than 1 MiB"));
    assert!(mistakes(&format!("{{\"a\": {}", "[".repeat(100_000))).contains("nested too deeply"));
}

#[test]
fn attack_duplicate_key_smuggling() {
    for text in [
        "{\"EnableAnonymous\": false, \"EnableAnonymous\": true}",
        "{\"Doorward\": {}, \"Doorward\": {}}",
        "{\"Doorward\": {\"hosts\": [], \"hosts\": []}}",
        "{\"EnableAnonymous\": false, \"Enable\\u0041nonymous\": true}",
    ] {
        assert!(mistakes(text).contains("this key is here twice"), "{text}");
    }
}

#[test]
fn tenant_file_overrides_in_both_directions() {
    for (global, tenant, allowed) in [
        (true, "{}", true),
        (true, "{\"EnableAnonymous\": false}", false),
        (false, "{}", false),
        (false, "{\"EnableAnonymous\": true}", true),
    ] {
        let settings = settings(&format!("[apim.devportal]\nenable_anonymous_mode = {global}"));
        let policy = resolve(&settings, &acme(), &parse(tenant, file()).unwrap(), 1);
        assert_eq!(policy.anonymous, allowed, "{global} {tenant}");
    }
}

#[test]
fn a_tenant_inherits_what_it_does_not_say() {
    let settings = settings(
        "[access]\ncross_tenant = true\ntoken_cookie = \"T\"\ncors_allowed_origins = [\"https://a\"]\n\
         [branding]\nname = \"All\"\naccent = \"#000000\"\n[sign_in]\nurl = \"/global\"",
    );
    let inherits = resolve(&settings, &acme(), &TenantConf::default(), 7);
    assert_eq!(inherits.access.cross_tenant, CrossTenantAccess::AnyTenant);
    assert_eq!(inherits.access.token_cookie.as_deref(), Some("T"));
    assert_eq!(inherits.access.cors_allowed_origins, ["https://a"]);
    assert_eq!((inherits.sign_in.url.as_str(), inherits.generation), ("/global", 7));
    assert_eq!(inherits.header_value.as_ref().unwrap(), "acme.com");
    assert!(Arc::ptr_eq(&inherits.routes, &settings.defaults.route_table));

    let own = ours(
        r#"{"cross_tenant": false, "cors_allowed_origins": [], "hosts": ["Dev.acme.com"],
            "branding": {"name": "Acme"}, "sign_in": {"url": "https://idp/"}, "identity_headers": "none",
            "routes": [{"match": "/x", "access": "open"}]}"#,
    );
    let conf = parse(&own, file()).unwrap();
    let differs = resolve(&settings, &acme(), &conf, 8);
    assert_eq!(conf.hosts, ["dev.acme.com"]);
    assert_eq!(differs.access.cross_tenant, CrossTenantAccess::OwnTenantOnly);
    assert!(differs.access.cors_allowed_origins.is_empty());
    assert_eq!(differs.sign_in.url, "https://idp/");
    assert_eq!(differs.branding.name.as_deref(), Some("Acme"));
    assert_eq!(differs.branding.accent.as_deref(), Some("#000000"));
    assert!(!Arc::ptr_eq(&differs.routes, &settings.defaults.route_table));
}

#[test]
fn attack_session_theft_by_a_tenants_token_cookie() {
    let message = mistakes(&ours("{\"token_cookie\": \"JSESSIONID\"}"));
    assert!(message.contains("there is no key `token_cookie` here"), "{message}");
    let settings = settings("[access]\ntoken_cookie = \"T\"");
    let policy = resolve(&settings, &acme(), &TenantConf::default(), 1);
    assert_eq!(policy.access.token_cookie.as_deref(), Some("T"));
}

#[test]
fn attack_path_traversal_out_of_the_tenants_folder() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("acme.com");
    fs::create_dir_all(folder.join("..data")).unwrap();
    fs::write(root.path().join("outside"), "geheim").unwrap();
    fs::write(folder.join("..data/inside"), "geheim").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root.path().join("outside"), folder.join("leads-out")).unwrap();
        std::os::unix::fs::symlink("..data/inside", folder.join("leads-in")).unwrap();
    }
    let read = |key: &str, path: &str| {
        let secret = if key == "client_secret_file" { "" } else { "\"client_secret\": \"x\", " };
        let (issuer_key, introspection_key) = match key {
            "jwks_file" => (format!(", \"audiences\": [\"a\"], \"jwks_file\": {path:?}"), String::new()),
            _ => (String::new(), format!(", {key:?}: {path:?}")),
        };
        let text = ours(&format!(
            "{{\"issuers\": [{{\"issuer\": \"x\"{issuer_key}, \"introspection\": {{\"url\": \"https://i\", {secret}\
             \"client_id\": \"c\"{introspection_key}}}}}]}}"
        ));
        parse(&text, &folder.join("tenant-conf.json"))
    };
    let absolute = root.path().join("outside").display().to_string();
    for key in ["client_secret_file", "jwks_file", "ca_file"] {
        for path in ["../outside", "a/../../outside", "leads-out", "/etc/passwd", absolute.as_str()] {
            let messages = read(key, path).unwrap_err();
            assert!(
                messages[0].message.contains("outside of the tenant's folder"),
                "{key} {path}: {messages:?}"
            );
        }
        for path in ["..data/inside", "./leads-in"] {
            assert!(read(key, path).is_ok(), "{key} {path}");
        }
    }
}

#[test]
fn closed_policy_ignores_deployment_settings() {
    let problem = Mistake::whole(file(), "unreadable", "");
    let open = settings("[apim.devportal]\nenable_anonymous_mode = true\n[access]\ncross_tenant = true");
    let policy = closed_policy(&open, &acme(), problem.clone(), &TenantOverrides::none(), 3);
    assert!(!policy.anonymous);
    // its file may have accepted fewer tenants
    assert_eq!(policy.access.cross_tenant, CrossTenantAccess::OwnTenantOnly);
    assert_eq!(policy.problem, Some(problem));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text, file());
    }

    #[test]
    fn no_value_makes_it_panic(
        key in prop::sample::select(vec![
            "hosts", "issuers", "sign_in", "routes", "cross_tenant", "branding", "x",
        ]),
        value in prop::sample::select(vec![
            "1", "-1.5", "true", "null", "\"\"", "\"x\"", "[]", "[1]", "[null]", "[[]]", "{}", "[{}]",
            "[{}, 5, {\"issuer\": 5}, {\"match\": \"/\", \"access\": 1}]", "{\"url\": \"{\"}", "1e999", "99999999999999999999",
        ]),
    ) {
        let _ = parse(&ours(&format!("{{\"{key}\": {value}}}")), file());
    }
}

/// The access level of a path under this tenant's policy.
fn access_of(policy: &TenantPolicy, path: &str) -> crate::domain::route::AccessLevel {
    policy.routes.classify("GET", path).access
}

#[test]
fn tenant_rule_overrides_deployment_overrides_profile() {
    use crate::domain::route::AccessLevel::{Anonymous, Open, SignedIn};

    let settings = settings(
        "[[access.route]]\nmatch = \"/a\"\naccess = \"open\"\n[[access.route]]\nmatch = \"/b\"\naccess = \"open\"\n\
         [[access.route]]\nmatch = \"/devportal/site/public/**\"\naccess = \"signed-in\"",
    );
    let conf = ours(r#"{"routes": [{"match": "/a", "access": "signed-in"}]}"#);
    let policy = resolve(&settings, &acme(), &parse(&conf, file()).unwrap(), 1);
    for (path, access) in [
        ("/a", SignedIn),
        ("/b", Open),
        ("/devportal/site/public/x.css", SignedIn),
        ("/devportal/apis", Anonymous),
        ("/elsewhere", SignedIn),
    ] {
        assert_eq!(access_of(&policy, path), access, "{path}");
    }
    let other = resolve(&settings, &acme(), &TenantConf::default(), 1);
    assert_eq!(access_of(&other, "/a"), Open, "another tenant's rules are its own");
}

#[test]
fn no_rule_locks_the_sign_in_page() {
    use crate::domain::route::AccessLevel::{Open, SignedIn};

    let settings = settings(
        "[[access.route]]\nmatch = \"/**\"\naccess = \"signed-in\"\n\
         [[access.route]]\nmatch = \"/enter/*\"\naccess = \"anonymous\"",
    );
    // by name of the method or without
    let conf = ours(
        r#"{"sign_in": {"url": "/enter/{tenant}?to={return_path}"}, "routes": [{"match": "GET /enter/*", "access": "signed-in"},
            {"match": "/enter/*", "access": "signed-in"}]}"#,
    );
    let policy = resolve(&settings, &acme(), &parse(&conf, file()).unwrap(), 1);
    assert_eq!(access_of(&policy, "/enter/acme.com"), Open);
    assert_ne!(access_of(&policy, "/enter"), Open);
    assert_eq!(access_of(&policy, "/devportal/services/configs"), Open);
    // an address elsewhere opens nothing here
    let elsewhere = ours(r#"{"sign_in": {"url": "https://idp/enter"}}"#);
    let settings = self::settings("");
    let policy = resolve(&settings, &acme(), &parse(&elsewhere, file()).unwrap(), 1);
    assert_eq!(access_of(&policy, "/enter"), SignedIn);
}

#[test]
fn attack_a_tenants_rules_open_the_rest_of_the_server() {
    use crate::domain::route::AccessLevel::{Open, SignedIn};

    let settings = settings("[[access.route]]\nmatch = \"POST /devportal/orders\"\naccess = \"signed-in\"");
    let conf = ours(
        r#"{"sign_in": {"url": "/publisher/apis"}, "routes": [
            {"match": "/carbon/**", "access": "open"}, {"match": "/**", "access": "anonymous"},
            {"match": "/scim2/*", "access": "open"}, {"match": "/devportal/orders", "access": "open"},
            {"match": "GET /devportal/terms", "access": "open"}]}"#,
    );
    let conf = parse(&conf, file()).unwrap();
    let policy = resolve(&settings, &acme(), &conf, 1);
    for path in ["/carbon/admin", "/publisher/apis", "/scim2/Users", "/console", "/api/am/publisher/v4/apis"]
    {
        assert_eq!(access_of(&policy, path), SignedIn, "{path}");
    }
    assert_eq!(policy.routes.classify("POST", "/devportal/orders").access, SignedIn);
    // what is not kept for users it may open
    assert_eq!(access_of(&policy, "/devportal/orders"), Open);
    assert_eq!(access_of(&policy, "/devportal/terms"), Open);
    let message: Vec<_> =
        without_effect(&settings, &conf).into_iter().map(|(key, ..)| key.to_string()).collect();
    assert_eq!(
        message,
        [
            "Doorward.routes[0].access",
            "Doorward.routes[1].access",
            "Doorward.routes[2].access",
            "Doorward.sign_in.url"
        ]
    );
}

/// One tenant has accounts, the others the sign-in that deployment.toml names.
#[test]
fn tenant_may_use_own_sign_in_page_if_accounts_are_enabled() {
    let url = "/.doorward/sign-in?tenant={tenant}&to={return_path}";
    let conf = parse(&ours(&format!(r#"{{"sign_in": {{"url": "{url}"}}}}"#)), file()).unwrap();
    let accounts = |on: bool| {
        settings(&format!(
            "[accounts]\nenabled = {on}\n[sign_in]\nurl = \"/devportal/services/configs?tenant={{tenant}}\""
        ))
    };
    assert_eq!(without_effect(&accounts(true), &conf), []);
    let messages = without_effect(&accounts(false), &conf);
    assert!(
        messages.len() == 1
            && messages[0].1.contains("accounts are off")
            && messages[0].2.contains("[accounts]"),
        "{messages:?}"
    );
}
