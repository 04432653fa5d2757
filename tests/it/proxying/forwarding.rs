//! Forwarding: bodies are streamed unchanged, and faults are reported at once.

use std::time::Duration;

use insta::assert_snapshot;

use crate::support::{Portal, Reply, TestProxy, eventually, eventually::within, proxy::TestProxyBuilder};

/// A proxy that only forwards.
fn open_proxy(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(&[("/**", "open")])
}

#[test]
fn a_request_reaches_the_portal_as_it_was_sent() {
    let portal = Portal::replying(Reply::echo_body().status(418).header("x-portal", "1")).start();
    let proxy = open_proxy(&portal).start();
    let answer = proxy.request("PATCH", "/a%20b/c?x=1&x=%2f").header("x-mine", "2").body("hi").send();
    assert_snapshot!(answer.head(), @"
    418 I'm a teapot
    x-portal: 1
    ");
    assert_eq!(answer.text(), "hi");
    let received = portal.only_request();
    assert_eq!((received.method.as_str(), received.target.as_str()), ("PATCH", "/a%20b/c?x=1&x=%2f"));
    assert_eq!((received.header("x-mine"), received.header("host")), (Some("2"), Some(&*proxy.authority())));
}

#[test]
fn http2_and_tls_callers_reach_an_http1_portal() {
    let portal = Portal::echoing().start();
    let proxy = open_proxy(&portal).tls().start();
    for ask in [
        proxy.get("/x").http2(),
        proxy.get("/x").tls(),
        proxy.get("/x").tls().http2(),
        proxy.post("/x").http2().body("hello"),
    ] {
        let answer = ask.host("portal.test").send();
        assert!(answer.status == 200 && answer.text().contains("/x"), "{answer:?}");
        assert_eq!(portal.last_request().all("host"), ["portal.test"]);
    }
}

#[test]
fn an_upload_reaches_the_portal_while_it_is_still_being_sent() {
    let portal = Portal::answering("done").start();
    let proxy = open_proxy(&portal).start();
    let mut wire = proxy.raw("PUT /big HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfirst");
    eventually(|| portal.received().first().is_some_and(|r| r.body_bytes == 5));
    assert_eq!(wire.write("later").answer("PUT").unwrap().text(), "done");
    assert_eq!(portal.only_request().body, b"firstlater");
}

#[test]
fn server_sent_events_are_not_buffered() {
    let (stream, sender) = Reply::stream();
    let portal = Portal::replying(stream).start();
    let proxy = open_proxy(&portal).start();
    let mut wire = proxy.get("/events").open();
    assert_eq!(wire.head().header("content-type"), Some("text/event-stream"));
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        sender.send(event);
        assert_eq!(wire.chunk(), event, "not held back until the next");
    }
    drop(sender);
    assert_eq!(wire.chunk(), "");
}

#[test]
fn trailers_survive_in_both_directions() {
    let portal =
        Portal::replying(Reply::trailers("abc", &[("x-sum", "3")]).header("trailer", "x-sum")).start();
    let proxy = open_proxy(&portal).start();
    assert_eq!(proxy.get("/").http2().send().trailers, [("x-sum".to_owned(), "3".to_owned())]);
    let answer = proxy.get("/").header("te", "trailers").send();
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "3".to_owned())]);
    let upload = "POST /up HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: x-md5\r\n\r\n2\r\nhi\r\n0\r\nx-md5: 7\r\n\r\n";
    proxy.raw(upload).answer("POST").unwrap();
    assert_eq!(portal.last_request().trailers, [("x-md5".to_owned(), "7".to_owned())]);
}

