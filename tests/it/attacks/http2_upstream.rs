//! Clients that delay others on the same HTTP/2 connection to the portal.

use serde_json::json;

use crate::support::{
    Portal, PortalListener, TestProxy, Wire, eventually, h2::H2Connection, portal_listener::HTTP2_STREAMS,
};

fn before(listener: &PortalListener, max_connections: u32) -> TestProxy {
    let unused = Portal::answering("").start();
    let upstream = json!([{
        "path": "/",
        "url": format!("http://{}", listener.authority),
        "http2": true,
        "max_connections": max_connections,
        "connect_timeout": "500ms",
    }]);
    TestProxy::in_front_of(&unused)
        .generic(&[("/**", "open")])
        .setting("server.workers", 1)
        .setting("portal.upstream", upstream)
        .start()
}

fn is_served(proxy: &TestProxy) -> bool {
    proxy.get("/other").api_client().send().status == 200
        && proxy.post("/other").api_client().body("hello").send().text().ends_with("hello")
}

#[test]
fn attack_one_unread_download_over_http2_to_the_portal() {
    let listener = PortalListener::http2();
    let proxy = before(&listener, 1);
    let mut greedy = proxy.get("/big").open();
    greedy.head();
    let mut client = H2Connection::connect(proxy.addr(), 1024);
    let _streams: Vec<_> = (0..5).map(|_| client.get("/big")).collect();
    let stalled = 6 * 320 * 1024;
    eventually(|| proxy.admin("/metrics").text().contains(&format!("\ndoorward_buffered_bytes {stalled}\n")));
    for _ in 0..5 {
        assert!(is_served(&proxy));
    }
}

/// More than are read before a stream is taken.
fn begun(path: &str) -> String {
    let start = "x".repeat(20_000);
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{start}")
}

#[test]
fn attack_unfinished_uploads_take_all_http2_streams() {
    let listener = PortalListener::http2();
    let proxy = before(&listener, 8);
    let open = |_| {
        let mut upload: Wire = proxy.raw(begun("/upload"));
        assert!(upload.head().first.contains("200"));
        upload
    };
    let _uploads: Vec<_> = (0..3 * HTTP2_STREAMS).map(open).collect();
    for _ in 0..5 {
        assert!(is_served(&proxy));
    }
}

#[test]
fn attack_uploads_unread_by_the_portal_block_others() {
    let listener = PortalListener::http2();
    let proxy = before(&listener, 8);
    let mut client = H2Connection::connect(proxy.addr(), 16 * 1024);
    let _unread: Vec<_> = (0..12).map(|_| client.begin_upload("/unread", vec![0; 1 << 20])).collect();
    eventually(|| proxy.admin("/metrics").text().contains("\ndoorward_requests_in_flight 12\n"));
    for _ in 0..5 {
        assert!(is_served(&proxy));
    }
}

#[test]
fn more_connections_are_opened_up_to_the_limit_and_closed_again() {
    let listener = PortalListener::http2();
    let proxy = before(&listener, 2);
    let hold = |_| {
        let mut held = proxy.get("/unread").open();
        held.head();
        held
    };
    // one that does not count, and two that do
    let streams: Vec<_> = (0..3 * HTTP2_STREAMS).map(hold).collect();
    let connections = |count: u32| {
        proxy.admin("/metrics").text().contains(&format!("\ndoorward_portal_connections {count}\n"))
    };
    assert!(connections(2));
    let refused = proxy.get("/other").api_client().send();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    drop(streams);
    eventually(|| is_served(&proxy));
    eventually(|| connections(0));
}
