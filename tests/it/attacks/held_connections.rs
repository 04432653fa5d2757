//! Clients that occupy a shared resource: connections to the portal.

use std::{sync::Arc, thread};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::{
    Portal, PortalListener, Reply, TestProxy, eventually, proxy::TestProxyBuilder, request::RequestBuilder,
};

/// More than all buffers in between hold.
const BIG: usize = 64 << 20;

fn before(portal: &Portal, connections: u32, patience: &str) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(&[("/**", "open")]).setting(
        "portal.upstream",
        json!([{"path": "/", "url": portal.url(), "max_connections": connections, "connect_timeout": patience}]),
    )
}

fn portal_connections(proxy: &TestProxy) -> usize {
    let text = proxy.admin("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix("doorward_portal_connections "));
    line.unwrap().parse().unwrap()
}

#[test]
fn attack_response_never_read_over_http1() {
    let portal = Portal::answering("hello").route("/big", Reply::text("x".repeat(BIG))).start();
    let proxy = before(&portal, 1, "10s").setting("limits.write_timeout", "300ms").start();
    let mut greedy = proxy.get("/big").open();
    greedy.head();
    // it holds the only connection there is, but not for long
    assert_eq!(proxy.get("/").send().text(), "hello");
    assert!(greedy.rest().len() < BIG);
}

#[test]
fn attack_response_never_read_over_tls() {
    let portal = Portal::answering("hello").route("/big", Reply::text("x".repeat(BIG))).start();
    let proxy = before(&portal, 1, "10s").tls().setting("limits.write_timeout", "300ms").start();
    let mut greedy = proxy.get("/big").tls().open();
    greedy.head();
    assert_eq!(proxy.get("/").tls().send().text(), "hello");
}

#[test]
fn attack_http2_stream_with_a_closed_window() {
    let portal = Portal::answering("hello").route("/big", Reply::text("x".repeat(BIG))).start();
    let proxy = before(&portal, 1, "10s").setting("limits.write_timeout", "300ms").start();
    let address = proxy.addr();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(1024)
            .handshake(TokioIo::new(socket))
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut ask = |path: &str| {
            let uri = format!("http://portal.test{path}");
            sender.send_request(Request::get(uri).body(Empty::<Bytes>::new()).unwrap())
        };
        let greedy = ask("/big").await.unwrap();
        assert_eq!(greedy.status(), 200);
        // the stream is given up; the connection, on which others depend, is not
        let other = ask("/").await.unwrap();
        assert_eq!(other.into_body().collect().await.unwrap().to_bytes(), "hello");
        assert!(greedy.into_body().collect().await.is_err(), "a short answer must not look whole");
    });
}

#[test]
fn attack_unanswered_requests_exceed_the_connection_limit() {
    let portal = Portal::answering("hello").route("/hang", Reply::raw_then_silence("")).start();
    let proxy = before(&portal, 2, "300ms").start();
    let hanging = [proxy.get("/hang").open(), proxy.get("/hang").open()];
    eventually(|| portal.received().len() == 2);
    let refused = proxy.get("/").api_client().send();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert_eq!((portal.connections(), portal_connections(&proxy)), (2, 2));
    let counted = "doorward_portal_errors_total{kind=\"too_many\"} 1";
    assert!(proxy.admin("/metrics").text().lines().any(|line| line == counted));
    drop(hanging);
    eventually(|| proxy.get("/").send().text() == "hello");
}

#[test]
fn queued_requests_use_the_connection_that_is_released() {
    let (stream, sender) = Reply::stream();
    let portal = Portal::answering("hello").route("/slow", stream).start();
    let proxy = before(&portal, 1, "10s").start();
    let mut slow = proxy.get("/slow").open();
    slow.head();
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| proxy.get("/").send().text())).collect();
        eventually(|| proxy.admin("/metrics").text().contains("doorward_requests_in_flight 4"));
        sender.send("the end");
        drop(sender);
        assert_eq!((slow.chunk().as_str(), slow.chunk().as_str()), ("the end", ""));
        assert!(waiting.into_iter().all(|answer| answer.join().unwrap() == "hello"));
    });
    assert_eq!(portal.connections(), 1);
}

