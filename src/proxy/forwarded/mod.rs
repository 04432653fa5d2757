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

impl ResolvedClient {
    /// The host that the client requested: as a trusted proxy reports it, or `Host`.
    pub fn requested_host<'a>(&'a self, headers: &'a HeaderMap) -> Option<&'a str> {
        self.host.as_deref().or_else(|| headers.get(header::HOST)?.to_str().ok())
    }
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

pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
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
mod tests;
