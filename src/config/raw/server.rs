//! `[server]`

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    text::As,
    values::{address::FilePath, duration::Positive, web::Origin},
};

/// Where Doorward listens, and how it stops.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Server {
    /// Addresses for clear text: HTTP/1.1, and HTTP/2 with prior knowledge. `[]` where only TLS is wanted.
    #[schemars(extend("default" = ["0.0.0.0:8080"], "x-restart" = true))]
    pub listen: Option<Vec<As<SocketAddr>>>,
    /// Threads that serve requests, at most 1024; 0 means one a core this process may use.
    #[schemars(extend("default" = 0, "x-restart" = true))]
    pub workers: Option<u16>,
    /// The origin browsers use, where it differs from what a request says: behind a proxy that is not in
    /// `trusted_proxies`. With `https://…` browsers are taken to come by HTTPS, to every host, also where the last proxy
    /// speaks plain HTTP with Doorward: cookies are `Secure`, and nobody can sign in over plain HTTP.
    #[schemars(extend("x-default" = "what the request says"))]
    pub public_url: Option<As<Origin>>,
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed. Nobody's by default.
    #[schemars(extend("default" = [], "x-source" = "RFC 7239"))]
    pub trusted_proxies: Option<Vec<As<IpNet>>>,
    /// After SIGTERM: how long to keep serving while `/readyz` says no, so that load balancers notice.
    #[schemars(extend("default" = "5s"))]
    pub drain_delay: Option<As<Duration>>,
    /// After that: how long requests may take to finish.
    #[schemars(extend("default" = "30s"))]
    pub drain_timeout: Option<As<Positive>>,
    /// Also listen with TLS. Certificate and key are read again when their files change.
    pub tls: Option<Tls>,
}

/// Also listen with TLS. Certificate and key are read again when their files change.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Tls {
    /// Addresses for TLS: HTTP/1.1 and HTTP/2, by ALPN.
    #[schemars(extend("default" = ["0.0.0.0:8443"], "x-restart" = true))]
    pub listen: Option<Vec<As<SocketAddr>>>,
    /// The certificate chain, PEM. Required.
    #[schemars(extend("x-default" = "required"))]
    pub cert_file: Option<As<FilePath>>,
    /// Its private key, PEM. Required.
    #[schemars(extend("x-default" = "required"))]
    pub key_file: Option<As<FilePath>>,
}
