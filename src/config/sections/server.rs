//! `[server]`

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::{address::FilePath, duration::Positive, hsts::Hsts, name::HostMatcher, web::WebOrigin},
};

/// Where Doorward listens, and how it stops.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct ServerSection {
    /// Addresses for clear text: HTTP/1.1, and HTTP/2 with prior knowledge. `[]` where only TLS is wanted.
    #[schemars(extend("default" = ["0.0.0.0:8080"], "x-restart" = true))]
    pub listen: Option<Vec<AsText<SocketAddr>>>,
    /// Threads that serve requests, at most 1024; 0 means one a core this process may use.
    #[schemars(extend("default" = 0, "x-restart" = true))]
    pub workers: Option<u16>,
    /// The origin browsers use, where it differs from what a request says: behind a proxy that is not in
    /// `trusted_proxies`. With `https://…` browsers are taken to come by HTTPS, to every host, also where the last proxy
    /// speaks plain HTTP with Doorward: cookies are `Secure`, and sign-in over plain HTTP is refused.
    #[schemars(extend("x-default" = "what the request says"))]
    pub public_url: Option<AsText<WebOrigin>>,
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed. None by default.
    #[schemars(extend("default" = [], "x-source" = "RFC 7239"))]
    pub trusted_proxies: Option<Vec<AsText<IpNet>>>,
    /// Peers that must begin each connection with a PROXY protocol header (version 1 or 2), such as a TCP load balancer: the
    /// client is the one it names. A connection of theirs without one is closed; from all other peers a header is a bad
    /// request.
    #[schemars(extend("default" = [], "x-source" = "HAProxy PROXY protocol"))]
    pub proxy_protocol: Option<Vec<AsText<IpNet>>>,
    /// After SIGTERM: how long to keep serving while `/readyz` fails, so that load balancers notice.
    /// Answers then carry `Connection: close`, and HTTP/2 connections are sent `GOAWAY`.
    #[schemars(extend("default" = "5s"))]
    pub drain_delay: Option<AsText<Duration>>,
    /// After that: how long requests and WebSockets may take to end. The rest are cut, WebSockets with a close frame 1001; the
    /// last line of the log has their numbers, and the exit code is 0.
    #[schemars(extend("default" = "30s"))]
    pub drain_timeout: Option<AsText<Positive>>,
    /// Hosts that requests may name, beside those of tenants and of `public_url`; others get 421. A whole name, a suffix such as
    /// `.portal.example.com`, or `*`. Empty: all.
    #[schemars(extend("default" = [], "x-source" = "RFC 9110 §15.5.20"))]
    pub allowed_hosts: Option<Vec<AsText<HostMatcher>>>,
    /// Redirect plain HTTP requests to HTTPS: GET and HEAD with 308; other methods get 403. If a proxy in front of Doorward
    /// terminates TLS, it has to be in `trusted_proxies`.
    #[schemars(extend("default" = false))]
    pub redirect_to_https: Option<bool>,
    /// `Strict-Transport-Security` of answers over HTTPS, such as `"max-age=31536000; includeSubDomains"`. Browsers then use
    /// HTTPS only, for every port of the host, for that long.
    #[schemars(extend("default" = "", "x-source" = "RFC 6797"))]
    pub hsts: Option<AsText<Hsts>>,
    /// Also listen with TLS. Certificate and key are read again when their files change.
    pub tls: Option<TlsSection>,
}

/// Also listen with TLS. Certificate and key are read again when their files change.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct TlsSection {
    /// Addresses for TLS: HTTP/1.1 and HTTP/2, by ALPN.
    #[schemars(extend("default" = ["0.0.0.0:8443"], "x-restart" = true))]
    pub listen: Option<Vec<AsText<SocketAddr>>>,
    /// The certificate chain, PEM. Required.
    #[schemars(extend("x-default" = "required"))]
    pub cert_file: Option<AsText<FilePath>>,
    /// Its private key, PEM. Required.
    #[schemars(extend("x-default" = "required"))]
    pub key_file: Option<AsText<FilePath>>,
    /// Authorities whose client certificates count, PEM. Read again when the file changes.
    #[schemars(extend("x-default" = "none"))]
    pub client_ca_file: Option<AsText<FilePath>>,
    /// Whether clients show a certificate of `client_ca_file`: `off`, `optional` (a wrong one is refused) or `required`.
    #[schemars(extend("x-default" = "`required` with `client_ca_file`, otherwise `off`"))]
    pub client_auth: Option<ClientAuthMode>,
    /// A further certificate, shown to clients that ask for a host name that is in it (SNI). The one above is for all others.
    pub certificate: Option<Vec<CertificateSection>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ClientAuthMode {
    Off,
    Optional,
    Required,
}

/// A further certificate, by the host names in it. Read again when its files change.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct CertificateSection {
    /// The certificate chain, PEM. Required.
    #[schemars(extend("x-default" = "required"))]
    pub cert_file: Option<AsText<FilePath>>,
    /// Its private key, PEM. Required.
    #[schemars(extend("x-default" = "required"))]
    pub key_file: Option<AsText<FilePath>>,
}
