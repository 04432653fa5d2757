//! Draining after SIGTERM: clients are asked to reconnect, and connections that do not end in time are closed and counted.

use serde_json::json;

use crate::support::{
    Binary, Portal, Reply, TestProxy, eventually, h2::H2Connection, proxy::TestProxyBuilder,
};

/// A close frame with status 1001.
const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];
/// As HTTP/2 begins with it.
const WINDOW: u32 = 65_535;

fn before(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(&[("/**", "open")]).websockets_at("/ws")
}

/// Not ready, and serving for as long as the test takes.
fn draining(portal: &Portal) -> TestProxyBuilder {
    before(portal).setting("server.drain_delay", "10m")
}

fn drain(binary: &Binary) {
    binary.signal("TERM");
    eventually(|| binary.has_logged("draining: not ready any more"));
    assert_eq!(binary.admin("/readyz").status, 503);
}

#[test]
fn answers_while_draining_close_their_connection() {
    let portal = Portal::answering("hello").start();
    let binary = draining(&portal).serve();
    let mut retained = binary.get("/").open();
    assert_eq!(retained.answer("GET").unwrap().header("connection"), None);
    drain(&binary);
    retained.write(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", binary.http));
    let answer = retained.answer("GET").unwrap();
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("hello", Some("close")));
    assert!(retained.rest().is_empty());
    let new = binary.get("/").send();
    assert_eq!((new.status, new.header("connection")), (200, Some("close")));
}

#[test]
fn a_websocket_is_opened_while_draining() {
    let portal = Portal::replying(Reply::upgrade_echo()).start();
    let binary = draining(&portal).serve();
    drain(&binary);
    let (head, mut wire) = binary.get("/ws").header("origin", &format!("http://{}", binary.http)).upgrade();
    assert!(head.first.contains("101"), "{}", head.first);
    assert_eq!(wire.write([0x81, 0]).bytes(2), [0x81, 0]);
}

#[test]
fn http2_connections_are_sent_goaway_while_draining() {
    let portal = Portal::answering("hello").start();
    let binary = draining(&portal).serve();
    let mut retained = H2Connection::connect(binary.http, WINDOW);
    assert_eq!(retained.get("/").status(), 200);
    drain(&binary);
    retained.wait_for_close_by_server();
    // the balancer has not noticed yet
    let mut new = H2Connection::connect(binary.http, WINDOW);
    assert_eq!(new.get("/").status(), 200);
    new.wait_for_close_by_server();
}

#[test]
fn websockets_are_closed_with_1001_at_the_end_of_the_drain() {
    let whole_frames: &[u8] = &[0x81, 2, b'h', b'i', 0x82, 0];
    let frame_begun: &[u8] = &[0x81, 5, b'h', b'i'];
    let closed_by_portal: &[u8] = &[0x88, 0];
    for (sent, last) in [(whole_frames, &GOING_AWAY[..]), (frame_begun, &[]), (closed_by_portal, &[])] {
        let portal = Portal::replying(Reply::upgrade_echo()).start();
        let mut binary = before(&portal).setting("server.drain_timeout", "300ms").serve();
        let origin = format!("http://{}", binary.http);
        let (_, mut wire) = binary.get("/ws").header("origin", &origin).upgrade();
        assert_eq!(wire.write(sent).bytes(sent.len()), sent);
        binary.signal("TERM");
        assert_eq!(wire.rest(), last, "{sent:?}");
        assert_eq!(binary.exit_code(), Some(0));
        assert_eq!(cut(&binary), (1, 0, 1));
    }
}

#[test]
fn last_log_line_counts_closed_connections() {
    let (stream, _hose) = Reply::stream();
    let portal = Portal::answering("hello").route("/slow", stream).start();
    for signals in [&["TERM"][..], &["TERM", "INT"]] {
        let timeout = if signals.len() == 1 { "300ms" } else { "10m" };
        let mut binary = before(&portal).setting("server.drain_timeout", timeout).serve();
        let mut wires = [binary.get("/slow").open(), binary.get("/slow").open()];
        for wire in &mut wires {
            wire.head();
        }
        for signal in signals {
            binary.signal(signal);
            eventually(|| std::net::TcpStream::connect(binary.http).is_err() || !binary.is_running());
        }
        assert_eq!(binary.exit_code(), Some(0));
        assert_eq!(cut(&binary), (2, 2, 0));
    }
    let mut binary = before(&portal).serve();
    binary.get("/").send();
    binary.signal("TERM");
    assert_eq!((binary.exit_code(), cut(&binary)), (Some(0), (0, 0, 0)));
}

/// Connections, requests, WebSockets.
fn cut(binary: &Binary) -> (u64, u64, u64) {
    eventually(|| binary.has_logged("stopped"));
    let line = binary.log_line("stopped").unwrap_or(json!(null));
    let count = |name: &str| line[name].as_u64().unwrap();
    (count("connections_cut"), count("requests_cut"), count("websockets_cut"))
}
