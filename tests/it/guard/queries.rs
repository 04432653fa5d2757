//! Passwords and one-time codes in the query, by any method: the portal reads it with all of them.

use serde_json::{Value, json};

use super::{FORM, times_of};
use crate::support::{Portal, Reply, TestProxy, double::Received};

const CODE: &str = "424242";
const MAX_ATTEMPTS: usize = 3;

/// Verifies a code in the query or in the body, whatever the method is and whatever its field is called.
fn portal() -> Portal {
    Portal::answering("page")
        .route_with("/mfa", |request| {
            let sent = format!("{} {}", request.target, String::from_utf8_lossy(&request.body));
            let to = match sent.split_once("code=") {
                _ if sent.contains(CODE) => "/home",
                Some(_) => "/mfa?error",
                None => return Reply::text("code?"),
            };
            Reply::text("").status(302).header("location", to)
        })
        .start()
}

fn proxy(portal: &Portal, more: &Value) -> TestProxy {
    let mut guard = json!({"match": "/mfa", "user_in": "form", "failed_redirect": ["/mfa?error*"],
        "succeeded_redirect": ["/home*"]});
    for (key, value) in more.as_object().unwrap() {
        guard[key] = value.clone();
    }
    TestProxy::in_front_of(portal)
        .accounts()
        .lockout(u32::try_from(MAX_ATTEMPTS).unwrap())
        .generic(&[("/**", "open")])
        .setting("guard", json!([guard]))
        .start()
}

/// Codes that the portal has verified.
fn verified(portal: &Portal) -> usize {
    let has_code = |request: &&Received| {
        request.target.contains("code=") || String::from_utf8_lossy(&request.body).contains("code=")
    };
    portal.received().iter().filter(has_code).count()
}

#[test]
fn attack_a_one_time_code_in_the_query_of_any_method() {
    let portal = portal();
    for method in ["GET", "HEAD", "OPTIONS", "DELETE", "PROPFIND", "FOO"] {
        portal.clear_received();
        let proxy = proxy(&portal, &json!({"require_name": false}));
        let ask = |query: &str| {
            proxy.request(method, &format!("/mfa{query}")).cookie("sid", "victim").send().status
        };
        for turn in 0..10 {
            ask(&format!("?mfa_code={turn}"));
        }
        assert_eq!(verified(&portal), MAX_ATTEMPTS, "{method}");
        assert_eq!(ask(&format!("?mfa_code={CODE}")), 401, "{method}: the portal session is locked");
        assert_eq!(ask(""), 200, "{method}: the page itself");
    }
}

/// Attack: the name was given on the page before; the code stands in a field without a known name, or beside a `state`.
#[test]
fn attack_password_in_the_query_after_the_name_was_given() {
    let portal = portal();
    for (method, query) in
        [("GET", "mfa_code="), ("GET", "state=x&code="), ("HEAD", "code="), ("FOO", "state=x&mfa_code=")]
    {
        portal.clear_received();
        let proxy = proxy(&portal, &json!({"name_from": "cookie:sid"}));
        let ask = |query: &str| {
            proxy.request(method, &format!("/mfa?{query}")).cookie("sid", "victim").send().status
        };
        assert_eq!(times_of(10, || ask("flow=e1s2")), [200; 10], "{method}: the page itself");
        for turn in 0..10 {
            ask(&format!("{query}{turn}"));
        }
        let most = if query == "code=" { 0 } else { MAX_ATTEMPTS };
        assert_eq!(verified(&portal), most, "{method} {query}");
    }
}

/// Attack: guesses by `GET` in many sessions of one name, which count for each session alone; then by `POST`.
#[test]
fn attack_guesses_by_get_and_by_post_are_counted_apart() {
    let portal = portal();
    let proxy = proxy(&portal, &json!({"name_from": "cookie:sid"}));
    let post = |session: usize, body: &str| {
        let ask =
            proxy.post("/mfa").browser().header("content-type", FORM).cookie("sid", &session.to_string());
        ask.body(body).send().status
    };
    let get = |session: usize, query: &str| {
        proxy.get(&format!("/mfa?{query}")).browser().cookie("sid", &session.to_string()).send().status
    };
    assert_eq!(post(0, "username=alex&code=0"), 302, "the first attempt gives the session the name");
    assert_eq!(times_of(10, || get(0, "flow=e1s2")), [200; 10], "the page itself");
    assert_eq!(times_of(3, || get(0, "mfa_code=1")), [302, 302, 401]);
    assert_eq!(verified(&portal), MAX_ATTEMPTS);
    assert_eq!(post(0, &format!("code={CODE}")), 401);
    assert_eq!(post(1, &format!("username=alex&code={CODE}")), 401, "the name is locked");
    assert_eq!(post(2, &format!("username=bea&code={CODE}")), 302, "others are not");
}
