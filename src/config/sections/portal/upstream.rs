//! `[[portal.upstream]]`

use std::{fmt, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    document::KeyPath,
    document_context::DocumentContext,
    text_form::AsText,
    values::{
        address::FilePath,
        duration::{Positive, positive_or},
        name::NotEmpty,
        route::Prefix,
        web::PortalUrl,
    },
};

/// More than this a machine has no ports for.
const MAX_CONNECTIONS: u32 = 1_000_000;
/// Requests that an HTTP/2 connection to the portal carries at a time, unless the portal allows fewer.
pub const HTTP2_STREAMS: usize = 100;

/// Where the portal listens. At least one, and exactly one with the path `/`.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct UpstreamSection {
    /// Requests below this path go here; the longest path wins. `/api` covers `/api` and `/api/…`, not `/apis`.
    #[schemars(extend("default" = "/"))]
    pub path: Option<AsText<Prefix>>,
    /// Scheme, host and port, or a unix socket. Required.
    #[schemars(extend("x-default" = "required"))]
    pub url: Option<AsText<PortalUrl>>,
    /// Speak HTTP/2 to the portal: over TLS by ALPN, in clear text with prior knowledge.
    #[schemars(extend("default" = false))]
    pub http2: Option<bool>,
    /// Send this `Host` instead of the one the browser sent.
    #[schemars(extend("x-default" = "what the browser sent"))]
    pub host: Option<AsText<NotEmpty>>,
    /// For `https://`: trust the certificates in this PEM file, and no others.
    #[schemars(extend("x-default" = "the system's roots"))]
    pub ca_file: Option<AsText<FilePath>>,
    /// For `https://`: the certificate to show to the portal, PEM. Needs `client_key_file`.
    #[schemars(extend("x-default" = "none"))]
    pub client_cert_file: Option<AsText<FilePath>>,
    /// For `https://`: its private key, PEM.
    #[schemars(extend("x-default" = "none"))]
    pub client_key_file: Option<AsText<FilePath>>,
    /// Connections that requests may have open to the portal at a time, from all workers together; further requests
    /// wait in the fair queue, at most `connect_timeout`, and get 503. WebSockets are counted by `limits.max_upgrades` instead;
    /// with `http2` each worker has one connection that does not count, and opens more when many requests are under way.
    #[schemars(extend("default" = 1024))]
    pub max_connections: Option<u32>,
    /// How long connecting may take; then 504.
    #[schemars(extend("default" = "2s"))]
    pub connect_timeout: Option<AsText<Positive>>,
    /// From the last byte of the request to the first byte of the answer; then 504.
    #[schemars(extend("default" = "1m"))]
    pub header_timeout: Option<AsText<Positive>>,
    /// The longest silence in the middle of a body.
    #[schemars(extend("default" = "5m"))]
    pub idle_timeout: Option<AsText<Positive>>,
    /// How long an unused connection is kept: shorter than the portal keeps it, so that it never closes one that is
    /// being used.
    #[schemars(extend("default" = "4s"))]
    pub keep_alive: Option<AsText<Positive>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Path prefix in whole segments: `/` or `/api` (which covers `/api` and `/api/…`, not `/apis`).
    pub path: String,
    pub target: UpstreamTarget,
    /// Speak HTTP/2 to the portal (over TLS by ALPN, in clear text with prior knowledge).
    pub http2: bool,
    /// Send this `Host` instead of the one the browser sent.
    pub host: Option<String>,
    /// Of all workers together; upgrades have a bound of their own.
    pub max_connections: usize,
    pub connect_timeout: Duration,
    /// From the last byte of the request to the first byte of the answer.
    pub header_timeout: Duration,
    /// Longest silence in the middle of a body.
    pub idle_timeout: Duration,
    /// How long an unused connection is kept: shorter than the portal's own keep-alive.
    pub keep_alive: Duration,
}

