//! Where does one message end and the next begin? Request smuggling, and messages that never end. CVE-2026-73548,
//! CVE-2026-73547.

use crate::support::{Portal, Reply, TestProxy, proxy::TestProxyBuilder};

fn open_proxy(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(&[("/**", "open")])
}

#[test]
fn attack_ambiguous_message_length() {
    let portal = Portal::answering("").start();
    let proxy = open_proxy(&portal).start();
    for headers in [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 6",
        "content-length: +5",
        "content-length: -1",
        "content-length: 0x5",
        "content-length: 5 5",
        "content-length: 99999999999999999999",
        "content-length:",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: identity, chunked, x",
        "transfer-encoding: xchunked",
        "transfer-encoding: \u{b}chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding : chunked",
        "transfer-encoding\t: chunked",
        "x: y\r\n transfer-encoding: chunked",
        " x: y",
        "x",
        "x\u{0}y: 1",
        "x: a\u{0}b",
        "x: a\rb",
    ] {
        let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
        let statuses =
            proxy.raw(format!("POST /first HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n{smuggled}")).statuses();
        assert!(statuses.first().is_none_or(|s| matches!(s, 400 | 501)), "{headers:?}: {statuses:?}");
        assert!(statuses.len() <= 1, "{headers:?}: the connection is closed after a bad message");
    }
    assert!(portal.received_nothing());
}

/// RFC 9112 §6.3: a proxy in front may read one body where we read two messages, so nothing after it is read.
#[test]
fn attack_cl_te_smuggling_ends_with_the_connection() {
    let portal = Portal::answering("").start();
    let proxy = open_proxy(&portal).start();
    for headers in [
        "content-length: 40\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 40",
        "transfer-encoding: chunked",
    ] {
        let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
        let statuses =
            proxy.raw(format!("POST /first HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n{smuggled}")).statuses();
        assert!(statuses.len() <= 1, "{headers:?}: {statuses:?}");
    }
    assert!(portal.received().iter().all(|request| request.target == "/first" && request.body.is_empty()));
}

#[test]
fn attack_malformed_chunk_sizes() {
    let portal = Portal::answering("").start();
    let proxy = open_proxy(&portal).start();
    for body in ["ZZ\r\nab\r\n0\r\n\r\n", "-1\r\n", "2\r\nabc\r\n0\r\n\r\n", "fffffffffffffffff\r\n"] {
        let head = "POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
        let statuses = proxy.raw(format!("{head}{body}GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n")).statuses();
        assert!(statuses.len() <= 1, "{body:?}: {statuses:?}");
    }
    assert!(
        portal.received().iter().all(|r| r.target != "/smuggled" && !r.complete),
        "{:#?}",
        portal.received()
    );
}

