//! Uploads that are refused before they have ended: the refusal arrives, nothing hangs, nobody else suffers.

use serde_json::json;

use crate::support::{Gate, Portal, PortalDoor, Reply, Wire, eventually};

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
    let gate = Gate::before(&portal).generic(&[("/**", "signed-in")]).start();
    assert_eq!(gate.raw(begun("/x")).answer("PUT").unwrap().status, 401);
    assert_eq!(gate.ask("PUT", "/x").http2().api_client().body(vec![0; BIG]).send().status, 401);
    assert!(portal.saw_nothing());
}

#[test]
fn attack_the_rest_of_a_refused_upload_is_not_read_as_a_request() {
    let portal = Portal::answering("inside").start();
    let gate = Gate::before(&portal).generic(&[("/open", "open"), ("/**", "signed-in")]).start();
    let smuggled = "GET /open HTTP/1.1\r\nhost: x\r\n\r\n";
    let length = smuggled.len();
    let upload = format!("PUT /x HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{smuggled}");
    assert_eq!(gate.raw(upload).statuses(), [401]);
    assert!(portal.saw_nothing());
}

#[test]
fn the_portals_early_refusal_reaches_the_caller() {
    let refusal = "HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig";
    for reply in [Reply::raw(refusal), Reply::raw_then_silence(refusal)] {
        let portal = Portal::answering("hello").route("/small", reply).start();
        let gate = Gate::before(&portal).generic(&[("/**", "open")]).start();
        let answer = gate.raw(begun("/small")).answer("PUT").unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (413, "big"));
        let answer = gate.ask("PUT", "/small").http2().body(vec![0; BIG]).send();
        assert_eq!((answer.status, answer.text().as_str()), (413, "big"));
        for _ in 0..3 {
            assert_eq!(
                gate.get("/").send().text(),
                "hello",
                "no connection with half an upload is used again"
            );
        }
        eventually(|| gate.admin("/metrics").text().contains("\ndoorward_requests_in_flight 0\n"));
    }
}

/// Whoever sends all of it before reading must not lose the answer to a reset.
#[test]
fn an_early_refusal_reaches_who_goes_on_sending() {
    let refusal = "HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig";
    let portal = Portal::answering("hello").route("/small", Reply::raw(refusal)).start();
    let gate = Gate::before(&portal).generic(&[("/small", "open"), ("/**", "signed-in")]).start();
    for (path, status) in [("/small", 413), ("/closed", 401)] {
        for _ in 0..20 {
            let mut client = gate.raw(begun(path));
            client.try_write("x".repeat(BIG - "first".len())).expect("all of it is taken");
            assert_eq!(client.answer("PUT").unwrap().status, status, "{path}");
        }
    }
}

#[test]
fn the_early_refusal_of_a_portal_over_http2_reaches_the_caller() {
    let (unused, door) = (Portal::answering("").start(), PortalDoor::http2());
    let upstream = json!([{"path": "/", "url": format!("http://{}", door.authority), "http2": true}]);
    let gate = Gate::before(&unused).generic(&[("/**", "open")]).setting("portal.upstream", upstream).start();
    let mut wire = gate.raw(begun("/refused"));
    assert_eq!(wire.answer("PUT").unwrap().status, 413);
    assert_eq!(gate.get("/x").send().status, 200, "the shared connection goes on");
}

#[test]
fn nobody_asks_for_an_upload_that_is_refused() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).generic(&[("/**", "signed-in")]).start();
    let expecting = begun("/x").replace("\r\n\r\nfirst", "\r\nexpect: 100-continue\r\n\r\n");
    let answer = Wire::connect(gate.addr()).write(expecting).answer("PUT").unwrap();
    assert_eq!((answer.status, answer.interim), (401, vec![]));
}

#[test]
fn an_upload_starts_when_the_portal_never_says_continue() {
    let silent = Reply::raw_then_silence("");
    let portal = Portal::answering("").route("/old", silent).start();
    let gate = Gate::before(&portal).generic(&[("/**", "open")]).start();
    let expecting = begun("/old").replace("\r\n\r\nfirst", "\r\nexpect: 100-continue\r\n\r\n");
    let mut wire = gate.raw(expecting);
    assert!(wire.head().first.contains("100"), "after a second of patience (RFC 9110, 10.1.1)");
}