#[test]
fn few_connections_serve_many_clients_of_many_workers() {
    let portal = Portal::answering("hello").start();
    let proxy = Arc::new(before(&portal, 2, "10s").setting("server.workers", 4).start());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..25).for_each(|_| assert_eq!(proxy.get("/").send().text(), "hello")));
        }
    });
    assert!(portal_connections(&proxy) <= 2);
}

#[test]
fn a_websocket_has_a_limit_of_its_own() {
    let portal = Portal::answering("hello").route("/ws", Reply::upgrade_echo()).start();
    let proxy = before(&portal, 1, "300ms").websockets_at("/ws").start();
    let sockets: Vec<_> = (0..3).map(|_| proxy.get("/ws").upgrade()).collect();
    assert!(sockets.iter().all(|(head, _)| head.first.contains("101")));
    assert_eq!(proxy.get("/").send().text(), "hello");
}

#[test]
fn changed_limit_includes_open_connections() {
    let portal = Portal::answering("hello").route("/hang", Reply::raw_then_silence("")).start();
    let mut proxy = before(&portal, 1, "300ms").start();
    let _hanging = proxy.get("/hang").open();
    eventually(|| portal.received().len() == 1);
    assert_eq!(proxy.get("/").api_client().send().status, 503);
    proxy.edit_deployment(
        "portal.upstream",
        json!([{"path": "/", "url": portal.url(), "max_connections": 2, "connect_timeout": "300ms"}]),
    );
    eventually(|| proxy.get("/").api_client().send().status == 200);
    assert_eq!(portal_connections(&proxy), 2);
}

/// From an address of its own, named by a proxy that is trusted.
fn client(proxy: &TestProxy, address: &str, path: &str) -> RequestBuilder<'static> {
    proxy.get(path).api_client().header("x-forwarded-for", address)
}

fn others_are_served(proxy: &TestProxy) {
    for last in 1..=5 {
        assert_eq!(client(proxy, &format!("198.51.100.{last}"), "/").send().status, 200);
    }
}

#[test]
fn attack_one_client_takes_every_connection_to_the_portal() {
    let portal = Portal::answering("hello")
        .route("/big", Reply::zeros(BIG as u64))
        .route("/hang", Reply::raw_then_silence(""))
        .start();
    // a quarter of eight
    let proxy = before(&portal, 8, "500ms").trusting("127.0.0.0/8").start();
    let mut unread = client(&proxy, "192.0.2.1", "/big").open();
    unread.head();
    let _hanging = client(&proxy, "192.0.2.1", "/hang").open();
    eventually(|| portal.received().len() == 2);
    let _more: Vec<_> = (0..10).map(|_| client(&proxy, "192.0.2.1", "/hang").open()).collect();
    others_are_served(&proxy);
    let refused = client(&proxy, "192.0.2.1", "/").send();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let counted = "doorward_client_limit_rejections_total{resource=\"upstream_connections\"} ";
    let metrics = proxy.admin("/metrics").text();
    assert!(metrics.lines().any(|line| line.strip_prefix(counted).is_some_and(|count| count != "0")));
    // its next request is served when one of its own has ended
    drop(unread);
    eventually(|| client(&proxy, "192.0.2.1", "/").send().status == 200);
}

#[test]
fn request_over_the_client_limit_waits_for_its_own() {
    let (stream, sender) = Reply::stream();
    let portal = Portal::answering("hello").route("/slow", stream).start();
    let proxy = before(&portal, 4, "10s").trusting("127.0.0.0/8").start();
    let mut slow = client(&proxy, "192.0.2.1", "/slow").open();
    slow.head();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client(&proxy, "192.0.2.1", "/").send().text());
        eventually(|| proxy.admin("/metrics").text().contains("doorward_requests_in_flight 2"));
        others_are_served(&proxy);
        drop(sender);
        assert_eq!(slow.chunk(), "");
        assert_eq!(waiting.join().unwrap(), "hello");
    });
}