/// RFC 9110 §8.6. A head that hyper refuses gets 431.
#[test]
fn attack_content_length_overflow() {
    let portal = Portal::answering("").start();
    let proxy = open_proxy(&portal).start();
    for length in [
        "9223372036854775808",
        "9223372036854775809",
        "18446744073709551613",
        "18446744073709551615",
        "18446744073709551616",
        "00009223372036854775808",
        "+5",
        "5 ",
        "5, 5",
        "5,5",
        "5;",
        "5.0",
        "",
    ] {
        for method in ["POST", "GET"] {
            let head = format!("{method} / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
            let allowed: &[u16] = match length {
                // blanks behind a value are no part of it (RFC 9110 §5.5)
                "5 " => &[200],
                "18446744073709551615" => &[400, 431],
                _ => &[400],
            };
            let body = if length == "5 " { "12345" } else { "0\r\n\r\n" };
            let status = proxy.raw(format!("{head}{body}")).answer(method).unwrap().status;
            assert!(allowed.contains(&status), "{method} {length:?}: {status}");
        }
    }
    assert!(portal.received().iter().all(|request| request.body == b"12345"), "{:#?}", portal.received());
}

/// The fault is the client's: 502 would point the operator to the portal.
#[test]
fn attack_malformed_body_is_blamed_on_the_portal() {
    let portal = Portal::replying(Reply::echo_body()).start();
    let proxy = open_proxy(&portal).start();
    let long = format!("{}\r\n", "1".repeat(17));
    let extension = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(20_000));
    let trailer = format!("1\r\na\r\n0\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    for body in [
        "ZZ\r\nab\r\n0\r\n\r\n",
        "-1\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "\r\n",
        "2\r\nabc\r\n0\r\n\r\n",
        "2\r\nab0\r\n\r\n",
        "2\nab\n0\n\n",
        "fffffffffffffffff\r\n",
        long.as_str(),
        extension.as_str(),
        "1\r\na\r\n0\r\nbad trailer\r\n\r\n",
        "1\r\na\r\n0\r\n: x\r\n\r\n",
        trailer.as_str(),
    ] {
        for expect in ["", "expect: 100-continue\r\n"] {
            let head = format!("POST /c HTTP/1.1\r\nhost: x\r\n{expect}transfer-encoding: chunked\r\n\r\n");
            let mut wire = proxy.raw(head);
            // a body that is refused early may not be read to its end
            let _ = wire.try_write(body);
            let answer = wire.answer("POST").unwrap();
            assert_eq!(answer.status, 400, "{body:.40}: {}", answer.text());
        }
    }
    let metrics = proxy.admin("/metrics").text();
    assert!(!metrics.contains("doorward_portal_errors_total{kind=\"broken\"} 1"), "{metrics}");
    assert!(portal.received().iter().all(|request| !request.complete));
}

#[test]
fn body_of_a_get_is_not_read_as_a_request() {
    let portal = Portal::answering("ok").start();
    let proxy = open_proxy(&portal).start();
    let inner = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    let outer = format!("GET /outer HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{inner}", inner.len());
    proxy.raw(outer).answer("GET").unwrap();
    proxy.get("/next").send();
    let targets: Vec<String> = portal.received().into_iter().map(|r| r.target).collect();
    assert_eq!(targets, ["/outer", "/next"]);
}

#[test]
fn attack_bytes_after_an_upgrade_that_was_not_granted() {
    let portal = Portal::answering("no").start();
    let proxy = open_proxy(&portal).websockets_at("/ws").start();
    let origin = format!("http://{}", proxy.authority());
    let upgrade = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let early = "GET /smuggled HTTP/1.1\r\nhost: x\r\nremote-user: admin\r\n\r\n";
    proxy.raw(format!("{upgrade}origin: {origin}\r\n\r\n{early}")).answer("GET").unwrap();
    proxy.get("/other").send();
    for request in portal.received().iter().filter(|r| r.target == "/smuggled") {
        assert!(request.all("remote-user").is_empty(), "an early second request is judged like any other");
    }
}

#[test]
fn attack_a_websocket_from_a_foreign_page() {
    let portal = Portal::replying(Reply::upgrade_echo()).start();
    let proxy = open_proxy(&portal).websockets_at("/ws").start();
    for origin in ["https://evil.test", "null", "http://127.0.0.1.evil.test", "http://127.0.0.1:1"] {
        let (head, _) = proxy.get("/ws").header("origin", origin).upgrade();
        assert!(head.first.contains("403"), "{origin}: {}", head.first);
    }
    assert!(portal.received_nothing());
}

/// A proxy in front of Doorward may send another host name than browsers use.
#[test]
fn page_under_public_url_has_the_same_origin() {
    let portal = Portal::replying(Reply::upgrade_echo()).start();
    let proxy = open_proxy(&portal)
        .websockets_at("/ws")
        .setting("server.public_url", "https://portal.example:8443")
        .start();
    for (origin, status) in [
        ("https://portal.example:8443", "101"),
        ("https://portal.example", "403"),
        ("http://portal.example:8443", "403"),
        ("https://portal.example:8443.evil.test", "403"),
        ("https://evil.test", "403"),
        ("null", "403"),
    ] {
        let (head, _) = proxy.get("/ws").host("internal.test").header("origin", origin).upgrade();
        assert!(head.first.contains(status), "{origin}: {}", head.first);
    }
}