#[test]
fn the_caller_may_wait_for_100_continue() {
    let portal = Portal::replying(Reply::echo_body()).start();
    let proxy = open_proxy(&portal).start();
    let mut wire =
        proxy.raw("PUT / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    assert!(wire.head().first.contains("100"));
    assert_eq!(wire.write("hi").answer("PUT").unwrap().text(), "hi");
}

#[test]
fn interim_responses_of_the_portal_are_skipped() {
    let early =
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let portal = Portal::replying(Reply::raw(early)).start();
    let answer = open_proxy(&portal).start().get("/").send();
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert!(answer.interim.iter().all(|status| *status == 103));
}

#[test]
fn a_websocket_passes_bytes_both_ways() {
    let portal = Portal::replying(Reply::upgrade_echo()).start();
    let proxy = open_proxy(&portal).websockets_at("/ws").start();
    let origin = format!("http://{}", proxy.authority());
    let (head, mut wire) = proxy.get("/ws").header("origin", &origin).upgrade();
    assert!(head.first.contains("101"), "{}", head.first);
    assert_eq!(wire.write("ping").bytes(4), b"ping");
    portal.stop();
    assert!(wire.rest().is_empty(), "the end of one side is the end of the other");
}

#[test]
fn a_head_request_has_a_length_and_no_body() {
    let portal = Portal::answering("hello").start();
    let answer = open_proxy(&portal).start().request("HEAD", "/").send();
    assert_eq!((answer.header("content-length"), answer.body.len()), (Some("5"), 0));
}

#[test]
fn unreachable_portal_returns_502_in_the_callers_format() {
    let portal = Portal::answering("").start();
    let proxy = open_proxy(&portal).start();
    portal.stop();
    eventually(|| proxy.get("/").api_client().send().status == 502);
    let api = proxy.get("/").api_client().send();
    assert_eq!(api.header("content-type"), Some("application/problem+json"));
    let page = proxy.get("/").browser().send();
    assert!(page.status == 502 && page.header("content-type").is_some_and(|t| t.starts_with("text/html")));
    let id = page.header("x-request-id").expect("a request id").to_owned();
    assert!(page.text().contains(&id), "the page shows the id that the log has");
}

#[test]
fn silent_portal_returns_504_after_the_header_timeout() {
    let portal = Portal::replying(Reply::raw_then_silence("")).start();
    let proxy =
        open_proxy(&portal).setting("portal.upstream", upstream(&portal, "header_timeout", "200ms")).start();
    within(Duration::from_secs(3), || proxy.get("/").api_client().send().status == 504);
    assert_eq!(portal.received().len(), 1, "nothing is asked twice that may have been executed");
}

#[test]
fn stalled_response_body_ends_the_response_incomplete() {
    let half = Reply::raw_then_silence("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    let portal = Portal::replying(half).start();
    let proxy =
        open_proxy(&portal).setting("portal.upstream", upstream(&portal, "idle_timeout", "200ms")).start();
    let answer = proxy.get("/").send();
    assert_eq!((answer.text().as_str(), answer.complete), ("abc", false));
}

#[test]
fn failed_post_is_never_retried() {
    let portal = Portal::answering("").route("/break", Reply::raw("")).start();
    let proxy = open_proxy(&portal).start();
    proxy.get("/warm").send();
    let answer = proxy.post("/break").body("pay 5").api_client().send();
    assert_eq!(answer.status, 502);
    assert_eq!(portal.received().iter().filter(|r| r.method == "POST").count(), 1);
}

#[test]
fn closed_idle_connections_never_delay_a_request() {
    // says nothing about it in its answer, so that the next request and the end of the connection race
    let closing = Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let portal = Portal::replying(closing).start();
    let proxy = open_proxy(&portal).start();
    let mut wire = proxy.raw("");
    for _ in 0..300 {
        let answer = wire.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n").answer("GET").unwrap();
        assert!(matches!(answer.status, 200 | 502), "{}", answer.status);
    }
}

#[test]
fn garbage_from_the_portal_is_502_and_never_passed_on() {
    for garbage in [
        "hello\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde",
        "HTTP/1.1 200 OK\r\nx: a\r\n b\u{0}\r\n\r\n",
        "HTTP/1.1 9999 OK\r\n\r\n",
    ] {
        let portal = Portal::replying(Reply::raw(garbage)).start();
        assert_eq!(open_proxy(&portal).start().get("/").send().status, 502, "{garbage:?}");
    }
}

#[test]
fn a_broken_chunk_ends_the_answer_broken() {
    let garbage = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n";
    let portal = Portal::replying(Reply::raw(garbage)).start();
    let proxy = open_proxy(&portal).start();
    // the connection may end before the head was written, but never so that the answer looks whole
    let answer = proxy.raw("GET / HTTP/1.1\r\nhost: x\r\n\r\n").rest();
    assert!(!String::from_utf8_lossy(&answer).ends_with("0\r\n\r\n"));
}

#[test]
fn several_portals_share_the_paths() {
    let (web, api) = (Portal::answering("web").start(), Portal::answering("api").start());
    let upstreams = serde_json::json!([{"path": "/", "url": web.url()}, {"path": "/api", "url": api.url()}]);
    let proxy = open_proxy(&web).setting("portal.upstream", upstreams).start();
    for (path, from) in [("/", "web"), ("/api", "api"), ("/api/x", "api"), ("/apis", "web")] {
        assert_eq!(proxy.get(path).send().text(), from, "{path}");
    }
}

#[test]
fn drain_fails_readiness_and_finishes_requests() {
    let (stream, sender) = Reply::stream();
    let portal = Portal::answering("").route("/slow", stream).start();
    let proxy = open_proxy(&portal).setting("server.drain_timeout", "5s").start();
    eventually(|| proxy.admin("/readyz").status == 200);
    let mut wire = proxy.get("/slow").open();
    wire.head();
    proxy.admin_request("POST", "/drain").send();
    eventually(|| proxy.admin("/readyz").status == 503);
    assert_eq!(proxy.admin("/livez").status, 200, "terminating is alive");
    sender.send("the end");
    assert_eq!(wire.chunk(), "the end");
}

fn upstream(portal: &Portal, key: &str, value: &str) -> serde_json::Value {
    let mut upstream = serde_json::json!({"path": "/", "url": portal.url()});
    upstream[key] = value.into();
    serde_json::json!([upstream])
}

#[test]
fn a_reader_that_pauses_gets_the_whole_download() {
    let body = "x".repeat(8 * 1024 * 1024);
    let portal = Portal::answering(&body).start();
    let proxy = open_proxy(&portal).start();
    let mut wire = proxy.raw("GET /big HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    crate::support::eventually::throughout(std::time::Duration::from_secs(2), || true);
    let answer = wire.rest();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    assert_eq!(answer.len() - head, body.len());
}
