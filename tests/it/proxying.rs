//! What passes through passes unchanged, as it comes, and what breaks is said at once.

use std::time::Duration;

use insta::assert_snapshot;

use crate::support::{Gate, Portal, Reply, eventually, eventually::within, gate::GateBuilder};

/// A gate whose only job is to forward.
fn open_gate(portal: &Portal) -> GateBuilder {
    Gate::before(portal).generic(&[("/**", "open")])
}

#[test]
fn a_request_reaches_the_portal_as_it_was_sent() {
    let portal = Portal::replying(Reply::echo_body().status(418).header("x-portal", "1")).start();
    let gate = open_gate(&portal).start();
    let answer = gate.ask("PATCH", "/a%20b/c?x=1&x=%2f").header("x-mine", "2").body("hi").send();
    assert_snapshot!(answer.head(), @"
    418 I'm a teapot
    x-portal: 1
    ");
    assert_eq!(answer.text(), "hi");
    let received = portal.only();
    assert_eq!((received.method.as_str(), received.target.as_str()), ("PATCH", "/a%20b/c?x=1&x=%2f"));
    assert_eq!((received.header("x-mine"), received.header("host")), (Some("2"), Some(&*gate.authority())));
}

#[test]
fn http2_and_tls_callers_reach_an_http1_portal() {
    let portal = Portal::echoing().start();
    let gate = open_gate(&portal).tls().start();
    for ask in [
        gate.get("/x").http2(),
        gate.get("/x").tls(),
        gate.get("/x").tls().http2(),
        gate.post("/x").http2().body("hello"),
    ] {
        let answer = ask.host("portal.test").send();
        assert!(answer.status == 200 && answer.text().contains("/x"), "{answer:?}");
        assert_eq!(portal.last().all("host"), ["portal.test"]);
    }
}

#[test]
fn an_upload_reaches_the_portal_while_it_is_still_being_sent() {
    let portal = Portal::answering("done").start();
    let gate = open_gate(&portal).start();
    let mut wire = gate.raw("PUT /big HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfirst");
    eventually(|| portal.received().first().is_some_and(|r| r.body_bytes == 5));
    assert_eq!(wire.write("later").answer("PUT").unwrap().text(), "done");
    assert_eq!(portal.only().body, b"firstlater");
}

#[test]
fn server_sent_events_come_one_by_one() {
    let (stream, hose) = Reply::stream();
    let portal = Portal::replying(stream).start();
    let gate = open_gate(&portal).start();
    let mut wire = gate.get("/events").open();
    assert_eq!(wire.head().header("content-type"), Some("text/event-stream"));
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        hose.send(event);
        assert_eq!(wire.chunk(), event, "not held back until the next");
    }
    drop(hose);
    assert_eq!(wire.chunk(), "");
}

#[test]
fn trailers_survive_in_both_directions() {
    let portal =
        Portal::replying(Reply::trailers("abc", &[("x-sum", "3")]).header("trailer", "x-sum")).start();
    let gate = open_gate(&portal).start();
    assert_eq!(gate.get("/").http2().send().trailers, [("x-sum".to_owned(), "3".to_owned())]);
    let answer = gate.get("/").header("te", "trailers").send();
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "3".to_owned())]);
    let upload = "POST /up HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: x-md5\r\n\r\n2\r\nhi\r\n0\r\nx-md5: 7\r\n\r\n";
    gate.raw(upload).answer("POST").unwrap();
    assert_eq!(portal.last().trailers, [("x-md5".to_owned(), "7".to_owned())]);
}