/// Browsers leave the default port out of `Origin` (RFC 6454 §4), and some proxies add it to `Host`.
#[test]
fn default_port_in_host_is_the_same_origin() {
    let portal = Portal::replying(Reply::upgrade_echo()).start();
    let proxy = open_proxy(&portal).websockets_at("/ws").trusting("127.0.0.0/8").start();
    for (host, origin, status) in [
        ("portal.test:443", "https://portal.test", "101"),
        ("portal.test", "https://portal.test", "101"),
        ("portal.test:8443", "https://portal.test", "403"),
        ("portal.test:443", "https://portal.test:8443", "403"),
    ] {
        let request =
            proxy.get("/ws").host(host).header("x-forwarded-proto", "https").header("origin", origin);
        let (head, _) = request.upgrade();
        assert!(head.first.contains(status), "{host} {origin}: {}", head.first);
    }
}

#[test]
fn attack_a_head_that_is_too_big() {
    let portal = Portal::answering("").start();
    let proxy = open_proxy(&portal)
        .setting("limits.max_header_bytes", 16384)
        .setting("limits.max_headers", 50)
        .start();
    let big = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200));
    let target = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(100_000));
    for request in [big, many, target] {
        let mut wire = crate::support::wire::Wire::connect(proxy.addr());
        drop(wire.try_write(&request)); // the proxy may close before it has read all
        let status = wire.answer("GET").map(|answer| answer.status);
        assert!(matches!(status, Ok(400 | 414 | 431) | Err(_)), "{request:.30}: {status:?}");
    }
    assert!(portal.received_nothing());
}

#[test]
fn attack_a_head_that_never_ends() {
    let portal = Portal::answering("").start();
    let proxy = open_proxy(&portal).setting("limits.header_timeout", "300ms").start();
    let mut slow = proxy.raw("GET / HTTP/1.1\r\nhost: x\r\n");
    slow.rest();
    assert!(portal.received_nothing());
}

#[test]
fn attack_headers_that_http2_allows_and_http1_does_not() {
    let portal = Portal::answering("").start();
    let proxy = open_proxy(&portal).start();
    for (name, value) in [
        ("x-tabs", "a\tb"),
        ("cookie", "a=1"),
        ("content-length", "0"),
        ("x-colon", "a: b"),
        ("te", "trailers"),
    ] {
        let answer = proxy.get("/").http2().header(name, value).send();
        assert!(matches!(answer.status, 200 | 400), "{name}");
    }
    for request in portal.received() {
        assert_eq!(request.all("host").len(), 1);
        assert!(request.target == "/", "{request:?}");
    }
}

/// The end of the upload and the begin of the new protocol would be ambiguous, and a declined upgrade left a connection that
/// the next request had to wait for.
#[test]
fn attack_an_upgrade_with_a_body() {
    let portal = Portal::answering("no").start();
    let proxy = open_proxy(&portal).websockets_at("/x").start();
    let head = "POST /x HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 100000\r\n\r\nabcd";
    assert_eq!(proxy.raw(head).statuses(), [400]);
    assert!(portal.received_nothing());
}

/// HTTP/2 begun and never spoken: no deadline of HTTP/1.1 saw it.
#[test]
fn attack_three_bytes_that_hold_a_connection() {
    let portal = Portal::answering("").start();
    let proxy = open_proxy(&portal).setting("limits.header_timeout", "1s").start();
    for first in ["PRI", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET"] {
        // returns when the proxy hangs up, and panics when it does not
        proxy.raw(first).rest();
    }
}
