//! What is in effect, in the form in which it is written: every key, secrets masked.

mod accounts;
mod issuer;
mod management;
mod upstream;

use std::path::Path;

use super::{
    model::{
        Branding, CertificateFiles, HeaderProfile, Profile, Settings, SignIn, StoreProbe, Tenancy, Tls,
        TlsFiles, Watch,
    },
    raw::{
        self, Deployment,
        access::{IdentityHeaders, Kind, Who},
        cross_tenant::Welcome,
        text::{As, Text},
        upgrade::Upgrade,
        values::{
            address::{FilePath, MaybeListen},
            duration::Positive,
            hsts::Hsts,
            look::{Accent, Image, LogFilter},
            name::{Claimable, CookieName, NotEmpty},
            route::{Match, SignInUrl},
            web::Origin,
        },
    },
    resolve::guard,
};
use crate::domain::{
    route::{Access as RouteAccess, RouteRule, Surface},
    upgrade::UpgradeRule,
};

/// As TOML, to be read by people, and by Doorward again.
pub fn to_toml(settings: &Settings) -> String {
    toml::to_string(&written(settings)).unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
}

/// As JSON, for `check --json` and the private port.
pub fn to_json(settings: &Settings) -> serde_json::Value {
    let mut value = serde_json::to_value(written(settings)).unwrap_or_default();
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
pub fn written(settings: &Settings) -> Deployment {
    let defaults = &settings.defaults;
    Deployment {
        apim: Some(raw::apim::Apim {
            devportal: Some(raw::apim::Devportal { enable_anonymous_mode: Some(defaults.anonymous) }),
        }),
        server: Some(server(settings)),
        admin: Some(raw::admin::Admin {
            listen: Some(As(MaybeListen(settings.admin.listen))),
            token_file: settings.admin.token.as_ref().map(|token| path(&token.path)),
            store_probe: Some(match settings.admin.store_probe {
                StoreProbe::Nothing => raw::admin::StoreProbe::Off,
                StoreProbe::Reads => raw::admin::StoreProbe::Read,
                StoreProbe::ReadsAndWrites => raw::admin::StoreProbe::Write,
            }),
        }),
        management: Some(management::management(&settings.management)),
        portal: Some(raw::portal::Portal {
            profile: Some(match settings.portal.profile {
                Profile::Wso2Apim => raw::portal::Profile::Wso2Apim,
                Profile::Generic => raw::portal::Profile::Generic,
            }),
            upstream: Some(
                settings.portal.upstreams.iter().map(|upstream| upstream::written(upstream)).collect(),
            ),
        }),
        tenancy: Some(tenancy(&settings.tenancy)),
        sign_in: Some(sign_in(&defaults.sign_in)),
        issuer: Some(defaults.issuers.iter().map(|issuer| issuer::written(issuer)).collect()),
        accounts: Some(accounts::accounts(&settings.accounts)),
        session: Some(accounts::session(&defaults.session)),
        account_lock: Some(accounts::account_lock(&defaults.rules.account_lock)),
        password_policy: Some(accounts::password_policy(&defaults.rules.password_rules)),
        governance: Some(accounts::governance(defaults)),
        identity_mgt: None,
        access: Some(raw::access::Access {
            cross_tenant: Some(Welcome(defaults.cross_tenant.clone())),
            cors_allowed_origins: Some(origins(&defaults.cors_allowed_origins)),
            websocket_origins: Some(origins(&defaults.websocket_origins)),
            token_cookie: Some(As(CookieName(defaults.token_cookie.clone()))),
            forward_token: Some(defaults.forward_token),
            private_responses: Some(defaults.private_responses),
            identity_headers: Some(match defaults.identity_headers {
                HeaderProfile::Wso2 => IdentityHeaders::Wso2,
                HeaderProfile::OAuth2Proxy => IdentityHeaders::OAuth2Proxy,
                HeaderProfile::Authelia => IdentityHeaders::Authelia,
                HeaderProfile::None => IdentityHeaders::None,
            }),
            route: Some(defaults.routes.iter().map(route).collect()),
        }),
        guard: Some(defaults.guards.iter().map(|guard| guard::written(guard)).collect()),
        branding: Some(branding(&defaults.branding)),
        log: Some(raw::log::Log {
            level: Some(As(LogFilter(settings.log.level.clone()))),
            access: Some(As(settings.log.access.clone())),
            audit: Some(As(settings.log.audit.clone())),
        }),
        limits: Some(limits(settings)),
    }
}

fn server(settings: &Settings) -> raw::server::Server {
    let server = &settings.server;
    raw::server::Server {
        listen: Some(server.listen.iter().copied().map(As).collect()),
        workers: u16::try_from(server.workers).ok(),
        public_url: server.public_url.clone().map(|url| As(Origin(url))),
        trusted_proxies: Some(server.trusted_proxies.iter().copied().map(As).collect()),
        proxy_protocol: Some(server.proxy_protocol.iter().copied().map(As).collect()),
        drain_delay: Some(As(server.drain_delay)),
        drain_timeout: Some(As(Positive(server.drain_timeout))),
        allowed_hosts: Some(server.allowed_hosts.iter().cloned().map(|host| As(Claimable(host))).collect()),
        redirect_to_https: Some(server.redirect_to_https),
        hsts: Some(As(Hsts(server.hsts.as_ref().and_then(|hsts| hsts.to_str().ok()).map(str::to_owned)))),
        tls: server.tls.as_ref().map(tls),
    }
}

fn tls(tls: &Tls) -> raw::server::Tls {
    let TlsFiles { certificate, more, client_auth } = &tls.files;
    let further = |files: &CertificateFiles| raw::server::Certificate {
        cert_file: Some(path(&files.cert_file)),
        key_file: Some(path(&files.key_file)),
    };
    raw::server::Tls {
        listen: Some(tls.listen.iter().copied().map(As).collect()),
        cert_file: Some(path(&certificate.cert_file)),
        key_file: Some(path(&certificate.key_file)),
        client_ca_file: client_auth.as_ref().map(|auth| path(&auth.ca_file)),
        client_auth: Some(match client_auth {
            None => raw::server::ClientAuth::Off,
            Some(auth) if auth.required => raw::server::ClientAuth::Required,
            Some(_) => raw::server::ClientAuth::Optional,
        }),
        certificate: Some(more.iter().map(further).collect()),
    }
}

fn tenancy(tenancy: &Tenancy) -> raw::tenancy::Tenancy {
    let (watch, poll_interval) = match tenancy.watch {
        Watch::Auto { poll_interval } => (raw::tenancy::Watch::Auto, Some(poll_interval)),
        Watch::Poll { poll_interval } => (raw::tenancy::Watch::Poll, Some(poll_interval)),
        Watch::Off => (raw::tenancy::Watch::Off, None),
    };
    raw::tenancy::Tenancy {
        folder: Some(path(&tenancy.folder)),
        default_tenant: Some(As(tenancy.default_tenant.clone())),
        ttl: Some(As(Positive(tenancy.ttl))),
        negative_ttl: Some(As(tenancy.negative_ttl)),
        capacity: Some(tenancy.capacity),
        watch: Some(watch),
        poll_interval: poll_interval.map(|interval| As(Positive(interval))),
        host_pattern: tenancy.host_pattern.clone().map(As),
        claimable_hosts: Some(
            tenancy.claimable_hosts.iter().cloned().map(|host| As(Claimable(host))).collect(),
        ),
        issuers_on_loopback: Some(tenancy.issuers_on_loopback),
        selection_page: Some(tenancy.selection_page),
        hosts: Some(tenancy.hosts.iter().map(|(host, tenant)| (host.clone(), As(tenant.clone()))).collect()),
    }
}

fn sign_in(sign_in: &SignIn) -> raw::sign_in::SignIn {
    let url = sign_in.is_configured().then(|| sign_in.url.clone());
    raw::sign_in::SignIn { url: Some(As(SignInUrl(url))) }
}

fn route(rule: &RouteRule) -> raw::access::Route {
    raw::access::Route {
        r#match: Some(As(Match { methods: rule.methods.clone(), pattern: rule.pattern.clone() })),
        access: Some(match rule.access {
            RouteAccess::Open => Who::Open,
            RouteAccess::Anonymous => Who::Anonymous,
            RouteAccess::SignedIn => Who::SignedIn,
        }),
        r#as: Some(match rule.surface {
            Surface::Page => Kind::Page,
            Surface::Api => Kind::Api,
            Surface::Wso2Api => Kind::Wso2Api,
            Surface::Asset => Kind::Asset,
        }),
        upgrade: (rule.upgrade != UpgradeRule::unwritten(rule.surface))
            .then(|| Upgrade(rule.upgrade.clone())),
    }
}

