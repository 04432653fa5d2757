//! What is written becomes what is meant: defaults filled in, keys held against each other, routes compiled.

pub mod access;
pub mod accounts;
pub mod guard;
pub mod issuer;
pub mod listen;
pub mod management;
mod memory;
pub mod own;
pub mod portal;
pub mod scope;
pub mod server;
pub mod tenancy;

use std::{path::Path, sync::Arc};

pub use scope::Scope;

use super::{
    descriptors::descriptors,
    document::{Findings, Key, Node},
    governance::{Governed, written, wso2},
    model::{self, AccountRules, Branding, Profile, Settings, SignIn, TenantDefaults},
    raw::{self, Deployment, text::As},
};

/// `findings` tells whether the result may be used; it is `None` only where nothing sensible can be made of it.
pub fn deployment(raw: Deployment, root: &Node, file: &Path, findings: &mut Findings) -> Option<Settings> {
    let mut scope = Scope::of_deployment(root, file, findings);
    let key = Key::root();
    let server = server::server(raw.server.unwrap_or_default(), &key.name("server"), &mut scope);
    let admin = server::admin(raw.admin.unwrap_or_default(), &key.name("admin"), &mut scope);
    let portal = portal::portal(raw.portal.unwrap_or_default(), &key.name("portal"), &mut scope);
    let profile = portal.profile;
    let portal_host = server.public_url.as_ref().and_then(url::Url::host_str);
    let tenancy = tenancy::tenancy(
        raw.tenancy.unwrap_or_default(),
        profile,
        portal_host,
        &key.name("tenancy"),
        &mut scope,
    );

    let devportal = raw.apim.unwrap_or_default().devportal.unwrap_or_default();
    let anonymous = devportal.enable_anonymous_mode.unwrap_or(true);
    let accounts = accounts::accounts(raw.accounts.unwrap_or_default(), &key.name("accounts"), &mut scope);
    let own = accounts.enabled;
    let management =
        management::management(raw.management.unwrap_or_default(), own, &key.name("management"), &mut scope);
    listen::apart(&server, &admin, &management, &mut scope);
    let sign_in = sign_in(raw.sign_in, profile, own, anonymous, &key, &mut scope);
    let [session, account_lock, password_policy] =
        ["session", "account_lock", "password_policy"].map(|name| key.name(name));
    let session = raw.session.unwrap_or_default().checked(&session, &mut scope);
    let account_lock = raw.account_lock.unwrap_or_default().checked(&account_lock, &mut scope);
    let password_policy = raw.password_policy.unwrap_or_default().checked(&password_policy, &mut scope);
    let mut said =
        written::governance(&raw.governance.unwrap_or_default(), &key.name("governance"), &mut scope);
    let identity_mgt = raw.identity_mgt.unwrap_or_default();
    said.extend(wso2::identity_mgt(identity_mgt, &key.name("identity_mgt"), &mut scope));
    let governance = written::overrides(said, &key, &mut scope);
    let rules = AccountRules::default();
    let governed = Governed {
        account_lock: account_lock.over(&rules.account_lock),
        passwords: password_policy.over(&rules.password_rules),
        login: rules.login.clone(),
        disabled_stay_out: rules.disabled_stay_out,
    };
    let rules = rules.changed(governed.with(&governance));
    let raw_issuers = raw.issuer.unwrap_or_default();
    if management.is_on() && tenancy.default_tenant.is_super_tenant() {
        issuer::say_whose(&raw_issuers, &key.name("issuer"), &mut scope);
    }
    let issuers = issuer::issuers(raw_issuers, &tenancy.default_tenant, &key.name("issuer"), &mut scope);
    let access = access::access(raw.access.unwrap_or_default(), &key.name("access"), &mut scope);
    let guards = guard::guards(raw.guard.unwrap_or_default(), &key.name("guard"), &mut scope);
    if !guards.is_empty() && !accounts.enabled {
        scope.mistake(
            &key.name("guard"),
            "without a store nothing can be counted",
            "write accounts.enabled = true",
        );
    }
    let route_table = access::table(profile, &access.routes, &[], &sign_in);
    let log = server::log(raw.log.unwrap_or_default(), &key.name("log"), &mut scope);
    let limits = server::limits(
        raw.limits.unwrap_or_default(),
        &portal.upstreams,
        (accounts.hashing.parallel + accounts.hashing.queue, |upgrades| {
            descriptors(&server, &portal, &accounts, &management, upgrades)
        }),
        &key.name("limits"),
        &mut scope,
    );
    Some(Settings {
        file: file.to_owned(),
        server,
        admin,
        management,
        portal,
        tenancy,
        log,
        limits,
        accounts,
        defaults: TenantDefaults {
            anonymous,
            issuers: issuers.into_iter().map(Arc::new).collect(),
            sign_in,
            cross_tenant: access.cross_tenant.unwrap_or_default(),
            routes: access.routes,
            route_table: route_table
                .map(Arc::new)
                .map_err(|bad| {
                    scope.mistake(
                        &key.name("access").name("route"),
                        bad.to_string(),
                        "write another pattern",
                    );
                })
                .ok()?,
            cors_allowed_origins: access.cors_allowed_origins.unwrap_or_default(),
            websocket_origins: access.websocket_origins.unwrap_or_default(),
            identity_headers: access.identity_headers.unwrap_or(profile.identity_headers()),
            token_cookie: access.token_cookie.flatten(),
            forward_token: access.forward_token.unwrap_or(profile == Profile::Wso2Apim),
            private_responses: access.private_responses.unwrap_or(true),
            guards: guards.into_iter().map(|guard| Arc::new(guard::of_profile(guard, profile))).collect(),
            session: session.over(&model::Session::default()),
            rules,
            governance: Arc::new(governance),
            branding: branding(raw.branding.unwrap_or_default()),
        },
    })
}

fn sign_in(
    raw: Option<raw::sign_in::SignIn>,
    profile: Profile,
    own: bool,
    anonymous: bool,
    key: &Key,
    scope: &mut Scope<'_>,
) -> SignIn {
    match (raw.unwrap_or_default().url, profile) {
        (Some(As(url)), _) => SignIn { url: url.0.unwrap_or_default() },
        (None, _) if own => SignIn { url: accounts::OWN_SIGN_IN.to_owned() },
        (None, Profile::Wso2Apim) => SignIn { url: access::WSO2_SIGN_IN.to_owned() },
        (None, Profile::Generic) => {
            if !anonymous {
                scope.mistake(
                    &key.name("sign_in").name("url"),
                    "anonymous mode is off and there is nowhere to sign in",
                    "set it; or write \"none\" where only programs with tokens come",
                );
            }
            SignIn { url: String::new() }
        }
    }
}

pub fn branding(raw: raw::branding::Branding) -> Branding {
    Branding {
        name: raw.name.map(|name| name.0.0),
        logo: raw.logo.map(|logo| logo.0.0),
        accent: raw.accent.map(|accent| accent.0.0),
    }
}
