//! `tenant-conf.json`: WSO2's file, accepted as it is. Two keys are ours to read: `EnableAnonymous` (WSO2's own) and the
//! strict object `Doorward`.

use std::{path::Path, sync::Arc};

use http::HeaderValue;

use self::section::TenantSection;
use super::{
    document::{
        DocumentNode, Findings, KeyPath, NodeValue, json,
        nearest::nearest,
        placeholders::{ValueSource, fill_in},
        read::read,
    },
    document_context::DocumentContext,
    governance::{GovernanceLayers, TenantOverrides, file_properties},
    mistake::{Mistake, list_known_keys_once},
    model::{
        AccessSettings, Branding, EgressPolicy, Issuer, KeySource, Settings, SignInSettings, TenantPolicy,
        UserTenant,
    },
    sections::{
        access::{
            AccessSection,
            route::{compile_table, sign_in_route},
        },
        account_lock::AccountLockSection,
        guard, issuer,
        password_policy::PasswordPolicySection,
        session::SessionSection,
        sign_in::SignInSection,
    },
};
use crate::domain::{
    anonymous::{is_anonymous_allowed, parse_boolean},
    governance::Overrides,
    guard::LoginGuard,
    identity::CrossTenantAccess,
    own_path,
    route::{AccessLevel as RouteAccess, RouteRule, any_path},
    tenant::TenantId,
    upgrade::UpgradeRule,
};

pub mod section;
pub mod ssrf_guard;

pub const TENANT_CONF: &str = "tenant-conf.json";
/// Far more than WSO2's own files have, which are about 10 KB; keeps a wrong file from filling the memory.
pub const MAX_BYTES: usize = 1024 * 1024;

pub(super) const ANONYMOUS_KEY: &str = "EnableAnonymous";
pub(super) const DOORWARD_KEY: &str = "Doorward";

/// One tenant's file, parsed and checked, not yet merged with `deployment.toml`.
#[derive(Debug, Clone, Default)]
pub struct TenantConf {
    pub anonymous: Option<bool>,
    /// Host names that mean this tenant (lower case, no port).
    pub hosts: Vec<String>,
    /// Their `tenant` is set by `resolve`: no file can set it.
    issuers: Vec<Issuer>,
    sign_in: Option<SignInSettings>,
    access: AccessSection,
    routes: Vec<RouteRule>,
    guards: Vec<LoginGuard>,
    session: SessionSection,
    account_lock: AccountLockSection,
    password_policy: PasswordPolicySection,
    governance: Arc<Overrides>,
    branding: Branding,
}

impl TenantConf {
    /// The tenant's own issuers; only [`resolve`] sets their tenant.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// The tenant's own rules.
    pub fn routes(&self) -> &[RouteRule] {
        &self.routes
    }
}

/// Parses the text of a tenant's file. Files it names must be in the folder of `file`.
pub fn parse(text: &str, file: &Path) -> Result<TenantConf, Vec<Mistake>> {
    if text.len() > MAX_BYTES {
        return Err(vec![Mistake::whole(file, "larger than 1 MiB", "keep other data elsewhere")]);
    }
    let mut findings = Findings::new(file);
    let mut root = match json::parse(text) {
        Ok(root) => root,
        Err(error) => {
            let problem = format!("not JSON: {}", error.message);
            findings.push(KeyPath::root(), error.place, problem, String::new());
            return Err(findings.into_mistakes());
        }
    };
    if !matches!(root.value, NodeValue::Table(_)) {
        return Err(vec![Mistake::whole(file, "not a JSON object", "write { … }")]);
    }
    let anonymous = anonymous(&root, &mut findings);
    report_misspelt_anonymous(&root, &mut findings);
    reject_duplicates(&root, &KeyPath::root(), &mut findings);
    let key = KeyPath::root().name(DOORWARD_KEY);
    fill_in(&mut root, &key, ValueSource::Nothing, &mut findings);
    let raw: TenantSection =
        if root.at(&key).is_some() { read(&mut root, &key, &mut findings) } else { TenantSection::default() };
    let conf = resolve_conf(raw, anonymous, &root, file, &mut findings);
    if findings.is_empty() { Ok(conf) } else { Err(list_known_keys_once(findings.into_mistakes())) }
}

