//! Parts of a page that are asked for at the same time with the same credentials of HTTP Basic.

use std::sync::{Arc, Condvar, Mutex};

use serde_json::json;

use super::{basic, form, guarded, in_parallel};
use crate::support::{Portal, Reply, TestProxy, eventually::PATIENCE};

/// They do not wait for each other either, whether or not the answer to a right password is described.
#[test]
fn concurrent_basic_requests_do_not_wait_for_each_other() {
    let together = Rendezvous::new(10);
    let met = together.clone();
    let portal = Portal::answering("")
        .route_with("/", move |request| {
            let all_came = !request.complete || met.wait();
            Reply::text("").status(if all_came { 200 } else { 500 })
        })
        .start();
    let proxy = guarded(&portal).start();
    for path in ["/basic", "/known"] {
        together.reset();
        let statuses = in_parallel(10, |turn| {
            let part = proxy.get(&format!("{path}/{turn}"));
            part.header("authorization", &basic("alex", "right")).send().status
        });
        assert_eq!(statuses, [200; 10], "{path}");
    }
}

/// Attack: the same attempt in parallel at a page that every client gets; its answer is held until the other attempt has failed.
#[test]
fn attack_public_page_in_parallel_with_a_guarded_one() {
    let together = Rendezvous::new(2);
    let (one, other) = (together.clone(), together.clone());
    let portal = Portal::answering("")
        .route_with("/basic/public", move |request| {
            let _ = !request.complete || one.wait();
            Reply::text("")
        })
        .route_with("/basic/x", move |request| {
            let _ = !request.complete || other.wait();
            Reply::text("").status(401)
        })
        .start();
    let proxy = guarded(&portal).start();
    for attempt in 0..5 {
        together.reset();
        in_parallel(2, |turn| {
            let path = ["/basic/public", "/basic/x"][turn];
            proxy.get(path).header("authorization", &basic("alex", &attempt.to_string())).send().status
        });
    }
    portal.clear_received();
    let sixth = proxy.get("/basic/x").header("authorization", &basic("alex", "right")).send();
    assert_eq!((sixth.status, portal.received_nothing()), (401, true));
}

/// Attack: the header stays the same, and so all share one reservation; the password that is tried is in the form.
#[test]
fn attack_many_passwords_in_a_form_behind_one_header() {
    const GUESSES: usize = 20;
    let together = Rendezvous::new(GUESSES);
    let met = together.clone();
    let portal = Portal::answering("")
        .route_with("/login", move |request| {
            let _ = !request.complete || met.wait();
            Reply::text("").status(302).header("location", "/login?error")
        })
        .start();
    let both = json!([
        {"match": "/**", "user_in": "basic"},
        {"match": "/login", "user_in": "form", "succeeded_redirect": ["/home*"]},
    ]);
    let proxy = guarded(&portal).setting("guard", both).generic(&[("/login", "open")]).start();
    together.reset();
    let statuses = in_parallel(GUESSES, |turn| {
        let ask = form(&proxy, "/login", "alex", &turn.to_string());
        ask.header("authorization", &basic("alex", "anything")).send().status
    });
    assert!(portal.received().len() <= 5, "{statuses:?}");
}

/// Attack: a tenant's own guard describes a page that every client gets as a success; then the page that checks receives
/// the same attempt for a user of another tenant.
#[test]
fn attack_tenant_guard_resets_counters_of_another_tenant() {
    let portal = Portal::answering("")
        .route_with("/commonauth", |request| {
            Reply::text("").status(if request.header("x-page") == Some("open") { 200 } else { 403 })
        })
        .start();
    let guards = json!([{"match": "/commonauth", "user_in": "basic", "succeeded_status": [200]}]);
    let conf = json!({"EnableAnonymous": true, "Doorward": {"guards": guards}});
    let proxy = TestProxy::in_front_of(&portal).accounts().lockout(3).tenant("acme.com", &conf).start();
    for attempt in 0..6 {
        let statuses = ["open", "checked"].map(|page| {
            let ask = proxy.get("/commonauth").tenant("acme.com").header("x-page", page);
            ask.header("authorization", &basic("admin@carbon.super", &attempt.to_string())).send().status
        });
        assert_eq!(statuses, if attempt < 3 { [200, 403] } else { [401, 401] }, "{attempt}");
    }
}

/// Attack: both at the same time, and the page that checks is slower. The default tenant's own guards count where those of
/// deployment.toml do.
#[test]
fn attack_tenant_guard_releases_a_pending_attempt() {
    let (together, answered) = (Rendezvous::new(2), Rendezvous::new(2));
    let (one, other, checking) = (together.clone(), together.clone(), answered.clone());
    let portal = Portal::answering("")
        .route_with("/open", move |request| {
            let _ = !request.complete || one.wait();
            Reply::text("")
        })
        .route_with("/checked", move |request| {
            let _ = !request.complete || (other.wait() && checking.wait());
            Reply::text("").status(403)
        })
        .start();
    let guards = json!([{"match": "/open", "user_in": "basic", "succeeded_status": [200]}]);
    let conf = json!({"EnableAnonymous": true, "Doorward": {"guards": guards}});
    let of_all =
        json!([{"match": "/checked", "user_in": "basic", "failed_status": [403], "succeeded_status": [200]}]);
    let proxy = TestProxy::in_front_of(&portal)
        .accounts()
        .lockout(3)
        .setting("guard", of_all)
        .generic(&[("/open", "open"), ("/checked", "open")])
        .tenant("carbon.super", &conf)
        .tenant("acme.com", &json!({}))
        .start();
    let mut checked = Vec::new();
    for attempt in 0..4 {
        together.reset();
        answered.reset();
        checked.extend(in_parallel(2, |turn| {
            let ask = proxy.get(["/open", "/checked"][turn]).tenant("carbon.super");
            let status =
                ask.header("authorization", &basic("admin@acme.com", &attempt.to_string())).send().status;
            let _ = status == 200 && answered.wait();
            status
        }));
    }
    assert_eq!(checked, [200, 403, 200, 403, 200, 403, 401, 401]);
}

/// So many are to be at the portal at the same time.
#[derive(Clone)]
struct Rendezvous(Arc<(Mutex<usize>, Condvar, usize)>);

impl Rendezvous {
    fn new(count: usize) -> Self {
        Self(Arc::new((Mutex::new(0), Condvar::new(), count)))
    }

    fn reset(&self) {
        *self.0.0.lock().unwrap() = 0;
    }

    /// Whether all have come in time.
    fn wait(&self) -> bool {
        let (arrived, arrival, count) = &*self.0;
        let mut arrived = arrived.lock().unwrap();
        *arrived += 1;
        arrival.notify_all();
        let (_arrived, late) =
            arrival.wait_timeout_while(arrived, PATIENCE, |arrived| *arrived < *count).unwrap();
        !late.timed_out()
    }
}
