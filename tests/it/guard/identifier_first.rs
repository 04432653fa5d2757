//! Sign-ins that ask for the name on one page and for the password on the next.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{FORM, RIGHT, times};
use crate::support::{Portal, Reply, TestProxy, answer::Answer, double::Received};

/// The portal remembers the name of a session, and checks the password of that name, whatever else is sent. A name of digits is refused, and
/// the session keeps the one before.
fn portal() -> Portal {
    let names: Arc<Mutex<HashMap<String, String>>> = Arc::default();
    let remembered = Arc::clone(&names);
    let session = |request: &Received| {
        let cookies = request.header("cookie").unwrap_or_default().to_owned();
        cookies.split(';').find_map(|cookie| Some(cookie.trim().strip_prefix("sid=")?.to_owned()))
    };
    Portal::answering("page")
        .route_with("/login/name", move |request| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let Some(name) = body.strip_prefix("username=") else { return Reply::text("name?") };
            let (sid, is_new) = match session(request) {
                Some(sid) => (sid, false),
                None => (format!("s{name}"), true),
            };
            if !name.bytes().all(|byte| byte.is_ascii_digit()) {
                names.lock().unwrap().insert(sid.clone(), name.to_owned());
            }
            let answer = Reply::text("").status(302).header("location", "/login/password");
            if is_new { answer.header("set-cookie", &format!("sid={sid}; Path=/")) } else { answer }
        })
        .route_with("/login/password", move |request| {
            let known = session(request).and_then(|sid| remembered.lock().unwrap().get(&sid).cloned());
            let is_right = String::from_utf8_lossy(&request.body).contains(RIGHT);
            let to = if known.is_some() && is_right { "/home" } else { "/login/password?error" };
            Reply::text("").status(302).header("location", to)
        })
        .start()
}

fn guards() -> Value {
    json!([
        {"match": "/login/name", "user_in": "form", "name_from": "cookie:sid"},
        {"match": "/login/password", "user_in": "form", "name_from": "cookie:sid",
            "succeeded_redirect": ["/home*"], "failed_redirect": ["/login/password?error*"]},
    ])
}

fn proxy(portal: &Portal) -> TestProxy {
    TestProxy::in_front_of(portal)
        .accounts()
        .lockout(5)
        .generic(&[("/**", "open")])
        .setting("guard", guards())
        .start()
}

fn ask(proxy: &TestProxy, path: &str, session: &str, body: &str) -> Answer {
    let ask = proxy.post(path).browser().header("content-type", FORM).body(body);
    if session.is_empty() { ask } else { ask.cookie("sid", session) }.send()
}

fn checked(portal: &Portal) -> usize {
    portal.received().iter().filter(|request| request.path() == "/login/password").count()
}

#[test]
fn a_password_without_a_name_counts_for_the_name_given_before() {
    let portal = portal();
    let proxy = proxy(&portal);
    for _ in 0..3 {
        assert_eq!(ask(&proxy, "/login/name", "", "username=alex").location(), "/login/password");
        assert_eq!(times(3, |_| ask(&proxy, "/login/password", "salex", "password=x")), [302; 3]);
        let right = ask(&proxy, "/login/password", "salex", &format!("password={RIGHT}"));
        assert_eq!(right.location(), "/home", "which forgives");
    }
    times(5, |_| ask(&proxy, "/login/password", "salex", "password=x"));
    portal.clear_received();
    let locked = ask(&proxy, "/login/password", "salex", &format!("password={RIGHT}"));
    assert_eq!((locked.status, portal.received_nothing()), (401, true));
    // the name is the one that is locked
    ask(&proxy, "/login/name", "other", "username=alex");
    assert_eq!(ask(&proxy, "/login/password", "other", &format!("password={RIGHT}")).status, 401);
    ask(&proxy, "/login/name", "third", "username=bea");
    assert_eq!(ask(&proxy, "/login/password", "third", &format!("password={RIGHT}")).location(), "/home");
}

/// Attack: a portal session that Doorward has seen no name in.
#[test]
fn attack_a_password_in_a_session_without_a_known_name() {
    let portal = portal();
    let proxy = proxy(&portal);
    ask(&proxy, "/login/name", "s1", "username=alex");
    for session in ["", "s2", "s1x"] {
        let answer = ask(&proxy, "/login/password", session, "password=x");
        assert_eq!((answer.status, checked(&portal)), (400, 0), "{session}");
    }
    let two = proxy.post("/login/password").header("content-type", FORM).header("cookie", "sid=s1; sid=s2");
    assert_eq!((two.body("password=x").send().status, checked(&portal)), (400, 0));
}