/// WSO2 reads a boolean, or a text as Java's `parseBoolean` does.
fn anonymous(root: &DocumentNode, findings: &mut Findings) -> Option<bool> {
    let entry = root.entry(ANONYMOUS_KEY)?;
    match &entry.node.value {
        NodeValue::Bool(value) => Some(*value),
        NodeValue::Text(text) => Some(parse_boolean(text)),
        _ => {
            findings.add(
                root,
                &KeyPath::root().name(ANONYMOUS_KEY),
                "neither a boolean nor a text",
                "write true or false",
            );
            None
        }
    }
}

/// Unknown keys are WSO2's, but a misspelt `EnableAnonymous` would leave anonymous mode on, so it is a mistake.
fn report_misspelt_anonymous(root: &DocumentNode, findings: &mut Findings) {
    for entry in root.entries() {
        if entry.name != ANONYMOUS_KEY && nearest(&entry.name, [ANONYMOUS_KEY]).is_some() {
            let key = KeyPath::root().name(&entry.name);
            let remedy = format!("did you mean `{ANONYMOUS_KEY}`?");
            findings.push(key, entry.place.clone(), "this key has no effect".to_owned(), remedy);
        }
    }
}

/// A name that is there twice has two meanings, and readers differ in which they take. WSO2's keys are not checked.
fn reject_duplicates(node: &DocumentNode, key: &KeyPath, findings: &mut Findings) {
    let at_root = key.steps().is_empty();
    match &node.value {
        NodeValue::Table(entries) => {
            let mut seen = std::collections::HashSet::new();
            for entry in entries {
                if at_root && entry.name != ANONYMOUS_KEY && entry.name != DOORWARD_KEY {
                    continue;
                }
                let key = key.name(&entry.name);
                if !seen.insert(entry.name.as_str()) {
                    let message = "this key is here twice".to_owned();
                    findings.push(key.clone(), entry.place.clone(), message, "keep one".to_owned());
                }
                if entry.name != ANONYMOUS_KEY {
                    reject_duplicates(&entry.node, &key, findings);
                }
            }
        }
        NodeValue::List(items) => {
            for item in items {
                reject_duplicates(&item.node, &key.item(item.index), findings);
            }
        }
        NodeValue::Null => findings.push(
            key.clone(),
            node.place.clone(),
            "null says nothing".to_owned(),
            "leave the key out".to_owned(),
        ),
        NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::Text(_) => {}
    }
}

fn resolve_conf(
    raw: TenantSection,
    anonymous: Option<bool>,
    root: &DocumentNode,
    file: &Path,
    findings: &mut Findings,
) -> TenantConf {
    let mut scope = DocumentContext::of_tenant(root, file, findings);
    let key = KeyPath::root().name(DOORWARD_KEY);
    let mut access = AccessSection {
        cross_tenant: raw.cross_tenant,
        cors_allowed_origins: raw.cors_allowed_origins,
        websocket_origins: raw.websocket_origins,
        // a tenant that could name the cookie would be handed other tenants' sessions
        token_cookie: None,
        forward_token: raw.forward_token,
        authorization: raw.authorization,
        private_responses: None,
        identity_headers: raw.identity_headers,
        own_identity_headers: None,
        identity_encoding: None,
        route: raw.routes,
    };
    let governance = file_properties::governance_properties(
        &raw.governance.unwrap_or_default(),
        &key.name("governance"),
        &mut scope,
    );
    let governance = Arc::new(file_properties::overrides(governance, &key, &mut scope));
    // stands in until `resolve` names the tenant
    let placeholder_tenant = TenantId::super_tenant();
    TenantConf {
        anonymous,
        hosts: raw.hosts.unwrap_or_default().into_iter().map(|host| host.0.0).collect(),
        issuers: issuer::issuers(
            raw.issuers.unwrap_or_default(),
            &placeholder_tenant,
            &key.name("issuers"),
            &mut scope,
        ),
        sign_in: raw.sign_in.and_then(SignInSection::written),
        routes: access.take_routes(&key, &mut scope),
        access,
        guards: guard::guards(raw.guards.unwrap_or_default(), &key.name("guards"), &mut scope),
        session: raw.session.unwrap_or_default().validated(&key.name("session"), &mut scope),
        account_lock: raw.account_lock.unwrap_or_default().validated(&key.name("account_lock"), &mut scope),
        password_policy: raw
            .password_policy
            .unwrap_or_default()
            .validated(&key.name("password_policy"), &mut scope),
        governance,
        branding: raw.branding.unwrap_or_default().resolve(),
    }
}

