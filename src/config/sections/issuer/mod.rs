//! `[[issuer]]`, and `issuers` of a tenant's file: one set of rules

pub mod introspection;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use jsonwebtoken::Algorithm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::introspection::{Introspection, IntrospectionSection};
use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        model::EgressPolicy,
        text_form::{AsText, TextForm},
        values::{
            address::FilePath,
            duration::duration_or,
            name::{ALGORITHMS, NotEmpty, OAuthScope},
            web::SecureUrl,
        },
    },
    domain::tenant::TenantId,
};

/// RFC 8725 asks for little; five minutes cover any clock that is set at all.
const MAX_LEEWAY: Duration = Duration::from_mins(5);

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
    /// The user's name ends in `@` and the user's tenant, as in WSO2's tokens (`admin@carbon.super`). The part behind the last `@`
    /// is the tenant and no part of the name; a token without it is rejected. Not in a tenant's file.
    #[schemars(extend("default" = false, "x-source" = "WSO2: use tenant domain in local subject identifier"))]
    pub user_has_tenant: Option<bool>,
    /// The tenant of all its users, where there is neither `tenant_claim` nor `user_has_tenant`. Not in a tenant's file: its
    /// issuers authenticate users of that tenant only. Required with the management API on where that would be `carbon.super`:
    /// administrators of every tenant are configured explicitly.
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

/// A token issuer, and the conditions under which its tokens are accepted.
/// The tenant of an issuer's users.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserTenant {
    /// One tenant for all.
    Fixed(TenantId),
    /// The value of a claim.
    Claim(String),
    /// The part of the user's name behind the last `@`.
    NameSuffix,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_field_names, reason = "RFC 8414 names it `issuer`")]
pub struct Issuer {
    /// The exact `iss`.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    pub keys: KeySource,
    pub algorithms: Vec<jsonwebtoken::Algorithm>,
    pub leeway: Duration,
    pub required_scopes: Vec<String>,
    pub user_tenant: UserTenant,
    /// Defined in a tenant's file. It receives no token that may belong to an issuer of `deployment.toml`.
    pub is_tenant_defined: bool,
    pub egress: EgressPolicy,
    pub user_claim: String,
    pub roles_claim: String,
    pub introspection: Option<Introspection>,
    /// Verified tokens are trusted from memory at most this long.
    pub cache_ttl: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// No signatures to check: opaque tokens only.
    None,
    File(PathBuf),
    Url(String),
    /// `<issuer>/.well-known/openid-configuration`
    Discovery,
    /// Discovery for an issuer of a tenant's file. It never connects to these addresses: the private and the management port.
    ConfinedDiscovery(Arc<[SocketAddr]>),
}

