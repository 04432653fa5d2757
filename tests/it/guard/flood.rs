//! Many sign-ins at once, each with a name that the client has made up.

use serde_json::json;

use super::{FORM, basic};
use crate::support::{
    Portal, Reply, TestProxy, double::Received, eventually, proxy::TestProxyBuilder, request::RequestBuilder,
};

const GREEDY: &str = "192.0.2.1";
const OTHER: &str = "198.51.100.7";
const KINDS: [(&str, u16); 5] =
    [("/login", 302), ("/api/session", 401), ("/oauth2/token", 400), ("/basic/x", 401), ("/otp", 302)];

/// Every password is wrong. A sign-in with the header `x-hold` is never answered.
fn portal() -> Portal {
    fn hold(request: &Received, answer: Reply) -> Reply {
        if request.header("x-hold").is_some() { Reply::raw_then_silence("") } else { answer }
    }
    let redirect = |to: &str| Reply::text("").status(302).header("location", to);
    Portal::answering("portal")
        .route_with("/login", move |request| hold(request, redirect("/login?error")))
        .route_with("/otp", move |request| hold(request, redirect("/otp?error")))
        .route_with("/api/session", |request| hold(request, Reply::text("").status(401)))
        .route_with("/basic", |request| hold(request, Reply::text("").status(401)))
        .route_with("/oauth2/token", |request| {
            hold(request, Reply::json(&json!({"error": "invalid_grant"})).status(400))
        })
        .start()
}

fn guarded(portal: &Portal) -> TestProxyBuilder {
    let guards = json!([
        {"match": "POST /login", "user_in": "form", "succeeded_redirect": ["/home*"]},
        {"match": "/api/session", "user_in": "json", "succeeded_status": [200]},
        {"match": "/oauth2/token", "user_in": "password-grant"},
        {"match": "/basic/**", "user_in": "basic"},
        {"match": "/otp", "user_in": "form", "require_name": false, "failed_redirect": ["/otp?error*"],
            "succeeded_redirect": ["/home*"]},
    ]);
    TestProxy::in_front_of(portal).accounts().lockout(5).generic(&[("/**", "open")]).setting("guard", guards)
}

/// A sign-in with a name, or a portal session, that nothing else has.
fn sign_in(proxy: &TestProxy, path: &str, client: &str, name: &str) -> RequestBuilder<'static> {
    let ask = proxy.post(path).api_client().header("x-forwarded-for", client);
    let form = |body: String| (FORM, body);
    let (content_type, body) = match path {
        "/api/session" => ("application/json", json!({"username": name, "password": "x"}).to_string()),
        "/oauth2/token" => form(format!("grant_type=password&username={name}&password=x")),
        "/basic/x" => return ask.header("authorization", &basic(name, "x")),
        "/otp" => return ask.cookie("sid", name).header("content-type", FORM).body("code=1"),
        _ => form(format!("username={name}&password=x")),
    };
    ask.header("content-type", content_type).body(body)
}

/// Attack: one address sends sign-ins with made-up names, so that all wait for the store.
#[test]
fn attack_one_client_sends_invented_names_at_once() {
    let portal = portal();
    for (path, wrong) in KINDS {
        portal.clear_received();
        let proxy = guarded(&portal)
            .trusting("127.0.0.0/8")
            .setting("limits.max_guarded_sign_ins", 9)
            .setting("limits.client.guarded_sign_ins", 2)
            .start();
        let held = ["a", "b"].map(|name| sign_in(&proxy, path, GREEDY, name).header("x-hold", "1").open());
        eventually(|| portal.received().len() == 2);
        for name in ["c", "d", "e"] {
            let refused = sign_in(&proxy, path, GREEDY, name).send();
            assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{path}");
            assert!(refused.text().contains("Too many sign-ins of this client"), "{}", refused.text());
        }
        assert_eq!(portal.received().len(), 2, "{path}");
        let metric = "doorward_client_limit_rejections_total{resource=\"guarded_sign_ins\"} 3\n";
        assert!(proxy.admin("/metrics").text().contains(metric), "{path}");
        assert_eq!(sign_in(&proxy, path, OTHER, "f").send().status, wrong, "{path}: another client");
        assert_eq!(proxy.get("/").header("x-forwarded-for", GREEDY).send().status, 200, "no sign-in");
        drop(held);
        eventually(|| sign_in(&proxy, path, GREEDY, "g").send().status == wrong);
    }
}

/// Attack: many networks, or clients that are exempt or behind a proxy that is not listed, take what all clients share.
#[test]
fn attack_many_clients_send_invented_names_at_once() {
    let portal = portal();
    for (trusted, clients, is_client_limit) in [
        // an eighth of the total, but at least one, is a client's
        ("127.0.0.0/8", ["192.0.2.1", "198.51.100.1", "203.0.113.1", "203.0.114.1"], false),
        ("127.0.0.0/8", ["192.0.2.1", "198.51.100.1", "203.0.113.1", "192.0.2.1"], true),
        // clients behind a proxy that is not listed have no common share
        ("192.0.2.0/24", ["192.0.2.1"; 4], false),
    ] {
        portal.clear_received();
        let proxy = guarded(&portal)
            .trusting(trusted)
            .setting("limits.client.exempt", json!([]))
            .setting("limits.max_guarded_sign_ins", 3)
            .start();
        let mut turn = 0;
        let held = clients.map(|client| {
            turn += 1;
            let ask = sign_in(&proxy, "/login", client, &format!("n{turn}")).header("x-hold", "1");
            let wire = ask.open();
            eventually(|| portal.received().len() >= turn.min(3));
            wire
        });
        let [.., mut last] = held;
        let refused = last.answer("POST").unwrap();
        assert_eq!(refused.status, if is_client_limit { 429 } else { 503 }, "{clients:?}");
        assert_eq!(portal.received().len(), 3, "{clients:?}");
    }
}

#[test]
fn requests_with_the_same_credentials_are_one_sign_in() {
    let portal = portal();
    let proxy = guarded(&portal).trusting("127.0.0.0/8").setting("limits.client.guarded_sign_ins", 1).start();
    let _held = [(); 3].map(|()| sign_in(&proxy, "/basic/x", GREEDY, "a").header("x-hold", "1").open());
    eventually(|| portal.received().len() == 3);
    assert_eq!(sign_in(&proxy, "/basic/x", GREEDY, "b").send().status, 429);
}
