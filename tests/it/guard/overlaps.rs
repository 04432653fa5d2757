//! Several guards that cover one path, each with its own signs of a failure.

use serde_json::json;

use super::{FORM, RIGHT, times};
use crate::support::{Portal, Reply, TestProxy, answer::Answer};

/// A page with redirects, and an API with statuses below it.
fn portal() -> Portal {
    let is_right = |body: &[u8]| String::from_utf8_lossy(body).contains(RIGHT);
    Portal::answering("page")
        .route_with("/login.php", move |request| {
            let to = if is_right(&request.body) { "/home" } else { "/login.php?error" };
            Reply::text("").status(302).header("location", to)
        })
        .route_with("/login.php/api", move |request| {
            Reply::text("").status(if is_right(&request.body) { 204 } else { 200 })
        })
        .start()
}

fn proxy(portal: &Portal) -> TestProxy {
    let guards = json!([
        {"match": "/login.php", "user_in": "form", "failed_redirect": ["/login.php?error*"]},
        {"match": "/login.php/api", "user_in": "form", "succeeded_status": [204]},
    ]);
    TestProxy::in_front_of(portal)
        .accounts()
        .lockout(5)
        .generic(&[("/**", "open")])
        .setting("guard", guards)
        .start()
}

fn sign_in(proxy: &TestProxy, path: &str, name: &str, password: &str) -> Answer {
    let body = format!("username={name}&password={password}");
    proxy.post(path).browser().header("content-type", FORM).body(body).send()
}

/// Attack: path info makes the first guard cover the address of the second, whose wrong passwords have no sign that it knows.
#[test]
fn attack_overlapping_guard_evaluates_the_response() {
    let portal = portal();
    let proxy = proxy(&portal);
    for (name, path) in [("alex", "/login.php/api"), ("bea", "/login.php/api/"), ("kim", "/login.php/API")] {
        portal.clear_received();
        times(10, |_| sign_in(&proxy, path, name, "x"));
        assert_eq!(portal.received().len(), 5, "{path}");
        assert_eq!(sign_in(&proxy, path, name, RIGHT).status, 401, "{path}");
    }
    // each address is judged by its own guard
    for turn in 0..12 {
        sign_in(&proxy, "/login.php/api", "owner", "x");
        assert_eq!(sign_in(&proxy, "/login.php/api", "owner", RIGHT).status, 204, "{turn}");
    }
    assert_eq!(sign_in(&proxy, "/login.php", "other", RIGHT).location(), "/home");
}