/// Attack: the session is given another name, which the portal refuses; or the name comes with the password, where the portal does not look.
#[test]
fn attack_a_decoy_in_the_session_of_the_victim() {
    let portal = portal();
    let proxy = proxy(&portal);
    let attempt = |turn: usize| {
        let session = format!("s{turn}");
        ask(&proxy, "/login/name", &session, "username=alex");
        ask(&proxy, "/login/name", &session, &format!("username={turn}"));
        ask(&proxy, "/login/password", &session, &format!("username=9{turn}&password=x"));
        ask(&proxy, "/login/password", &session, "password=x");
    };
    for turn in 0..20 {
        attempt(turn);
    }
    assert_eq!(checked(&portal), 5);
}

/// Attack: a servlet container takes the session from the path, and a decoy is in the cookie.
#[test]
fn attack_the_session_of_the_victim_in_the_path() {
    let portal = portal();
    let proxy = proxy(&portal);
    ask(&proxy, "/login/name", "decoy-session", "username=decoy");
    portal.clear_received();
    for path in [
        "/login/password;jsessionid=other-session",
        "/login/password%3Bjsessionid=other-session",
        "/login/password;x",
        "/login;jsessionid=other-session/password",
    ] {
        for session in ["decoy-session", ""] {
            assert_eq!(ask(&proxy, path, session, "password=x").status, 400, "{path} {session}");
        }
    }
    assert!(portal.received_nothing());
    // the first pages of a session have it in both places
    let answer = ask(&proxy, "/login/password;jsessionid=decoy-session", "decoy-session", "password=x");
    assert_eq!(answer.status, 302);
}

/// Attack: the portal also reads the password from the query, and the body is empty.
#[test]
fn attack_a_password_in_the_query_beside_an_empty_body() {
    let portal = portal();
    let proxy = proxy(&portal);
    ask(&proxy, "/login/name", "s1", "username=alex");
    let statuses = times(8, |turn| ask(&proxy, &format!("/login/password?password={turn}"), "s1", ""));
    assert_eq!(statuses, [302, 302, 302, 302, 302, 401, 401, 401]);
}

/// Attack: the same by a method that is not counted, which the portal answers as if it were the form.
#[test]
fn attack_a_password_in_the_query_of_an_uncounted_method() {
    let portal = portal();
    let proxy = proxy(&portal);
    ask(&proxy, "/login/name", "s1", "username=alex");
    for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
        let ask = proxy.request(method, &format!("/login/password?password={RIGHT}")).cookie("sid", "s1");
        assert_eq!((ask.send().status, checked(&portal)), (400, 0), "{method}");
    }
    let page = proxy.get("/login/password?flow=e1s2").browser().cookie("sid", "s1");
    assert_eq!((page.send().status, checked(&portal)), (302, 1), "the page itself");
}

/// Attack: a byte that is not ASCII in another cookie, or a `,` before it, hides the session in which the victim is named.
#[test]
fn attack_a_cookie_header_that_hides_the_session_of_the_victim() {
    let portal = portal();
    let proxy = proxy(&portal);
    ask(&proxy, "/login/name", "s1", "username=decoy");
    let name = |cookies: &str| {
        let ask = proxy.post("/login/name").browser().header("content-type", FORM).header("cookie", cookies);
        ask.body("username=alex").send().status
    };
    assert_eq!(name("a=1, sid=s1"), 400);
    assert_eq!(name("sid=s1; a=\u{ff}"), 302);
    times(5, |_| ask(&proxy, "/login/password", "s1", "password=x"));
    ask(&proxy, "/login/name", "s2", "username=alex");
    assert_eq!(ask(&proxy, "/login/password", "s2", &format!("password={RIGHT}")).status, 401);
}

/// Sends a sign-in request with the address of the client in `X-Forwarded-For`.
fn ask_from(proxy: &TestProxy, client: &str, path: &str, (session, body): (&str, &str)) -> Answer {
    let ask = proxy.post(path).browser().header("content-type", FORM).header("x-forwarded-for", client);
    ask.cookie("sid", session).body(body).send()
}

