//! Ways to guess on for nothing, one at a time or all at once.

use serde_json::json;

use super::{RIGHT, basic, form, grant, guarded, guarding, in_parallel, portal, times};
use crate::support::{
    Gate, Portal, Reply,
    accounts::{with_lock, with_lock_of},
};

#[test]
fn attack_a_flood_of_random_names_locks_nobody_else() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    assert_eq!(times(4, |_| form(&gate, "/login", "alex", "wrong").send()), [302; 4]);
    let name = |turn: usize| format!("{:x}", turn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    assert_eq!(times(300, |turn| form(&gate, "/login", &name(turn), "wrong").send()), [302; 300]);
    assert_eq!(form(&gate, "/login", "bob", "x").send().location(), "/login?error", "the portal was asked");
    assert_eq!(form(&gate, "/login", "alex", "wrong").send().status, 302, "the fifth, as without the flood");
    assert_eq!(form(&gate, "/login", "alex", RIGHT).send().status, 401);
}

/// Whatever the portal answers without looking at the password forgives nothing.
#[test]
fn attack_a_page_that_anybody_gets_is_no_way_to_guess_on() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let ask = |path: &str, guess: usize| {
        gate.get(path).header("authorization", &basic("alex", &guess.to_string())).send().status
    };
    for guess in 0..5 {
        assert_eq!(["/basic/public", "/basic/x"].map(|path| ask(path, guess)), [200, 401]);
    }
    assert_eq!(["/basic/public", "/basic/x"].map(|path| ask(path, 5)), [401, 401], "locked");
    // a form that arrives where the portal has another page
    for guess in 0..4 {
        form(&gate, "/login", "bob", &guess.to_string()).send();
    }
    form(&gate, "/Login/", "bob", "x").send();
    assert_eq!(form(&gate, "/login", "bob", RIGHT).send().status, 401);
}

#[test]
fn attack_fifty_guesses_at_once_are_five() {
    let portal = portal().start();
    let gate = guarded(&portal).setting("server.workers", 2).start();
    for (path, user) in [("/login", "alex"), ("/marked", "bob")] {
        portal.forget();
        in_parallel(50, |turn| form(&gate, path, user, &turn.to_string()).send());
        assert_eq!(portal.received().len(), 5, "{path}");
    }
    portal.forget();
    in_parallel(50, |turn| grant(&gate, "carol", &turn.to_string()));
    assert_eq!(portal.received().len(), 5);
    portal.forget();
    in_parallel(50, |turn| {
        gate.get("/basic/x").header("authorization", &basic("dave", &turn.to_string())).send()
    });
    assert_eq!(portal.received().len(), 5);
}

#[test]
fn right_passwords_at_once_all_reach_the_portal() {
    let portal = portal().start();
    let gate = guarded(&portal).setting("server.workers", 2).start();
    assert_eq!(in_parallel(30, |_| grant(&gate, "alex", RIGHT).status), [200; 30]);
    let pages = in_parallel(30, |_| form(&gate, "/login", "bob", RIGHT).send().location().to_owned());
    assert!(pages.iter().all(|page| page == "/home"), "{pages:?}");
}

#[test]
fn attack_fifty_guesses_at_two_replicas_are_five() {
    let portal = portal().start();
    let here = guarded(&portal).start();
    let there = guarding(with_lock_of(Gate::before(&portal), here.folder(), 5)).start();
    in_parallel(50, |turn| {
        form(if turn % 2 == 0 { &here } else { &there }, "/login", "alex", &turn.to_string()).send()
    });
    assert_eq!(portal.received().len(), 5);
    portal.forget();
    for gate in [&here, &there] {
        assert_eq!(form(gate, "/login", "alex", RIGHT).send().status, 401);
    }
    assert!(portal.saw_nothing());
}

/// Attack: what says that the password was wrong stands where it is not found: in another language or coding, in a part that was
/// not asked for, behind what is searched.
#[test]
fn attack_an_answer_that_hides_what_it_says_is_a_wrong_password() {
    let portal = Portal::answering("portal")
        .deciding("/login", |request| {
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
    let gate = with_lock(Gate::before(&portal), 5).generic(&[]).setting("guard", guard).start();
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
        portal.forget();
        for turn in 0..10 {
            let password = format!("{turn}&how={how}");
            form(&gate, "/login", user, &password).header(header.0, header.1).send();
        }
        assert_eq!(portal.received().len(), 5, "{user}");
    }
}

/// Attack: an answer that breaks off, made to by the request, hides that the password was wrong.
#[test]
fn attack_a_portal_that_stumbles_gives_no_guess_back() {
    let portal = Portal::answering("portal").route("/login", Reply::raw("HTTP/1.1 302 Fo")).start();
    let gate = guarded(&portal).start();
    let statuses = times(8, |turn| form(&gate, "/login", "alex", &turn.to_string()).send());
    assert_eq!(statuses, [502, 502, 502, 502, 502, 401, 401, 401]);
    assert_eq!(portal.received().len(), 5);
}
