//! Clients that transfer slowly to occupy shared resources: below the minimum rate they are disconnected. Waiting is not
//! slow.

use std::{thread, time::Duration};

use serde_json::json;

use crate::support::{
    Portal, PortalListener, Reply, TestProxy, eventually, eventually::throughout, h2::H2Connection,
    proxy::TestProxyBuilder,
};

/// More than is read before a connection to the portal is taken.
const BEGUN: usize = 64 * 1024;

/// One connection to the portal, and a client may fall behind by 300 ms.
fn before(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal)
        .generic(&[("/**", "open")])
        .setting("limits.min_rate_grace", "300ms")
        .setting(
            "portal.upstream",
            json!([{"path": "/", "url": portal.url(), "max_connections": 1, "connect_timeout": "10s"}]),
        )
}

fn upload(sent: usize, framing: &str) -> String {
    let piece = "x".repeat(sent);
    let piece = if framing.starts_with("transfer") { format!("{sent:x}\r\n{piece}\r\n") } else { piece };
    format!("POST / HTTP/1.1\r\nhost: x\r\naccept: application/json\r\n{framing}\r\n\r\n{piece}")
}

#[test]
fn attack_stalled_uploads_hold_a_portal_connection() {
    for (sent, framing) in [
        (BEGUN, "content-length: 1000000"),
        (BEGUN, "transfer-encoding: chunked"),
        (1, "content-length: 1000000"),
        (1, "transfer-encoding: chunked"),
    ] {
        let portal = Portal::answering("hello").start();
        let proxy = before(&portal).start();
        let mut stopped = proxy.raw(upload(sent, framing));
        eventually(|| sent == 1 || portal.received().len() == 1);
        assert_eq!(proxy.get("/").send().text(), "hello");
        assert_eq!(stopped.answer("POST").unwrap().status, 408, "{sent} {framing}");
    }
}

#[test]
fn attack_stalled_http2_uploads_hold_a_portal_connection() {
    for sent in [BEGUN, 1] {
        let portal = Portal::answering("hello").start();
        let proxy = before(&portal).start();
        let mut client = H2Connection::connect(proxy.addr(), 16 * 1024);
        let stopped = client.begin_upload("/", vec![0; sent]);
        assert_eq!(proxy.get("/").send().text(), "hello");
        assert_eq!(client.status(stopped), Some(408), "{sent}");
    }
}

#[test]
fn attack_empty_uploads_take_a_portal_connection() {
    let portal = Portal::answering("hello").start();
    let proxy = before(&portal).setting("limits.min_rate_grace", "1m").start();
    let _silent: Vec<_> = (0..20).map(|_| proxy.raw(upload(0, "content-length: 9"))).collect();
    let mut client = H2Connection::connect(proxy.addr(), 16 * 1024);
    let _streams: Vec<_> = (0..20).map(|_| client.begin_upload("/", Vec::new())).collect();
    eventually(|| proxy.admin("/metrics").text().contains("\ndoorward_requests_in_flight 40\n"));
    assert_eq!(proxy.get("/").send().text(), "hello");
    assert_eq!(portal.only_request().method, "GET");
}

#[test]
fn small_bodies_arrive_whole_and_in_one_piece() {
    let portal = Portal::replying(Reply::echo_body()).start();
    let proxy = before(&portal).start();
    let chunked = upload(5, "transfer-encoding: chunked") + "3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n";
    for (request, body) in [
        (upload(5, "content-length: 5"), "xxxxx"),
        (chunked, "xxxxxabc"),
        (upload(0, "transfer-encoding: chunked"), ""),
        (upload(20_000, "content-length: 20000"), &"x".repeat(20_000)),
    ] {
        assert_eq!(proxy.raw(request).answer("POST").unwrap().text(), body);
        assert_eq!(proxy.post("/").http2().body(body).send().text(), body);
    }
    assert!(portal.received().iter().all(|request| request.complete));
    assert_eq!(portal.received()[2].trailers, [("x-sum".to_owned(), "3".to_owned())]);
}

