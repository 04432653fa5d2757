//! Address of the client, and the scheme and host it used, as far as proxies are trusted.
//!
//! Only listed proxies are trusted. A listed proxy's headers are read from the right, the end it wrote itself;
//! an entry that cannot be read is ignored, and so is everything left of it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use super::validation::host;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedClient {
    /// Never an IPv4-mapped IPv6 address.
    pub address: IpAddr,
    pub https: bool,
    /// The host as a trusted proxy reports it; otherwise `Host` applies.
    pub host: Option<Box<str>>,
}

/// `peer` opened the connection, `tls` tells whether it is encrypted. Call before `validation::validate`, which
/// removes these headers.
pub fn resolve_client(peer: IpAddr, tls: bool, headers: &HeaderMap, trusted: &[IpNet]) -> ResolvedClient {
    let peer = peer.to_canonical();
    let direct = ResolvedClient { address: peer, https: tls, host: None };
    if !is_trusted(peer, trusted) {
        return direct;
    }
    let listed = headers.contains_key(X_FORWARDED_FOR)
        || headers.contains_key(X_FORWARDED_PROTO)
        || headers.contains_key(X_FORWARDED_HOST);
    match (listed, headers.contains_key(header::FORWARDED)) {
        (false, false) => direct,
        (true, false) => by_x_forwarded(&direct, headers, trusted),
        (false, true) => by_forwarded(&direct, headers, trusted).unwrap_or(direct),
        // a proxy maintains one of them and passes the client's other one on: both must agree
        (true, true) => {
            let one = by_x_forwarded(&direct, headers, trusted);
            match by_forwarded(&direct, headers, trusted) {
                Some(other) if other.address == one.address && other.https == one.https => ResolvedClient {
                    host: one.host.filter(|h| other.host.as_ref().is_none_or(|o| o.eq_ignore_ascii_case(h))),
                    ..other
                },
                _ => direct,
            }
        }
    }
}

/// Whether a header that names the client's address is present, readable or not.
pub fn may_name_client(headers: &HeaderMap) -> bool {
    headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(header::FORWARDED)
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

fn by_x_forwarded(direct: &ResolvedClient, headers: &HeaderMap, trusted: &[IpNet]) -> ResolvedClient {
    let path = walk_to_client(direct.address, items_from_the_right(headers, &X_FORWARDED_FOR), trusted);
    // the value of the outermost trusted proxy; one that replaces the header leaves fewer values than there are proxies
    let [proto, host, port] = [X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT]
        .map(|name| items_from_the_right(headers, &name).take(path.proxies).last());
    let https = proto.and_then(is_https).unwrap_or(direct.https);
    let host = host.filter(|h| host::is_valid(h));
    let port = port.and_then(|port| port.parse().ok());
    ResolvedClient { address: path.client, https, host: host.map(|host| with_port(host, port, https)) }
}

/// The host with the port that browsers use, where that is not the default one.
fn with_port(host: &str, port: Option<u16>, https: bool) -> Box<str> {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    match port {
        Some(port) if !has_port && port != if https { 443 } else { 80 } => format!("{host}:{port}").into(),
        _ => host.into(),
    }
}

/// Items of a list header over all its lines, the last one first. A line that is not text is one unreadable item.
fn items_from_the_right<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h str> + use<'h> {
    headers.get_all(name).iter().rev().flat_map(|line| {
        line.as_bytes().rsplit(|b| *b == b',').map(|item| str::from_utf8(item).unwrap_or("?").trim())
    })
}

