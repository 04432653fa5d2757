//! Edits while the gate works: in force within a second, never half, never worse than before.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::{Value, json};

use crate::support::{
    Edit, Gate, Portal, eventually,
    eventually::{throughout, within},
    gate::FLIP,
};

fn closed() -> Value {
    json!({"EnableAnonymous": false})
}

fn open() -> Value {
    json!({"EnableAnonymous": true})
}

#[test]
fn every_way_of_editing_is_seen_within_a_second() {
    for how in [Edit::InPlace, Edit::RenameOver, Edit::DataSwap, Edit::TreeSwap] {
        let portal = Portal::answering("").start();
        let gate = Gate::before(&portal).tenant_by(how, "acme.com", &open()).start();
        // more than one: a watch on the file itself sees the first swap and none after it
        for _ in 0..3 {
            assert!(gate.lets_strangers_in("acme.com"), "{how:?}");
            gate.edit_tenant_by(how, "acme.com", &closed().to_string());
            within(FLIP, || !gate.lets_strangers_in("acme.com"));
            gate.edit_tenant_by(how, "acme.com", &open().to_string());
            within(FLIP, || gate.lets_strangers_in("acme.com"));
        }
    }
}

#[test]
fn a_flip_under_load_fails_no_request_and_touches_no_other_tenant() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).tenant("acme.com", &open()).tenant("other.com", &open()).start();
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    assert!(gate.lets_strangers_in("other.com"), "the other tenant is touched");
                    let status = gate.get("/api/am/devportal/v3/apis").tenant("acme.com").send().status;
                    assert!(matches!(status, 200 | 401), "{status}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually(|| asked.load(Ordering::Relaxed) > 100);
        gate.edit_tenant("acme.com", &closed());
        within(FLIP, || !gate.lets_strangers_in("acme.com"));
        let before = asked.load(Ordering::Relaxed);
        eventually(|| asked.load(Ordering::Relaxed) > before + 100);
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_broken_edit_changes_nothing_and_is_reported() {
    for broken in [
        "",
        "{",
        "{\"EnableAnonymous\": false",
        "{\"Doorward\": {\"typo\": 1}}",
        "{\"EnableAnonymus\": true}",
    ] {
        for (conf, lets_in) in [(open(), true), (closed(), false)] {
            let portal = Portal::answering("").start();
            let gate = Gate::before(&portal).tenant("acme.com", &conf).start();
            assert_eq!(gate.lets_strangers_in("acme.com"), lets_in);
            gate.edit_tenant_by(Edit::RenameOver, "acme.com", broken);
            eventually(|| gate.admin("/config?tenant=acme.com").text().contains("tenant-conf.json"));
            assert_eq!(gate.lets_strangers_in("acme.com"), lets_in, "{broken:?}");
            gate.edit_tenant("acme.com", &json!({"EnableAnonymous": !lets_in}));
            within(FLIP, || gate.lets_strangers_in("acme.com") != lets_in);
        }
    }
}

#[test]
fn a_broken_deployment_changes_nothing() {
    let portal = Portal::answering("").start();
    let mut gate = Gate::before(&portal).anonymous(true).start();
    gate.break_deployment("[apim.devportal]\nenable_anonymous_mode = fal");
    throughout(FLIP, || gate.lets_strangers_in("carbon.super"));
    gate.break_deployment("[apim.devportal]\nenable_anonymous_mod = false");
    throughout(FLIP, || gate.lets_strangers_in("carbon.super"));
    gate.edit_deployment("apim.devportal.enable_anonymous_mode", false);
    within(FLIP, || !gate.lets_strangers_in("carbon.super"));
}

#[test]
fn the_global_switch_reaches_tenants_that_say_nothing() {
    let portal = Portal::answering("").start();
    let mut gate = Gate::before(&portal).tenant("silent.com", &json!({})).tenant("open.com", &open()).start();
    assert!(gate.lets_strangers_in("silent.com"));
    gate.edit_deployment("apim.devportal.enable_anonymous_mode", false);
    within(FLIP, || !gate.lets_strangers_in("silent.com"));
    assert!(gate.lets_strangers_in("open.com"));
}

#[test]
fn where_events_are_missing_a_look_at_the_files_finds_the_edit() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal)
        .setting("tenancy.watch", "poll")
        .setting("tenancy.poll_interval", "200ms")
        .tenant("acme.com", &open())
        .start();
    assert!(gate.lets_strangers_in("acme.com"));
    gate.edit_tenant("acme.com", &closed());
    eventually(|| !gate.lets_strangers_in("acme.com"));
}

/// The kernel's limit is small where many programs watch: what cannot be watched is looked at.
#[test]
fn where_the_kernel_has_no_watches_left_a_look_at_the_files_finds_the_edit() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).tenant("acme.com", &open()).setting("tenancy.poll_interval", "200ms");
    let tenants = gate.tenant_files();
    let Some(gate) = gate.serve_with_watches(1) else {
        eprintln!("left out: this machine allows no user namespaces");
        return;
    };
    let lets_strangers_in =
        || gate.get("/api/am/devportal/v3/apis").tenant("acme.com").api_client().send().status == 200;
    assert!(lets_strangers_in());
    eventually(|| gate.has_said("no file events for the tenants' folders; polling"));
    tenants.write("acme.com", &closed().to_string(), Edit::RenameOver);
    eventually(|| !lets_strangers_in());
}

#[test]
fn a_tenant_that_comes_or_goes_is_noticed() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).anonymous(false).tenant("acme.com", &open()).start();
    assert!(!gate.lets_strangers_in("new.com"));
    gate.edit_tenant("new.com", &open());
    within(FLIP, || gate.lets_strangers_in("new.com"));
    gate.tenants.remove("acme.com");
    within(FLIP, || !gate.lets_strangers_in("acme.com"));
}

#[test]
fn a_renewed_certificate_is_shown_to_new_connections_and_breaks_no_old_one() {
    let portal = Portal::answering("hello").start();
    let gate = Gate::before(&portal).generic(&[("/**", "open")]).tls().start();
    let shown = || gate.shown_certificate();
    let (before, mut old) = (shown(), gate.get("/").tls().open());
    assert_eq!(old.answer("GET").unwrap().text(), "hello");
    let renewed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    // two files: between the two writes they do not fit, and the old certificate stays
    std::fs::write(gate.home().join("cert.pem"), renewed.cert.pem()).unwrap();
    throughout(FLIP, || shown() == before);
    std::fs::write(gate.home().join("key.pem"), renewed.signing_key.serialize_pem()).unwrap();
    within(FLIP, || shown() == renewed.cert.der().as_ref());
    let again = old.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").answer("GET");
    assert_eq!(again.unwrap().text(), "hello");
}
