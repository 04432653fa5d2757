//! Clients that hold up others who share an HTTP/2 connection to the portal.

use serde_json::json;

use crate::support::{
    Gate, Portal, PortalDoor, Wire, eventually, h2::H2Connection, portal_door::HTTP2_STREAMS,
};

fn before(door: &PortalDoor, max_connections: u32) -> Gate {
    let unused = Portal::answering("").start();
    let upstream = json!([{
        "path": "/",
        "url": format!("http://{}", door.authority),
        "http2": true,
        "max_connections": max_connections,
        "connect_timeout": "500ms",
    }]);
    Gate::before(&unused)
        .generic(&[("/**", "open")])
        .setting("server.workers", 1)
        .setting("portal.upstream", upstream)
        .start()
}

fn is_served(gate: &Gate) -> bool {
    gate.get("/other").api_client().send().status == 200
        && gate.post("/other").api_client().body("hello").send().text().ends_with("hello")
}

#[test]
fn attack_one_unread_download_over_http2_to_the_portal() {
    let door = PortalDoor::http2();
    let gate = before(&door, 1);
    let mut greedy = gate.get("/big").open();
    greedy.head();
    let mut client = H2Connection::connect(gate.addr(), 1024);
    let _streams: Vec<_> = (0..5).map(|_| client.get("/big")).collect();
    let stalled = 6 * 320 * 1024;
    eventually(|| gate.admin("/metrics").text().contains(&format!("\ndoorward_buffered_bytes {stalled}\n")));
    for _ in 0..5 {
        assert!(is_served(&gate));
    }
}

/// More than are read before a stream is taken.
fn begun(path: &str) -> String {
    let start = "x".repeat(20_000);
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{start}")
}

#[test]
fn attack_unfinished_uploads_take_all_streams_over_http2_to_the_portal() {
    let door = PortalDoor::http2();
    let gate = before(&door, 8);
    let open = |_| {
        let mut upload: Wire = gate.raw(begun("/upload"));
        assert!(upload.head().first.contains("200"));
        upload
    };
    let _uploads: Vec<_> = (0..3 * HTTP2_STREAMS).map(open).collect();
    for _ in 0..5 {
        assert!(is_served(&gate));
    }
}

#[test]
fn attack_uploads_that_the_portal_does_not_read_hold_up_no_others() {
    let door = PortalDoor::http2();
    let gate = before(&door, 8);
    let mut client = H2Connection::connect(gate.addr(), 16 * 1024);
    let _unread: Vec<_> = (0..12).map(|_| client.begin_upload("/unread", vec![0; 1 << 20])).collect();
    eventually(|| gate.admin("/metrics").text().contains("\ndoorward_requests_in_flight 12\n"));
    for _ in 0..5 {
        assert!(is_served(&gate));
    }
}

#[test]
fn more_connections_are_opened_up_to_the_limit_and_closed_again() {
    let door = PortalDoor::http2();
    let gate = before(&door, 2);
    let hold = |_| {
        let mut held = gate.get("/unread").open();
        held.head();
        held
    };
    // one that does not count, and two that do
    let streams: Vec<_> = (0..3 * HTTP2_STREAMS).map(hold).collect();
    let connections = |count: u32| {
        gate.admin("/metrics").text().contains(&format!("\ndoorward_portal_connections {count}\n"))
    };
    assert!(connections(2));
    let refused = gate.get("/other").api_client().send();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    drop(streams);
    eventually(|| is_served(&gate));
    eventually(|| connections(0));
}
