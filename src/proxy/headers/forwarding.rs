//! Headers that report the client's address, scheme and host to the portal.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::header_value;
use crate::proxy::forwarded::ResolvedClient;

/// Forwarding headers, ready to be sent. The same for all requests of a connection to one host.
#[derive(Debug, PartialEq, Eq)]
pub struct ForwardingHeaders {
    client: ResolvedClient,
    host: HeaderValue,
    headers: [(HeaderName, HeaderValue); 4],
    text: Vec<u8>,
}

impl ForwardingHeaders {
    /// `host` is the request's `Host`, after validation; the host reported by a trusted proxy takes precedence.
    /// `None` if that is no valid host, which validation prevents.
    pub fn new(client: &ResolvedClient, host: &HeaderValue) -> Option<Self> {
        let host_value = match client.host.as_deref() {
            Some(forwarded_host) => HeaderValue::from_str(forwarded_host).ok()?,
            None => host.clone(),
        };
        let proto = if client.https { "https" } else { "http" };
        let address = client.address.to_string();
        let mut forwarded = String::with_capacity(96);
        match client.address {
            std::net::IpAddr::V4(_) => write!(forwarded, "for={address}"),
            std::net::IpAddr::V6(_) => write!(forwarded, "for=\"[{address}]\""),
        }
        .ok()?;
        write!(forwarded, ";host=\"{}\";proto={proto}", host_value.to_str().ok()?).ok()?;
        let headers = [
            (HeaderName::from_static("x-forwarded-for"), header_value(address)?),
            (HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static(proto)),
            (HeaderName::from_static("x-forwarded-host"), host_value),
            (header::FORWARDED, header_value(forwarded)?),
        ];
        let line = |(name, value): &(HeaderName, HeaderValue)| {
            [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat()
        };
        let text = headers.iter().flat_map(line).collect();
        Some(Self { client: client.clone(), host: host.clone(), headers, text })
    }

    pub fn matches(&self, client: &ResolvedClient, host: &HeaderValue) -> bool {
        self.client == *client && self.host == *host
    }

    /// One client address, the one the request was evaluated for; a chain of proxies is of no use to the portal.
    pub fn insert(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }

    /// The same as lines of an HTTP/1.1 head.
    pub fn http1_lines(&self) -> &[u8] {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::validation::fields::{Kind, kind};

    fn origin(address: &str, https: bool, believed: Option<&str>) -> Vec<String> {
        let client =
            ResolvedClient { address: address.parse().unwrap(), https, host: believed.map(Into::into) };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6"));
        ForwardingHeaders::new(&client, &HeaderValue::from_static("portal.example:8443"))
            .unwrap()
            .insert(&mut headers);
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"]
            .map(|name| {
                assert_eq!(headers.get_all(name).iter().count(), 1);
                headers[name].to_str().unwrap().to_owned()
            })
            .to_vec()
    }

    #[test]
    fn writes_client_address_scheme_and_host() {
        assert_eq!(
            origin("203.0.113.7", false, None),
            [
                "203.0.113.7",
                "http",
                "portal.example:8443",
                "for=203.0.113.7;host=\"portal.example:8443\";proto=http"
            ]
        );
        assert_eq!(
            origin("2001:db8::1", true, Some("a.example")),
            ["2001:db8::1", "https", "a.example", "for=\"[2001:db8::1]\";host=\"a.example\";proto=https"]
        );
    }

    /// CVE-2025-64484: a client cannot send a header that Doorward writes.
    #[test]
    fn attack_client_sends_forwarding_headers() {
        let client = ResolvedClient { address: [127, 0, 0, 1].into(), https: true, host: None };
        for (name, _) in &ForwardingHeaders::new(&client, &HeaderValue::from_static("a")).unwrap().headers {
            assert_eq!(kind(name.as_str()), Kind::ProxyOnly, "{name}");
        }
    }
}
