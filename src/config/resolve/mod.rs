//! Resolves the written configuration: applies defaults, checks keys against each other, compiles routes.

pub mod access;
pub mod accounts;
pub mod guard;
pub mod inheritable;
pub mod issuer;
pub mod listen;
pub mod management;
pub mod portal;
pub mod server;
pub mod tenancy;

use std::{path::Path, sync::Arc};

use super::{
    descriptors::descriptors,
    document::{DocumentNode, Findings, KeyPath},
    document_context::DocumentContext,
    governance::{GovernedSettings, file_properties, wso2},
    model::{self, AccountRules, Branding, PortalProfile, Settings, SignInSettings, TenantDefaults},
    sections::{self, DeploymentFile, limits::LimitContext},
    text_form::AsText,
};

/// The result may be used only if `findings` is empty. `None`: the configuration cannot be resolved.
pub fn deployment(
    raw: DeploymentFile,
    root: &DocumentNode,
    file: &Path,
    findings: &mut Findings,
) -> Option<Settings> {
    let mut scope = DocumentContext::of_deployment(root, file, findings);
    let key = KeyPath::root();
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
    let has_accounts = accounts.enabled;
    let management = management::management(
        raw.management.unwrap_or_default(),
        has_accounts,
        &key.name("management"),
        &mut scope,
    );
    listen::reject_shared_addresses(&server, &admin, &management, &mut scope);
    let sign_in = sign_in(raw.sign_in, profile, has_accounts, anonymous, &key, &mut scope);
    let [session, account_lock, password_policy] =
        ["session", "account_lock", "password_policy"].map(|name| key.name(name));
    let session = raw.session.unwrap_or_default().validated(&session, &mut scope);
    let account_lock = raw.account_lock.unwrap_or_default().validated(&account_lock, &mut scope);
    let password_policy = raw.password_policy.unwrap_or_default().validated(&password_policy, &mut scope);
    let mut properties = file_properties::governance_properties(
        &raw.governance.unwrap_or_default(),
        &key.name("governance"),
        &mut scope,
    );
    let identity_mgt = raw.identity_mgt.unwrap_or_default();
    properties.extend(wso2::identity_mgt(identity_mgt, &key.name("identity_mgt"), &mut scope));
    let governance = file_properties::overrides(properties, &key, &mut scope);
    let rules = AccountRules::default();
    let governed = GovernedSettings {
        account_lock: account_lock.inherit_from(&rules.account_lock),
        password_rules: password_policy.inherit_from(&rules.password_rules),
        login: rules.login_attributes.clone(),
        reject_disabled_accounts: rules.reject_disabled_accounts,
    };
    let rules = rules.with_governed(governed.with(&governance));
    let raw_issuers = raw.issuer.unwrap_or_default();
    if management.is_enabled() && tenancy.default_tenant.is_super_tenant() {
        issuer::require_explicit_tenant(&raw_issuers, &key.name("issuer"), &mut scope);
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
    let route_table = access::compile_table(profile, &access.routes, &[], &sign_in);
    let log = server::log(raw.log.unwrap_or_default(), &key.name("log"), &mut scope);
    let limits = LimitContext {
        upstreams: &portal.upstreams,
        hash_slots: accounts.hashing.parallel + accounts.hashing.queue,
        descriptors: descriptors(&server, &portal, &accounts, &management),
    };
    let limits = raw.limits.unwrap_or_default().resolve(limits, &key.name("limits"), &mut scope);
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
            forward_token: access.forward_token.unwrap_or(profile == PortalProfile::Wso2Apim),
            private_responses: access.private_responses.unwrap_or(true),
            guards: guards.into_iter().map(|guard| Arc::new(guard::for_profile(guard, profile))).collect(),
            session: session.inherit_from(&model::SessionSettings::default()),
            rules,
            governance: Arc::new(governance),
            branding: branding(raw.branding.unwrap_or_default()),
        },
    })
}

fn sign_in(
    raw: Option<sections::sign_in::SignInSection>,
    profile: PortalProfile,
    has_accounts: bool,
    anonymous: bool,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> SignInSettings {
    match (raw.unwrap_or_default().url, profile) {
        (Some(AsText(url)), _) => SignInSettings { url: url.0.unwrap_or_default() },
        (None, _) if has_accounts => SignInSettings { url: accounts::OWN_SIGN_IN.to_owned() },
        (None, PortalProfile::Wso2Apim) => SignInSettings { url: access::WSO2_SIGN_IN.to_owned() },
        (None, PortalProfile::Generic) => {
            if !anonymous {
                scope.mistake(
                    &key.name("sign_in").name("url"),
                    "anonymous mode is off and there is nowhere to sign in",
                    "set it; or write \"none\" where only programs with tokens come",
                );
            }
            SignInSettings { url: String::new() }
        }
    }
}

pub fn branding(raw: sections::branding::BrandingSection) -> Branding {
    Branding {
        name: raw.name.map(|name| name.0.0),
        logo: raw.logo.map(|logo| logo.0.0),
        accent: raw.accent.map(|accent| accent.0.0),
    }
}
