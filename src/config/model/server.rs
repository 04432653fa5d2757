//! Listeners, and the files that they read.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use http::HeaderValue;
use ipnet::IpNet;

use super::{CertificateFiles, StoreProbe};
use crate::config::secret::Secret;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Clear text, HTTP/1.1 and HTTP/2 with prior knowledge.
    pub listen: Vec<SocketAddr>,
    pub tls: Option<TlsSettings>,
    /// 0 has been replaced by the number of cores this process may use.
    pub workers: usize,
    /// The origin browsers use, where it differs from what a request says (`https://portal.example.com`).
    pub public_url: Option<url::Url>,
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed. Empty: no peer.
    pub trusted_proxies: Vec<IpNet>,
    /// Peers whose connections begin with a PROXY protocol header.
    pub proxy_protocol: Vec<IpNet>,
    /// As in `claimable_hosts`. Empty: every host.
    pub allowed_hosts: Vec<String>,
    pub redirect_to_https: bool,
    /// `Strict-Transport-Security` of answers over HTTPS.
    pub hsts: Option<HeaderValue>,
    /// After SIGTERM: how long to keep serving while not ready, and then how long to let requests finish.
    pub drain_delay: Duration,
    pub drain_timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    pub listen: Vec<SocketAddr>,
    pub files: TlsFiles,
}

/// The files of a TLS listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The default certificate.
    pub certificate: CertificateFiles,
    /// Shown to clients that ask for a host name that is in them.
    pub more: Vec<CertificateFiles>,
    pub client_auth: Option<ClientAuth>,
}

/// Client certificates (mTLS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuth {
    pub ca_file: PathBuf,
    /// A client without a certificate is refused.
    pub required: bool,
}

impl TlsFiles {
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let pairs = std::iter::once(&self.certificate).chain(&self.more);
        pairs
            .flat_map(|files| [&files.cert_file, &files.key_file])
            .chain(self.client_auth.iter().map(|auth| &auth.ca_file))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    pub listen: Option<SocketAddr>,
    /// The token required by the endpoints that act or disclose.
    pub token: Option<TokenFile>,
    pub store_probe: StoreProbe,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFile {
    pub path: PathBuf,
    pub secret: Secret,
}
