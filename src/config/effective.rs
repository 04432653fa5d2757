//! The effective configuration in its written form: every key, secrets masked.

mod accounts;
mod issuer;
mod management;
mod upstream;

use std::path::Path;

use super::{
    model::{
        Branding, CertificateFiles, FileWatchMode, HeaderProfile, PortalProfile, Settings, SignInSettings,
        StoreProbe, TenancySettings, TlsFiles, TlsSettings,
    },
    resolve::guard,
    sections::{
        self, DeploymentFile,
        access::{AccessName, HeaderProfileName, RouteKindName},
    },
    text_form::{AsText, TextForm},
    values::cross_tenant::CrossTenantValue,
    values::upgrade::UpgradeValue,
    values::{
        address::{FilePath, OptionalListen},
        appearance::{Accent, Image, LogFilter},
        duration::Positive,
        hsts::Hsts,
        name::{CookieName, HostMatcher, NotEmpty},
        route::{Match, SignInUrl},
        web::WebOrigin,
    },
};
use crate::domain::{
    route::{AccessLevel as RouteAccess, RouteKind, RouteRule},
    upgrade::UpgradeRule,
};

/// As TOML, to be read by people, and by Doorward again.
pub fn to_toml(settings: &Settings) -> String {
    toml::to_string(&to_deployment_file(settings))
        .unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
}

/// As JSON, for `check --json` and the private port.
pub fn to_json(settings: &Settings) -> serde_json::Value {
    let mut value = serde_json::to_value(to_deployment_file(settings)).unwrap_or_default();
    prune(&mut value);
    value
}

