//! Forwarded headers and hosts: believed from trusted proxies only.

use serde_json::json;

use super::headers::{proxy, spellings};
use crate::support::{Portal, TestProxy};

#[test]
fn attack_forwarded_headers_from_an_untrusted_peer() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal).start();
    let claimed = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "gopher"),
        ("x-forwarded-port", "66642"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-uri", "/public"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-server", "evil.test"),
        ("forwarded", "for=6.6.6.6;host=evil.test;proto=gopher"),
        ("x-real-ip", "6.6.6.6"),
        ("x-original-url", "/admin"),
        ("x-original-uri", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("x-client-ip", "6.6.6.6"),
        ("true-client-ip", "6.6.6.6"),
    ];
    for (name, value) in claimed {
        for spelling in spellings(name) {
            portal.clear_received();
            proxy.get("/x").host("portal.test").header(&spelling, value).send();
            for request in portal.received() {
                let lies: Vec<_> = request.headers.iter().filter(|(_, v)| v.contains(value)).collect();
                assert!(lies.is_empty(), "{spelling}: {lies:?}");
            }
        }
    }
    portal.clear_received();
    proxy.get("/x").host("portal.test").send();
    let request = portal.only_request();
    assert_eq!(
        (request.header("x-forwarded-for"), request.header("x-forwarded-proto")),
        (Some("127.0.0.1"), Some("http"))
    );
    assert_eq!(request.header("x-forwarded-host"), Some("portal.test"));
}

#[test]
fn attack_malformed_forwarded_headers() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).trusting("127.0.0.0/8").start();
    let long = "1.1.1.1, ".repeat(1000);
    for value in
        ["a", "", ",", "::ffff:", "fe80::1%eth0", "unknown", "1.2.3.4.5", "[::1", "\"", long.as_str()]
    {
        for name in ["x-forwarded-for", "forwarded", "x-forwarded-proto", "x-forwarded-host"] {
            let status =
                proxy.get("/api/am/devportal/v3/apis").header(name, value).api_client().send().status;
            assert!(matches!(status, 400 | 401 | 431), "{name}: {value:.20}: {status}");
        }
    }
    assert!(portal.received_nothing());
}

#[test]
fn forwarded_headers_of_a_trusted_proxy_are_believed() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal).trusting("127.0.0.0/8").start();
    proxy.get("/").header("x-forwarded-for", "6.6.6.6, 9.9.9.9").header("x-forwarded-proto", "https").send();
    let request = portal.only_request();
    assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    assert!(request.header("x-forwarded-for").is_some_and(|v| v.contains("9.9.9.9")), "{request:?}");
}

#[test]
fn attack_two_hosts_in_one_request() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal).start();
    for request in [
        "GET / HTTP/1.1\r\nhost: a.test\r\nhost: b.test\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a.test, b.test\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a.test/b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: user@a.test\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
    ] {
        assert_eq!(proxy.raw(request).answer("GET").map_or(400, |a| a.status), 400, "{request:?}");
    }
    assert_eq!(proxy.get("/").http2().host("a.test").header("host", "b.test").send().status, 400);
    assert!(portal.received_nothing());
}

#[test]
fn attack_a_host_in_another_spelling_is_the_same_host() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal)
        .anonymous(true)
        .tenant("closed.com", &json!({"EnableAnonymous": false}))
        .setting("tenancy.hosts", json!({"closed.test": "closed.com", "xn--bcher-kva.test": "closed.com"}))
        .start();
    let hosts = [
        "closed.test",
        "CLOSED.Test",
        "closed.test.",
        "closed.test:80",
        "Closed.test.:8080",
        "XN--bcher-kva.test",
    ];
    for host in hosts {
        for ask in [proxy.get("/api/am/devportal/v3/apis"), proxy.get("/api/am/devportal/v3/apis").http2()] {
            let status = ask.host(host).api_client().send().status;
            assert!(matches!(status, 400 | 401), "{host}: {status}");
        }
    }
    assert!(portal.received_nothing());
}
