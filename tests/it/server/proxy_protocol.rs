//! PROXY protocol on public listeners: from listed peers and from no others.

use std::time::Duration;

use serde_json::json;

use crate::support::{Portal, TestProxy, eventually, proxy::TestProxyBuilder, wire::Wire};

const V1: &[u8] = b"PROXY TCP4 192.0.2.9 10.0.0.1 12345 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x09\x0a\0\0\x01\x30\x39\x01\xbb";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

fn balanced(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal)
        .generic(&[("/**", "open")])
        .setting("server.proxy_protocol", json!(["127.0.0.0/8"]))
}

fn send(proxy: &TestProxy, header: &[u8]) -> Wire {
    proxy.raw([header, REQUEST].concat())
}

fn rejected(proxy: &TestProxy) -> bool {
    proxy.admin("/metrics").text().contains("doorward_proxy_headers_rejected_total 1\n")
}

#[test]
fn client_address_comes_from_the_header() {
    let portal = Portal::answering("hello").start();
    let proxy = balanced(&portal).start();
    for (header, client) in [(V1, "192.0.2.9"), (V2, "192.0.2.9"), (LOCAL, "127.0.0.1")] {
        assert_eq!(send(&proxy, header).answer("GET").unwrap().text(), "hello");
        let received = portal.received().pop().unwrap();
        assert_eq!(received.header("x-forwarded-for"), Some(client));
    }
}

#[test]
fn tls_begins_behind_the_header() {
    let portal = Portal::answering("hello").start();
    let proxy = balanced(&portal).tls().start();
    for http2 in [false, true] {
        let ask = proxy.get("/").tls().host("localhost").with_prefix(V2);
        let answer = if http2 { ask.http2().send() } else { ask.send() };
        assert_eq!(answer.text(), "hello", "{http2}");
        assert_eq!(portal.received().pop().unwrap().header("x-forwarded-for"), Some("192.0.2.9"));
    }
}

#[test]
fn a_listed_peer_without_a_header_is_closed_without_an_answer() {
    let portal = Portal::answering("hello").start();
    let proxy = balanced(&portal).start();
    assert!(send(&proxy, b"").rest().is_empty());
    assert!(portal.received_nothing());
    eventually(|| rejected(&proxy));
}

#[test]
fn attack_peer_without_a_header_holds_a_connection() {
    let portal = Portal::answering("hello").start();
    let proxy = balanced(&portal).setting("limits.header_timeout", "200ms").start();
    for start in [&b""[..], b"PROXY TCP4", &V2[..20]] {
        assert!(proxy.raw(start).rest().is_empty());
    }
}

#[test]
fn attack_a_peer_that_is_not_listed_names_another_client() {
    let portal = Portal::answering("hello").start();
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/**", "open")])
        .setting("server.proxy_protocol", json!(["192.0.2.0/24"]))
        .start();
    for header in [V1, V2, LOCAL] {
        assert_eq!(send(&proxy, header).answer("GET").unwrap().status, 400);
    }
    assert!(portal.received_nothing());
    assert_eq!(send(&proxy, b"").answer("GET").unwrap().text(), "hello");
}

#[test]
fn attack_one_client_behind_the_balancer_opens_all_connections() {
    let portal = Portal::answering("hello").start();
    let proxy = balanced(&portal).setting("limits.client.connections", 2).start();
    let mut greedy: Vec<Wire> = (0..2).map(|_| send(&proxy, V1)).collect();
    assert!(greedy.iter_mut().all(|wire| wire.answer("GET").unwrap().status == 200));
    assert!(send(&proxy, V1).rest().is_empty());
    let other = b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n";
    assert_eq!(send(&proxy, other).answer("GET").unwrap().status, 200);
    let checks: Vec<Wire> = (0..4).map(|_| send(&proxy, LOCAL)).collect();
    assert!(checks.into_iter().all(|mut check| check.answer("GET").unwrap().status == 200), "health checks");
}

#[test]
fn a_header_that_arrives_in_pieces_is_read() {
    let portal = Portal::answering("hello").start();
    let proxy = balanced(&portal).start();
    let mut wire = proxy.raw(&V1[..10]);
    crate::support::eventually::throughout(Duration::from_millis(50), || portal.received_nothing());
    wire.write(&V1[10..]).write(REQUEST);
    assert_eq!(wire.answer("GET").unwrap().text(), "hello");
}
