//! `[[portal.upstream]]`, as it would be written.

use super::path;
use crate::config::{
    model::{Target, Upstream},
    raw::{
        self,
        text::As,
        values::{duration::Positive, name::NotEmpty, route::Prefix, web::PortalUrl},
    },
};

pub fn written(upstream: &Upstream) -> raw::portal::Upstream {
    let (url, files) = match &upstream.target {
        Target::Tcp { host, port } => (PortalUrl::Http { host: host.clone(), port: *port }, None),
        Target::Tls { host, port, ca_file, client_cert_file, client_key_file } => (
            PortalUrl::Https { host: host.clone(), port: *port },
            Some((ca_file, client_cert_file, client_key_file)),
        ),
        Target::Unix { path } => (PortalUrl::Unix(path.clone()), None),
    };
    raw::portal::Upstream {
        path: Some(As(Prefix(upstream.path.clone()))),
        url: Some(As(url)),
        http2: Some(upstream.http2),
        host: upstream.host.clone().map(|host| As(NotEmpty(host))),
        ca_file: files.and_then(|files| files.0.as_deref().map(path)),
        client_cert_file: files.and_then(|files| files.1.as_deref().map(path)),
        client_key_file: files.and_then(|files| files.2.as_deref().map(path)),
        max_connections: u32::try_from(upstream.max_connections).ok(),
        connect_timeout: Some(As(Positive(upstream.connect_timeout))),
        header_timeout: Some(As(Positive(upstream.header_timeout))),
        idle_timeout: Some(As(Positive(upstream.idle_timeout))),
        keep_alive: Some(As(Positive(upstream.keep_alive))),
    }
}