/// `tenant` is the default tenant of the issuers' users.
pub fn issuers(
    written: Vec<IssuerSection>,
    tenant: &TenantId,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Vec<Issuer> {
    let mut issuers: Vec<Issuer> = Vec::new();
    for (index, section) in written.into_iter().enumerate() {
        let key = key.item(index);
        let Some(issuer) = section.resolve(tenant, &key, scope) else { continue };
        if issuers.iter().any(|other| other.issuer == issuer.issuer) {
            scope.mistake(&key.name("issuer"), "this issuer is here twice", "keep one");
        } else {
            issuers.push(issuer);
        }
    }
    issuers
}

/// With the management API on, an issuer whose tokens may administer every tenant must name its tenant explicitly.
pub fn require_explicit_tenant(written: &[IssuerSection], key: &KeyPath, scope: &mut DocumentContext<'_>) {
    for (index, section) in written.iter().enumerate() {
        let has_suffix = section.user_has_tenant == Some(true);
        if section.tenant.is_none() && section.tenant_claim.is_none() && !has_suffix {
            scope.mistake(
                &key.item(index),
                "with the management API on, this issuer's tokens with an administrator's scope would change every tenant",
                "write tenant = \"…\", the one tenant it speaks for (\"carbon.super\" if that is meant), or tenant_claim",
            );
        }
    }
}

impl IssuerSection {
    fn resolve(
        mut self,
        tenant: &TenantId,
        key: &KeyPath,
        scope: &mut DocumentContext<'_>,
    ) -> Option<Issuer> {
        let user_tenant = self.user_tenant(tenant, key, scope);
        let keys = self.take_key_source(key, scope);
        let audiences = NotEmpty::into_texts(self.audiences.unwrap_or_default());
        if audiences.is_empty() && keys != KeySource::None {
            let remedy = "write audiences = [\"…\"], what these tokens have in `aud`";
            scope.mistake(
                &key.name("audiences"),
                "without an audience, tokens meant for others would count",
                remedy,
            );
        }
        let algorithms = match self.algorithms {
            None => ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect(),
            Some(algorithms) => {
                if algorithms.is_empty() || keys == KeySource::None {
                    let message = if algorithms.is_empty() {
                        "no token would count"
                    } else {
                        "this has no effect: there are no keys"
                    };
                    scope.mistake(&key.name("algorithms"), message, "remove it");
                }
                algorithms.into_iter().map(|algorithm| algorithm.0).collect()
            }
        };
        let leeway = duration_or(self.leeway, Duration::from_mins(1));
        if leeway > MAX_LEEWAY {
            scope.mistake(
                &key.name("leeway"),
                "expired tokens would live on for too long",
                "write at most \"5m\"",
            );
        }
        let introspection =
            self.introspection.and_then(|section| section.resolve(&key.name("introspection"), scope));
        let claim = |written: Option<AsText<NotEmpty>>, default: &str| {
            written.map_or_else(|| default.to_owned(), |claim| claim.0.0)
        };
        let issuer =
            scope.required(&key.name("issuer"), self.issuer, "write what these tokens have in `iss`")?;
        Some(Issuer {
            is_tenant_defined: false,
            egress: EgressPolicy::Unrestricted,
            issuer: issuer.0,
            audiences,
            keys,
            algorithms,
            leeway,
            required_scopes: self
                .required_scopes
                .unwrap_or_default()
                .into_iter()
                .map(|scope| scope.0.0)
                .collect(),
            user_tenant,
            user_claim: claim(self.user_claim, "sub"),
            roles_claim: claim(self.roles_claim, "roles"),
            introspection,
            cache_ttl: duration_or(self.cache_ttl, Duration::from_mins(5)),
        })
    }

    /// A tenant's issuer issues tokens for that tenant only, regardless of its file.
    fn user_tenant(
        &mut self,
        tenant: &TenantId,
        key: &KeyPath,
        scope: &mut DocumentContext<'_>,
    ) -> UserTenant {
        let (fixed, claim) = (self.tenant.take(), self.tenant_claim.take());
        let has_suffix = self.user_has_tenant.unwrap_or(false);
        let written =
            [("tenant_claim", claim.is_some()), ("user_has_tenant", has_suffix), ("tenant", fixed.is_some())];
        let mut written = written.into_iter().filter_map(|(name, is_written)| is_written.then_some(name));
        if scope.is_tenant_file() {
            for name in written {
                scope.mistake(&key.name(name), "a tenant's issuer speaks for that tenant only", "remove it");
            }
            return UserTenant::Fixed(tenant.clone());
        }
        if let (Some(_), Some(without_effect)) = (written.next(), written.next()) {
            scope.mistake(
                &key.name(without_effect),
                "this has no effect: another key says the tenant",
                "keep one of tenant, tenant_claim and user_has_tenant",
            );
        }
        match (claim, fixed) {
            (Some(claim), _) => UserTenant::Claim(claim.0.0),
            (None, _) if has_suffix => UserTenant::NameSuffix,
            (None, fixed) => UserTenant::Fixed(fixed.map_or_else(|| tenant.clone(), |fixed| fixed.0)),
        }
    }

    fn take_key_source(&mut self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> KeySource {
        let discovery = self.discovery.unwrap_or(false);
        let given = [self.jwks_file.is_some(), self.jwks_url.is_some(), discovery];
        match given.iter().filter(|given| **given).count() {
            0 => {
                if self.introspection.is_none() {
                    let remedy =
                        "write jwks_file, jwks_url or discovery = true; or add [issuer.introspection]";
                    scope.mistake(key, "this issuer's tokens cannot be verified", remedy);
                }
                return KeySource::None;
            }
            1 => {}
            _ => {
                scope.mistake(
                    key,
                    "the keys come from two places",
                    "keep one of jwks_file, jwks_url, discovery",
                );
            }
        }
        if let Some(AsText(file)) = self.jwks_file.take() {
            return KeySource::File(scope.resolve_path(&key.name("jwks_file"), &file.0));
        }
        if let Some(AsText(url)) = self.jwks_url.take() {
            return KeySource::Url(url.0);
        }
        if let Some(AsText(issuer)) = &self.issuer
            && let Err(problem) = SecureUrl::from_text(&issuer.0)
        {
            scope.mistake(
                &key.name("issuer"),
                format!("discovery needs a URL here: {problem}"),
                "use jwks_url instead",
            );
        }
        KeySource::Discovery
    }
}

impl From<&Issuer> for IssuerSection {
    fn from(issuer: &Issuer) -> Self {
        let has_keys = issuer.keys != KeySource::None;
        Self {
            issuer: Some(AsText(NotEmpty(issuer.issuer.clone()))),
            audiences: Some(NotEmpty::list(&issuer.audiences)),
            jwks_file: match &issuer.keys {
                KeySource::File(file) => Some(FilePath::written(file)),
                _ => None,
            },
            jwks_url: match &issuer.keys {
                KeySource::Url(url) => Some(AsText(SecureUrl(url.clone()))),
                _ => None,
            },
            discovery: Some(matches!(issuer.keys, KeySource::Discovery | KeySource::ConfinedDiscovery(_))),
            algorithms: has_keys.then(|| issuer.algorithms.iter().copied().map(AsText).collect()),
            leeway: Some(AsText(issuer.leeway)),
            required_scopes: Some(
                issuer.required_scopes.iter().cloned().map(|scope| AsText(OAuthScope(scope))).collect(),
            ),
            tenant_claim: match &issuer.user_tenant {
                UserTenant::Claim(claim) => Some(AsText(NotEmpty(claim.clone()))),
                UserTenant::Fixed(_) | UserTenant::NameSuffix => None,
            },
            user_has_tenant: Some(issuer.user_tenant == UserTenant::NameSuffix),
            tenant: match &issuer.user_tenant {
                UserTenant::Fixed(tenant) => Some(AsText(tenant.clone())),
                UserTenant::Claim(_) | UserTenant::NameSuffix => None,
            },
            user_claim: Some(AsText(NotEmpty(issuer.user_claim.clone()))),
            roles_claim: Some(AsText(NotEmpty(issuer.roles_claim.clone()))),
            cache_ttl: Some(AsText(issuer.cache_ttl)),
            introspection: issuer.introspection.as_ref().map(Into::into),
        }
    }
}
