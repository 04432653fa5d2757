//! Faults that users of other portals reported, one test each; its doc comment names the issue on GitHub.

use serde_json::json;

use crate::support::{
    Edit, Idp, Portal, Reply, TestProxy, eventually, eventually::within, proxy::RELOAD_LIMIT,
};

const SIGN_IN: &str = "https://sign-in.test/?tenant={tenant}&back={return_url}";
const APIS: &str = "/api/am/devportal/v3/apis";

fn closed() -> serde_json::Value {
    json!({"EnableAnonymous": false})
}

fn open() -> serde_json::Value {
    json!({"EnableAnonymous": true})
}

/// The address that the sign-in service is asked to send the browser back to.
fn back(location: &str) -> String {
    let url = url::Url::parse(location).unwrap();
    url.query_pairs().find(|(name, _)| name == "back").expect("a return address").1.into_owned()
}

/// wso2/product-apim#9722
#[test]
fn anonymous_off_closes_the_rest_api_too() {
    let portal = Portal::answering("[]").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).start();
    for path in
        ["/apis", "/apis/1", "/api-products", "/search", "/tags", "/apis/1/swagger", "/api-categories"]
    {
        assert_eq!(
            proxy.get(&format!("/api/am/devportal/v3{path}")).api_client().send().status,
            401,
            "{path}"
        );
    }
    assert!(portal.received_nothing());
}

/// wso2/product-apim#11082
#[test]
fn pages_and_api_agree_for_every_tenant() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .anonymous(true)
        .tenant("open.com", &open())
        .tenant("closed.com", &closed())
        .tenant("inheriting.com", &json!({}))
        .sign_in(SIGN_IN)
        .start();
    for (tenant, lets_in) in [("open.com", true), ("closed.com", false), ("inheriting.com", true)] {
        let page = proxy.get(&format!("/devportal/apis?tenant={tenant}")).browser().send().status == 200;
        assert_eq!((page, proxy.allows_anonymous(tenant)), (lets_in, lets_in), "{tenant}");
    }
}

/// wso2/product-apim#7722
#[test]
fn one_switch_closes_the_portal() {
    let portal = Portal::answering("").start();
    let proxy =
        TestProxy::in_front_of(&portal).setting("apim.devportal.enable_anonymous_mode", false).start();
    assert!(!proxy.allows_anonymous("carbon.super"));
}

/// wso2/docs-apim#3643
#[test]
fn anonymous_switch_and_precedence_are_documented() {
    let readme = include_str!("../../../README.md");
    for word in ["enable_anonymous_mode", "EnableAnonymous", "tenant-conf.json"] {
        assert!(readme.contains(word), "README.md says nothing about {word}");
    }
}

/// wso2/product-apim#8858
#[test]
fn tenant_is_loaded_on_its_first_request() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).start();
    proxy.edit_tenant("late.com", &open());
    assert!(proxy.allows_anonymous("late.com"), "the very first request is let in");
}

/// wso2/product-apim#10021
#[test]
fn page_refresh_keeps_the_tenant() {
    let portal = Portal::answering("").start();
    let proxy =
        TestProxy::in_front_of(&portal).tenant("acme.com", &open()).tenant("other.com", &open()).start();
    for _ in 0..3 {
        assert_eq!(proxy.get("/devportal/apis?tenant=acme.com").browser().send().status, 200);
    }
    for request in portal.received() {
        assert_eq!(request.all("x-wso2-tenant"), ["acme.com"]);
    }
}

/// wso2/product-apim#10650
#[test]
fn logout_lands_on_the_right_tenant() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).tenant("acme.com", &closed()).sign_in(SIGN_IN).start();
    let target = "/devportal/services/auth/callback/logout?tenant=acme.com&referrer=/devportal/apis";
    assert_eq!(proxy.get(target).browser().send().status, 200, "no bouncing to sign-in");
    assert_eq!(
        (portal.only_request().target.as_str(), portal.only_request().header("x-wso2-tenant")),
        (target, Some("acme.com"))
    );
}

/// wso2/product-apim#10655
#[test]
fn tenant_list_appears_only_if_no_tenant_is_named() {
    let portal = Portal::answering("the portal").start();
    let proxy = TestProxy::in_front_of(&portal).tenant("a.com", &open()).tenant("b.com", &open()).start();
    for turn in 0..10 {
        let named = proxy.get("/devportal/apis?tenant=a.com").browser().send();
        assert_eq!(named.text(), "the portal", "turn {turn}: a tenant was chosen");
        let unnamed = proxy.get("/devportal/apis").browser().send();
        assert_eq!(unnamed.location(), "/.doorward/tenants?to=%2Fdevportal%2Fapis", "turn {turn}: none was");
    }
}

/// wso2/api-manager#23
#[test]
fn deep_link_survives_without_a_referer() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).sign_in(SIGN_IN).start();
    let answer = proxy.get("/devportal/apis/42/docs?page=3&q=a%20b").host("portal.test").browser().send();
    assert_eq!(back(answer.location()), "http://portal.test/devportal/apis/42/docs?page=3&q=a%20b");
}

/// wso2/api-manager#563
#[test]
fn return_url_keeps_the_requested_host() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .tenant("acme.com", &closed())
        .setting("tenancy.hosts", json!({"apis.acme.test": "acme.com"}))
        .sign_in(SIGN_IN)
        .start();
    let answer = proxy.get("/devportal/apis").host("apis.acme.test").browser().send();
    assert!(answer.location().contains("tenant=acme.com"), "{}", answer.location());
    assert_eq!(back(answer.location()), "http://apis.acme.test/devportal/apis");
}

