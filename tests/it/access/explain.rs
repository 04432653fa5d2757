//! `explain` at the private port: the decision about a request, without a request.

use serde_json::json;

use super::session_identity::{COOKIE, PAGE, closed};
use crate::support::{Portal, TestAccounts, TestProxy};

#[test]
fn explain_shows_the_session() {
    let portal = Portal::answering("").start();
    let proxy = closed(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    let explained = |cookie: &str| {
        let question = json!({
            "url": format!("http://{}{PAGE}?tenant=acme.com", proxy.authority()),
            "headers": ["Accept: text/html", format!("Cookie: {COOKIE}={cookie}")],
        });
        proxy
            .admin_request("POST", "/explain")
            .header("content-type", "application/json")
            .body(question.to_string())
            .send()
            .json()
    };
    let known = explained(&session);
    assert_eq!(known["verdict"], "allow");
    assert!(known["steps"].to_string().contains("alive, of alex@acme.com"), "{known}");
    let unknown = explained("x");
    assert_eq!(unknown["verdict"], "sign-in");
    assert!(unknown["steps"].to_string().contains("none that is valid here"), "{unknown}");
}

#[test]
fn explain_marks_own_pages_and_guarded_endpoints() {
    let portal = Portal::answering("").start();
    let guard = json!([{"match": "/login", "user_in": "form", "succeeded_status": [204]}]);
    let proxy = TestProxy::in_front_of(&portal).generic(&[]).accounts().setting("guard", guard);
    let proxy = proxy.setting("account_lock.enabled", true).start();
    let explained = |url: &str| {
        let question = json!({ "url": url }).to_string();
        let ask = proxy.admin_request("POST", "/explain").header("content-type", "application/json");
        ask.body(question).send().json()
    };
    for own in ["/.doorward/account", "/.doorward/tenants", "/.well-known/change-password"] {
        let recorded = explained(own);
        assert!(
            recorded["verdict"] == "allow" && recorded["steps"].to_string().contains("it answers itself"),
            "{recorded}"
        );
    }
    let guarded = explained("/login")["steps"].to_string();
    assert!(guarded.contains("counted before it is forwarded"), "{guarded}");
    assert!(!explained("/docs")["steps"].to_string().contains("counted"));
}
