//! What users of other portals complained about, one test each, named by its number in our list and by the thread,
//! so that nobody has to file it against us. Number 19 (sign-up switch) belongs to accounts and comes with them.

use serde_json::json;

use crate::support::{Edit, Gate, Idp, Portal, Reply, eventually, eventually::within, gate::FLIP};

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

#[test]
fn c01_product_apim_9722_anonymous_off_closes_the_rest_api_too() {
    let portal = Portal::answering("[]").start();
    let gate = Gate::before(&portal).anonymous(false).start();
    for path in
        ["/apis", "/apis/1", "/api-products", "/search", "/tags", "/apis/1/swagger", "/api-categories"]
    {
        assert_eq!(
            gate.get(&format!("/api/am/devportal/v3{path}")).api_client().send().status,
            401,
            "{path}"
        );
    }
    assert!(portal.saw_nothing());
}

#[test]
fn c02_product_apim_11082_pages_and_api_agree_for_every_tenant() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal)
        .anonymous(true)
        .tenant("open.com", &open())
        .tenant("closed.com", &closed())
        .tenant("inheriting.com", &json!({}))
        .sign_in(SIGN_IN)
        .start();
    for (tenant, lets_in) in [("open.com", true), ("closed.com", false), ("inheriting.com", true)] {
        let page = gate.get(&format!("/devportal/apis?tenant={tenant}")).browser().send().status == 200;
        assert_eq!((page, gate.lets_strangers_in(tenant)), (lets_in, lets_in), "{tenant}");
    }
}

#[test]
fn c03_product_apim_7722_one_switch_closes_the_portal() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).setting("apim.devportal.enable_anonymous_mode", false).start();
    assert!(!gate.lets_strangers_in("carbon.super"));
}

#[test]
fn c04_docs_apim_3643_the_switch_and_its_precedence_are_documented() {
    let readme = include_str!("../../README.md");
    for word in ["enable_anonymous_mode", "EnableAnonymous", "tenant-conf.json"] {
        assert!(readme.contains(word), "README.md says nothing about {word}");
    }
}

#[test]
fn c05_product_apim_8858_a_tenant_is_loaded_when_it_is_first_asked_for() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).anonymous(false).start();
    gate.edit_tenant("late.com", &open());
    assert!(gate.lets_strangers_in("late.com"), "the very first request is let in");
}

#[test]
fn c06_product_apim_10021_a_refresh_keeps_the_tenant() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).tenant("acme.com", &open()).tenant("other.com", &open()).start();
    for _ in 0..3 {
        assert_eq!(gate.get("/devportal/apis?tenant=acme.com").browser().send().status, 200);
    }
    for request in portal.received() {
        assert_eq!(request.all("x-wso2-tenant"), ["acme.com"]);
    }
}

#[test]
fn c07_product_apim_10650_logout_lands_on_the_right_tenant() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).tenant("acme.com", &closed()).sign_in(SIGN_IN).start();
    let target = "/devportal/services/auth/callback/logout?tenant=acme.com&referrer=/devportal/apis";
    assert_eq!(gate.get(target).browser().send().status, 200, "no bouncing to sign-in");
    assert_eq!(
        (portal.only().target.as_str(), portal.only().header("x-wso2-tenant")),
        (target, Some("acme.com"))
    );
}

#[test]
fn c08_product_apim_10655_the_tenant_list_never_comes_at_random() {
    let portal = Portal::answering("the portal").start();
    let gate = Gate::before(&portal).tenant("a.com", &open()).tenant("b.com", &open()).start();
    for turn in 0..10 {
        let named = gate.get("/devportal/apis?tenant=a.com").browser().send();
        assert_eq!(named.text(), "the portal", "turn {turn}: a tenant was chosen");
        let unnamed = gate.get("/devportal/apis").browser().send();
        assert_eq!(unnamed.location(), "/.doorward/tenants?to=%2Fdevportal%2Fapis", "turn {turn}: none was");
    }
}

#[test]
fn c09_api_manager_23_the_deep_link_survives_without_a_referer() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).anonymous(false).sign_in(SIGN_IN).start();
    let answer = gate.get("/devportal/apis/42/docs?page=3&q=a%20b").host("portal.test").browser().send();
    assert_eq!(back(answer.location()), "http://portal.test/devportal/apis/42/docs?page=3&q=a%20b");
}

#[test]
fn c10_api_manager_563_back_to_the_host_the_visitor_came_from() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal)
        .tenant("acme.com", &closed())
        .setting("tenancy.hosts", json!({"apis.acme.test": "acme.com"}))
        .sign_in(SIGN_IN)
        .start();
    let answer = gate.get("/devportal/apis").host("apis.acme.test").browser().send();
    assert!(answer.location().contains("tenant=acme.com"), "{}", answer.location());
    assert_eq!(back(answer.location()), "http://apis.acme.test/devportal/apis");
}

