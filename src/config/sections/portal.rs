//! `[portal]` and `[[portal.upstream]]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::{address::FilePath, duration::Positive, name::NotEmpty, route::Prefix, web::PortalUrl},
};

/// The portal that Doorward protects.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct PortalSection {
    /// The kind of portal: `wso2-apim` knows the developer portal of WSO2 API Manager, its pages, its REST API
    /// and what stays open when it is closed; `generic` knows nothing beyond `[[access.route]]`.
    #[schemars(extend("default" = "wso2-apim"))]
    pub profile: Option<PortalProfileName>,
    /// Where the portal listens. At least one, and exactly one with the path `/`.
    pub upstream: Option<Vec<UpstreamSection>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum PortalProfileName {
    #[default]
    Wso2Apim,
    Generic,
}

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