#[test]
fn paused_body_is_forwarded_as_far_as_received() {
    let portal = Portal::replying(Reply::echo_body()).start();
    let proxy = before(&portal).setting("limits.min_rate_grace", "1m").start();
    let mut slow = proxy.raw(upload(3, "content-length: 6"));
    eventually(|| portal.received().first().is_some_and(|request| request.body == b"xxx"));
    assert_eq!(slow.write("yyy").answer("POST").unwrap().text(), "xxxyyy");
}

#[test]
fn attack_responses_read_below_the_minimum_rate() {
    for tls in [false, true] {
        let portal = Portal::answering("hello").route("/big", Reply::zeros(64 << 20)).start();
        let builder = before(&portal).setting("limits.write_timeout", "10m");
        let proxy = if tls { builder.tls().start() } else { builder.start() };
        let ask = |path| if tls { proxy.get(path).tls() } else { proxy.get(path) };
        let mut greedy = ask("/big").open();
        greedy.head();
        assert_eq!(ask("/").send().text(), "hello");
        assert!(greedy.rest().len() < 64 << 20);
        // over HTTP/2 the stream alone
        let mut client = H2Connection::connect(proxy.addr(), 1024);
        let greedy = client.get("/big");
        assert_eq!(ask("/").send().text(), "hello");
        assert!(!client.is_whole(greedy), "a short answer must not look whole");
    }
}

#[test]
fn without_a_minimum_rate_only_idle_time_counts() {
    let portal = Portal::answering("hello").start();
    let proxy = before(&portal)
        .setting("limits.min_upload_rate", 0)
        .setting("portal.upstream", json!([{"path": "/", "url": portal.url(), "idle_timeout": "2s"}]))
        .start();
    let mut stopped = proxy.raw(upload(BEGUN, "content-length: 1000000"));
    throughout(Duration::from_secs(1), || proxy.get("/").send().text() == "hello");
    assert_eq!(stopped.answer("POST").unwrap().status, 408);
}

#[test]
fn events_long_polls_and_websockets_may_be_silent() {
    let ((events, event), (poll, answer)) = (Reply::stream(), Reply::stream());
    let portal = Portal::answering("hello")
        .route("/events", events)
        .route("/poll", poll)
        .route("/ws", Reply::upgrade_echo())
        .start();
    let upstream = json!([{"path": "/", "url": portal.url()}]);
    let proxy = before(&portal).websockets_at("/ws").setting("portal.upstream", upstream).start();
    let mut events = proxy.get("/events").open();
    events.head();
    let (_, mut socket) = proxy.get("/ws").upgrade();
    thread::scope(|scope| {
        let poll = scope.spawn(|| proxy.get("/poll").http2().send().text());
        throughout(Duration::from_secs(1), || proxy.get("/").send().text() == "hello");
        answer.send("done");
        drop(answer);
        assert_eq!(poll.join().unwrap(), "done");
    });
    event.send("data: 1");
    assert_eq!(events.chunk(), "data: 1");
    assert_eq!(socket.write("ping").bytes(4), b"ping");
}

#[test]
fn grpc_may_wait_for_the_portals_first_message() {
    let listener = PortalListener::http2();
    let upstream = json!([{"path": "/", "url": format!("http://{}", listener.authority), "http2": true}]);
    let unused = Portal::answering("").start();
    let proxy = before(&unused).setting("portal.upstream", upstream).start();
    let silent =
        "POST /x HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc+proto\r\ncontent-length: 4\r\n\r\n";
    let mut client = proxy.raw(silent);
    assert!(client.head().first.contains("200"), "answered before a byte of the body is sent");
    throughout(Duration::from_secs(1), || proxy.get("/").send().status == 200);
    client.write("ping");
    assert!(String::from_utf8_lossy(&client.bytes(64)).contains("HTTP/2"));
}
