//! Heads and addresses at their limits, and requests that cannot be parsed: the answer says why.

use super::request_targets::generic;
use crate::support::{Portal, Reply, TestProxy};

#[test]
fn limit_of_the_address_is_configurable_and_named() {
    let portal = Portal::answering("").start();
    let rules = [("/**", "open")];
    let default = generic(&portal, &rules).start();
    let long = format!("/{}", "a".repeat(8_300));
    assert_eq!(default.get(&long[..8_192]).send().status, 200);
    for ask in [default.get(&long).browser(), default.get(&long).api_client(), default.get(&long).http2()] {
        let answer = ask.send();
        assert_eq!(answer.status, 414);
        assert!(answer.text().contains("limits.max_target_bytes"), "{}", answer.text());
    }
    let page = default.get(&long).browser().send().text();
    assert!(page.contains("414"), "{page}");
    let larger = generic(&portal, &rules).setting("limits.max_target_bytes", 16_000);
    assert_eq!(larger.start().get(&long).send().status, 200);
}

#[test]
fn limit_of_the_head_is_configurable_and_named() {
    let portal = Portal::answering("").start();
    let rules = [("/**", "open")];
    let default = generic(&portal, &rules).start();
    let cookies = format!("a={}", "b".repeat(40_000));
    let ask = |proxy: &TestProxy| proxy.get("/x").header("cookie", &cookies);
    for ask in [ask(&default).browser(), ask(&default).api_client(), ask(&default).http2()] {
        let answer = ask.send();
        assert_eq!(answer.status, 431);
        assert!(answer.text().contains("limits.max_header_bytes"), "{}", answer.text());
    }
    assert!(portal.received_nothing());
    let larger = generic(&portal, &rules).setting("limits.max_header_bytes", 65_536).start();
    assert_eq!((ask(&larger).send().status, ask(&larger).http2().send().status), (200, 200));
}

/// hyper refuses these itself; the client still learns why.
#[test]
fn unparsable_request_gets_an_answer_that_says_why() {
    let portal = Portal::answering("ok").start();
    let proxy = generic(&portal, &[("/**", "open")]).tls().start();
    let many_headers = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200));
    let long_head = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "b".repeat(70_000));
    for (request, status, reason) in [
        ("GET /?a=<b> HTTP/1.1\r\nhost: x\r\n\r\n", 400, "percent-encoded"),
        ("GET /<b> HTTP/1.1\r\nhost: x\r\n\r\n", 400, "percent-encoded"),
        ("GET /a b HTTP/1.1\r\nhost: x\r\n\r\n", 400, "percent-encoded"),
        (many_headers.as_str(), 431, "limits.max_headers"),
        (long_head.as_str(), 431, "limits.max_header_bytes"),
    ] {
        let mut wire = proxy.raw("");
        drop(wire.try_write(request)); // the proxy may close before it has read all
        let answer = wire.answer("GET").unwrap();
        assert_eq!(
            (answer.status, answer.text().contains(reason)),
            (status, true),
            "{request:.40}: {answer:?}"
        );
        // after other requests of the connection
        let mut wire = proxy.raw("GET /first HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(wire.answer("GET").unwrap().text(), "ok");
        drop(wire.try_write(request));
        let answer = wire.answer("GET").unwrap();
        assert_eq!(
            (answer.status, answer.text().contains(reason)),
            (status, true),
            "{request:.40}: {answer:?}"
        );
    }
    assert_eq!(proxy.get("/<b>").tls().send().status, 400);
}

/// A portal that answers with the text of a refusal of hyper's: it is an answer, and stays as it is.
#[test]
fn attack_answer_that_looks_like_a_refusal() {
    let fake = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let (stream, sender) = Reply::stream();
    let portal = Portal::answering(fake).route("/stream", stream).start();
    let proxy = generic(&portal, &[("/**", "open")]).start();
    assert_eq!(proxy.get("/").send().text(), fake);
    let mut wire = proxy.get("/stream").open();
    wire.head();
    for _ in 0..3 {
        sender.send(fake);
        assert_eq!(wire.chunk(), fake);
    }
    // two requests at once, the second of which cannot be parsed
    let both = "GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /< HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut wire = proxy.raw(both);
    assert_eq!(wire.answer("GET").unwrap().text(), fake);
    assert_eq!(wire.answer("GET").unwrap().status, 400);
}

#[test]
fn deep_link_survives_the_redirect_to_sign_in() {
    let portal = Portal::answering("").start();
    let rules = [("/**", "signed-in")];
    let with_placeholder =
        generic(&portal, &rules).sign_in("https://sign-in.test/?back={return_path}").start();
    let with_cookie = generic(&portal, &rules).sign_in("https://sign-in.test/").start();
    let long = format!("/reports/a%2Fb;c?{}", "filter=a%20b,c&".repeat(140));
    let eight_kib = format!("/x?{}", "q".repeat(8_189));
    for (target, fits_cookie) in [
        ("/x?q=%zz&r=100%", true),
        ("/wiki/C%2B%2B?x=%27", true),
        ("/api/vhosts/%2F/permissions", true),
        (long.as_str(), true),
        (eight_kib.as_str(), false),
    ] {
        let answer = with_placeholder.get(target).browser().send();
        let there = url::Url::parse(answer.location()).unwrap();
        assert_eq!(there.query_pairs().next().unwrap().1, target);
        if fits_cookie {
            let answer = with_cookie.get(target).browser().send();
            let cookies = answer.all("set-cookie");
            let pair =
                cookies.iter().find_map(|cookie| cookie.split(';').next()?.strip_prefix("doorward_return="));
            let value = pair.expect("a return address");
            assert_eq!(percent_encoding::percent_decode_str(value).decode_utf8_lossy(), target);
            assert!(value.len() < 4080, "browsers drop a cookie of more than 4096 bytes");
        }
    }
}

#[test]
fn own_sign_in_page_takes_a_long_return_address() {
    let portal = Portal::answering("").start();
    let proxy = generic(&portal, &[("/**", "signed-in")]).accounts().start();
    let target = format!("/x?{}", "a=%2F&".repeat(1_300));
    let answer = proxy.get(&target).browser().send();
    assert_eq!(answer.status, 302);
    let page = proxy.get(answer.location()).browser().send();
    assert_eq!(page.status, 200);
    assert!(page.text().contains("a=%2F&amp;a=%2F"), "the form has the address");
}

/// Load balancers ask so whether a server is alive.
#[test]
fn answers_options_without_a_path_or_a_host() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).start();
    for request in [
        "OPTIONS / HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: portal.test\r\n\r\n",
    ] {
        let answer = proxy.raw(request).answer("OPTIONS").unwrap();
        assert_eq!(answer.status, 200, "{request}");
        assert!(answer.header("allow").is_some_and(|allow| allow.contains("OPTIONS")), "{request}");
    }
    for request in
        ["GET / HTTP/1.0\r\n\r\n", "OPTIONS / HTTP/1.1\r\n\r\n", "GET * HTTP/1.1\r\nhost: x\r\n\r\n"]
    {
        assert_eq!(proxy.raw(request).answer("GET").unwrap().status, 400, "{request}");
    }
    assert!(portal.received_nothing());
}
