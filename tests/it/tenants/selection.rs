//! Which tenant a request belongs to; no request is decided by the rules of a less strict tenant.

use serde_json::json;

use crate::support::{Idp, Portal, TestProxy, proxy::TestProxyBuilder};

const APIS: &str = "/api/am/devportal/v3/apis";

fn open_and_closed(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal)
        .tenant("open.com", &json!({"EnableAnonymous": true}))
        .tenant("closed.com", &json!({"EnableAnonymous": false}))
}

#[test]
fn a_tenant_is_named_by_host_path_query_or_header() {
    let portal = Portal::answering("").start();
    let proxy = open_and_closed(&portal)
        .anonymous(false)
        .setting("tenancy.hosts", json!({"open.test": "open.com"}))
        .start();
    let named = [
        proxy.get(APIS).host("open.test"),
        proxy.get(APIS).host("OPEN.test:8443"),
        proxy.get(&format!("{APIS}?tenant=open.com")),
        proxy.get(APIS).header("X-WSO2-Tenant", "open.com"),
        proxy.get(&format!("{APIS}?X-WSO2-Tenant-Q=open.com")),
        proxy.get("/t/open.com/oauth2/token"),
    ];
    let count = named.len();
    for ask in named {
        assert_eq!(ask.api_client().send().status, 200);
    }
    let received = portal.received();
    assert_eq!(received.len(), count);
    assert!(received.iter().all(|r| r.all("x-wso2-tenant") == ["open.com"]));
}

#[test]
fn attack_two_tenants_in_one_request() {
    let portal = Portal::answering("").start();
    let proxy =
        open_and_closed(&portal).setting("tenancy.hosts", json!({"closed.test": "closed.com"})).start();
    for (host, target, header) in [
        ("x.test", "?tenant=closed.com", Some("open.com")),
        ("closed.test", "?tenant=open.com", None),
        ("closed.test", "", Some("open.com")),
        ("x.test", "?tenant=open.com&tenant=closed.com", None),
        ("x.test", "?tenant=closed.com&Tenant=open.com", None),
        ("x.test", "?tenan%74=closed.com&tenant=open.com", None),
        ("x.test", "?a;tenant=closed.com", Some("open.com")),
        ("x.test", "?tenant[]=closed.com", Some("open.com")),
        ("x.test", "?%20tenant=closed.com", None),
    ] {
        let mut ask = proxy.get(&format!("{APIS}{target}")).host(host).api_client();
        if let Some(tenant) = header {
            ask = ask.tenant(tenant);
        }
        assert_eq!(ask.send().status, 400, "{host} {target} {header:?}");
    }
    let twice = proxy.get(APIS).tenant("open.com").header("x_wso2_tenant", "closed.com").api_client().send();
    assert!(twice.status == 400 || portal.last_request().folded("x-wso2-tenant") == ["open.com"]);
    let repeated = proxy.get(APIS).tenant("open.com").tenant("closed.com").api_client().send();
    assert_eq!(repeated.status, 400);
    // the answer names both tenants and where each was found
    let message = proxy.get("/t/closed.com/oauth2/token?tenant=open.com").api_client().send().text();
    assert!(message.contains("closed.com (path) and open.com (query)"), "{message}");
    let page = proxy.get("/devportal/apis?tenant=open.com").host("closed.test").browser().send().text();
    assert!(page.contains("Its host name says “closed.com”, its query says “open.com”."), "{page}");
}

#[test]
fn attack_a_tenant_takes_the_portals_host() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .anonymous(false)
        .tenant(
            "mallory.com",
            &json!({
                "EnableAnonymous": true,
                "Doorward": {"hosts": ["portal.test", "www.else.test", "own.mallory.test"]}
            }),
        )
        .setting("server.public_url", json!("https://portal.test"))
        .setting("tenancy.claimable_hosts", json!([".mallory.test", "portal.test"]))
        .setting("tenancy.selection_page", json!(false))
        .start();
    let status = |host| proxy.get(APIS).host(host).api_client().send().status;
    // all claims are known once this one counts
    crate::support::eventually::eventually(|| status("own.mallory.test") == 200);
    for host in ["portal.test", "www.else.test"] {
        assert_eq!(status(host), 401, "{host}");
    }
}

#[test]
fn attack_a_tenant_that_is_a_path() {
    let portal = Portal::answering("").start();
    let proxy = open_and_closed(&portal).start();
    for tenant in
        ["../open.com", "open.com/../closed.com", "..", "open.com%00", "%2e%2e/etc", "open.com;a", "a b"]
    {
        let status = proxy.get(APIS).tenant(tenant).api_client().send().status;
        assert!(matches!(status, 400 | 404), "{tenant}: {status}");
    }
    assert!(portal.received_nothing());
}

#[test]
fn user_of_another_tenant_is_anonymous_unless_allowed() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let mut issuer = crate::support::configuration::issuer(&idp);
    issuer["tenant_claim"] = json!("tenant");
    let proxy = open_and_closed(&portal)
        .tenant(
            "friendly.com",
            &json!({"EnableAnonymous": false, "Doorward": {"cross_tenant": ["other.com"]}}),
        )
        .tenant("other.com", &json!({}))
        .setting("issuer", json!([issuer]))
        .start();
    let token = |tenant: &str| idp.token().claim("tenant", tenant).sign();
    for (portal_of, user_of, status) in [
        ("closed.com", "closed.com", 200),
        ("closed.com", "open.com", 401),
        ("closed.com", "other.com", 401),
        ("friendly.com", "other.com", 200),
        ("friendly.com", "open.com", 401),
    ] {
        let answer = proxy.get(APIS).tenant(portal_of).bearer(&token(user_of)).api_client().send();
        assert_eq!(answer.status, status, "a user of {user_of} at {portal_of}");
    }
}

#[test]
fn selection_page_appears_if_no_tenant_is_named() {
    let portal = Portal::answering("").start();
    let proxy = open_and_closed(&portal).start();
    let choice = proxy.get("/devportal/").browser().send();
    assert_eq!(choice.location(), "/.doorward/tenants?to=%2Fdevportal%2F");
    let page = proxy.get(choice.location()).browser().send();
    assert_eq!((page.status, portal.received_nothing()), (200, true));
    assert!(page.header("content-type").is_some_and(|t| t.starts_with("text/html")));
    for tenant in ["open.com", "closed.com"] {
        assert!(page.text().contains(&format!("tenant={tenant}")), "{}", page.text());
    }
    let found = proxy.get("/.doorward/tenants?q=open").browser().send().text();
    assert!(found.contains("tenant=open.com"), "{found}");
}

#[test]
fn single_tenant_needs_no_selection() {
    let portal = Portal::answering("the portal").start();
    let proxy = TestProxy::in_front_of(&portal).start();
    assert_eq!(proxy.get("/devportal/").browser().send().text(), "the portal");
    assert_eq!(portal.only_request().all("x-wso2-tenant"), ["carbon.super"]);
}

/// A trusted proxy that passes a client's `X-Forwarded-Host` on: the portal goes by `Host`, so both must mean one tenant.
#[test]
fn attack_tenant_shopping_by_forwarded_host() {
    let portal = Portal::answering("").start();
    let proxy = open_and_closed(&portal)
        .trusting("127.0.0.0/8")
        .setting("tenancy.hosts", json!({"open.test": "open.com", "closed.test": "closed.com"}))
        .start();
    let answer =
        proxy.get(APIS).host("closed.test").header("x-forwarded-host", "open.test").api_client().send();
    assert_eq!((answer.status, portal.received_nothing()), (400, true));
}
