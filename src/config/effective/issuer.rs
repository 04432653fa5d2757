//! `[[issuer]]`, as it would be written.

use super::path;
use crate::config::{
    model::{Introspection, Issuer, KeySource},
    raw::{
        self,
        text::As,
        values::{
            duration::Positive,
            name::{NotEmpty, Scope},
            web::SecureUrl,
        },
    },
};

pub fn written(issuer: &Issuer) -> raw::issuer::Issuer {
    let texts = |texts: &[String]| Some(texts.iter().cloned().map(|text| As(NotEmpty(text))).collect());
    let has_keys = issuer.keys != KeySource::None;
    raw::issuer::Issuer {
        issuer: Some(As(NotEmpty(issuer.issuer.clone()))),
        audiences: texts(&issuer.audiences),
        jwks_file: match &issuer.keys {
            KeySource::File(file) => Some(path(file)),
            _ => None,
        },
        jwks_url: match &issuer.keys {
            KeySource::Url(url) => Some(As(SecureUrl(url.clone()))),
            _ => None,
        },
        discovery: Some(matches!(issuer.keys, KeySource::Discovery | KeySource::ConfinedDiscovery(_))),
        algorithms: has_keys.then(|| issuer.algorithms.iter().copied().map(As).collect()),
        leeway: Some(As(issuer.leeway)),
        required_scopes: Some(issuer.required_scopes.iter().cloned().map(|scope| As(Scope(scope))).collect()),
        tenant_claim: issuer.tenant_claim.clone().map(|claim| As(NotEmpty(claim))),
        tenant: issuer.tenant_claim.is_none().then(|| As(issuer.tenant.clone())),
        user_claim: Some(As(NotEmpty(issuer.user_claim.clone()))),
        roles_claim: Some(As(NotEmpty(issuer.roles_claim.clone()))),
        cache_ttl: Some(As(issuer.cache_ttl)),
        introspection: issuer.introspection.as_ref().map(introspection),
    }
}

fn introspection(introspection: &Introspection) -> raw::issuer::Introspection {
    raw::issuer::Introspection {
        url: Some(As(SecureUrl(introspection.url.clone()))),
        client_id: Some(As(NotEmpty(introspection.client_id.clone()))),
        client_secret: Some(As(introspection.client_secret.clone())),
        client_secret_file: None,
        ca_file: introspection.ca_file.as_deref().map(path),
        cache_ttl: Some(As(introspection.cache_ttl)),
        negative_ttl: Some(As(introspection.negative_ttl)),
        timeout: Some(As(Positive(introspection.timeout))),
    }
}
