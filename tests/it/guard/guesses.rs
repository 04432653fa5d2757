//! Attempts to attempt without being counted, one at a time or in parallel.

use serde_json::json;

use super::{RIGHT, basic, form, grant, guarded, guarding, in_parallel, portal, times};
use crate::support::{Portal, Reply, TestProxy};

#[test]
fn attack_random_name_flood_locks_other_names() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    assert_eq!(times(4, |_| form(&proxy, "/login", "alex", "wrong").send()), [302; 4]);
    let name = |turn: usize| format!("{:x}", turn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    assert_eq!(times(300, |turn| form(&proxy, "/login", &name(turn), "wrong").send()), [302; 300]);
    assert_eq!(form(&proxy, "/login", "bob", "x").send().location(), "/login?error", "the portal was asked");
    assert_eq!(form(&proxy, "/login", "alex", "wrong").send().status, 302, "the fifth, as without the flood");
    assert_eq!(form(&proxy, "/login", "alex", RIGHT).send().status, 401);
}

/// An answer that does not depend on the password resets nothing.
#[test]
fn attack_public_page_resets_the_counter() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let ask = |path: &str, attempt: usize| {
        proxy.get(path).header("authorization", &basic("alex", &attempt.to_string())).send().status
    };
    for attempt in 0..5 {
        assert_eq!(["/basic/public", "/basic/x"].map(|path| ask(path, attempt)), [200, 401]);
    }
    assert_eq!(["/basic/public", "/basic/x"].map(|path| ask(path, 5)), [401, 401], "locked");
    // a form that arrives where the portal has another page
    for attempt in 0..4 {
        form(&proxy, "/login", "bob", &attempt.to_string()).send();
    }
    form(&proxy, "/Login/", "bob", "x").send();
    assert_eq!(form(&proxy, "/login", "bob", RIGHT).send().status, 401);
}

#[test]
fn attack_fifty_guesses_at_once_are_five() {
    let portal = portal().start();
    let proxy = guarded(&portal).setting("server.workers", 2).start();
    for (path, user) in [("/login", "alex"), ("/marked", "bob")] {
        portal.clear_received();
        in_parallel(50, |turn| form(&proxy, path, user, &turn.to_string()).send());
        assert_eq!(portal.received().len(), 5, "{path}");
    }
    portal.clear_received();
    in_parallel(50, |turn| grant(&proxy, "carol", &turn.to_string()));
    assert_eq!(portal.received().len(), 5);
    portal.clear_received();
    in_parallel(50, |turn| {
        proxy.get("/basic/x").header("authorization", &basic("dave", &turn.to_string())).send()
    });
    assert_eq!(portal.received().len(), 5);
}

#[test]
fn right_passwords_at_once_all_reach_the_portal() {
    let portal = portal().start();
    let proxy = guarded(&portal).setting("server.workers", 2).start();
    assert_eq!(in_parallel(30, |_| grant(&proxy, "alex", RIGHT).status), [200; 30]);
    let pages = in_parallel(30, |_| form(&proxy, "/login", "bob", RIGHT).send().location().to_owned());
    assert!(pages.iter().all(|page| page == "/home"), "{pages:?}");
}

#[test]
fn attack_fifty_guesses_at_two_replicas_are_five() {
    let portal = portal().start();
    let here = guarded(&portal).start();
    let there = guarding(TestProxy::in_front_of(&portal).accounts_in(here.folder()).lockout(5)).start();
    in_parallel(50, |turn| {
        form(if turn % 2 == 0 { &here } else { &there }, "/login", "alex", &turn.to_string()).send()
    });
    assert_eq!(portal.received().len(), 5);
    portal.clear_received();
    for proxy in [&here, &there] {
        assert_eq!(form(proxy, "/login", "alex", RIGHT).send().status, 401);
    }
    assert!(portal.received_nothing());
}

/// Attack: the text that marks a failure is where the search misses it: in another language or coding, in a part that was
/// not requested, behind the searched part.
#[test]
fn attack_response_that_hides_the_failure_marker() {
    let portal = Portal::answering("portal")
        .route_with("/login", |request| {
            let has = |name| request.header(name).is_some();
            let body = String::from_utf8_lossy(&request.body);
            let says = if request.header("accept-language") == Some("de") { "Falsch" } else { "Wrong" };
            let answer = Reply::text(format!("Welcome {body} {says}"));
            let chosen = ["range", "if-none-match", "if-modified-since"].into_iter().any(has);
            if chosen {
                Reply::text("Welcome")
            } else if body.contains("how=gzip") {
                answer.header("content-encoding", "gzip")
            } else if body.contains("how=part") {
                Reply::text("Welcome").status(206)
            } else {
                answer
            }
        })
        .start();
    let guard = json!([
        {"match": "/login", "user_in": "form", "succeeded_status": [200, 206], "failed_body": ["Wrong"]},
    ]);
    let proxy =
        TestProxy::in_front_of(&portal).accounts().lockout(5).generic(&[]).setting("guard", guard).start();
    let padding = "x".repeat(20_000);
    for (user, how, header) in [
        ("a", "", ("accept-language", "de")),
        ("b", "", ("range", "bytes=0-1")),
        ("c", "", ("if-none-match", "\"x\"")),
        ("d", "", ("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT")),
        ("e", "gzip", ("x-a", "b")),
        ("f", "part", ("x-a", "b")),
        ("g", &padding, ("x-a", "b")),
    ] {
        portal.clear_received();
        for turn in 0..10 {
            let password = format!("{turn}&how={how}");
            form(&proxy, "/login", user, &password).header(header.0, header.1).send();
        }
        assert_eq!(portal.received().len(), 5, "{user}");
    }
}

/// Attack: an answer that breaks off, made to by the request, hides that the password was wrong.
#[test]
fn attack_broken_response_releases_the_attempt() {
    let portal = Portal::answering("portal").route("/login", Reply::raw("HTTP/1.1 302 Fo")).start();
    let proxy = guarded(&portal).start();
    let statuses = times(8, |turn| form(&proxy, "/login", "alex", &turn.to_string()).send());
    assert_eq!(statuses, [502, 502, 502, 502, 502, 401, 401, 401]);
    assert_eq!(portal.received().len(), 5);
}
