//! `[server]`

pub mod tls;

use std::{net::SocketAddr, time::Duration};

use http::HeaderValue;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::tls::{TlsSection, TlsSettings};
use super::core_count;
use crate::config::{
    document::KeyPath,
    document_context::DocumentContext,
    text_form::AsText,
    values::{
        duration::{Positive, duration_or, positive_or},
        hsts::Hsts,
        name::HostMatcher,
        web::WebOrigin,
    },
};

const MAX_WORKERS: u16 = 1024;

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

impl ServerSection {
    pub fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> ServerSettings {
        let tls = self.tls.and_then(|tls| tls.resolve(&key.name("tls"), scope));
        let listen = self.listen.map_or_else(
            || vec![([0, 0, 0, 0], 8080).into()],
            |listen| listen.into_iter().map(|at| at.0).collect(),
        );
        if listen.is_empty() && tls.is_none() {
            scope.mistake(
                &key.name("listen"),
                "nothing would listen",
                "name an address, or add [server.tls]",
            );
        }
        if self.workers.is_some_and(|workers| workers > MAX_WORKERS) {
            scope.mistake(&key.name("workers"), "no machine has that many cores", "write 0 for one a core");
        }
        let workers = match self.workers.unwrap_or(0) {
            0 => core_count(),
            workers => usize::from(workers),
        };
        let trusted_proxies: Vec<_> =
            self.trusted_proxies.unwrap_or_default().into_iter().map(|network| network.0).collect();
        let redirect_to_https = self.redirect_to_https.unwrap_or(false);
        if redirect_to_https && tls.is_none() && trusted_proxies.is_empty() {
            scope.mistake(
                &key.name("redirect_to_https"),
                "every request would be redirected endlessly: Doorward cannot know which arrived over HTTPS",
                "add [server.tls], or list the proxy at which TLS ends in trusted_proxies",
            );
        }
        ServerSettings {
            allowed_hosts: self.allowed_hosts.unwrap_or_default().into_iter().map(|host| host.0.0).collect(),
            redirect_to_https,
            hsts: self.hsts.and_then(|hsts| HeaderValue::try_from(hsts.0.0?).ok()),
            listen,
            tls,
            workers,
            public_url: self.public_url.map(|url| url.0.0),
            trusted_proxies,
            proxy_protocol: self.proxy_protocol.unwrap_or_default().into_iter().map(|net| net.0).collect(),
            drain_delay: duration_or(self.drain_delay, Duration::from_secs(5)),
            drain_timeout: positive_or(self.drain_timeout, Duration::from_secs(30)),
        }
    }
}

impl From<&ServerSettings> for ServerSection {
    fn from(server: &ServerSettings) -> Self {
        Self {
            listen: Some(server.listen.iter().copied().map(AsText).collect()),
            workers: u16::try_from(server.workers).ok(),
            public_url: server.public_url.clone().map(|url| AsText(WebOrigin(url))),
            trusted_proxies: Some(server.trusted_proxies.iter().copied().map(AsText).collect()),
            proxy_protocol: Some(server.proxy_protocol.iter().copied().map(AsText).collect()),
            drain_delay: Some(AsText(server.drain_delay)),
            drain_timeout: Some(AsText(Positive(server.drain_timeout))),
            allowed_hosts: Some(
                server.allowed_hosts.iter().cloned().map(|host| AsText(HostMatcher(host))).collect(),
            ),
            redirect_to_https: Some(server.redirect_to_https),
            hsts: Some(AsText(Hsts(
                server.hsts.as_ref().and_then(|hsts| hsts.to_str().ok()).map(str::to_owned),
            ))),
            tls: server.tls.as_ref().map(Into::into),
        }
    }
}

/// Each key that needs a restart, and whether it has changed.
pub fn restart_keys(old: &ServerSettings, new: &ServerSettings) -> Vec<(&'static str, bool)> {
    let tls = |server: &ServerSettings| server.tls.as_ref().map(|tls| tls.listen.clone());
    vec![
        ("server.listen", old.listen != new.listen),
        ("server.workers", old.workers != new.workers),
        ("server.tls.listen", tls(old) != tls(new)),
    ]
}