fn branding(branding: &Branding) -> raw::branding::Branding {
    raw::branding::Branding {
        name: branding.name.clone().map(|name| As(NotEmpty(name))),
        logo: branding.logo.clone().map(|logo| As(Image(logo))),
        accent: branding.accent.clone().map(|accent| As(Accent(accent))),
    }
}

fn limits(settings: &Settings) -> raw::limits::Limits {
    let limits = &settings.limits;
    let number = |value: usize| u32::try_from(value).ok();
    raw::limits::Limits {
        max_connections: number(limits.max_connections),
        max_header_bytes: number(limits.max_header_bytes),
        max_headers: number(limits.max_headers),
        max_token_bytes: number(limits.max_token_bytes),
        max_upgrades: number(limits.max_upgrades),
        max_requests: number(limits.max_requests),
        max_request_bodies: number(limits.max_request_bodies),
        header_timeout: Some(As(Positive(limits.header_timeout))),
        keep_alive: Some(As(Positive(limits.keep_alive))),
        write_timeout: Some(As(Positive(limits.write_timeout))),
        min_download_rate: Some(limits.download_rate.bytes_per_second),
        min_upload_rate: Some(limits.upload_rate.bytes_per_second),
        min_rate_grace: Some(As(Positive(limits.download_rate.grace))),
        max_buffered_bytes: Some(limits.client.buffered_bytes.all as u64),
        max_guarded_sign_ins: number(limits.client.guarded_sign_ins.all),
        client: Some(raw::limits::Client {
            connections: number(limits.client.connections.client),
            requests: number(limits.client.requests.client),
            requests_per_second: Some(limits.client.request_rate.per_second),
            request_burst: Some(limits.client.request_rate.burst),
            request_bodies: number(limits.client.request_bodies.client),
            upgrades: number(limits.client.upgrades.client),
            upstream_connections: number(limits.client.upstream_connections.client),
            hash_slots: number(limits.client.hash_slots.client),
            buffered_bytes: Some(limits.client.buffered_bytes.client as u64),
            guarded_sign_ins: number(limits.client.guarded_sign_ins.client),
            exempt: Some(limits.client.exempt.iter().copied().map(As).collect()),
        }),
    }
}

fn origins(written: &[String]) -> Vec<As<Origin>> {
    written.iter().filter_map(|origin| Origin::read(origin).ok().map(As)).collect()
}

fn path(path: &Path) -> As<FilePath> {
    As(FilePath(path.to_owned()))
}

#[cfg(test)]
mod tests;