#[test]
fn c11_api_manager_2506_an_unknown_tenant_gets_a_clear_page() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).tenant("acme.com", &open()).start();
    let page = gate.get("/devportal/apis?tenant=nobody.com").browser().send();
    assert!(page.status == 404 && page.text().contains("nobody.com"), "{} {}", page.status, page.text());
    let api = gate.get(APIS).tenant("nobody.com").api_client().send();
    assert_eq!((api.status, api.json()["code"].as_u64()), (404, Some(404)));
    assert!(portal.saw_nothing());
}

#[test]
fn c12_api_manager_5160_redirects_carry_the_tenant() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).tenant("acme.com", &closed()).sign_in(SIGN_IN).start();
    let answer = gate.get("/devportal/home?tenant=acme.com").browser().send();
    assert!(answer.location().starts_with("https://sign-in.test/?tenant=acme.com&"), "{}", answer.location());
    assert!(back(answer.location()).ends_with("/devportal/home?tenant=acme.com"));
}

#[test]
fn c13_api_manager_4269_a_new_host_counts_without_a_restart() {
    let portal = Portal::answering("").start();
    let mut gate = Gate::before(&portal).anonymous(false).tenant("acme.com", &open()).start();
    let status = |gate: &Gate| gate.get(APIS).host("apis.acme.test").api_client().send().status;
    assert_eq!(status(&gate), 401);
    gate.edit_deployment("tenancy.hosts", json!({"apis.acme.test": "acme.com"}));
    eventually(|| status(&gate) == 200);
}

#[test]
fn c14_product_apim_2631_an_edit_is_in_force_within_a_second() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).tenant("acme.com", &open()).start();
    assert!(gate.lets_strangers_in("acme.com"));
    gate.edit_tenant("acme.com", &closed());
    within(FLIP, || !gate.lets_strangers_in("acme.com"));
}

#[test]
fn c15_carbon_apimgt_5629_a_flush_drops_what_is_stale() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).setting("tenancy.watch", "off").tenant("acme.com", &open()).start();
    assert!(gate.lets_strangers_in("acme.com"));
    gate.edit_tenant("acme.com", &closed());
    assert!(gate.lets_strangers_in("acme.com"), "nobody told the gate yet");
    assert!(gate.admin_ask("POST", "/cache/flush").send().status < 300);
    assert!(!gate.lets_strangers_in("acme.com"));
}

#[test]
fn c16_docs_apim_10957_what_no_event_tells_the_ttl_heals() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal)
        .setting("tenancy.watch", "off")
        .setting("tenancy.ttl", "1s")
        .tenant("acme.com", &open())
        .start();
    assert!(gate.lets_strangers_in("acme.com"));
    gate.edit_tenant_by(Edit::InPlace, "acme.com", &closed().to_string());
    eventually(|| !gate.lets_strangers_in("acme.com"));
}

#[test]
fn c17_api_manager_5179_refresh_works_and_an_expired_token_ends_in_a_clean_login() {
    let (portal, idp) = (Portal::replying(Reply::echo_body()).start(), Idp::start());
    let gate = Gate::before(&portal).anonymous(false).issuer(&idp).sign_in(SIGN_IN).start();
    let refresh = gate
        .post("/devportal/services/refresh")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=refresh_token&x=%2B")
        .send();
    assert_eq!((refresh.status, refresh.text().as_str()), (200, "grant_type=refresh_token&x=%2B"));
    assert_eq!(portal.only().header("content-type"), Some("application/x-www-form-urlencoded"));
    let expired = idp.token().expired().sign();
    let api = gate.get(APIS).bearer(&expired).api_client().send();
    assert!(api.header("www-authenticate").is_some_and(|v| v.contains("error=\"invalid_token\"")));
    assert_eq!(gate.get("/devportal/apis").bearer(&expired).browser().send().status, 302);
}

#[test]
fn c18_api_manager_1648_the_portals_new_session_reaches_the_browser() {
    let reply = Reply::text("").header("set-cookie", "JSESSIONID=new; HttpOnly").header("set-cookie", "b=2");
    let portal = Portal::replying(reply).start();
    let gate = Gate::before(&portal).start();
    let answer = gate.get("/devportal/services/auth/callback/login?code=1").browser().send();
    assert_eq!(answer.all("set-cookie"), ["JSESSIONID=new; HttpOnly", "b=2"]);
}

#[test]
fn c20_api_manager_2344_the_tenant_may_be_written_in_any_case() {
    for target in ["?tenant=acme.com", "?tenant=ACME.com", "?Tenant=acme.com", "?TENANT=Acme.Com"] {
        let portal = Portal::answering("").start();
        let gate = Gate::before(&portal).anonymous(false).tenant("acme.com", &open()).start();
        assert_eq!(gate.get(&format!("/devportal/apis{target}")).browser().send().status, 200, "{target}");
        assert_eq!(portal.only().all("x-wso2-tenant"), ["acme.com"]);
    }
}