fn prune(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            entries.values_mut().for_each(prune);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

/// The configuration that would have the same effect, with every key written.
pub fn to_deployment_file(settings: &Settings) -> DeploymentFile {
    let defaults = &settings.defaults;
    DeploymentFile {
        apim: Some(sections::apim::ApimSection {
            devportal: Some(sections::apim::DevportalSection {
                enable_anonymous_mode: Some(defaults.anonymous),
            }),
        }),
        server: Some(server(settings)),
        admin: Some(sections::admin::AdminSection {
            listen: Some(AsText(OptionalListen(settings.admin.listen))),
            token_file: settings.admin.token.as_ref().map(|token| path(&token.path)),
            store_probe: Some(match settings.admin.store_probe {
                StoreProbe::Off => sections::admin::StoreProbeName::Off,
                StoreProbe::Read => sections::admin::StoreProbeName::Read,
                StoreProbe::ReadWrite => sections::admin::StoreProbeName::Write,
            }),
        }),
        management: Some(management::management(&settings.management)),
        portal: Some(sections::portal::PortalSection {
            profile: Some(match settings.portal.profile {
                PortalProfile::Wso2Apim => sections::portal::PortalProfileName::Wso2Apim,
                PortalProfile::Generic => sections::portal::PortalProfileName::Generic,
            }),
            upstream: Some(
                settings
                    .portal
                    .upstreams
                    .iter()
                    .map(|upstream| upstream::upstream_section(upstream))
                    .collect(),
            ),
        }),
        tenancy: Some(tenancy(&settings.tenancy)),
        sign_in: Some(sign_in(&defaults.sign_in)),
        issuer: Some(defaults.issuers.iter().map(|issuer| issuer::issuer_section(issuer)).collect()),
        accounts: Some(accounts::accounts(&settings.accounts)),
        session: Some(accounts::session(&defaults.session)),
        account_lock: Some(accounts::account_lock(&defaults.rules.account_lock)),
        password_policy: Some(accounts::password_policy(&defaults.rules.password_rules)),
        governance: Some(accounts::governance(defaults)),
        identity_mgt: None,
        access: Some(sections::access::AccessSection {
            cross_tenant: Some(CrossTenantValue(defaults.cross_tenant.clone())),
            cors_allowed_origins: Some(origins(&defaults.cors_allowed_origins)),
            websocket_origins: Some(origins(&defaults.websocket_origins)),
            token_cookie: Some(AsText(CookieName(defaults.token_cookie.clone()))),
            forward_token: Some(defaults.forward_token),
            private_responses: Some(defaults.private_responses),
            identity_headers: Some(match defaults.identity_headers {
                HeaderProfile::Wso2 => HeaderProfileName::Wso2,
                HeaderProfile::OAuth2Proxy => HeaderProfileName::OAuth2Proxy,
                HeaderProfile::Authelia => HeaderProfileName::Authelia,
                HeaderProfile::None => HeaderProfileName::None,
            }),
            route: Some(defaults.routes.iter().map(route).collect()),
        }),
        guard: Some(defaults.guards.iter().map(|guard| guard::guard_section(guard)).collect()),
        branding: Some(branding(&defaults.branding)),
        log: Some(sections::log::LogSection {
            level: Some(AsText(LogFilter(settings.log.level.clone()))),
            access: Some(AsText(settings.log.access.clone())),
            audit: Some(AsText(settings.log.audit.clone())),
        }),
        limits: Some((&settings.limits).into()),
    }
}

fn server(settings: &Settings) -> sections::server::ServerSection {
    let server = &settings.server;
    sections::server::ServerSection {
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
        hsts: Some(AsText(Hsts(server.hsts.as_ref().and_then(|hsts| hsts.to_str().ok()).map(str::to_owned)))),
        tls: server.tls.as_ref().map(tls),
    }
}

fn tls(tls: &TlsSettings) -> sections::server::TlsSection {
    let TlsFiles { certificate, more, client_auth } = &tls.files;
    let further = |files: &CertificateFiles| sections::server::CertificateSection {
        cert_file: Some(path(&files.cert_file)),
        key_file: Some(path(&files.key_file)),
    };
    sections::server::TlsSection {
        listen: Some(tls.listen.iter().copied().map(AsText).collect()),
        cert_file: Some(path(&certificate.cert_file)),
        key_file: Some(path(&certificate.key_file)),
        client_ca_file: client_auth.as_ref().map(|auth| path(&auth.ca_file)),
        client_auth: Some(match client_auth {
            None => sections::server::ClientAuthMode::Off,
            Some(auth) if auth.required => sections::server::ClientAuthMode::Required,
            Some(_) => sections::server::ClientAuthMode::Optional,
        }),
        certificate: Some(more.iter().map(further).collect()),
    }
}

fn tenancy(tenancy: &TenancySettings) -> sections::tenancy::TenancySection {
    let (watch, poll_interval) = match tenancy.watch {
        FileWatchMode::Auto { poll_interval } => {
            (sections::tenancy::FileWatchName::Auto, Some(poll_interval))
        }
        FileWatchMode::Poll { poll_interval } => {
            (sections::tenancy::FileWatchName::Poll, Some(poll_interval))
        }
        FileWatchMode::Off => (sections::tenancy::FileWatchName::Off, None),
    };
    sections::tenancy::TenancySection {
        folder: Some(path(&tenancy.folder)),
        default_tenant: Some(AsText(tenancy.default_tenant.clone())),
        ttl: Some(AsText(Positive(tenancy.ttl))),
        negative_ttl: Some(AsText(tenancy.negative_ttl)),
        capacity: Some(tenancy.capacity),
        watch: Some(watch),
        poll_interval: poll_interval.map(|interval| AsText(Positive(interval))),
        host_pattern: tenancy.host_pattern.clone().map(AsText),
        claimable_hosts: Some(
            tenancy.claimable_hosts.iter().cloned().map(|host| AsText(HostMatcher(host))).collect(),
        ),
        issuers_on_loopback: Some(tenancy.issuers_on_loopback),
        selection_page: Some(tenancy.selection_page),
        hosts: Some(
            tenancy.hosts.iter().map(|(host, tenant)| (host.clone(), AsText(tenant.clone()))).collect(),
        ),
    }
}

fn sign_in(sign_in: &SignInSettings) -> sections::sign_in::SignInSection {
    let url = sign_in.is_configured().then(|| sign_in.url.clone());
    sections::sign_in::SignInSection { url: Some(AsText(SignInUrl(url))) }
}

fn route(rule: &RouteRule) -> sections::access::RouteSection {
    sections::access::RouteSection {
        r#match: Some(AsText(Match { methods: rule.methods.clone(), pattern: rule.pattern.clone() })),
        access: Some(match rule.access {
            RouteAccess::Open => AccessName::Open,
            RouteAccess::Anonymous => AccessName::Anonymous,
            RouteAccess::SignedIn => AccessName::SignedIn,
        }),
        r#as: Some(match rule.kind {
            RouteKind::Page => RouteKindName::Page,
            RouteKind::Api => RouteKindName::Api,
            RouteKind::Wso2Api => RouteKindName::Wso2Api,
            RouteKind::Asset => RouteKindName::Asset,
        }),
        upgrade: (rule.upgrade != UpgradeRule::default_for(rule.kind))
            .then(|| UpgradeValue(rule.upgrade.clone())),
    }
}

fn branding(branding: &Branding) -> sections::branding::BrandingSection {
    sections::branding::BrandingSection {
        name: branding.name.clone().map(|name| AsText(NotEmpty(name))),
        logo: branding.logo.clone().map(|logo| AsText(Image(logo))),
        accent: branding.accent.clone().map(|accent| AsText(Accent(accent))),
    }
}

fn origins(written: &[String]) -> Vec<AsText<WebOrigin>> {
    written.iter().filter_map(|origin| WebOrigin::from_text(origin).ok().map(AsText)).collect()
}

fn path(path: &Path) -> AsText<FilePath> {
    AsText(FilePath(path.to_owned()))
}

#[cfg(test)]
mod tests;
