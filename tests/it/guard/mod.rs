//! The guard of the portal's own sign-in: which requests reach the portal, which do not, and what an anonymous client can see.

mod bodies;
mod concurrent_basic;
mod flood;
mod guesses;
mod hostile;
mod identifier_first;
mod kinds;
mod locked_accounts;
mod names;
mod overlaps;
mod queries;
mod response_time;
mod second_factor;
mod similar_names;
mod unlock;
mod wso2;

use serde_json::{Value, json};

use crate::support::{
    Portal, Reply, TestProxy,
    answer::Answer,
    double::Received,
    portal::PortalBuilder,
    proxy::TestProxyBuilder,
    request::{RequestBuilder, basic},
};

const RIGHT: &str = "correct+horse%21";
const FORM: &str = "application/x-www-form-urlencoded";

/// A portal with a sign-in of each kind. Only Alex's password is right.
fn portal() -> PortalBuilder {
    fn knows(request: &Received, proof: &str) -> bool {
        String::from_utf8_lossy(&request.body).contains(proof)
    }
    Portal::answering("portal")
        .route_with("/login", |request| {
            let right = knows(request, &format!("password={RIGHT}"));
            Reply::text("").status(302).header("location", if right { "/home" } else { "/login?error" })
        })
        .route_with("/marked", |request| {
            let right = knows(request, &format!("password={RIGHT}"));
            Reply::trailers(if right { "<p>Welcome</p>" } else { "<p>Wrong password</p>" }, &[])
        })
        .route_with("/api/session", |request| {
            let right = knows(request, "\"password\":\"right\"");
            Reply::json(&json!({"ok": right})).status(if right { 200 } else { 401 })
        })
        .route_with("/oauth2/token", |request| {
            let right = knows(request, &format!("password={RIGHT}")) || knows(request, "refresh_token");
            if right {
                Reply::json(&json!({"access_token": "t"}))
            } else {
                Reply::json(&json!({"error": "invalid_grant"})).status(400)
            }
        })
        .route_with("/known", |request| {
            let right = request.header("authorization") == Some(&basic("alex", "right"));
            Reply::text("").status(if right { 200 } else { 401 })
        })
        .route("/basic/public", Reply::text("public"))
        .route_with("/basic", |request| {
            let right = request.header("authorization") == Some(&basic("alex", "right"));
            Reply::text(if right { "in" } else { "out" }).status(if right { 200 } else { 401 })
        })
}

fn guards() -> Value {
    json!([
        {"match": "POST /login", "user_in": "form", "succeeded_redirect": ["/home*"]},
        {"match": "/marked", "user_in": "form", "succeeded_body": ["Welcome"], "locked_redirect": "/marked?error"},
        {"match": "/api/session", "user_in": "json", "succeeded_status": [200]},
        {"match": "/oauth2/token", "user_in": "password-grant"},
        {"match": "/basic/**", "user_in": "basic"},
        {"match": "/known/**", "user_in": "basic", "succeeded_status": [200]},
    ])
}

fn guarded(portal: &Portal) -> TestProxyBuilder {
    guarding(TestProxy::in_front_of(portal).accounts().lockout(5))
}

fn guarding(proxy: TestProxyBuilder) -> TestProxyBuilder {
    proxy.generic(&[("/basic/**", "open"), ("/known/**", "open")]).setting("guard", guards())
}

fn form<'a>(proxy: &TestProxy, path: &str, user: &str, password: &str) -> RequestBuilder<'a> {
    let body = format!("csrf=x&username={user}&password={password}");
    proxy.post(path).browser().header("content-type", FORM).body(body)
}

fn grant(proxy: &TestProxy, user: &str, password: &str) -> Answer {
    let body = format!("grant_type=password&username={user}&password={password}");
    proxy.post("/oauth2/token").api_client().header("content-type", FORM).body(body).send()
}

fn times(count: usize, mut ask: impl FnMut(usize) -> Answer) -> Vec<u16> {
    (0..count).map(|turn| ask(turn).status).collect()
}

fn times_of(count: usize, mut ask: impl FnMut() -> u16) -> Vec<u16> {
    (0..count).map(|_| ask()).collect()
}

fn in_parallel<T: Send>(count: usize, ask: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let ask = &ask;
        let asking: Vec<_> = (0..count).map(|turn| scope.spawn(move || ask(turn))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}
