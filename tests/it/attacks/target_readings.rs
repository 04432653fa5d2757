//! Another reading of a target: own addresses, tenants, upstreams and WebSockets in a spelling that the portal may read otherwise.

use serde_json::json;

use crate::{
    proxying::request_targets::generic,
    support::{Portal, Reply, TestProxy},
};

/// A rule without upgrades in one reading of the path, and one with WebSockets in another.
#[test]
fn attack_websocket_by_another_reading_of_the_path() {
    let portal = Portal::replying(Reply::upgrade_echo()).start();
    let proxy = generic(&portal, &[("/**", "open")])
        .websockets_at("/ws/**")
        .route(json!({"match": "/quiet/**", "access": "open", "upgrade": false}))
        .start();
    let upgrade = |path: &str| proxy.get(path).upgrade().0.first;
    for path in ["/ws/a", "/ws/a%20b", "/ws/a;x=1/b"] {
        assert!(upgrade(path).contains("101"), "{path}");
    }
    portal.clear_received();
    for path in ["/ws/../quiet/a", "/ws/..;/quiet", "/ws/..%2fquiet", "/ws%2f..%2fquiet", "//ws/quiet/a"] {
        assert!(!upgrade(path).contains("101"), "{path}");
    }
    assert!(portal.received_nothing());
}

#[test]
fn attack_own_address_in_another_spelling() {
    let portal = Portal::answering("").start();
    let proxy = generic(&portal, &[("/**", "open")]).start();
    for target in [
        "/%2edoorward/sign-in",
        "//.doorward/sign-in",
        "/x/../.doorward/sign-in",
        "/x/..%2f.doorward/assets/x",
        "/.doorward;x/sign-in",
        "/.doorward%2fsign-in",
        "/x/%ef%bc%8e%ef%bc%8e/.doorward/sign-in",
        "/x/%c0%ae%c0%ae/.doorward/sign-in",
        "/x/\u{ff0e}\u{ff0e}/.doorward/sign-in",
        "/index.php/.doorward/sign-in",
        "/%ef%bc%8e%ef%bc%8e/x",
        "/%c0%ae%c0%ae/x",
        "/.doorward/../x",
        "/.doorward/%2e%2e/x",
        "/.doorward/a%2fb",
        "/.doorward/assets/..%2f..%2fx",
        "/.doorward/assets/a;b",
        "/.doorward//x",
    ] {
        assert_eq!(proxy.get(target).send().status, 400, "{target}");
    }
    assert!(portal.received_nothing());
}

/// The tenant of a path decides the policy; the portal must not find another one there.
#[test]
fn attack_another_tenant_in_a_reading_of_the_path() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .tenant("open.com", &json!({"EnableAnonymous": true}))
        .tenant("closed.com", &json!({"EnableAnonymous": false}))
        .start();
    for target in [
        "/t/open.com/../closed.com/oauth2/x",
        "/t/open.com/..%2fclosed.com/oauth2/x",
        "/t/open.com%2f..%2fclosed.com/oauth2/x",
        "/t/open.com/..;/closed.com/oauth2/x",
        "/t//closed.com/oauth2/x",
        "//t/closed.com/oauth2/x",
        "/t%2fclosed.com/oauth2/x",
        "/devportal/..%2ft/closed.com/x",
        "/devportal/../t/closed.com/x",
        "/devportal/%ef%bc%8e%ef%bc%8e/t/closed.com/x",
        "/t/closed.com;x/oauth2/x",
        "/t/closed%2ecom/oauth2/x",
        "/t/../devportal/apis",
    ] {
        let status = proxy.get(target).api_client().send().status;
        assert_eq!(status, 400, "{target}");
    }
    assert!(portal.received_nothing());
    // the same tenant in every reading
    let answer = proxy.get("/t/closed.com/oauth2/a;b/c%2Fd").api_client().send();
    assert_eq!(
        (answer.status, portal.last_request().target.as_str()),
        (200, "/t/closed.com/oauth2/a;b/c%2Fd")
    );
}

#[test]
fn attack_another_upstream_in_a_reading_of_the_path() {
    let (web, api) = (Portal::answering("web").start(), Portal::answering("api").start());
    let upstreams = json!([{"path": "/", "url": web.url()}, {"path": "/api", "url": api.url()}]);
    let proxy = generic(&web, &[("/**", "open")]).setting("portal.upstream", upstreams).start();
    for target in ["/api/../internal", "/api/..;/internal", "/api%2fx", "//api/x", "/x/..%2fapi", "/%61pi"] {
        assert_eq!(proxy.get(target).send().status, 400, "{target}");
    }
    assert!(web.received_nothing() && api.received_nothing());
    for (target, from) in [("/api/a%2Fb/..;x", "api"), ("/a%2Fb;x", "web"), ("/api/%2e%2e/api/x", "api")] {
        assert_eq!(proxy.get(target).send().text(), from, "{target}");
    }
}
