//! `[issuer.introspection]`

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    document::KeyPath,
    document_context::DocumentContext,
    secret::Secret,
    text_form::AsText,
    values::{
        address::FilePath,
        duration::{Positive, duration_or, positive_or},
        name::NotEmpty,
        web::SecureUrl,
    },
};

/// Ask the issuer about tokens that are no JWT.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct IntrospectionSection {
    /// The introspection endpoint. Required.
    #[schemars(extend("x-default" = "required", "x-source" = "RFC 7662 §2"))]
    pub url: Option<AsText<SecureUrl>>,
    /// The client that Doorward authenticates as. Required.
    #[schemars(extend("x-default" = "required", "x-source" = "RFC 6749 §2.3.1"))]
    pub client_id: Option<AsText<NotEmpty>>,
    /// Its secret. Required, here or in a file.
    #[schemars(extend("x-default" = "required", "x-source" = "RFC 6749 §2.3.1"))]
    pub client_secret: Option<AsText<Secret>>,
    /// A file with that secret; a line break at its end does not count.
    #[schemars(extend("x-default" = "none"))]
    pub client_secret_file: Option<AsText<FilePath>>,
    /// Trust the certificates in this PEM file, and no others.
    #[schemars(extend("x-default" = "the system's roots"))]
    pub ca_file: Option<AsText<FilePath>>,
    /// How long "active" is trusted from memory; never beyond the token's `exp`.
    #[schemars(extend("default" = "1m", "x-source" = "RFC 7662 §4"))]
    pub cache_ttl: Option<AsText<Duration>>,
    /// How long "not active" is trusted from memory.
    #[schemars(extend("default" = "10s"))]
    pub negative_ttl: Option<AsText<Duration>>,
    /// How long to wait for an answer; then 503.
    #[schemars(extend("default" = "5s"))]
    pub timeout: Option<AsText<Positive>>,
}

/// RFC 7662.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection {
    pub url: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub ca_file: Option<PathBuf>,
    pub cache_ttl: Duration,
    pub negative_ttl: Duration,
    pub timeout: Duration,
}

impl std::hash::Hash for Introspection {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.url, &self.client_id, self.client_secret.expose()).hash(state);
    }
}

impl IntrospectionSection {
    pub(super) fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Option<Introspection> {
        let url = scope.required(&key.name("url"), self.url, "write the introspection endpoint");
        let client_id =
            scope.required(&key.name("client_id"), self.client_id, "write the client that may ask");
        let client_secret = scope.secret(key, "client_secret", self.client_secret, self.client_secret_file);
        let ca_file = scope.optional_path(&key.name("ca_file"), self.ca_file);
        Some(Introspection {
            url: url?.0,
            client_id: client_id?.0,
            client_secret: client_secret?,
            ca_file,
            cache_ttl: duration_or(self.cache_ttl, Duration::from_mins(1)),
            negative_ttl: duration_or(self.negative_ttl, Duration::from_secs(10)),
            timeout: positive_or(self.timeout, Duration::from_secs(5)),
        })
    }
}

impl From<&Introspection> for IntrospectionSection {
    fn from(introspection: &Introspection) -> Self {
        Self {
            url: Some(AsText(SecureUrl(introspection.url.clone()))),
            client_id: Some(AsText(NotEmpty(introspection.client_id.clone()))),
            client_secret: Some(AsText(introspection.client_secret.clone())),
            client_secret_file: None,
            ca_file: introspection.ca_file.as_deref().map(FilePath::written),
            cache_ttl: Some(AsText(introspection.cache_ttl)),
            negative_ttl: Some(AsText(introspection.negative_ttl)),
            timeout: Some(AsText(Positive(introspection.timeout))),
        }
    }
}
