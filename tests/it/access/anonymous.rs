//! Anonymous mode: which pages an anonymous request may read.

use serde_json::json;

use crate::support::{Idp, Portal, Reply, TestProxy};

const SIGN_IN: &str = "https://sign-in.test/login?tenant={tenant}&back={return_url}";

/// WSO2's truth table, once for the pages and once for the API: both must always agree.
#[test]
fn tenant_setting_overrides_the_default_in_both_directions() {
    for (global, tenant, open) in [
        (true, json!({}), true),
        (true, json!({"EnableAnonymous": false}), false),
        (true, json!({"EnableAnonymous": true}), true),
        (false, json!({}), false),
        (false, json!({"EnableAnonymous": true}), true),
        (false, json!({"EnableAnonymous": "TRUE"}), true),
        (true, json!({"EnableAnonymous": "no"}), false),
        (false, json!({"EnableAnonymous": false}), false),
        (true, json!({"EnableMonetization": false, "IsUnlimitedTierPaid": true}), true),
    ] {
        let portal = Portal::answering("catalogue").start();
        let proxy = TestProxy::in_front_of(&portal)
            .anonymous(global)
            .tenant("acme.com", &tenant)
            .sign_in(SIGN_IN)
            .start();
        let page = proxy.get("/devportal/apis?tenant=acme.com").browser().send();
        let api = proxy.get("/api/am/devportal/v3/apis").tenant("acme.com").api_client().send();
        let expected = if open { (200, 200) } else { (302, 401) };
        assert_eq!((page.status, api.status), expected, "global {global}, tenant {tenant}");
        assert_eq!(portal.received_nothing(), !open);
    }
}

#[test]
fn redirects_a_browser_to_sign_in_without_forwarding() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal)
        .tenant("acme.com", &json!({"EnableAnonymous": false}))
        .sign_in(SIGN_IN)
        .start();
    let answer = proxy.get("/devportal/apis?tenant=acme.com").host("portal.test").browser().send();
    assert_eq!(
        (answer.status, answer.location()),
        (
            302,
            "https://sign-in.test/login?tenant=acme.com&back=http%3A%2F%2Fportal.test%2Fdevportal%2Fapis%3Ftenant%3Dacme.com"
        )
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(portal.received_nothing());
}

#[test]
fn api_client_gets_401_with_the_body_of_its_api() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).start();
    for version in ["v1", "v2", "v3"] {
        let answer = proxy.get(&format!("/api/am/devportal/{version}/apis")).api_client().send();
        assert!(answer.header("www-authenticate").is_some_and(|v| v.starts_with("Bearer")));
        assert_eq!((answer.status, answer.header("content-type")), (401, Some("application/json")));
        let body =
            r#"{"code":401,"message":"","description":"Unauthenticated request","moreInfo":"","error":[]}"#;
        assert_eq!(answer.text(), body);
    }
    assert!(portal.received_nothing());
}

#[test]
fn a_script_in_a_page_gets_401_and_never_a_redirect() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).sign_in(SIGN_IN).start();
    for target in ["/devportal/apis", "/api/am/devportal/v3/apis"] {
        assert_eq!(proxy.get(target).xhr().send().status, 401, "{target}");
    }
    let (head, _) = proxy.get("/devportal/apis").upgrade();
    assert!(head.first.contains("401"), "{}", head.first);
    assert!(portal.received_nothing());
}

#[test]
fn a_refusal_can_be_read_by_scripts_of_allowed_origins_only() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .tenant(
            "acme.com",
            &json!({"EnableAnonymous": false, "Doorward": {"cors_allowed_origins": ["https://app.test"]}}),
        )
        .start();
    let from = |origin: &str| {
        let ask = proxy.get("/api/am/devportal/v3/apis").tenant("acme.com").xhr().header("origin", origin);
        ask.send().header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(from("https://app.test").as_deref(), Some("https://app.test"));
    for foreign_origin in ["https://app.test.evil.test", "http://app.test", "null", "https://xapp.test"] {
        assert_eq!(from(foreign_origin), None, "{foreign_origin}");
    }
}

