//! `[[portal.upstream]]`, as it would be written.

use super::path;
use crate::config::{
    model::{Upstream, UpstreamTarget},
    sections,
    text_form::AsText,
    values::{duration::Positive, name::NotEmpty, route::Prefix, web::PortalUrl},
};

pub fn upstream_section(upstream: &Upstream) -> sections::portal::UpstreamSection {
    let (url, files) = match &upstream.target {
        UpstreamTarget::Tcp { host, port } => (PortalUrl::Http { host: host.clone(), port: *port }, None),
        UpstreamTarget::Tls { host, port, ca_file, client_cert_file, client_key_file } => (
            PortalUrl::Https { host: host.clone(), port: *port },
            Some((ca_file, client_cert_file, client_key_file)),
        ),
        UpstreamTarget::Unix { path } => (PortalUrl::Unix(path.clone()), None),
    };
    sections::portal::UpstreamSection {
        path: Some(AsText(Prefix(upstream.path.clone()))),
        url: Some(AsText(url)),
        http2: Some(upstream.http2),
        host: upstream.host.clone().map(|host| AsText(NotEmpty(host))),
        ca_file: files.and_then(|files| files.0.as_deref().map(path)),
        client_cert_file: files.and_then(|files| files.1.as_deref().map(path)),
        client_key_file: files.and_then(|files| files.2.as_deref().map(path)),
        max_connections: u32::try_from(upstream.max_connections).ok(),
        connect_timeout: Some(AsText(Positive(upstream.connect_timeout))),
        header_timeout: Some(AsText(Positive(upstream.header_timeout))),
        idle_timeout: Some(AsText(Positive(upstream.idle_timeout))),
        keep_alive: Some(AsText(Positive(upstream.keep_alive))),
    }
}
