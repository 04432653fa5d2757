//! `[[issuer]]` of deployment.toml and `issuers` of a tenant's file: one set of rules

use std::time::Duration;

use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        model::{EgressPolicy, Introspection, Issuer, KeySource},
        sections,
        text_form::{AsText, TextForm},
        values::duration::{duration_or, positive_or},
        values::{
            name::{ALGORITHMS, NotEmpty},
            web::SecureUrl,
        },
    },
    domain::tenant::TenantId,
};

/// RFC 8725 asks for little; five minutes cover any clock that is set at all.
const MAX_LEEWAY: Duration = Duration::from_mins(5);

/// `tenant` is the default tenant of the issuers' users.
pub fn issuers(
    raw: Vec<sections::issuer::IssuerSection>,
    tenant: &TenantId,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Vec<Issuer> {
    let mut issuers: Vec<Issuer> = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let key = key.item(index);
        let Some(issuer) = issuer(raw, tenant, &key, scope) else { continue };
        if issuers.iter().any(|other| other.issuer == issuer.issuer) {
            scope.mistake(&key.name("issuer"), "this issuer is here twice", "keep one");
        } else {
            issuers.push(issuer);
        }
    }
    issuers
}

/// With the management API on, an issuer whose tokens may administer every tenant must name its tenant explicitly.
pub fn require_explicit_tenant(
    raw: &[sections::issuer::IssuerSection],
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) {
    for (index, raw) in raw.iter().enumerate() {
        if raw.tenant.is_none() && raw.tenant_claim.is_none() {
            scope.mistake(
                &key.item(index),
                "with the management API on, this issuer's tokens with an administrator's scope would change every tenant",
                "write tenant = \"…\", the one tenant it speaks for (\"carbon.super\" if that is meant), or tenant_claim",
            );
        }
    }
}

fn issuer(
    mut raw: sections::issuer::IssuerSection,
    tenant: &TenantId,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Option<Issuer> {
    let tenant = issuer_tenant(&raw, tenant, key, scope);
    let keys = key_source(&mut raw, key, scope);
    let audiences = texts(raw.audiences);
    if audiences.is_empty() && keys != KeySource::None {
        let remedy = "write audiences = [\"…\"], what these tokens have in `aud`";
        scope.mistake(
            &key.name("audiences"),
            "without an audience, tokens meant for others would count",
            remedy,
        );
    }
    let algorithms = match raw.algorithms {
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
    let leeway = duration_or(raw.leeway, 60);
    if leeway > MAX_LEEWAY {
        scope.mistake(
            &key.name("leeway"),
            "expired tokens would live on for too long",
            "write at most \"5m\"",
        );
    }
    let introspection =
        raw.introspection.and_then(|raw| introspection(raw, &key.name("introspection"), scope));
    let claim = |written: Option<AsText<NotEmpty>>, default: &str| {
        written.map_or_else(|| default.to_owned(), |claim| claim.0.0)
    };
    let issuer = scope.required(&key.name("issuer"), raw.issuer, "write what these tokens have in `iss`")?;
    Some(Issuer {
        is_tenant_defined: false,
        egress: EgressPolicy::Unrestricted,
        issuer: issuer.0,
        audiences,
        keys,
        algorithms,
        leeway,
        required_scopes: raw.required_scopes.unwrap_or_default().into_iter().map(|scope| scope.0.0).collect(),
        tenant_claim: raw.tenant_claim.map(|claim| claim.0.0),
        tenant,
        user_claim: claim(raw.user_claim, "sub"),
        roles_claim: claim(raw.roles_claim, "roles"),
        introspection,
        cache_ttl: duration_or(raw.cache_ttl, 300),
    })
}

/// A tenant's issuer issues tokens for that tenant only, regardless of its file.
fn issuer_tenant(
    raw: &sections::issuer::IssuerSection,
    tenant: &TenantId,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> TenantId {
    if scope.is_tenant_file() {
        for (name, written) in
            [("tenant", raw.tenant.is_some()), ("tenant_claim", raw.tenant_claim.is_some())]
        {
            if written {
                scope.mistake(&key.name(name), "a tenant's issuer speaks for that tenant only", "remove it");
            }
        }
    } else if raw.tenant.is_some() && raw.tenant_claim.is_some() {
        scope.mistake(&key.name("tenant"), "this has no effect: `tenant_claim` says the tenant", "keep one");
    }
    match &raw.tenant {
        Some(AsText(written)) if !scope.is_tenant_file() => written.clone(),
        _ => tenant.clone(),
    }
}

fn key_source(
    raw: &mut sections::issuer::IssuerSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> KeySource {
    let discovery = raw.discovery.unwrap_or(false);
    let given = [raw.jwks_file.is_some(), raw.jwks_url.is_some(), discovery];
    match given.iter().filter(|given| **given).count() {
        0 => {
            if raw.introspection.is_none() {
                let remedy = "write jwks_file, jwks_url or discovery = true; or add [issuer.introspection]";
                scope.mistake(key, "this issuer's tokens cannot be verified", remedy);
            }
            return KeySource::None;
        }
        1 => {}
        _ => {
            scope.mistake(key, "the keys come from two places", "keep one of jwks_file, jwks_url, discovery");
        }
    }
    if let Some(AsText(file)) = raw.jwks_file.take() {
        return KeySource::File(scope.resolve_path(&key.name("jwks_file"), &file.0));
    }
    if let Some(AsText(url)) = raw.jwks_url.take() {
        return KeySource::Url(url.0);
    }
    if let Some(AsText(issuer)) = &raw.issuer
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

fn introspection(
    raw: sections::issuer::IntrospectionSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Option<Introspection> {
    let url = scope.required(&key.name("url"), raw.url, "write the introspection endpoint");
    let client_id = scope.required(&key.name("client_id"), raw.client_id, "write the client that may ask");
    let client_secret = scope.secret(key, "client_secret", raw.client_secret, raw.client_secret_file);
    let ca_file = scope.optional_path(&key.name("ca_file"), raw.ca_file);
    Some(Introspection {
        url: url?.0,
        client_id: client_id?.0,
        client_secret: client_secret?,
        ca_file,
        cache_ttl: duration_or(raw.cache_ttl, 60),
        negative_ttl: duration_or(raw.negative_ttl, 10),
        timeout: positive_or(raw.timeout, 5),
    })
}

fn texts(written: Option<Vec<AsText<NotEmpty>>>) -> Vec<String> {
    written.unwrap_or_default().into_iter().map(|text| text.0.0).collect()
}
