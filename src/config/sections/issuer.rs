//! `[[issuer]]`, and `issuers` of a tenant's file

use std::time::Duration;

use jsonwebtoken::Algorithm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::{
        address::FilePath,
        duration::Positive,
        name::{NotEmpty, OAuthScope},
        web::SecureUrl,
    },
};
use crate::{config::secret::Secret, domain::tenant::TenantId};

/// A token issuer, and the tokens of it that are accepted.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct IssuerSection {
    /// The exact `iss` of its tokens. Required.
    #[schemars(extend("x-default" = "required", "x-source" = "RFC 7519 §4.1.1"))]
    pub issuer: Option<AsText<NotEmpty>>,
    /// One of these must be in a token's `aud`. Required, but where tokens are only introspected.
    #[schemars(extend("x-default" = "required", "x-source" = "RFC 7519 §4.1.3"))]
    pub audiences: Option<Vec<AsText<NotEmpty>>>,
    /// Its key set, in a file.
    #[schemars(extend("x-default" = "none", "x-source" = "RFC 7517"))]
    pub jwks_file: Option<AsText<FilePath>>,
    /// Its key set, on the network.
    #[schemars(extend("x-default" = "none", "x-source" = "RFC 7517"))]
    pub jwks_url: Option<AsText<SecureUrl>>,
    /// Find its key set through `<issuer>/.well-known/openid-configuration`.
    #[schemars(extend("default" = false, "x-source" = "OpenID Connect Discovery 1.0 §4"))]
    pub discovery: Option<bool>,
    /// Signatures that are accepted. Only those with a public key: RS, PS, ES and EdDSA.
    #[schemars(extend(
        "default" = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"],
        "x-source" = "RFC 7518 §3, RFC 8725 §3.1"
    ))]
    pub algorithms: Option<Vec<AsText<Algorithm>>>,
    /// How far clocks may differ when `exp` and `nbf` are checked; at most 5m.
    #[schemars(extend("default" = "1m", "x-source" = "RFC 7519 §4.1.4"))]
    pub leeway: Option<AsText<Duration>>,
    /// Scopes a token must have; otherwise 403.
    #[schemars(extend("default" = [], "x-source" = "RFC 6750 §3.1"))]
    pub required_scopes: Option<Vec<AsText<OAuthScope>>>,
    /// The claim with the user's tenant. Not in a tenant's file.
    #[schemars(extend("x-default" = "none"))]
    pub tenant_claim: Option<AsText<NotEmpty>>,
    /// The tenant of all its users, where there is no `tenant_claim`. Not in a tenant's file: its issuers speak for that
    /// tenant only. Required with the management API on where that would be `carbon.super`: administrators of every tenant are
    /// configured explicitly.
    #[schemars(extend("x-default" = "`tenancy.default_tenant`"))]
    pub tenant: Option<AsText<TenantId>>,
    /// The claim with the user's name.
    #[schemars(extend("default" = "sub", "x-source" = "RFC 7519 §4.1.2"))]
    pub user_claim: Option<AsText<NotEmpty>>,
    /// The claim with the user's roles.
    #[schemars(extend("default" = "roles", "x-source" = "RFC 9068 §2.2.3.1"))]
    pub roles_claim: Option<AsText<NotEmpty>>,
    /// A verified token is trusted from memory at most this long; `0s`: not at all.
    #[schemars(extend("default" = "5m", "x-source" = "WSO2 REST token cache, 300 s"))]
    pub cache_ttl: Option<AsText<Duration>>,
    /// Ask the issuer about tokens that are no JWT.
    pub introspection: Option<IntrospectionSection>,
}

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
