//! Each kind of upstream connection: TLS with a private authority, a client certificate, a unix socket, HTTP/2; and a change between them.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::{Value, json};

use crate::support::{
    Portal, PortalListener, TestProxy, Wire, eventually,
    eventually::{throughout, within},
    pki::Pki,
    proxy::{RELOAD_LIMIT, TestProxyBuilder},
};

fn before(portal: &Portal, upstream: &Value) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(&[("/**", "open")]).setting("portal.upstream", json!([upstream]))
}

fn https(listener: &PortalListener, ca: &Path) -> Value {
    json!({"path": "/", "url": format!("https://{}", listener.authority), "ca_file": ca})
}

#[test]
fn a_portal_with_a_certificate_of_a_private_authority() {
    let (portal, home) = (Portal::echoing().start(), tempfile::tempdir().unwrap());
    let pki = Pki::new(home.path());
    let listener = PortalListener::tls(&portal, &pki.server(), None);
    let proxy = before(&portal, &https(&listener, &pki.ca())).start();
    assert_eq!(proxy.post("/x").body("hello").send().status, 200);
    assert_eq!(portal.only_request().body, b"hello");
    assert_eq!(portal.only_request().header("host"), Some(&*proxy.authority()));
}

#[test]
fn attack_a_portal_whose_certificate_another_authority_signed() {
    let (portal, ours, theirs) =
        (Portal::echoing().start(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let listener = PortalListener::tls(&portal, &Pki::new(theirs.path()).server(), None);
    let private = https(&listener, &Pki::new(ours.path()).ca());
    let system = json!({"path": "/", "url": format!("https://{}", listener.authority)});
    for upstream in [private, system] {
        let proxy = before(&portal, &upstream).start();
        assert_eq!(proxy.get("/").api_client().send().status, 502);
    }
    assert!(portal.received_nothing());
}

#[test]
fn attack_a_portal_whose_certificate_is_for_another_name() {
    let (portal, home) = (Portal::echoing().start(), tempfile::tempdir().unwrap());
    let pki = Pki::new(home.path());
    let listener = PortalListener::tls(&portal, &pki.client(), None);
    let proxy = before(&portal, &https(&listener, &pki.ca())).start();
    assert_eq!(proxy.get("/").api_client().send().status, 502);
    assert!(portal.received_nothing());
}

#[test]
fn portal_that_requires_a_client_certificate() {
    let (portal, home) = (Portal::answering("come in").start(), tempfile::tempdir().unwrap());
    let pki = Pki::new(home.path());
    let listener = PortalListener::tls(&portal, &pki.server(), Some(&pki.ca()));
    let client = pki.client();
    let without = https(&listener, &pki.ca());
    let mut with = without.clone();
    with["client_cert_file"] = json!(client.cert);
    with["client_key_file"] = json!(client.key);
    assert_eq!(before(&portal, &with).start().get("/").send().text(), "come in");
    assert_eq!(before(&portal, &without).start().get("/").send().status, 502);
}

#[test]
fn edited_ca_and_certificate_apply_without_a_restart() {
    let (portal, ours, theirs) =
        (Portal::answering("come in").start(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (new, old) = (Pki::new(theirs.path()), Pki::new(ours.path()));
    let listener = PortalListener::tls(&portal, &new.server(), Some(&new.ca()));
    let mut upstream = https(&listener, &old.ca());
    let client = old.client();
    upstream["client_cert_file"] = json!(client.cert);
    upstream["client_key_file"] = json!(client.key);
    let proxy = before(&portal, &upstream).start();
    let status = || proxy.get("/").api_client().send().status;
    assert_eq!(status(), 502);
    std::fs::copy(new.ca(), old.ca()).unwrap();
    let renewed = new.client();
    std::fs::copy(renewed.cert, &client.cert).unwrap();
    std::fs::copy(renewed.key, &client.key).unwrap();
    eventually(|| status() == 200);
    // an edit that cannot be used changes nothing
    std::fs::write(old.ca(), "-----BEGIN CERTIFICATE-----\nhalf").unwrap();
    let reloads = || {
        let text = proxy.admin("/metrics").text();
        let counted = text.lines().filter(|line| line.starts_with("doorward_config_reloads_total"));
        counted.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let before = reloads();
    eventually(|| reloads() != before);
    throughout(2 * RELOAD_LIMIT, || status() == 200);
}

#[test]
fn a_portal_behind_a_unix_socket() {
    let (portal, home) = (Portal::echoing().start(), tempfile::tempdir().unwrap());
    let socket = home.path().join("portal.sock");
    let _door = PortalListener::unix(&portal, &socket);
    let upstream = json!({"path": "/", "url": format!("unix:{}", socket.display())});
    let proxy = before(&portal, &upstream).start();
    for _ in 0..3 {
        assert_eq!(proxy.post("/x").host("portal.test").body("hello").send().status, 200);
    }
    assert_eq!(portal.last_request().all("host"), ["portal.test"]);
    assert_eq!(portal.connections(), 1, "connections are kept");
}

#[test]
fn a_portal_that_speaks_http2() {
    let (unused, home) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let pki = Pki::new(home.path());
    let (clear, encrypted) = (PortalListener::http2(), PortalListener::http2_tls(&pki.server()));
    let clear_upstream = json!({"path": "/", "url": format!("http://{}", clear.authority), "http2": true});
    let mut tls_upstream = https(&encrypted, &pki.ca());
    tls_upstream["http2"] = json!(true);
    for (upstream, scheme) in [(clear_upstream, "http"), (tls_upstream, "https")] {
        let proxy = before(&unused, &upstream).start();
        let wanted = format!("HTTP/2.0 POST {scheme}://portal.test/a%20b?x=1\n");
        for ask in [proxy.post("/a%20b?x=1"), proxy.post("/a%20b?x=1").http2()] {
            let answer = ask.host("portal.test").header("te", "trailers").body("hello").send();
            let text = answer.text();
            assert!(text.starts_with(&wanted) && text.ends_with("\n\nhello"), "{text}");
            assert_eq!(answer.trailers, [("x-sum".to_owned(), "3".to_owned())]);
            let names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
            assert!(!names.contains(&"host") && !names.contains(&"connection"), "{text}");
        }
        let head = proxy.request("HEAD", "/x").send();
        assert_eq!((head.status, head.body.len()), (200, 0));
    }
    assert!(unused.received_nothing());
}

#[test]
fn http1_portal_returns_502_if_http2_is_configured() {
    let (portal, home) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let pki = Pki::new(home.path());
    let listener = PortalListener::tls(&portal, &pki.server(), None);
    let mut upstream = https(&listener, &pki.ca());
    upstream["http2"] = json!(true);
    assert_eq!(before(&portal, &upstream).start().get("/").api_client().send().status, 502);
    assert!(portal.received_nothing());
}

#[test]
fn changed_upstream_url_fails_no_request() {
    let (old, new) = (Portal::answering("old").start(), Portal::answering("new").start());
    let mut proxy = TestProxy::in_front_of(&old).generic(&[("/**", "open")]).start();
    let (stop, failed, asked) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let (address, enough) = (proxy.addr(), 50_000);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) && asked.fetch_add(1, Ordering::Relaxed) < enough {
                let answer = Wire::connect(address).write("GET / HTTP/1.1\r\nhost: x\r\n\r\n").answer("GET");
                if !answer.is_ok_and(|answer| ["old", "new"].contains(&&*answer.text())) {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let more = || {
            let so_far = asked.load(Ordering::Relaxed);
            eventually(|| asked.load(Ordering::Relaxed) > so_far + 50);
        };
        more();
        proxy.edit_deployment("portal.upstream", json!([{"path": "/", "url": new.url()}]));
        within(RELOAD_LIMIT, || proxy.get("/").send().text() == "new");
        more();
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    let late = old.received().len();
    proxy.get("/").send();
    assert_eq!(old.received().len(), late, "the old one hears nothing any more");
}

#[test]
fn several_workers_share_one_port() {
    let portal = Portal::answering("hello").start();
    let proxy =
        TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).setting("server.workers", 4).start();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..25).for_each(|_| assert_eq!(proxy.get("/").send().text(), "hello")));
        }
    });
    assert_eq!(portal.received().len(), 200);
}
