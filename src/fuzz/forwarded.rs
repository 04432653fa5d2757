//! `Forwarded` and `X-Forwarded-*`: the address of the client, as far as trusted proxies state it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

use super::{header_line, lines};
use crate::proxy::{
    forwarded::{ResolvedClient, resolve_client},
    headers::ForwardingHeaders,
    validation::host,
};

const LISTS: [&str; 3] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];

/// Each line of the input is a header.
///
/// - Without a trusted proxy nothing is believed.
/// - What a client writes at the left end of a list does not replace an address that a trusted proxy wrote.
/// - A list over several lines means what the joined list means.
/// - What Doorward writes for the next proxy is read as the same client.
pub fn forwarded(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for (name, value) in lines(data).take(64).filter_map(header_line) {
        if name == header::FORWARDED || LISTS.contains(&name.as_str()) {
            headers.append(name, value);
        }
    }
    let direct = ResolvedClient { address: IpAddr::from([192, 0, 2, 1]), https: true, host: None };
    assert_eq!(
        resolve_client(direct.address, true, &headers, &trusted()),
        direct,
        "an unlisted peer is believed"
    );
    assert_eq!(
        resolve_client(direct.address, true, &headers, &[]),
        direct,
        "a peer is believed without a list"
    );

    let both = read(&headers);
    is_normal(&both);
    is_read_by_next_proxy(&both);
    let by = |names: &[&str]| -> HeaderMap {
        let listed = headers.iter().filter(|(name, _)| names.contains(&name.as_str()));
        listed.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let (lists, standard) = (by(&LISTS), by(&["forwarded"]));
    is_decided_from_the_right(&lists, &[("x-forwarded-for", "6.6.6.6, ")]);
    let items =
        |name| lists.get_all(name).iter().map(|line| line.as_bytes().split(|b| *b == b',').count()).sum();
    let (addresses, schemes): (usize, usize) = (items("x-forwarded-for"), items("x-forwarded-proto"));
    // each listed proxy has written one, so that none is the client's
    if schemes >= addresses {
        is_decided_from_the_right(&lists, &[("x-forwarded-proto", "wss, ")]);
    }
    is_decided_from_the_right(&standard, &[("forwarded", "for=6.6.6.6, ")]);
    assert_eq!(read(&lists), read(&joined(&lists)), "a list over several lines");
    let separate = read(&standard);
    assert!(separate == peer() || separate == read(&joined(&standard)), "Forwarded over several lines");
}

fn trusted() -> Vec<IpNet> {
    ["10.0.0.0/8", "fd00::/8"].iter().filter_map(|net| net.parse().ok()).collect()
}

fn peer() -> ResolvedClient {
    ResolvedClient { address: IpAddr::from([10, 0, 0, 1]), https: false, host: None }
}

fn read(headers: &HeaderMap) -> ResolvedClient {
    resolve_client(peer().address, peer().https, headers, &trusted())
}

fn is_normal(client: &ResolvedClient) {
    assert_eq!(client.address, client.address.to_canonical(), "IPv4 as IPv6");
    assert!(client.host.as_deref().is_none_or(host::is_valid), "{client:?}");
}

/// A client writes the beginning of the first line, and each proxy appends.
fn is_decided_from_the_right(headers: &HeaderMap, written: &[(&'static str, &str)]) {
    let mut extended = headers.clone();
    for (name, prefix) in written {
        let Some(first) = extended.get_mut(*name) else { continue };
        if let Ok(value) = HeaderValue::from_bytes(&[prefix.as_bytes(), first.as_bytes()].concat()) {
            *first = value;
        }
    }
    let (before, after) = (read(headers), read(&extended));
    let is_trusted = trusted().iter().any(|net| net.contains(&before.address));
    // every address before is one of a trusted proxy, so the client is the next, and one more proxy has reported what it used
    let is_next = is_trusted && after.address == IpAddr::from([6, 6, 6, 6]);
    assert!(after == before || is_next, "{before:?} becomes {after:?}");
}

fn joined(headers: &HeaderMap) -> HeaderMap {
    let mut out = HeaderMap::new();
    for name in headers.keys() {
        let values: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(value) = HeaderValue::from_bytes(&values.join(&b","[..])) {
            out.insert(HeaderName::clone(name), value);
        }
    }
    out
}

fn is_read_by_next_proxy(sent: &ResolvedClient) {
    let host = HeaderValue::from_static("portal.example");
    let Some(origin) = ForwardingHeaders::new(sent, &host) else {
        unreachable!("{sent:?} cannot be written")
    };
    let mut headers = HeaderMap::new();
    origin.insert(&mut headers);
    let host = sent.host.clone().or(Some("portal.example".into()));
    assert_eq!(read(&headers), ResolvedClient { host, ..sent.clone() }, "as the next proxy reads it");
    let lines = lines(origin.http1_lines()).filter_map(header_line);
    assert_eq!(lines.collect::<HeaderMap>(), headers, "as lines");
}
