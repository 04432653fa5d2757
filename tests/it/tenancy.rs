//! Whose portal is this? And nobody picks a laxer tenant's rule.

use serde_json::json;

use crate::support::{Gate, Idp, Portal, gate::GateBuilder};

const APIS: &str = "/api/am/devportal/v3/apis";

fn open_and_closed(portal: &Portal) -> GateBuilder {
    Gate::before(portal)
        .tenant("open.com", &json!({"EnableAnonymous": true}))
        .tenant("closed.com", &json!({"EnableAnonymous": false}))
}

#[test]
fn a_tenant_is_named_by_host_path_query_or_header() {
    let portal = Portal::answering("").start();
    let gate = open_and_closed(&portal)
        .anonymous(false)
        .setting("tenancy.hosts", json!({"open.test": "open.com"}))
        .start();
    let named = [
        gate.get(APIS).host("open.test"),
        gate.get(APIS).host("OPEN.test:8443"),
        gate.get(&format!("{APIS}?tenant=open.com")),
        gate.get(APIS).header("X-WSO2-Tenant", "open.com"),
        gate.get(&format!("{APIS}?X-WSO2-Tenant-Q=open.com")),
        gate.get("/t/open.com/oauth2/token"),
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
    let gate =
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
        let mut ask = gate.get(&format!("{APIS}{target}")).host(host).api_client();
        if let Some(tenant) = header {
            ask = ask.tenant(tenant);
        }
        assert_eq!(ask.send().status, 400, "{host} {target} {header:?}");
    }
    let twice = gate.get(APIS).tenant("open.com").header("x_wso2_tenant", "closed.com").api_client().send();
    assert!(twice.status == 400 || portal.last().folded("x-wso2-tenant") == ["open.com"]);
    let repeated = gate.get(APIS).tenant("open.com").tenant("closed.com").api_client().send();
    assert_eq!(repeated.status, 400);
    // and the caller is told where the two names stand
    let told = gate.get("/t/closed.com/oauth2/token?tenant=open.com").api_client().send().text();
    assert!(told.contains("closed.com (path) and open.com (query)"), "{told}");
    let page = gate.get("/devportal/apis?tenant=open.com").host("closed.test").browser().send().text();
    assert!(page.contains("Its host name says “closed.com”, its query says “open.com”."), "{page}");
}

#[test]
fn attack_a_tenant_takes_the_portals_host() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal)
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
    let status = |host| gate.get(APIS).host(host).api_client().send().status;
    // all claims are known once this one counts
    crate::support::eventually::eventually(|| status("own.mallory.test") == 200);
    for host in ["portal.test", "www.else.test"] {
        assert_eq!(status(host), 401, "{host}");
    }
}

#[test]
fn attack_a_tenant_that_is_a_path() {
    let portal = Portal::answering("").start();
    let gate = open_and_closed(&portal).start();
    for tenant in
        ["../open.com", "open.com/../closed.com", "..", "open.com%00", "%2e%2e/etc", "open.com;a", "a b"]
    {
        let status = gate.get(APIS).tenant(tenant).api_client().send().status;
        assert!(matches!(status, 400 | 404), "{tenant}: {status}");
    }
    assert!(portal.saw_nothing());
}

#[test]
fn a_user_of_another_tenant_is_a_stranger_unless_welcomed() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let mut issuer = crate::support::configuration::issuer(&idp);
    issuer["tenant_claim"] = json!("tenant");
    let gate = open_and_closed(&portal)
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
        let answer = gate.get(APIS).tenant(portal_of).bearer(&token(user_of)).api_client().send();
        assert_eq!(answer.status, status, "a user of {user_of} at {portal_of}");
    }
}

#[test]
fn a_page_to_choose_a_tenant_where_none_is_named() {
    let portal = Portal::answering("").start();
    let gate = open_and_closed(&portal).start();
    let choice = gate.get("/devportal/").browser().send();
    assert_eq!(choice.location(), "/.doorward/tenants?to=%2Fdevportal%2F");
    let page = gate.get(choice.location()).browser().send();
    assert_eq!((page.status, portal.saw_nothing()), (200, true));
    assert!(page.header("content-type").is_some_and(|t| t.starts_with("text/html")));
    for tenant in ["open.com", "closed.com"] {
        assert!(page.text().contains(&format!("tenant={tenant}")), "{}", page.text());
    }
    let found = gate.get("/.doorward/tenants?q=open").browser().send().text();
    assert!(found.contains("tenant=open.com"), "{found}");
}

#[test]
fn a_single_tenant_needs_no_choice() {
    let portal = Portal::answering("the portal").start();
    let gate = Gate::before(&portal).start();
    assert_eq!(gate.get("/devportal/").browser().send().text(), "the portal");
    assert_eq!(portal.only().all("x-wso2-tenant"), ["carbon.super"]);
}

/// A trusted proxy that passes a client's `X-Forwarded-Host` on: the portal goes by `Host`, so both must mean one tenant.
#[test]
fn attack_tenant_shopping_by_forwarded_host() {
    let portal = Portal::answering("").start();
    let gate = open_and_closed(&portal)
        .trusting("127.0.0.0/8")
        .setting("tenancy.hosts", json!({"open.test": "open.com", "closed.test": "closed.com"}))
        .start();
    let answer =
        gate.get(APIS).host("closed.test").header("x-forwarded-host", "open.test").api_client().send();
    assert_eq!((answer.status, portal.saw_nothing()), (400, true));
}