/// The policy without administrator overrides.
pub fn resolve(settings: &Settings, tenant: &TenantId, conf: &TenantConf, generation: u64) -> TenantPolicy {
    resolve_with(settings, tenant, conf, &TenantOverrides::none(), generation)
}

/// Merges administrator overrides over the tenant's file over `deployment.toml`. Never fails: every value was
/// validated when it was written.
pub fn resolve_with(
    settings: &Settings,
    tenant: &TenantId,
    conf: &TenantConf,
    overrides: &TenantOverrides,
    generation: u64,
) -> TenantPolicy {
    let defaults = &settings.defaults;
    let private_ports = ssrf_guard::private_ports(settings);
    let reach = EgressPolicy::Confined { loopback: settings.tenancy.issuers_on_loopback };
    let forbidden_issuer = conf
        .issuers
        .iter()
        .find_map(|issuer| Some((issuer, ssrf_guard::forbidden_reason(settings, &private_ports, issuer)?)));
    let own = conf.issuers.iter().filter(|_| forbidden_issuer.is_none());
    let sign_in = conf.sign_in.as_ref().unwrap_or(&defaults.sign_in);
    let own = own.map(|issuer| {
        let keys = match &issuer.keys {
            KeySource::Discovery => KeySource::ConfinedDiscovery(Arc::clone(&private_ports)),
            keys => keys.clone(),
        };
        Arc::new(Issuer {
            user_tenant: UserTenant::Fixed(tenant.clone()),
            is_tenant_defined: true,
            egress: reach,
            keys,
            ..issuer.clone()
        })
    });
    let mut problem = forbidden_issuer.map(|(issuer, place)| {
        let message = format!("the issuer {:?} is asked {place}", issuer.issuer);
        policy_mistake(settings, tenant, "Doorward.issuers", message)
    });
    let routes = if conf.routes.is_empty() && conf.sign_in.is_none() {
        Arc::clone(&defaults.route_table)
    } else {
        let table = compile_table(settings.portal.profile, &defaults.routes, &conf.routes, sign_in);
        match table {
            Ok(table) => Arc::new(table.with_baseline(Arc::clone(&defaults.route_table))),
            Err(bad) => {
                // each rule was checked on its own; together they can still be too many
                problem = Some(policy_mistake(settings, tenant, "Doorward.routes", bad.to_string()));
                Arc::clone(&defaults.route_table)
            }
        }
    };
    let own_guards = conf.guards.iter().map(|guard| {
        let guard = LoginGuard { is_tenant_defined: true, ..guard.clone() };
        Arc::new(guard::for_profile(guard, settings.portal.profile))
    });
    let governed = defaults.rules.governed(&conf.account_lock, &conf.password_policy);
    let rules = defaults.rules.with_governed(governed.with(&conf.governance).with(&overrides.overrides));
    TenantPolicy {
        tenant: tenant.clone(),
        generation,
        anonymous: problem.is_none() && is_anonymous_allowed(defaults.anonymous, conf.anonymous),
        issuers: defaults.issuers.iter().cloned().chain(own).collect(),
        sign_in: sign_in.clone(),
        access: conf.access.inherit_from(&defaults.access),
        routes,
        guards: defaults.guards.iter().cloned().chain(own_guards).collect(),
        session: conf.session.inherit_from(&defaults.session),
        rules,
        governance: GovernanceLayers {
            deployment: Arc::clone(&defaults.governance),
            tenant_file: Arc::clone(&conf.governance),
            administrators: Arc::clone(&overrides.overrides),
            version: overrides.version,
        },
        branding: conf.branding.inherit_from(&defaults.branding),
        // a tenant's domain has only letters, digits, `.`, `-` and `_`
        header_value: settings
            .tenancy
            .named_by_request
            .then(|| HeaderValue::from_str(tenant.as_str()).unwrap_or_else(|_| HeaderValue::from_static(""))),
        problem,
    }
}