#[test]
fn sign_in_resources_stay_open_in_a_closed_tenant() {
    for target in [
        "/devportal/site/public/locales/en.json",
        "/devportal/site/public/theme/defaultTheme.js",
        "/devportal/services/settings/settings.js",
        "/devportal/services/configs",
        "/devportal/services/auth/callback/login?code=1",
        "/devportal/services/auth/callback/logout",
        "/devportal/services/logout",
        "/oauth2/authorize?client_id=x",
        "/oidc/logout",
        "/commonauth",
        "/authenticationendpoint/login.do",
        "/accountrecoveryendpoint/recoveraccountrouter.do",
        "/logincontext",
        "/api/am/devportal/v3/settings",
        "/api/am/devportal/v3/tenants?state=active",
        "/api/am/devportal/v3/swagger.yaml",
    ] {
        let portal = Portal::answering("{}").start();
        let proxy = TestProxy::in_front_of(&portal).anonymous(false).sign_in(SIGN_IN).start();
        assert_eq!(proxy.get(target).browser().send().status, 200, "{target}");
        assert_eq!(portal.only_request().path(), target.split('?').next().unwrap());
    }
}

#[test]
fn anonymous_mode_allows_only_reads_of_listed_paths() {
    let portal = Portal::answering("[]").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(true).start();
    for (method, target, status) in [
        ("GET", "/apis", 200),
        ("HEAD", "/apis", 200),
        ("GET", "/apis/42/documents/7/content", 200),
        ("GET", "/apis/42/thumbnail", 200),
        ("GET", "/search?query=x", 200),
        ("GET", "/tags", 200),
        ("POST", "/apis/42/comments", 401),
        ("DELETE", "/apis/42/comments/1", 401),
        ("GET", "/applications", 401),
        ("GET", "/subscriptions", 401),
        ("GET", "/unknown-path", 401),
    ] {
        let target = format!("/api/am/devportal/v3{target}");
        assert_eq!(proxy.request(method, &target).api_client().send().status, status, "{method} {target}");
    }
}

#[test]
fn a_token_is_checked_even_where_none_is_needed() {
    let (portal, idp) = (Portal::answering("[]").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).anonymous(true).issuer(&idp).start();
    let apis = "/api/am/devportal/v3/apis";
    assert_eq!(proxy.get(apis).bearer("not.a.token").api_client().send().status, 401);
    assert_eq!(proxy.get(apis).bearer(&idp.token().sign()).api_client().send().status, 200);
    assert_eq!(portal.received().len(), 1);
}

#[test]
fn settings_response_shows_the_enforced_anonymous_mode() {
    let says = json!({"IsAnonymousModeEnabled": true, "grantTypes": ["password"]});
    let portal = Portal::replying(Reply::json(&says)).start();
    let proxy = TestProxy::in_front_of(&portal)
        .tenant("open.com", &json!({"EnableAnonymous": true}))
        .tenant("closed.com", &json!({"EnableAnonymous": false}))
        .start();
    for (tenant, anonymous) in [("open.com", true), ("closed.com", false)] {
        let answer = proxy.get("/api/am/devportal/v3/settings").tenant(tenant).api_client().send().json();
        assert_eq!(
            answer,
            json!({"IsAnonymousModeEnabled": anonymous, "grantTypes": ["password"]}),
            "{tenant}"
        );
    }
}

#[test]
fn an_unreadable_tenant_file_never_means_anonymous() {
    for text in [
        "",
        "{",
        "[]",
        "{\"EnableAnonymous\": tru",
        "\u{0}",
        "{\"Doorward\": {\"no_such_key\": 1}}",
        "{\"EnableAnonymus\": false}",
    ] {
        let portal = Portal::answering("secret").start();
        let proxy = TestProxy::in_front_of(&portal).anonymous(true).tenant_text("acme.com", text).start();
        assert!(!proxy.allows_anonymous("acme.com"), "{text:?}");
        assert!(portal.received_nothing());
    }
}

#[test]
fn redirect_loop_ends_after_three_redirects() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).sign_in(SIGN_IN).start();
    let mut jar = crate::support::Jar::default();
    let statuses: Vec<u16> =
        (0..4).map(|_| proxy.get("/devportal/apis").browser().with_jar(&mut jar).send().status).collect();
    assert_eq!(statuses, [302, 302, 302, 401]);
}

#[test]
fn tabs_and_first_visits_of_others_are_no_redirect_loop() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).sign_in(SIGN_IN).start();
    let mut jar = crate::support::Jar::default();
    for number in 0..12 {
        let page = format!("/devportal/apis/{number}");
        assert_eq!(proxy.get(&page).browser().with_jar(&mut jar).send().status, 302, "{page}");
        assert_eq!(proxy.get("/devportal/apis").browser().send().status, 302, "without cookies");
    }
}
