//! The host of a request: exactly one, in one form.

use http::{HeaderValue, header::HOST, request::Parts, uri::Authority};

use super::Ambiguity;

/// Afterwards there is exactly one `Host`, valid, and `:authority` (or the absolute form) does not disagree with it.
pub(super) fn validate(parts: &mut Parts) -> Result<(), Ambiguity> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(Ambiguity::HostConflict);
    }
    let host = match host {
        Some(host) => {
            let host = host.to_str().map_err(|_| Ambiguity::HostInvalid)?;
            if !is_valid(host) {
                return Err(Ambiguity::HostInvalid);
            }
            Some(host)
        }
        None => None,
    };
    match (parts.uri.authority().map(Authority::as_str), host) {
        (None, Some(_)) => Ok(()),
        (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host) => Ok(()),
        (Some(_), Some(_)) => Err(Ambiguity::HostConflict),
        // HTTP/1.1 demands the header even beside an absolute target
        (Some(authority), None) if parts.version >= http::Version::HTTP_2 => {
            if !is_valid(authority) {
                return Err(Ambiguity::HostInvalid);
            }
            let host = HeaderValue::from_str(authority).map_err(|_| Ambiguity::HostInvalid)?;
            parts.headers.insert(HOST, host);
            Ok(())
        }
        (_, None) => Err(Ambiguity::HostMissing),
    }
}

/// A host name, IPv4 or bracketed IPv6 address, with a port or without. No user name, no percent-encoding.
pub fn is_valid(host: &str) -> bool {
    let (name, port) = split_port(host);
    let port_ok = port.is_none_or(|port| {
        (1..=5).contains(&port.len())
            && port.bytes().all(|b| b.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|p| p != 0)
    });
    port_ok && name.len() <= 254 && (is_name(name) || is_ipv6(name))
}

fn is_name(name: &str) -> bool {
    // an empty label, except for the root behind a final dot
    let mut last = b'.';
    for byte in name.bytes() {
        let fine = match byte {
            b'.' => last != b'.',
            _ => byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_',
        };
        if !fine {
            return false;
        }
        last = byte;
    }
    !name.is_empty()
}

fn is_ipv6(name: &str) -> bool {
    name.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        // the last colon of an address without port is inside its brackets
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_valid_hosts() {
        for host in [
            "portal.example.com",
            "portal.example.com:8443",
            "PORTAL.example.com.",
            "localhost",
            "my_service:80",
            "10.0.0.1:9443",
            "[::1]",
            "[2001:db8::1]:8443",
            "xn--mller-kva.example",
        ] {
            assert!(is_valid(host), "{host}");
        }
    }

    #[test]
    fn rejects_invalid_hosts() {
        let long = "a".repeat(255);
        for host in [
            "",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:8 0",
            "a:80:80",
            "u@a",
            "a/b",
            "a?b",
            "a#b",
            "a b",
            "a,b",
            ".a",
            "a..b",
            ".",
            "::1",
            "[::1",
            "[::1]x",
            "[::g]",
            "[fe80::1%eth0]",
            "a%2eb",
            "a\\b",
            "a;b",
            "müller",
            "a..",
            &long,
        ] {
            assert!(!is_valid(host), "{host}");
        }
    }
}
