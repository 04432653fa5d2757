//! Uploads that are refused before they have ended: the refusal arrives, no connection hangs, other clients are not affected.

use serde_json::json;

use crate::support::{Portal, PortalListener, Reply, TestProxy, Wire, eventually};

const BIG: usize = 8 << 20;

/// A PUT that announces `BIG` bytes and has sent a few.
fn begun(path: &str) -> String {
    format!(
        "PUT {path} HTTP/1.1\r\nhost: x\r\naccept: application/json\r\ncontent-length: {BIG}\r\n\r\nfirst"
    )
}

#[test]
fn a_refused_upload_is_answered_before_it_has_been_sent() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "signed-in")]).start();
    assert_eq!(proxy.raw(begun("/x")).answer("PUT").unwrap().status, 401);
    assert_eq!(proxy.request("PUT", "/x").http2().api_client().body(vec![0; BIG]).send().status, 401);
    assert!(portal.received_nothing());
}

#[test]
fn attack_rest_of_a_refused_upload_read_as_a_request() {
    let portal = Portal::answering("inside").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/open", "open"), ("/**", "signed-in")]).start();
    let smuggled = "GET /open HTTP/1.1\r\nhost: x\r\n\r\n";
    let length = smuggled.len();
    let upload = format!("PUT /x HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{smuggled}");
    assert_eq!(proxy.raw(upload).statuses(), [401]);
    assert!(portal.received_nothing());
}

#[test]
fn the_portals_early_refusal_reaches_the_caller() {
    let refusal = "HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig";
    for reply in [Reply::raw(refusal), Reply::raw_then_silence(refusal)] {
        let portal = Portal::answering("hello").route("/small", reply).start();
        let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).start();
        let answer = proxy.raw(begun("/small")).answer("PUT").unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (413, "big"));
        let answer = proxy.request("PUT", "/small").http2().body(vec![0; BIG]).send();
        assert_eq!((answer.status, answer.text().as_str()), (413, "big"));
        for _ in 0..3 {
            assert_eq!(
                proxy.get("/").send().text(),
                "hello",
                "no connection with half an upload is used again"
            );
        }
        eventually(|| proxy.admin("/metrics").text().contains("\ndoorward_requests_in_flight 0\n"));
    }
}

/// A client that sends the whole body before it reads must not lose the answer to a TCP reset.
#[test]
fn early_refusal_reaches_a_client_that_keeps_sending() {
    let refusal = "HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig";
    let portal = Portal::answering("hello").route("/small", Reply::raw(refusal)).start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/small", "open"), ("/**", "signed-in")]).start();
    for (path, status) in [("/small", 413), ("/closed", 401)] {
        for _ in 0..20 {
            let mut client = proxy.raw(begun(path));
            client.try_write("x".repeat(BIG - "first".len())).expect("all of it is taken");
            assert_eq!(client.answer("PUT").unwrap().status, status, "{path}");
        }
    }
}

#[test]
fn the_early_refusal_of_a_portal_over_http2_reaches_the_caller() {
    let (unused, listener) = (Portal::answering("").start(), PortalListener::http2());
    let upstream = json!([{"path": "/", "url": format!("http://{}", listener.authority), "http2": true}]);
    let proxy = TestProxy::in_front_of(&unused)
        .generic(&[("/**", "open")])
        .setting("portal.upstream", upstream)
        .start();
    let mut wire = proxy.raw(begun("/refused"));
    assert_eq!(wire.answer("PUT").unwrap().status, 413);
    assert_eq!(proxy.get("/x").send().status, 200, "the shared connection goes on");
}

#[test]
fn refused_upload_gets_no_100_continue() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "signed-in")]).start();
    let expecting = begun("/x").replace("\r\n\r\nfirst", "\r\nexpect: 100-continue\r\n\r\n");
    let answer = Wire::connect(proxy.addr()).write(expecting).answer("PUT").unwrap();
    assert_eq!((answer.status, answer.interim), (401, vec![]));
}

#[test]
fn upload_starts_if_the_portal_never_sends_100_continue() {
    let silent = Reply::raw_then_silence("");
    let portal = Portal::answering("").route("/old", silent).start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).start();
    let expecting = begun("/old").replace("\r\n\r\nfirst", "\r\nexpect: 100-continue\r\n\r\n");
    let mut wire = proxy.raw(expecting);
    assert!(wire.head().first.contains("100"), "after a second of patience (RFC 9110, 10.1.1)");
}