/// RFC 7239; `None` when the header cannot be read as a whole.
fn by_forwarded(direct: &ResolvedClient, headers: &HeaderMap, trusted: &[IpNet]) -> Option<ResolvedClient> {
    let mut elements = Vec::new();
    for line in headers.get_all(header::FORWARDED) {
        parse_forwarded(line.to_str().ok()?, &mut elements)?;
    }
    elements.last()?;
    // an element without `for` does not name a client
    let nodes = elements.iter().rev().map(|element| element.node.as_deref().unwrap_or("?"));
    let path = walk_to_client(direct.address, nodes, trusted);
    let outermost = elements.iter().rev().take(path.proxies).next_back()?;
    Some(ResolvedClient {
        https: outermost.proto.as_deref().and_then(is_https).unwrap_or(direct.https),
        host: outermost.host.as_deref().filter(|h| host::is_valid(h)).map(Into::into),
        address: path.client,
    })
}

/// The way of a request from the client to Doorward.
struct ForwardingPath {
    client: IpAddr,
    /// Trusted proxies on it, each of which has written one value of a list header, or none.
    proxies: usize,
}

/// Going from the peer outwards, the client is the first address that is not a listed proxy; the last readable one if all are
/// listed.
fn walk_to_client<'h>(
    peer: IpAddr,
    hops: impl Iterator<Item = &'h str>,
    trusted: &[IpNet],
) -> ForwardingPath {
    let mut path = ForwardingPath { client: peer, proxies: 0 };
    for hop in hops {
        let Some(address) = parse_address(hop) else { break };
        path.client = address;
        path.proxies += 1;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    // the peer itself is one
    path.proxies = path.proxies.max(1);
    path
}

/// An address, with a port or without, IPv6 in brackets or bare. No name, no zone, no `unknown`.
fn parse_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.parse::<IpAddr>().ok();
    let bracketed =
        || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || match hop.parse::<std::net::SocketAddr>().ok()? {
        // a zone means something on the machine that wrote it, not here
        std::net::SocketAddr::V6(v6) if v6.scope_id() != 0 || hop.contains('%') => None,
        socket => Some(socket.ip()),
    };
    bare.or_else(bracketed).or_else(with_port).map(|address| address.to_canonical())
}

fn is_https(proto: &str) -> Option<bool> {
    match proto {
        p if p.eq_ignore_ascii_case("https") || p.eq_ignore_ascii_case("wss") => Some(true),
        p if p.eq_ignore_ascii_case("http") || p.eq_ignore_ascii_case("ws") => Some(false),
        _ => None,
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    node: Option<String>,
    proto: Option<String>,
    host: Option<String>,
}

/// `for=192.0.2.60;proto=https, for="[2001:db8::1]:80"`
fn parse_forwarded(line: &str, elements: &mut Vec<Element>) -> Option<()> {
    let mut rest = line.trim();
    loop {
        let mut element = Element::default();
        loop {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = parse_value(after)?;
            let slot = match name {
                n if n.eq_ignore_ascii_case("for") => Some(&mut element.node),
                n if n.eq_ignore_ascii_case("proto") => Some(&mut element.proto),
                n if n.eq_ignore_ascii_case("host") => Some(&mut element.host),
                n if !n.is_empty() && n.bytes().all(is_token) => None,
                _ => return None,
            };
            if let Some(slot) = slot
                && slot.replace(value).is_some()
            {
                return None;
            }
            rest = after.trim_start();
            match rest.strip_prefix(';') {
                Some(next) => rest = next.trim_start(),
                None => break,
            }
        }
        elements.push(element);
        if rest.is_empty() {
            return Some(());
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

/// A token or a quoted string, and what follows it.
fn parse_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|b| !is_token(b)).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(end)?;
        return (!token.is_empty()).then(|| (token.to_owned(), rest));
    };
    let mut out = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((out, chars.as_str())),
            '\\' => out.push(chars.next()?),
            c => out.push(c),
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
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
            assert_eq!(
                client,
                ResolvedClient { address: "10.0.0.1".parse().unwrap(), https: false, host: None }
            );
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
            &[(
                "forwarded",
                "for=203.0.113.9;proto=https;host=portal.test, for=10.0.0.5;proto=http;host=inner",
            )],
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
}