#[test]
fn the_caller_may_wait_for_100_continue() {
    let portal = Portal::replying(Reply::echo_body()).start();
    let gate = open_gate(&portal).start();
    let mut wire = gate.raw("PUT / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    assert!(wire.head().first.contains("100"));
    assert_eq!(wire.write("hi").answer("PUT").unwrap().text(), "hi");
}

#[test]
fn interim_answers_of_the_portal_do_not_confuse_the_gate() {
    let early =
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let portal = Portal::replying(Reply::raw(early)).start();
    let answer = open_gate(&portal).start().get("/").send();
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert!(answer.interim.iter().all(|status| *status == 103));
}

#[test]
fn a_websocket_passes_bytes_both_ways() {
    let portal = Portal::replying(Reply::upgrade_echo()).start();
    let gate = open_gate(&portal).websockets_at("/ws").start();
    let origin = format!("http://{}", gate.authority());
    let (head, mut wire) = gate.get("/ws").header("origin", &origin).upgrade();
    assert!(head.first.contains("101"), "{}", head.first);
    assert_eq!(wire.write("ping").bytes(4), b"ping");
    portal.die();
    assert!(wire.rest().is_empty(), "the end of one side is the end of the other");
}

#[test]
fn a_head_request_has_a_length_and_no_body() {
    let portal = Portal::answering("hello").start();
    let answer = open_gate(&portal).start().ask("HEAD", "/").send();
    assert_eq!((answer.header("content-length"), answer.body.len()), (Some("5"), 0));
}

#[test]
fn a_portal_that_is_down_is_502_at_once_in_the_callers_format() {
    let portal = Portal::answering("").start();
    let gate = open_gate(&portal).start();
    portal.die();
    eventually(|| gate.get("/").api_client().send().status == 502);
    let api = gate.get("/").api_client().send();
    assert_eq!(api.header("content-type"), Some("application/problem+json"));
    let page = gate.get("/").browser().send();
    assert!(page.status == 502 && page.header("content-type").is_some_and(|t| t.starts_with("text/html")));
    let id = page.header("x-request-id").expect("a request id").to_owned();
    assert!(page.text().contains(&id), "the page shows the id that the log has");
}

#[test]
fn a_portal_that_says_nothing_is_504_after_the_header_timeout() {
    let portal = Portal::replying(Reply::raw_then_silence("")).start();
    let gate =
        open_gate(&portal).setting("portal.upstream", upstream(&portal, "header_timeout", "200ms")).start();
    within(Duration::from_secs(3), || gate.get("/").api_client().send().status == 504);
    assert_eq!(portal.received().len(), 1, "nothing is asked twice that may have been executed");
}

#[test]
fn a_portal_that_falls_silent_in_the_middle_ends_the_answer_broken() {
    let half = Reply::raw_then_silence("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    let portal = Portal::replying(half).start();
    let gate =
        open_gate(&portal).setting("portal.upstream", upstream(&portal, "idle_timeout", "200ms")).start();
    let answer = gate.get("/").send();
    assert_eq!((answer.text().as_str(), answer.complete), ("abc", false));
}

#[test]
fn a_post_whose_connection_breaks_is_never_sent_again() {
    let portal = Portal::answering("").route("/break", Reply::raw("")).start();
    let gate = open_gate(&portal).start();
    gate.get("/warm").send();
    let answer = gate.post("/break").body("pay 5").api_client().send();
    assert_eq!(answer.status, 502);
    assert_eq!(portal.received().iter().filter(|r| r.method == "POST").count(), 1);
}

#[test]
fn a_portal_that_closes_kept_connections_never_makes_a_caller_wait() {
    // says nothing about it in its answer, so that the next request and the end of the connection race
    let closing = Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let portal = Portal::replying(closing).start();
    let gate = open_gate(&portal).start();
    let mut wire = gate.raw("");
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
        assert_eq!(open_gate(&portal).start().get("/").send().status, 502, "{garbage:?}");
    }
}

#[test]
fn a_broken_chunk_ends_the_answer_broken() {
    let garbage = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n";
    let portal = Portal::replying(Reply::raw(garbage)).start();
    let gate = open_gate(&portal).start();
    // the connection may end before the head was written, but never so that the answer looks whole
    let answer = gate.raw("GET / HTTP/1.1\r\nhost: x\r\n\r\n").rest();
    assert!(!String::from_utf8_lossy(&answer).ends_with("0\r\n\r\n"));
}

#[test]
fn several_portals_share_the_paths() {
    let (web, api) = (Portal::answering("web").start(), Portal::answering("api").start());
    let upstreams = serde_json::json!([{"path": "/", "url": web.url()}, {"path": "/api", "url": api.url()}]);
    let gate = open_gate(&web).setting("portal.upstream", upstreams).start();
    for (path, from) in [("/", "web"), ("/api", "api"), ("/api/x", "api"), ("/apis", "web")] {
        assert_eq!(gate.get(path).send().text(), from, "{path}");
    }
}

#[test]
fn a_gate_that_drains_says_so_first_and_finishes_what_it_has() {
    let (stream, hose) = Reply::stream();
    let portal = Portal::answering("").route("/slow", stream).start();
    let gate = open_gate(&portal).setting("server.drain_timeout", "5s").start();
    eventually(|| gate.admin("/readyz").status == 200);
    let mut wire = gate.get("/slow").open();
    wire.head();
    gate.admin_ask("POST", "/drain").send();
    eventually(|| gate.admin("/readyz").status == 503);
    assert_eq!(gate.admin("/livez").status, 200, "terminating is alive");
    hose.send("the end");
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
    let gate = open_gate(&portal).start();
    let mut wire = gate.raw("GET /big HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    crate::support::eventually::throughout(std::time::Duration::from_secs(2), || true);
    let answer = wire.rest();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    assert_eq!(answer.len() - head, body.len());
}
