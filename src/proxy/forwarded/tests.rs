//! Which client the forwarded headers of trusted proxies name.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn resolve(peer: &str, trusted: &[&str], headers: &[(&str, &str)]) -> ResolvedClient {
    let trusted: Vec<IpNet> = trusted.iter().map(|n| n.parse().unwrap()).collect();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    resolve_client(peer.parse().unwrap(), false, &map, &trusted)
}

fn address_of(headers: &[(&str, &str)]) -> String {
    resolve("10.0.0.1", &["10.0.0.0/8"], headers).address.to_string()
}

/// CVE-2026-40575, CVE-2026-20896, GHSA-vhr5-ggp3-qq85: by default no peer is trusted.
#[test]
fn attack_forged_forwarding_headers_from_unlisted_peer() {
    let lies = [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "admin.example"),
        ("forwarded", "for=127.0.0.1;proto=https;host=admin.example"),
    ];
    for trusted in [&[][..], &["192.168.0.0/16"], &["10.0.0.2/32"]] {
        let client = resolve("10.0.0.1", trusted, &lies);
        assert_eq!(client, ResolvedClient { address: "10.0.0.1".parse().unwrap(), https: false, host: None });
    }
}

#[test]
fn client_is_nearest_address_that_is_no_trusted_proxy() {
    for (chain, client) in [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6,203.0.113.7 , 10.0.0.3,10.0.0.2", "203.0.113.7"),
        ("10.0.0.9, 10.0.0.2", "10.0.0.9"),
        ("203.0.113.7:5000", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, ::ffff:10.0.0.2", "6.6.6.6"),
    ] {
        assert_eq!(address_of(&[("x-forwarded-for", chain)]), client, "{chain}");
    }
    let lines = [("x-forwarded-for", "6.6.6.6, 203.0.113.7"), ("x-forwarded-for", "10.0.0.2")];
    assert_eq!(address_of(&lines), "203.0.113.7");
    let mapped = resolve("::ffff:10.0.0.1", &["10.0.0.0/8"], &[("x-forwarded-for", "203.0.113.7")]);
    assert_eq!(mapped.address.to_string(), "203.0.113.7");
}

/// CVE-2024-47070: an unreadable entry is ignored, and so is everything left of it.
#[test]
fn attack_malformed_address_in_x_forwarded_for() {
    let long = "1".repeat(10_000);
    for garbage in [
        "a",
        "",
        " ",
        ",",
        "unknown",
        "_hidden",
        &long,
        "::ffff:",
        "fe80::1%eth0",
        "[fe80::1%1]:80",
        "1.2.3",
        "01.2.3.4",
        "1.2.3.4:x",
        "é",
    ] {
        assert_eq!(address_of(&[("x-forwarded-for", garbage)]), "10.0.0.1", "{garbage}");
        let chain = format!("203.0.113.7, {garbage}, 10.0.0.2");
        assert_eq!(address_of(&[("x-forwarded-for", &chain)]), "10.0.0.2", "{garbage}");
    }
}

#[test]
fn scheme_and_host_are_those_of_the_nearest_proxy() {
    for (proto, https) in
        [("https", true), ("HTTPS", true), ("http", false), ("http, https", true), ("x", false)]
    {
        assert_eq!(
            resolve("10.0.0.1", &["10.0.0.1/32"], &[("x-forwarded-proto", proto)]).https,
            https,
            "{proto}"
        );
    }
    for (host, believed) in [
        ("a.example", Some("a.example")),
        ("evil.example, a.example:8443", Some("a.example:8443")),
        ("a b", None),
        ("u@a", None),
        ("", None),
    ] {
        let client = resolve("10.0.0.1", &["10.0.0.1/32"], &[("x-forwarded-host", host)]);
        assert_eq!(client.host.as_deref(), believed, "{host}");
    }
}

/// As many values count as there are trusted proxies: an inner one reports how the outer one has reached it.
#[test]
fn scheme_and_host_are_those_the_client_used() {
    let trusted = ["127.0.0.1/32", "10.0.0.0/8"];
    for (forwarded_for, proto, host, port, expected) in [
        ("203.0.113.9, 10.0.0.5", "https, http", "portal.test, inner.local", "", (true, "portal.test")),
        ("203.0.113.9, 10.0.0.5", "https", "portal.test", "8443", (true, "portal.test:8443")),
        (
            "203.0.113.9, 10.0.0.5",
            "http, https, http",
            "evil.test, portal.test, inner.local",
            "",
            (true, "portal.test"),
        ),
        ("203.0.113.9", "https, http", "evil.test, portal.test", "", (false, "portal.test")),
        ("6.6.6.6, 203.0.113.9", "https, http", "evil.test, portal.test", "80", (false, "portal.test")),
        ("203.0.113.9, x", "https, http", "evil.test, portal.test", "8080", (false, "portal.test:8080")),
        (
            "10.0.0.7, 10.0.0.5",
            "https, http",
            "portal.test:444, inner.local",
            "443",
            (true, "portal.test:444"),
        ),
    ] {
        let headers = [
            ("x-forwarded-for", forwarded_for),
            ("x-forwarded-proto", proto),
            ("x-forwarded-host", host),
            ("x-forwarded-port", port),
        ];
        let client = resolve("127.0.0.1", &trusted, &headers);
        let found = (client.https, client.host.as_deref().unwrap_or_default());
        assert_eq!(found, expected, "{forwarded_for} {proto} {host} {port}");
    }
    let client = resolve(
        "127.0.0.1",
        &trusted,
        &[("forwarded", "for=203.0.113.9;proto=https;host=portal.test, for=10.0.0.5;proto=http;host=inner")],
    );
    assert_eq!((client.https, client.host.as_deref()), (true, Some("portal.test")));
}

#[test]
fn parses_forwarded_header_of_rfc_7239() {
    let ask = |value: &str| resolve("10.0.0.1", &["10.0.0.0/8"], &[("forwarded", value)]);
    let client = ask("for=6.6.6.6, For=\"[2001:db8::1]:47\";proto=https;by=x;HOST=\"a.example:8443\"");
    assert_eq!(client.address.to_string(), "2001:db8::1");
    assert!(client.https);
    assert_eq!(client.host.as_deref(), Some("a.example:8443"));
    assert_eq!(ask("for=203.0.113.7;proto=http,for=10.0.0.2").address.to_string(), "203.0.113.7");
    assert_eq!(ask("for=\"203.0.113.7\\:80\"").address.to_string(), "203.0.113.7");
    for garbage in [
        "",
        "for",
        "for=",
        "=x",
        "for=\"1.2.3.4",
        "for=1.2.3.4;for=5.6.7.8",
        "for=1.2.3.4 proto=https",
        "for=1.2.3.4,",
        "for=1.2.3.4;",
        "for=unknown",
        "for=_x",
        "proto=https;for=[2001:db8::1]",
        "f or=1.2.3.4",
        "by=1.2.3.4",
    ] {
        assert_eq!(ask(garbage).address.to_string(), "10.0.0.1", "{garbage}");
    }
}

/// nginx writes X-Forwarded-For and lets the client's Forwarded through; others do the reverse.
#[test]
fn attack_contradictory_forwarding_headers() {
    let one = ("x-forwarded-for", "203.0.113.7");
    assert_eq!(address_of(&[one, ("forwarded", "for=6.6.6.6")]), "10.0.0.1");
    assert_eq!(address_of(&[one, ("forwarded", "garbage")]), "10.0.0.1");
    assert_eq!(address_of(&[one, ("forwarded", "for=203.0.113.7")]), "203.0.113.7");
    let hosts = [("x-forwarded-host", "a.example"), ("forwarded", "for=10.0.0.1;host=evil.example")];
    assert_eq!(resolve("10.0.0.1", &["10.0.0.0/8"], &hosts).host, None);
}

proptest! {
    #[test]
    fn accepts_any_header_value_without_panic(value in "[ -~]{0,40}") {
        address_of(&[("x-forwarded-for", &value), ("x-forwarded-host", &value)]);
        address_of(&[("forwarded", &value)]);
    }
}
