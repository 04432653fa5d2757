//! Edits while the proxy serves: in force within a second, as a whole; an invalid edit changes nothing.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::{Value, json};

use crate::support::{
    Edit, Portal, TestProxy, eventually,
    eventually::{throughout, within},
    proxy::RELOAD_LIMIT,
};

fn closed() -> Value {
    json!({"EnableAnonymous": false})
}

fn open() -> Value {
    json!({"EnableAnonymous": true})
}

#[test]
fn every_kind_of_edit_is_in_force_within_a_second() {
    for how in [Edit::InPlace, Edit::RenameOver, Edit::DataSwap, Edit::TreeSwap] {
        let portal = Portal::answering("").start();
        let proxy = TestProxy::in_front_of(&portal).tenant_by(how, "acme.com", &open()).start();
        // more than one: a watch on the file itself sees the first swap and none after it
        for _ in 0..3 {
            assert!(proxy.allows_anonymous("acme.com"), "{how:?}");
            proxy.edit_tenant_by(how, "acme.com", &closed().to_string());
            within(RELOAD_LIMIT, || !proxy.allows_anonymous("acme.com"));
            proxy.edit_tenant_by(how, "acme.com", &open().to_string());
            within(RELOAD_LIMIT, || proxy.allows_anonymous("acme.com"));
        }
    }
}

#[test]
fn reload_under_load_fails_no_request() {
    let portal = Portal::answering("").start();
    let proxy =
        TestProxy::in_front_of(&portal).tenant("acme.com", &open()).tenant("other.com", &open()).start();
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    assert!(proxy.allows_anonymous("other.com"), "the other tenant is touched");
                    let status = proxy.get("/api/am/devportal/v3/apis").tenant("acme.com").send().status;
                    assert!(matches!(status, 200 | 401), "{status}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually(|| asked.load(Ordering::Relaxed) > 100);
        proxy.edit_tenant("acme.com", &closed());
        within(RELOAD_LIMIT, || !proxy.allows_anonymous("acme.com"));
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
            let proxy = TestProxy::in_front_of(&portal).tenant("acme.com", &conf).start();
            assert_eq!(proxy.allows_anonymous("acme.com"), lets_in);
            proxy.edit_tenant_by(Edit::RenameOver, "acme.com", broken);
            eventually(|| proxy.admin("/config?tenant=acme.com").text().contains("tenant-conf.json"));
            assert_eq!(proxy.allows_anonymous("acme.com"), lets_in, "{broken:?}");
            proxy.edit_tenant("acme.com", &json!({"EnableAnonymous": !lets_in}));
            within(RELOAD_LIMIT, || proxy.allows_anonymous("acme.com") != lets_in);
        }
    }
}

#[test]
fn a_broken_deployment_changes_nothing() {
    let portal = Portal::answering("").start();
    let mut proxy = TestProxy::in_front_of(&portal).anonymous(true).start();
    proxy.replace_deployment("[apim.devportal]\nenable_anonymous_mode = fal");
    throughout(RELOAD_LIMIT, || proxy.allows_anonymous("carbon.super"));
    proxy.replace_deployment("[apim.devportal]\nenable_anonymous_mod = false");
    throughout(RELOAD_LIMIT, || proxy.allows_anonymous("carbon.super"));
    proxy.edit_deployment("apim.devportal.enable_anonymous_mode", false);
    within(RELOAD_LIMIT, || !proxy.allows_anonymous("carbon.super"));
}

#[test]
fn global_switch_applies_to_tenants_without_a_value() {
    let portal = Portal::answering("").start();
    let mut proxy =
        TestProxy::in_front_of(&portal).tenant("silent.com", &json!({})).tenant("open.com", &open()).start();
    assert!(proxy.allows_anonymous("silent.com"));
    proxy.edit_deployment("apim.devportal.enable_anonymous_mode", false);
    within(RELOAD_LIMIT, || !proxy.allows_anonymous("silent.com"));
    assert!(proxy.allows_anonymous("open.com"));
}

#[test]
fn polling_finds_an_edit_without_file_events() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .setting("tenancy.watch", "poll")
        .setting("tenancy.poll_interval", "200ms")
        .tenant("acme.com", &open())
        .start();
    assert!(proxy.allows_anonymous("acme.com"));
    proxy.edit_tenant("acme.com", &closed());
    eventually(|| !proxy.allows_anonymous("acme.com"));
}

/// The kernel's limit on watches can be exhausted: folders without a watch are polled.
#[test]
fn polling_finds_an_edit_if_no_watch_is_available() {
    let portal = Portal::answering("").start();
    let proxy =
        TestProxy::in_front_of(&portal).tenant("acme.com", &open()).setting("tenancy.poll_interval", "200ms");
    let tenants = proxy.tenant_files();
    let Some(proxy) = proxy.serve_with_watches(1) else {
        eprintln!("left out: this machine allows no user namespaces");
        return;
    };
    let allows_anonymous =
        || proxy.get("/api/am/devportal/v3/apis").tenant("acme.com").api_client().send().status == 200;
    assert!(allows_anonymous());
    eventually(|| proxy.has_logged("no file events for the tenants' folders; polling"));
    tenants.write("acme.com", &closed().to_string(), Edit::RenameOver);
    eventually(|| !allows_anonymous());
}

#[test]
fn added_and_removed_tenants_are_detected() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).tenant("acme.com", &open()).start();
    assert!(!proxy.allows_anonymous("new.com"));
    proxy.edit_tenant("new.com", &open());
    within(RELOAD_LIMIT, || proxy.allows_anonymous("new.com"));
    proxy.tenants.remove("acme.com");
    within(RELOAD_LIMIT, || !proxy.allows_anonymous("acme.com"));
}

#[test]
fn renewed_certificate_applies_to_new_connections_only() {
    let portal = Portal::answering("hello").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).tls().start();
    let shown = || proxy.server_certificate();
    let (before, mut old) = (shown(), proxy.get("/").tls().open());
    assert_eq!(old.answer("GET").unwrap().text(), "hello");
    let renewed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    // two files: between the two writes they do not fit, and the old certificate stays
    std::fs::write(proxy.folder().join("cert.pem"), renewed.cert.pem()).unwrap();
    throughout(RELOAD_LIMIT, || shown() == before);
    std::fs::write(proxy.folder().join("key.pem"), renewed.signing_key.serialize_pem()).unwrap();
    within(RELOAD_LIMIT, || shown() == renewed.cert.der().as_ref());
    let again = old.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").answer("GET");
    assert_eq!(again.unwrap().text(), "hello");
}
