//! Paths that the proxy and the portal could interpret differently. Advisories: GHSA-p224-6x5r-fjpm, CVE-2019-9901,
//! CVE-2021-29492, CVE-2021-32779, CVE-2025-54576, CVE-2026-41059, CVE-2026-63177, CVE-2026-73511.

use serde_json::json;

use crate::support::{Portal, TestProxy};

const PUBLIC: &str = "/devportal/site/public/";

/// The laxest reading any portal might have: decoded until nothing changes, path parameters dropped, backslashes
/// turned, dot segments and empty ones resolved, cut at `?`, `#` and NUL.
fn as_the_laxest_portal_reads(target: &str) -> String {
    let mut text = target.split('?').next().unwrap_or_default().to_owned();
    loop {
        let decoded = percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            break;
        }
        text = decoded;
    }
    let text = text.split(['#', '\0', '?']).next().unwrap_or_default().replace('\\', "/");
    let mut retained = Vec::new();
    for segment in text.split('/').map(|s| s.split(';').next().unwrap_or_default()) {
        match segment.trim() {
            ".." => drop(retained.pop()),
            "." | "" => {}
            other => retained.push(other.to_owned()),
        }
    }
    format!("/{}", retained.join("/"))
}

#[test]
fn attack_closed_page_disguised_as_a_public_one() {
    let portal = Portal::answering("secret").start();
    let proxy =
        TestProxy::in_front_of(&portal).tenant("acme.com", &json!({"EnableAnonymous": false})).start();
    let disguises = [
        "../../apis",
        "./../../apis",
        "x/../../../apis",
        "%2e%2e/%2e%2e/apis",
        "%2E%2e/.%2e/apis",
        "..%2f..%2fapis",
        "..%2F..%2Fapis",
        "%2e%2e%2f%2e%2e%2fapis",
        "%252e%252e/%252e%252e/apis",
        "%252e%252e%252f%252e%252e%252fapis",
        "..%252f..%252fapis",
        "..;/..;/apis",
        "..;x=1/..;x=1/apis",
        "%2e%2e;/%2e%2e;/apis",
        "..%3b/..%3b/apis",
        ";/../../apis",
        "..\\..\\apis",
        "..%5c..%5capis",
        "..%255c..%255capis",
        "%2e%2e%5c%2e%2e%5capis",
        "..//..//apis",
        "..%00/..%00/apis",
        "..%00/../apis",
        ".%00./.%00./apis",
        "..%c0%af..%c0%afapis",
        "%c0%ae%c0%ae/%c0%ae%c0%ae/apis",
        "..%e2%81%84..%e2%81%84apis",
        "..%0a/..%0a/apis",
        "..%09/..%09/apis",
        "..%20/..%20/apis",
        "..%u002f..%u002fapis",
        "%uff0e%uff0e/%uff0e%uff0e/apis",
        "..%zz/../apis",
        "..%/../apis",
        "..#/../../apis",
        "..%23/../../apis",
        "..%3f/../../apis",
    ];
    for disguise in disguises {
        for ending in ["", "/", "?x=.js", "?/devportal/site/public/x", ";.js", "%00.js"] {
            let target = format!("{PUBLIC}{disguise}{ending}");
            portal.clear_received();
            let status = proxy.get(&target).tenant("acme.com").api_client().send().status;
            for request in portal.received() {
                let read = as_the_laxest_portal_reads(&request.target);
                assert!(read.starts_with(PUBLIC.trim_end_matches('/')), "{target} reached {read} ({status})");
            }
        }
    }
}

#[test]
fn attack_a_closed_page_that_mentions_a_public_one() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).start();
    for target in [
        "/devportal/apis?x=/devportal/site/public/",
        "/devportal/apis?/devportal/site/public/x.js",
        "/devportal/apis#/devportal/site/public/",
        "/devportal/apis%23/devportal/site/public/",
        "/devportal/apis%3f/devportal/site/public/",
        "/devportal/apis;/devportal/site/public/x.js",
        "/devportal/apis/x.js",
        "/devportal/apis/../apis",
        "//devportal/apis",
        "/devportal//apis",
        "/devportal/./apis",
        "/devportal/%61pis",
        "/DEVPORTAL/apis",
        "/devportal/apis/",
        "/devportal/apis%20",
        "/devportal;a=b/apis",
    ] {
        let status = proxy.get(target).api_client().send().status;
        assert!(matches!(status, 400 | 401 | 404), "{target}: {status}");
    }
    assert!(portal.received_nothing());
}

#[test]
fn attack_ambiguous_path() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).start();
    for target in [
        "/a%00b",
        "/a%0d%0ab",
        "/a/%2e%2e/%2e%2e/b",
        "/a/..%2f..%5cb",
        "/a/..;/..;/b",
        "/a\\..\\../b",
        "/../a",
    ] {
        assert_eq!(proxy.get(target).send().status, 400, "{target}");
    }
    assert!(portal.received_nothing());
}

#[test]
fn forwards_the_path_that_was_matched() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).start();
    for target in [
        "/a/b",
        "/a%20b",
        "/%C3%A4?%2e%2e/%00",
        "/a/",
        "/a.b/..c/d..",
        "/~x/@y:z",
        "/a?b=//../c",
        "/a%2fb",
        "/a\\b;c//d",
        "/%61",
    ] {
        portal.clear_received();
        assert_eq!(proxy.get(target).send().status, 200, "{target}");
        assert_eq!(portal.only_request().target, target);
    }
}

#[test]
fn attack_a_target_that_is_not_a_path() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).start();
    for first in [
        "CONNECT evil.test:443 HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "GET devportal/apis HTTP/1.1",
        "GET * HTTP/1.1",
        "GET http://evil.test/devportal/site/public/x HTTP/1.1",
        "GET http:/devportal/apis HTTP/1.1",
        "GET http://x@y.test/devportal/apis HTTP/1.1",
        "GET file:///etc/passwd HTTP/1.1",
        "GET ?/devportal/apis HTTP/1.1",
        "TRACE / HTTP/1.1",
    ] {
        let mut wire = proxy.raw(format!("{first}\r\nhost: portal.test\r\n\r\n"));
        let status = wire.answer("GET").map(|answer| answer.status);
        assert!(matches!(status, Ok(400 | 401 | 404 | 405 | 421 | 501) | Err(_)), "{first}: {status:?}");
    }
    assert!(portal.received_nothing());
}

#[test]
fn attack_invalid_or_overridden_method() {
    let portal = Portal::answering("").start();
    let proxy =
        TestProxy::in_front_of(&portal).generic(&[("GET /docs/**", "open"), ("/**", "signed-in")]).start();
    for (method, header) in [
        ("POST", None),
        ("get", None),
        ("PROPFIND", None),
        ("POST", Some(("x-http-method-override", "GET"))),
        ("GETX", None),
    ] {
        let mut ask = proxy.request(method, "/docs/x").api_client();
        if let Some((name, value)) = header {
            ask = ask.header(name, value);
        }
        let status = ask.send().status;
        assert!(matches!(status, 400 | 401 | 405 | 501), "{method}: {status}");
    }
    assert!(portal.received_nothing());
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        portal.clear_received();
        proxy.get("/docs/x").header(name, "DELETE").send();
        assert!(
            portal.received().iter().all(|r| r.folded(name).is_empty()),
            "{name} changes what was judged"
        );
    }
}