#[test]
fn attack_one_client_takes_every_http2_stream_to_the_portal() {
    let (unused, listener) = (Portal::answering("").start(), PortalListener::http2());
    let upstream = json!([{
        "path": "/",
        "url": format!("http://{}", listener.authority),
        "http2": true,
        "max_connections": 2,
        "connect_timeout": "500ms",
    }]);
    let proxy = before(&unused, 1, "1s")
        .setting("portal.upstream", upstream)
        .setting("limits.client.upstream_connections", 3)
        .trusting("127.0.0.0/8")
        .start();
    let hold = |_| {
        let mut held = client(&proxy, "192.0.2.1", "/unread").open();
        held.head();
        held
    };
    let _held: Vec<_> = (0..3).map(hold).collect();
    assert_eq!(client(&proxy, "192.0.2.1", "/").send().status, 429);
    others_are_served(&proxy);
}

/// Attack: the portal answers before the upload has ended, and the upload continues. `authority` is the portal's.
fn uploads_hold_their_permits(authority: &str, http2: bool) {
    let unused = Portal::answering("").start();
    let upstream = json!([{
        "path": "/",
        "url": format!("http://{authority}"),
        "http2": http2,
        "max_connections": 8,
        "connect_timeout": "500ms",
    }]);
    let proxy = before(&unused, 1, "1s")
        .setting("portal.upstream", upstream)
        .setting("limits.client.upstream_connections", 2)
        .trusting("127.0.0.0/8")
        .start();
    let upload = || {
        let mut wire = proxy.raw(
            "PUT /early HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\naccept: application/json\r\n\
             content-length: 8388608\r\n\r\nfirst",
        );
        let answer = wire.answer("PUT").unwrap();
        (answer.status, wire)
    };
    let held = [upload(), upload()];
    assert_eq!([held[0].0, held[1].0], [404, 404]);
    assert_eq!(client(&proxy, "192.0.2.1", "/").send().status, 429, "its uploads go on");
    others_are_served(&proxy);
    drop(held);
    eventually(|| client(&proxy, "192.0.2.1", "/").send().status == 200);
}

#[test]
fn attack_uploads_after_the_answer_without_a_permit() {
    let early = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno";
    let portal = Portal::answering("hello").route("/early", Reply::raw_then_silence(early)).start();
    uploads_hold_their_permits(&portal.authority(), false);
}

#[test]
fn attack_uploads_after_the_answer_without_a_permit_over_http2() {
    let listener = PortalListener::http2();
    uploads_hold_their_permits(&listener.authority, true);
}

/// Without one queue for all upstreams the request would wait for its whole `connect_timeout`, and get 429.
#[test]
fn a_permit_freed_at_one_upstream_serves_a_request_to_another() {
    let (stream, sender) = Reply::stream();
    let portal = Portal::answering("hello").route("/slow", stream).start();
    let other = Portal::answering("other").start();
    let upstreams = json!([
        {"path": "/", "url": portal.url(), "connect_timeout": "10s"},
        {"path": "/other", "url": other.url(), "connect_timeout": "10s"},
    ]);
    let proxy = before(&portal, 1, "10s")
        .setting("portal.upstream", upstreams)
        .setting("limits.client.upstream_connections", 1)
        .trusting("127.0.0.0/8")
        .start();
    let mut slow = client(&proxy, "192.0.2.1", "/slow").open();
    slow.head();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client(&proxy, "192.0.2.1", "/other").send());
        eventually(|| proxy.admin("/metrics").text().contains("doorward_requests_in_flight 2"));
        sender.send("the end");
        drop(sender);
        assert_eq!((slow.chunk().as_str(), slow.chunk().as_str()), ("the end", ""));
        let answer = waiting.join().unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "other"));
    });
}