const REMEDY_OPEN: &str = "open it in deployment.toml";
const REMEDY_ENABLE_ACCOUNTS: &str = "write `enabled = true` below [accounts] in deployment.toml";

/// Settings without effect, each with a remedy: routes that `deployment.toml` or the profile keeps for users, and settings
/// that need accounts while accounts are off.
pub fn without_effect(settings: &Settings, conf: &TenantConf) -> Vec<(KeyPath, &'static str, &'static str)> {
    let is_kept = |methods: &[String], pattern: &str| {
        let method = methods.first().map_or("GET", String::as_str);
        settings.defaults.route_table.classify(method, &any_path(pattern)).access == RouteAccess::SignedIn
    };
    let doorward_key = KeyPath::root().name(DOORWARD_KEY);
    let routes = conf.routes.iter().enumerate();
    let mut found: Vec<_> = routes
        .filter(|(_, rule)| rule.access != RouteAccess::SignedIn && is_kept(&rule.methods, &rule.pattern))
        .map(|(index, _)| {
            let key = doorward_key.name("routes").item(index).name("access");
            (
                key,
                "deployment.toml or the profile keeps this path for users, so this opens nothing there",
                REMEDY_OPEN,
            )
        })
        .collect();
    let kept_without_upgrade = conf.routes.iter().enumerate().filter(|(_, rule)| {
        let method = rule.methods.first().map_or("GET", String::as_str);
        let below = settings.defaults.route_table.classify(method, &any_path(&rule.pattern));
        matches!(rule.upgrade, UpgradeRule::Protocols(_)) && below.upgrade == UpgradeRule::Never
    });
    found.extend(kept_without_upgrade.map(|(index, _)| {
        let key = doorward_key.name("routes").item(index).name("upgrade");
        let message =
            "deployment.toml or the profile forwards no upgrade on this path, so this has no effect";
        (key, message, "write `upgrade` in a route of deployment.toml")
    }));
    if let Some(rule) = conf.sign_in.as_ref().and_then(sign_in_route) {
        let key = doorward_key.name("sign_in").name("url");
        // Doorward's own pages are open, regardless of routes
        let is_own_page = rule.pattern.starts_with(own_path::PREFIX);
        if is_own_page && !settings.accounts.enabled {
            let message = "accounts are off in deployment.toml, so there is no sign-in page of Doorward's";
            found.push((key, message, REMEDY_ENABLE_ACCOUNTS));
        } else if !is_own_page && is_kept(&rule.methods, &rule.pattern) {
            let message =
                "deployment.toml or the profile keeps this path for users, so sign-in there is impossible";
            found.push((key, message, REMEDY_OPEN));
        }
    }
    if !conf.guards.is_empty() && !settings.accounts.enabled {
        let message =
            "accounts are off in deployment.toml: nothing can be counted, so these sign-ins are refused";
        found.push((doorward_key.name("guards"), message, REMEDY_ENABLE_ACCOUNTS));
    }
    found
}

fn policy_mistake(settings: &Settings, tenant: &TenantId, key: &str, message: String) -> Mistake {
    let file = settings.tenancy.folder.join(tenant.as_str()).join(TENANT_CONF);
    let mistake = Mistake::whole(&file, message, "correct it; until then the tenant is closed");
    Mistake { key: key.to_owned(), ..mistake }
}

/// The policy of a tenant whose file cannot be read and that has no last good one: accepts only this tenant's own
/// users, by a token of `deployment.toml`'s issuers, and only the sign-in route is open.
pub fn closed_policy(
    settings: &Settings,
    tenant: &TenantId,
    problem: Mistake,
    overrides: &TenantOverrides,
    generation: u64,
) -> Arc<TenantPolicy> {
    let conf = TenantConf { anonymous: Some(false), ..TenantConf::default() };
    let policy = resolve_with(settings, tenant, &conf, overrides, generation);
    Arc::new(TenantPolicy {
        problem: Some(problem),
        access: AccessSettings { cross_tenant: CrossTenantAccess::OwnTenantOnly, ..policy.access },
        ..policy
    })
}

#[cfg(test)]
mod tests;