/// Attack: a client begins many sessions so that the name of the victim is evicted, and then gives a name without an
/// account.
#[test]
fn attack_junk_sessions_evict_the_name_of_the_victim() {
    let portal = portal();
    let proxy = TestProxy::in_front_of(&portal)
        .accounts()
        .lockout(5)
        .generic(&[("/**", "open")])
        .setting("guard", guards())
        .trusting("127.0.0.0/8")
        .start();
    let own = |path: &str, body: &str| ask_from(&proxy, "203.0.113.1", path, ("own", body)).status;
    own("/login/name", "username=victim");
    let statuses = times(600, |turn| {
        ask_from(&proxy, "203.0.113.1", "/login/name", (&format!("junk{turn}"), "username=junk"))
    });
    assert_eq!(statuses.iter().filter(|status| **status == 302).count(), 511);
    assert_eq!(statuses.last(), Some(&429));
    for round in 0..4 {
        own("/login/name", &format!("username={round}"));
        for turn in 0..4 {
            own("/login/password", &format!("password={turn}"));
        }
    }
    assert_eq!(checked(&portal), 5);
    // nor does the client get a session that the portal begins in its answer
    let begun = proxy.post("/login/name").browser().header("content-type", FORM);
    let begun = begun.header("x-forwarded-for", "203.0.113.1").body("username=late").send();
    assert_eq!((begun.status, begun.header("set-cookie")), (429, None));
    // other clients sign in as before
    let other = |path: &str, body: &str| ask_from(&proxy, "203.0.113.2", path, ("other", body));
    assert_eq!(other("/login/name", "username=bea").status, 302);
    assert_eq!(other("/login/password", &format!("password={RIGHT}")).location(), "/home");
}

/// Attack: a client gives the name of the victim in many sessions, and Doorward forgets it: by a restart, after 15 minutes,
/// or at another replica. Then the client gives a name without an account in each session, with the password or before it.
#[test]
fn attack_sessions_whose_names_were_forgotten() {
    let portal = portal();
    for name_beside_password in [false, true] {
        portal.clear_received();
        let before = proxy(&portal);
        for turn in 0..40 {
            ask(&before, "/login/name", &format!("p{turn}"), "username=victim");
        }
        drop(before);
        let after = proxy(&portal);
        for turn in 0..40 {
            let session = format!("p{turn}");
            for attempt in 0..4 {
                // the portal ignores a name of digits
                let name = format!("{turn}{attempt}");
                if name_beside_password {
                    ask(&after, "/login/password", &session, &format!("username={name}&password=x"));
                } else {
                    ask(&after, "/login/name", &session, &format!("username={name}"));
                    ask(&after, "/login/password", &session, "password=x");
                }
            }
        }
        assert_eq!(checked(&portal), 50, "ten times max_attempts; {name_beside_password}");
    }
}

/// Attack: guesses from many networks in one session whose name was forgotten.
#[test]
fn attack_one_forgotten_session_from_many_networks() {
    let portal = portal();
    let start = || {
        TestProxy::in_front_of(&portal)
            .accounts()
            .lockout(3)
            .generic(&[("/**", "open")])
            .setting("guard", guards())
            .trusting("127.0.0.0/8")
            .start()
    };
    let before = start();
    ask_from(&before, "203.0.113.1", "/login/name", ("one", "username=victim"));
    drop(before);
    let after = start();
    for turn in 0..4 {
        for attempt in 0..3 {
            let client = format!("203.0.113.1{turn}{attempt}");
            ask_from(&after, &client, "/login/name", ("one", &format!("username={turn}")));
            ask_from(&after, &client, "/login/password", ("one", "password=x"));
        }
    }
    assert!(checked(&portal) <= 6, "twice max_attempts: {}", checked(&portal));
}

/// All clients behind an unlisted proxy have one address, so there is neither a limit of sessions nor a lock of the
/// network.
#[test]
fn attack_one_client_takes_the_sessions_of_an_unlisted_proxy() {
    let portal = portal();
    let proxy = proxy(&portal);
    let proxied =
        |path: &str, session: &str, body: &str| ask_from(&proxy, "203.0.113.1", path, (session, body));
    assert_eq!(proxied("/login/name", "owner", "username=alex").status, 302);
    for turn in 0..520 {
        assert_eq!(proxied("/login/name", &format!("junk{turn}"), &format!("username=j{turn}")).status, 302);
    }
    for turn in 0..60 {
        proxied("/login/password", &format!("junk{turn}"), "password=x");
    }
    assert_eq!(proxied("/login/password", "owner", &format!("password={RIGHT}")).location(), "/home");
}

#[test]
fn a_success_forgives_the_failures_of_its_portal_session() {
    let portal = portal();
    let proxy = proxy(&portal);
    ask(&proxy, "/login/name", "s1", "username=alex");
    for turn in 0..12 {
        ask(&proxy, "/login/password", "s1", "password=x");
        let right = ask(&proxy, "/login/password", "s1", &format!("password={RIGHT}"));
        assert_eq!(right.location(), "/home", "{turn}");
    }
}