/// wso2/api-manager#2506
#[test]
fn unknown_tenant_gets_a_clear_page() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).tenant("acme.com", &open()).start();
    let page = proxy.get("/devportal/apis?tenant=unknown.com").browser().send();
    assert!(page.status == 404 && page.text().contains("unknown.com"), "{} {}", page.status, page.text());
    let api = proxy.get(APIS).tenant("unknown.com").api_client().send();
    assert_eq!((api.status, api.json()["code"].as_u64()), (404, Some(404)));
    assert!(portal.received_nothing());
}

/// wso2/api-manager#5160
#[test]
fn redirects_carry_the_tenant() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).tenant("acme.com", &closed()).sign_in(SIGN_IN).start();
    let answer = proxy.get("/devportal/home?tenant=acme.com").browser().send();
    assert!(answer.location().starts_with("https://sign-in.test/?tenant=acme.com&"), "{}", answer.location());
    assert!(back(answer.location()).ends_with("/devportal/home?tenant=acme.com"));
}

/// wso2/api-manager#4269
#[test]
fn new_host_applies_without_a_restart() {
    let portal = Portal::answering("").start();
    let mut proxy = TestProxy::in_front_of(&portal).anonymous(false).tenant("acme.com", &open()).start();
    let status = |proxy: &TestProxy| proxy.get(APIS).host("apis.acme.test").api_client().send().status;
    assert_eq!(status(&proxy), 401);
    proxy.edit_deployment("tenancy.hosts", json!({"apis.acme.test": "acme.com"}));
    eventually(|| status(&proxy) == 200);
}

/// wso2/product-apim#2631
#[test]
fn tenant_edit_is_in_force_within_a_second() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).tenant("acme.com", &open()).start();
    assert!(proxy.allows_anonymous("acme.com"));
    proxy.edit_tenant("acme.com", &closed());
    within(RELOAD_LIMIT, || !proxy.allows_anonymous("acme.com"));
}

/// wso2/carbon-apimgt#5629
#[test]
fn flush_drops_stale_policies() {
    let portal = Portal::answering("").start();
    let proxy =
        TestProxy::in_front_of(&portal).setting("tenancy.watch", "off").tenant("acme.com", &open()).start();
    assert!(proxy.allows_anonymous("acme.com"));
    proxy.edit_tenant("acme.com", &closed());
    assert!(proxy.allows_anonymous("acme.com"), "the proxy has not reloaded yet");
    assert!(proxy.admin_request("POST", "/cache/flush").send().status < 300);
    assert!(!proxy.allows_anonymous("acme.com"));
}

/// wso2/docs-apim#10957
#[test]
fn ttl_heals_a_lost_file_event() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .setting("tenancy.watch", "off")
        .setting("tenancy.ttl", "1s")
        .tenant("acme.com", &open())
        .start();
    assert!(proxy.allows_anonymous("acme.com"));
    proxy.edit_tenant_by(Edit::InPlace, "acme.com", &closed().to_string());
    eventually(|| !proxy.allows_anonymous("acme.com"));
}

/// wso2/api-manager#5179
#[test]
fn refresh_works_and_an_expired_token_redirects_to_login() {
    let (portal, idp) = (Portal::replying(Reply::echo_body()).start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).issuer(&idp).sign_in(SIGN_IN).start();
    let refresh = proxy
        .post("/devportal/services/refresh")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=refresh_token&x=%2B")
        .send();
    assert_eq!((refresh.status, refresh.text().as_str()), (200, "grant_type=refresh_token&x=%2B"));
    assert_eq!(portal.only_request().header("content-type"), Some("application/x-www-form-urlencoded"));
    let expired = idp.token().expired().sign();
    let api = proxy.get(APIS).bearer(&expired).api_client().send();
    assert!(api.header("www-authenticate").is_some_and(|v| v.contains("error=\"invalid_token\"")));
    assert_eq!(proxy.get("/devportal/apis").bearer(&expired).browser().send().status, 302);
}

/// wso2/api-manager#1648
#[test]
fn portals_new_session_cookie_reaches_the_browser() {
    let reply = Reply::text("").header("set-cookie", "JSESSIONID=new; HttpOnly").header("set-cookie", "b=2");
    let portal = Portal::replying(reply).start();
    let proxy = TestProxy::in_front_of(&portal).start();
    let answer = proxy.get("/devportal/services/auth/callback/login?code=1").browser().send();
    assert_eq!(answer.all("set-cookie"), ["JSESSIONID=new; HttpOnly", "b=2"]);
}

/// wso2/api-manager#2344
#[test]
fn tenant_name_is_case_insensitive() {
    for target in ["?tenant=acme.com", "?tenant=ACME.com", "?Tenant=acme.com", "?TENANT=Acme.Com"] {
        let portal = Portal::answering("").start();
        let proxy = TestProxy::in_front_of(&portal).anonymous(false).tenant("acme.com", &open()).start();
        assert_eq!(proxy.get(&format!("/devportal/apis{target}")).browser().send().status, 200, "{target}");
        assert_eq!(portal.only_request().all("x-wso2-tenant"), ["acme.com"]);
    }
}