impl Upstream {
    /// Requests that can be under way at a time.
    pub const fn max_requests(&self) -> usize {
        if self.http2 { self.max_connections.saturating_mul(HTTP2_STREAMS) } else { self.max_connections }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UpstreamTarget {
    /// `http://host:port`; an IPv6 address has no brackets here.
    Tcp { host: String, port: u16 },
    /// `https://host:port`; an IPv6 address has no brackets here.
    Tls {
        host: String,
        port: u16,
        /// Trusts this CA only; otherwise the system's roots.
        ca_file: Option<PathBuf>,
        client_cert_file: Option<PathBuf>,
        client_key_file: Option<PathBuf>,
    },
    /// `unix:/run/portal.sock`
    Unix { path: PathBuf },
}

impl fmt::Display for UpstreamTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Tcp { host, port } => ("http", host, port),
            Self::Tls { host, port, .. } => ("https", host, port),
            Self::Unix { path } => return write!(f, "unix:{}", path.display()),
        };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

impl UpstreamSection {
    pub(super) fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Option<Upstream> {
        let url = scope.required(&key.name("url"), self.url, "write where the portal listens");
        for (name, value) in [
            ("ca_file", &self.ca_file),
            ("client_cert_file", &self.client_cert_file),
            ("client_key_file", &self.client_key_file),
        ] {
            if value.is_some() && url.as_ref().is_some_and(|url| !matches!(url, PortalUrl::Https { .. })) {
                scope.mistake(
                    &key.name(name),
                    "this has no effect: the URL is not https://",
                    "remove it, or use https://",
                );
            }
        }
        if self.client_cert_file.is_some() != self.client_key_file.is_some() {
            let missing = if self.client_key_file.is_some() { "client_cert_file" } else { "client_key_file" };
            scope.mistake(
                &key.name(missing),
                "certificate and key belong together",
                "write both keys, or neither",
            );
        }
        let host = self.host.map(|host| host.0.0);
        if let Some(host) = &host {
            let authority = host.parse::<http::uri::Authority>();
            if !authority.is_ok_and(|authority| !authority.as_str().contains('@')) {
                scope.mistake(
                    &key.name("host"),
                    format!("{host:?} is not a host name"),
                    "write a host, with or without port",
                );
            }
        }
        let max_connections =
            scope.bounded(&key.name("max_connections"), self.max_connections, 1024, 1..=MAX_CONNECTIONS);
        let max_connections = usize::try_from(max_connections).unwrap_or(usize::MAX);
        let ca_file = scope.optional_path(&key.name("ca_file"), self.ca_file);
        let client_cert_file = scope.optional_path(&key.name("client_cert_file"), self.client_cert_file);
        let client_key_file = scope.optional_path(&key.name("client_key_file"), self.client_key_file);
        Some(Upstream {
            path: self.path.map_or_else(|| "/".to_owned(), |path| path.0.0),
            target: match url? {
                PortalUrl::Http { host, port } => UpstreamTarget::Tcp { host, port },
                PortalUrl::Https { host, port } => {
                    UpstreamTarget::Tls { host, port, ca_file, client_cert_file, client_key_file }
                }
                PortalUrl::Unix(path) => UpstreamTarget::Unix { path },
            },
            http2: self.http2.unwrap_or(false),
            host,
            max_connections,
            connect_timeout: positive_or(self.connect_timeout, Duration::from_secs(2)),
            header_timeout: positive_or(self.header_timeout, Duration::from_mins(1)),
            idle_timeout: positive_or(self.idle_timeout, Duration::from_mins(5)),
            keep_alive: positive_or(self.keep_alive, Duration::from_secs(4)),
        })
    }
}

impl From<&Upstream> for UpstreamSection {
    fn from(upstream: &Upstream) -> Self {
        let (url, files) = match &upstream.target {
            UpstreamTarget::Tcp { host, port } => (PortalUrl::Http { host: host.clone(), port: *port }, None),
            UpstreamTarget::Tls { host, port, ca_file, client_cert_file, client_key_file } => (
                PortalUrl::Https { host: host.clone(), port: *port },
                Some((ca_file, client_cert_file, client_key_file)),
            ),
            UpstreamTarget::Unix { path } => (PortalUrl::Unix(path.clone()), None),
        };
        Self {
            path: Some(AsText(Prefix(upstream.path.clone()))),
            url: Some(AsText(url)),
            http2: Some(upstream.http2),
            host: upstream.host.clone().map(|host| AsText(NotEmpty(host))),
            ca_file: files.and_then(|files| files.0.as_deref().map(FilePath::written)),
            client_cert_file: files.and_then(|files| files.1.as_deref().map(FilePath::written)),
            client_key_file: files.and_then(|files| files.2.as_deref().map(FilePath::written)),
            max_connections: u32::try_from(upstream.max_connections).ok(),
            connect_timeout: Some(AsText(Positive(upstream.connect_timeout))),
            header_timeout: Some(AsText(Positive(upstream.header_timeout))),
            idle_timeout: Some(AsText(Positive(upstream.idle_timeout))),
            keep_alive: Some(AsText(Positive(upstream.keep_alive))),
        }
    }
}
