//! Resolves the written configuration: every section by its own rules, then the rules between sections.

mod listen;

use std::{path::Path, sync::Arc};

use super::{
    descriptors::descriptors,
    document::{DocumentNode, Findings, KeyPath},
    document_context::DocumentContext,
    governance::file_properties,
    model::{AccountRules, SessionSettings, Settings, TenantDefaults},
    sections::{
        DeploymentFile,
        access::{AccessSettings, route::compile_table},
        guard, issuer,
        limits::LimitContext,
    },
};

/// The result may be used only if `findings` is empty. `None`: the configuration cannot be resolved.
pub fn deployment(
    written: DeploymentFile,
    root: &DocumentNode,
    file: &Path,
    findings: &mut Findings,
) -> Option<Settings> {
    let mut scope = DocumentContext::of_deployment(root, file, findings);
    let scope = &mut scope;
    let root = KeyPath::root();
    let key = |section: &str| root.name(section);
    let server = written.server.unwrap_or_default().resolve(&key("server"), scope);
    let admin = written.admin.unwrap_or_default().resolve(&key("admin"), scope);
    let portal = written.portal.unwrap_or_default().resolve(&key("portal"), scope);
    let profile = portal.profile;
    let portal_host = server.public_url.as_ref().and_then(url::Url::host_str);
    let tenancy = written.tenancy.unwrap_or_default().resolve(profile, portal_host, &key("tenancy"), scope);
    let anonymous = written.apim.unwrap_or_default().resolve(profile);
    let accounts = written.accounts.unwrap_or_default().resolve(&key("accounts"), scope);
    let management =
        written.management.unwrap_or_default().resolve(accounts.enabled, &key("management"), scope);
    listen::reject_shared_addresses(&server, &admin, &management, scope);
    let sign_in = written.sign_in.unwrap_or_default().resolve(profile, accounts.enabled);
    let session = written.session.unwrap_or_default().validated(&key("session"), scope);
    let account_lock = written.account_lock.unwrap_or_default().validated(&key("account_lock"), scope);
    let password_policy =
        written.password_policy.unwrap_or_default().validated(&key("password_policy"), scope);
    let governance = written.governance.unwrap_or_default();
    let mut properties = file_properties::governance_properties(&governance, &key("governance"), scope);
    properties.extend(written.identity_mgt.unwrap_or_default().resolve(&key("identity_mgt"), scope));
    let governance = file_properties::overrides(properties, &root, scope);
    let rules = AccountRules::default_for(profile);
    let governed = rules.governed(&account_lock, &password_policy);
    let rules = rules.with_governed(governed.with(&governance));
    let issuers = written.issuer.unwrap_or_default();
    if management.is_enabled() && tenancy.default_tenant.is_super_tenant() {
        issuer::require_explicit_tenant(&issuers, &key("issuer"), scope);
    }
    let issuers = issuer::issuers(issuers, &tenancy.default_tenant, &key("issuer"), scope);
    let mut access = written.access.unwrap_or_default();
    let routes = access.take_routes(&key("access"), scope);
    let own_identity_headers = access.take_own_headers(&key("access"), scope);
    let guards = guard::guards(written.guard.unwrap_or_default(), &key("guard"), scope);
    if !guards.is_empty() && !accounts.enabled {
        scope.mistake(
            &key("guard"),
            "without a store nothing can be counted",
            "write accounts.enabled = true",
        );
    }
    let route_table = compile_table(profile, &routes, &[], &sign_in);
    let log = written.log.unwrap_or_default().resolve(&key("log"), scope);
    let context = LimitContext {
        upstreams: &portal.upstreams,
        hash_slots: accounts.hashing.parallel + accounts.hashing.queue,
        descriptors: descriptors(&server, &portal, &accounts, &management),
    };
    let limits = written.limits.unwrap_or_default().resolve(&context, &key("limits"), scope);
    let route_table = route_table
        .map_err(|bad| scope.mistake(&key("access").name("route"), bad.to_string(), "write another pattern"))
        .ok()?;
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
            access: AccessSettings {
                own_identity_headers,
                ..access.inherit_from(&AccessSettings::default_for(profile))
            },
            routes,
            route_table: Arc::new(route_table),
            guards: guards.into_iter().map(|guard| Arc::new(guard::for_profile(guard, profile))).collect(),
            session: session.inherit_from(&SessionSettings::default()),
            rules,
            governance: Arc::new(governance),
            branding: written.branding.unwrap_or_default().resolve(),
        },
    })
}
