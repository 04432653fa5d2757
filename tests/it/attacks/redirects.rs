//! Where is the browser sent? Only to the sign-in address, and from there only back to us. CVE-2020-5233,
//! CVE-2020-11053, GHSA-5m6c-jp6f-2vcv, CVE-2021-21291, CVE-2026-7504, CVE-2026-3872.

use crate::support::{Portal, TestProxy, proxy::TestProxyBuilder};

const OURS: &str = "https://portal.test";

fn closed(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal)
        .generic(&[("/**", "signed-in")])
        .setting("server.public_url", OURS)
        .sign_in("https://sign-in.test/login?back={return_url}&path={return_path}")
}

/// Reads the redirect as a browser does: both return addresses must lead to our own origin.
#[track_caller]
fn assert_stays_on_portal(location: &str, attack: &str) {
    let redirect = url::Url::parse(location).unwrap();
    assert_eq!(redirect.host_str(), Some("sign-in.test"), "{attack}: {location}");
    let back: Vec<_> = redirect.query_pairs().collect();
    assert_eq!(back.iter().map(|(n, _)| &**n).collect::<Vec<_>>(), ["back", "path"], "{attack}: {location}");
    for (_, address) in back {
        let there = url::Url::parse(OURS).unwrap().join(&address).unwrap();
        assert_eq!(there.origin(), url::Url::parse(OURS).unwrap().origin(), "{attack}: {address}");
        assert!(there.username().is_empty() && there.password().is_none(), "{attack}: {address}");
    }
}

#[test]
fn attack_return_address_to_another_site() {
    let portal = Portal::answering("").start();
    let proxy = closed(&portal).start();
    for (browser, target) in [
        "//evil.test",
        "//evil.test/%2e%2e",
        "///evil.test",
        "/\\evil.test",
        "/\\/evil.test",
        "/%5cevil.test",
        "/%09/evil.test",
        "/%0a/evil.test",
        "/%0d%0aLocation:%20https://evil.test",
        "/%2509/evil.test",
        "/%2f/evil.test",
        "/%2fevil.test",
        "/.//evil.test",
        "/..//evil.test",
        "/./%2fevil.test",
        "/;//evil.test",
        "/x/..//evil.test",
        "/@evil.test",
        "/:@evil.test",
        "/a@b@evil.test",
        "/javascript:alert(1)",
        "/https://evil.test",
        "/https:evil.test",
        "/?https://evil.test",
        "/?back=https://evil.test&path=//evil.test",
        "/%E3%80%82evil.test",
        "/\u{a0}/evil.test",
        "/&back=https://evil.test",
        "/#@evil.test",
        "http://evil.test/",
        "https://portal.test@evil.test/",
    ]
    .iter()
    .enumerate()
    {
        let answer = proxy.raw(format!("GET {target} HTTP/1.1\r\nhost: portal.test\r\nuser-agent: {browser}\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\naccept: text/html\r\n\r\n")).answer("GET");
        let Ok(answer) = answer else { continue };
        match answer.status {
            302 => assert_stays_on_portal(answer.location(), target),
            status => assert!(matches!(status, 400 | 404 | 421), "{target}: {status}"),
        }
    }
    assert!(portal.received_nothing());
}

#[test]
fn attack_a_host_header_that_poisons_the_return_address() {
    let portal = Portal::answering("").start();
    let proxy = closed(&portal).start();
    for host in [
        "evil.test",
        "portal.test.evil.test",
        "portal.test:80@evil.test",
        "portal.test#.evil.test",
        "evilportal.test",
    ] {
        let answer = proxy.get("/apis").host(host).browser().send();
        if answer.status == 302 {
            assert_stays_on_portal(answer.location(), host);
        } else {
            assert!(matches!(answer.status, 400 | 404 | 421), "{host}: {}", answer.status);
        }
    }
    let answer =
        proxy.get("/apis").host("portal.test").header("x-forwarded-host", "evil.test").browser().send();
    assert_stays_on_portal(answer.location(), "x-forwarded-host");
}

#[test]
fn attack_a_line_break_in_a_redirect() {
    let portal = Portal::answering("").start();
    let proxy = closed(&portal).start();
    for target in
        ["/a?x=%0d%0aset-cookie:%20a=b", "/a%0d%0aset-cookie:%20a=b", "/a?%E5%98%8A%E5%98%8Dset-cookie:x"]
    {
        let answer = proxy.get(target).host("portal.test").browser().send();
        assert!(
            answer
                .all("set-cookie")
                .iter()
                .all(|cookie| !cookie.starts_with("a=b") && !cookie.starts_with('x'))
        );
    }
}

#[test]
fn attack_refusal_leaks_the_refused_content() {
    let portal = Portal::answering("the secret").start();
    let proxy = closed(&portal).start();
    for ask in [
        proxy.get("/apis").browser(),
        proxy.get("/apis").api_client(),
        proxy.post("/apis").browser().body("x"),
    ] {
        let answer = ask.host("portal.test").send();
        assert!(answer.status != 200 && !answer.text().contains("secret"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert!(portal.received_nothing());
}
