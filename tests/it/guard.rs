//! The portal's own sign-ins, guarded: what reaches the portal, what does not, and what a stranger gets to see.

mod alike;
mod bodies;
mod closed;
mod flood;
mod guesses;
mod hostile;
mod identifier_first;
mod kinds;
mod names;
mod overlaps;
mod pace;
mod queries;
mod second_factor;
mod together;
mod unlock;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{
    Gate, Portal, Reply, accounts::with_lock, answer::Answer, ask::Ask, double::Received, gate::GateBuilder,
    portal::PortalBuilder,
};

const RIGHT: &str = "correct+horse%21";
const FORM: &str = "application/x-www-form-urlencoded";

/// A portal with a sign-in of each kind. Alex's password is right; nobody else's is.
fn portal() -> PortalBuilder {
    fn knows(request: &Received, proof: &str) -> bool {
        String::from_utf8_lossy(&request.body).contains(proof)
    }
    Portal::answering("portal")
        .deciding("/login", |request| {
            let right = knows(request, &format!("password={RIGHT}"));
            Reply::text("").status(302).header("location", if right { "/home" } else { "/login?error" })
        })
        .deciding("/marked", |request| {
            let right = knows(request, &format!("password={RIGHT}"));
            Reply::trailers(if right { "<p>Welcome</p>" } else { "<p>Wrong password</p>" }, &[])
        })
        .deciding("/api/session", |request| {
            let right = knows(request, "\"password\":\"right\"");
            Reply::json(&json!({"ok": right})).status(if right { 200 } else { 401 })
        })
        .deciding("/oauth2/token", |request| {
            let right = knows(request, &format!("password={RIGHT}")) || knows(request, "refresh_token");
            if right {
                Reply::json(&json!({"access_token": "t"}))
            } else {
                Reply::json(&json!({"error": "invalid_grant"})).status(400)
            }
        })
        .deciding("/known", |request| {
            let right = request.header("authorization") == Some(&basic("alex", "right"));
            Reply::text("").status(if right { 200 } else { 401 })
        })
        .route("/basic/public", Reply::text("everybody's"))
        .deciding("/basic", |request| {
            let right = request.header("authorization") == Some(&basic("alex", "right"));
            Reply::text(if right { "in" } else { "out" }).status(if right { 200 } else { 401 })
        })
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
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

fn guarded(portal: &Portal) -> GateBuilder {
    guarding(with_lock(Gate::before(portal), 5))
}

fn guarding(gate: GateBuilder) -> GateBuilder {
    gate.generic(&[("/basic/**", "open"), ("/known/**", "open")]).setting("guard", guards())
}

fn form<'a>(gate: &Gate, path: &str, user: &str, password: &str) -> Ask<'a> {
    let body = format!("csrf=x&username={user}&password={password}");
    gate.post(path).browser().header("content-type", FORM).body(body)
}

fn grant(gate: &Gate, user: &str, password: &str) -> Answer {
    let body = format!("grant_type=password&username={user}&password={password}");
    gate.post("/oauth2/token").api_client().header("content-type", FORM).body(body).send()
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
