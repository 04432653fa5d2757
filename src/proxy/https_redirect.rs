//! The HTTPS address of a request that arrived in cleartext.

use std::net::SocketAddr;

use http::{HeaderValue, Method, request::Parts, uri::PathAndQuery};

use super::forwarded::ResolvedClient;
use crate::config::Settings;

/// The same address over HTTPS, for requests a browser can repeat; any other content has been sent in cleartext already.
pub fn https_location(settings: &Settings, client: &ResolvedClient, parts: &Parts) -> Option<HeaderValue> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return None;
    }
    let host = strip_port(client.requested_host(&parts.headers)?);
    let target = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    // behind a proxy that terminates TLS it is that proxy's port: the default one
    let ours = settings.server.tls.iter().flat_map(|tls| &tls.listen).map(SocketAddr::port).next();
    let address = match ours.filter(|port| *port != 443 && client.host.is_none()) {
        Some(port) => format!("https://{host}:{port}{target}"),
        None => format!("https://{host}{target}"),
    };
    HeaderValue::try_from(address).ok()
}

fn strip_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
