//! `[[issuer]]`, as it would be written.

use super::path;
use crate::config::{
    model::{Introspection, Issuer, KeySource},
    sections,
    text_form::AsText,
    values::{
        duration::Positive,
        name::{NotEmpty, OAuthScope},
        web::SecureUrl,
    },
};

pub fn issuer_section(issuer: &Issuer) -> sections::issuer::IssuerSection {
    let texts = |texts: &[String]| Some(texts.iter().cloned().map(|text| AsText(NotEmpty(text))).collect());
    let has_keys = issuer.keys != KeySource::None;
    sections::issuer::IssuerSection {
        issuer: Some(AsText(NotEmpty(issuer.issuer.clone()))),
        audiences: texts(&issuer.audiences),
        jwks_file: match &issuer.keys {
            KeySource::File(file) => Some(path(file)),
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
        tenant_claim: issuer.tenant_claim.clone().map(|claim| AsText(NotEmpty(claim))),
        tenant: issuer.tenant_claim.is_none().then(|| AsText(issuer.tenant.clone())),
        user_claim: Some(AsText(NotEmpty(issuer.user_claim.clone()))),
        roles_claim: Some(AsText(NotEmpty(issuer.roles_claim.clone()))),
        cache_ttl: Some(AsText(issuer.cache_ttl)),
        introspection: issuer.introspection.as_ref().map(introspection),
    }
}

fn introspection(introspection: &Introspection) -> sections::issuer::IntrospectionSection {
    sections::issuer::IntrospectionSection {
        url: Some(AsText(SecureUrl(introspection.url.clone()))),
        client_id: Some(AsText(NotEmpty(introspection.client_id.clone()))),
        client_secret: Some(AsText(introspection.client_secret.clone())),
        client_secret_file: None,
        ca_file: introspection.ca_file.as_deref().map(path),
        cache_ttl: Some(AsText(introspection.cache_ttl)),
        negative_ttl: Some(AsText(introspection.negative_ttl)),
        timeout: Some(AsText(Positive(introspection.timeout))),
    }
}
