//! Parts of a page that are asked for at the same time with the same credentials of HTTP Basic.

use std::sync::{Arc, Condvar, Mutex};

use serde_json::json;

use super::{basic, form, guarded, in_parallel};
use crate::support::{Gate, Portal, Reply, accounts::with_lock, eventually::PATIENCE};

/// They do not wait for each other either, whether or not anybody said what a right password looks like.
#[test]
fn parts_of_a_page_are_asked_for_at_the_same_time() {
    let together = Meeting::of(10);
    let met = together.clone();
    let portal = Portal::answering("")
        .deciding("/", move |request| {
            let all_came = !request.complete || met.wait();
            Reply::text("").status(if all_came { 200 } else { 500 })
        })
        .start();
    let gate = guarded(&portal).start();
    for path in ["/basic", "/known"] {
        together.begin();
        let statuses = in_parallel(10, |turn| {
            let part = gate.get(&format!("{path}/{turn}"));
            part.header("authorization", &basic("alex", "right")).send().status
        });
        assert_eq!(statuses, [200; 10], "{path}");
    }
}

/// Attack: the same guess at once at a page that anybody gets, which is held open until the other one has said that it was wrong.
#[test]
fn attack_a_page_that_anybody_gets_beside_the_one_that_checks() {
    let together = Meeting::of(2);
    let (one, other) = (together.clone(), together.clone());
    let portal = Portal::answering("")
        .deciding("/basic/public", move |request| {
            let _ = !request.complete || one.wait();
            Reply::text("")
        })
        .deciding("/basic/x", move |request| {
            let _ = !request.complete || other.wait();
            Reply::text("").status(401)
        })
        .start();
    let gate = guarded(&portal).start();
    for guess in 0..5 {
        together.begin();
        in_parallel(2, |turn| {
            let path = ["/basic/public", "/basic/x"][turn];
            gate.get(path).header("authorization", &basic("alex", &guess.to_string())).send().status
        });
    }
    portal.forget();
    let sixth = gate.get("/basic/x").header("authorization", &basic("alex", "right")).send();
    assert_eq!((sixth.status, portal.saw_nothing()), (401, true));
}

/// Attack: the header stays the same, and so all share one reservation; the password that is tried is in the form.
#[test]
fn attack_many_passwords_in_a_form_behind_one_header() {
    const GUESSES: usize = 20;
    let together = Meeting::of(GUESSES);
    let met = together.clone();
    let portal = Portal::answering("")
        .deciding("/login", move |request| {
            let _ = !request.complete || met.wait();
            Reply::text("").status(302).header("location", "/login?error")
        })
        .start();
    let both = json!([
        {"match": "/**", "user_in": "basic"},
        {"match": "/login", "user_in": "form", "succeeded_redirect": ["/home*"]},
    ]);
    let gate = guarded(&portal).setting("guard", both).generic(&[("/login", "open")]).start();
    together.begin();
    let statuses = in_parallel(GUESSES, |turn| {
        let ask = form(&gate, "/login", "alex", &turn.to_string());
        ask.header("authorization", &basic("alex", "anything")).send().status
    });
    assert!(portal.received().len() <= 5, "{statuses:?}");
}

/// Attack: a tenant's own guard calls a page that anybody gets a right password, and then the page that checks is asked with
/// the same guess at somebody of another tenant.
#[test]
fn attack_a_tenants_own_guard_makes_no_guess_at_another_tenants_account_free() {
    let portal = Portal::answering("")
        .deciding("/commonauth", |request| {
            Reply::text("").status(if request.header("x-page") == Some("open") { 200 } else { 403 })
        })
        .start();
    let guards = json!([{"match": "/commonauth", "user_in": "basic", "succeeded_status": [200]}]);
    let conf = json!({"EnableAnonymous": true, "Doorward": {"guards": guards}});
    let gate = with_lock(Gate::before(&portal), 3).tenant("acme.com", &conf).start();
    for guess in 0..6 {
        let statuses = ["open", "checked"].map(|page| {
            let ask = gate.get("/commonauth").tenant("acme.com").header("x-page", page);
            ask.header("authorization", &basic("admin@carbon.super", &guess.to_string())).send().status
        });
        assert_eq!(statuses, if guess < 3 { [200, 403] } else { [401, 401] }, "{guess}");
    }
}

/// Attack: both at the same time, and the page that checks is slower. The default tenant's own guards count where those of
/// deployment.toml do.
#[test]
fn attack_a_tenants_own_guard_takes_back_a_guess_that_is_still_being_checked() {
    let (together, told) = (Meeting::of(2), Meeting::of(2));
    let (one, other, checking) = (together.clone(), together.clone(), told.clone());
    let portal = Portal::answering("")
        .deciding("/open", move |request| {
            let _ = !request.complete || one.wait();
            Reply::text("")
        })
        .deciding("/checked", move |request| {
            let _ = !request.complete || (other.wait() && checking.wait());
            Reply::text("").status(403)
        })
        .start();
    let guards = json!([{"match": "/open", "user_in": "basic", "succeeded_status": [200]}]);
    let conf = json!({"EnableAnonymous": true, "Doorward": {"guards": guards}});
    let of_all =
        json!([{"match": "/checked", "user_in": "basic", "failed_status": [403], "succeeded_status": [200]}]);
    let gate = with_lock(Gate::before(&portal), 3)
        .setting("guard", of_all)
        .generic(&[("/open", "open"), ("/checked", "open")])
        .tenant("carbon.super", &conf)
        .tenant("acme.com", &json!({}))
        .start();
    let mut checked = Vec::new();
    for guess in 0..4 {
        together.begin();
        told.begin();
        checked.extend(in_parallel(2, |turn| {
            let ask = gate.get(["/open", "/checked"][turn]).tenant("carbon.super");
            let status =
                ask.header("authorization", &basic("admin@acme.com", &guess.to_string())).send().status;
            let _ = status == 200 && told.wait();
            status
        }));
    }
    assert_eq!(checked, [200, 403, 200, 403, 200, 403, 401, 401]);
}

/// So many are to be at the portal at the same time.
#[derive(Clone)]
struct Meeting(Arc<(Mutex<usize>, Condvar, usize)>);

impl Meeting {
    fn of(count: usize) -> Self {
        Self(Arc::new((Mutex::new(0), Condvar::new(), count)))
    }

    fn begin(&self) {
        *self.0.0.lock().unwrap() = 0;
    }

    /// Whether all have come in time.
    fn wait(&self) -> bool {
        let (arrived, news, count) = &*self.0;
        let mut arrived = arrived.lock().unwrap();
        *arrived += 1;
        news.notify_all();
        let (_arrived, late) =
            news.wait_timeout_while(arrived, PATIENCE, |arrived| *arrived < *count).unwrap();
        !late.timed_out()
    }
}
