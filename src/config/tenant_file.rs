//! `tenant-conf.json`: WSO2's file, accepted as it is. Two keys are ours to read: `EnableAnonymous` (WSO2's own) and the
//! strict object `Doorward`.

use std::{path::Path, sync::Arc};

use http::HeaderValue;

use super::{
    document::{Findings, Key, Node, Value, json, nearest::nearest, read::read},
    governance::{Governed, Layers, Set, written},
    mistake::Mistake,
    model::{Branding, Issuer, KeySource, Reach, Settings, SignIn, TenantPolicy},
    raw::{self, access::Access as RawAccess, tenant::Doorward},
    resolve::{self, Scope, access::Access},
};
use crate::domain::{
    anonymous::{is_anonymous_allowed, parse_boolean},
    governance::Overrides,
    guard::Guard,
    identity::CrossTenant,
    route::{Access as RouteAccess, RouteRule, any_path},
    tenant::TenantId,
    upgrade::UpgradeRule,
};

pub mod reach;

/// Far more than WSO2's own files have; keeps a wrong file from filling the memory.
pub const MAX_BYTES: usize = 1024 * 1024;

pub(super) const ANONYMOUS: &str = "EnableAnonymous";
pub(super) const OURS: &str = "Doorward";

/// What one tenant's file says, parsed and checked, not yet merged with `deployment.toml`.
#[derive(Debug, Clone, Default)]
pub struct TenantConf {
    pub anonymous: Option<bool>,
    /// Host names that mean this tenant (lower case, no port).
    pub hosts: Vec<String>,
    /// Their `tenant` is filled in by `resolve`: no file can say it.
    issuers: Vec<Issuer>,
    sign_in: Option<SignIn>,
    access: Access,
    guards: Vec<Guard>,
    session: raw::session::Session,
    account_lock: raw::account_lock::AccountLock,
    password_policy: raw::password_policy::PasswordPolicy,
    governance: Arc<Overrides>,
    branding: Branding,
}

impl TenantConf {
    /// The tenant's own issuers; whose users they are says only [`resolve`].
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// The tenant's own rules.
    pub fn routes(&self) -> &[RouteRule] {
        &self.access.routes
    }
}

/// Parses the text of a tenant's file. Files it names are looked for in the folder of `file`, and nowhere else.
pub fn parse(text: &str, file: &Path) -> Result<TenantConf, Vec<Mistake>> {
    if text.len() > MAX_BYTES {
        return Err(vec![Mistake::whole(file, "larger than 1 MiB", "keep other data elsewhere")]);
    }
    let mut findings = Findings::new(file);
    let mut root = match json::parse(text) {
        Ok(root) => root,
        Err(error) => {
            findings.push(Key::root(), error.place, format!("not JSON: {}", error.message), String::new());
            return Err(findings.into_mistakes());
        }
    };
    if !matches!(root.value, Value::Table(_)) {
        return Err(vec![Mistake::whole(file, "not a JSON object", "write { … }")]);
    }
    let anonymous = anonymous(&root, &mut findings);
    near_anonymous(&root, &mut findings);
    unambiguous(&root, &Key::root(), &mut findings);
    let key = Key::root().name(OURS);
    let raw: Doorward =
        if root.at(&key).is_some() { read(&mut root, &key, &mut findings) } else { Doorward::default() };
    let conf = doorward(raw, anonymous, &root, file, &mut findings);
    if findings.is_empty() { Ok(conf) } else { Err(findings.into_mistakes()) }
}

/// WSO2 reads a boolean, or a text as Java's `parseBoolean` does.
fn anonymous(root: &Node, findings: &mut Findings) -> Option<bool> {
    let entry = root.entry(ANONYMOUS)?;
    match &entry.node.value {
        Value::Bool(value) => Some(*value),
        Value::Text(text) => Some(parse_boolean(text)),
        _ => {
            findings.add(
                root,
                &Key::root().name(ANONYMOUS),
                "neither a boolean nor a text",
                "write true or false",
            );
            None
        }
    }
}

/// Keys we do not know are WSO2's; one that is nearly ours was meant to count, and without it a door would stay open.
fn near_anonymous(root: &Node, findings: &mut Findings) {
    for entry in root.entries() {
        if entry.name != ANONYMOUS && nearest(&entry.name, [ANONYMOUS]).is_some() {
            let key = Key::root().name(&entry.name);
            let remedy = format!("did you mean `{ANONYMOUS}`?");
            findings.push(key, entry.place.clone(), "this key has no effect".to_owned(), remedy);
        }
    }
}

/// A name that is there twice has two meanings, and readers differ in which they take. WSO2's keys are not ours to judge.
fn unambiguous(node: &Node, key: &Key, findings: &mut Findings) {
    let at_root = key.steps().is_empty();
    match &node.value {
        Value::Table(entries) => {
            let mut seen = std::collections::HashSet::new();
            for entry in entries {
                if at_root && entry.name != ANONYMOUS && entry.name != OURS {
                    continue;
                }
                let key = key.name(&entry.name);
                if !seen.insert(entry.name.as_str()) {
                    let message = "this key is here twice".to_owned();
                    findings.push(key.clone(), entry.place.clone(), message, "keep one".to_owned());
                }
                if entry.name != ANONYMOUS {
                    unambiguous(&entry.node, &key, findings);
                }
            }
        }
        Value::List(items) => {
            for item in items {
                unambiguous(&item.node, &key.item(item.index), findings);
            }
        }
        Value::Null => findings.push(
            key.clone(),
            node.place.clone(),
            "null says nothing".to_owned(),
            "leave the key out".to_owned(),
        ),
        Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

fn doorward(
    raw: Doorward,
    anonymous: Option<bool>,
    root: &Node,
    file: &Path,
    findings: &mut Findings,
) -> TenantConf {
    let mut scope = Scope::of_tenant(root, file, findings);
    let key = Key::root().name(OURS);
    let access = RawAccess {
        cross_tenant: raw.cross_tenant,
        cors_allowed_origins: raw.cors_allowed_origins,
        websocket_origins: raw.websocket_origins,
        // a tenant that could name the cookie would be handed other tenants' sessions
        token_cookie: None,
        forward_token: raw.forward_token,
        private_responses: None,
        identity_headers: raw.identity_headers,
        route: raw.routes,
    };
    let governance =
        written::governance(&raw.governance.unwrap_or_default(), &key.name("governance"), &mut scope);
    let governance = Arc::new(written::overrides(governance, &key, &mut scope));
    // stands in until `resolve` names the tenant
    let nobody = TenantId::super_tenant();
    TenantConf {
        anonymous,
        hosts: raw.hosts.unwrap_or_default().into_iter().map(|host| host.0.0).collect(),
        issuers: resolve::issuer::issuers(
            raw.issuers.unwrap_or_default(),
            &nobody,
            &key.name("issuers"),
            &mut scope,
        ),
        sign_in: raw
            .sign_in
            .and_then(|sign_in| sign_in.url)
            .map(|url| SignIn { url: url.0.0.unwrap_or_default() }),
        access: resolve::access::access(access, &key, &mut scope),
        guards: resolve::guard::guards(raw.guards.unwrap_or_default(), &key.name("guards"), &mut scope),
        session: raw.session.unwrap_or_default().checked(&key.name("session"), &mut scope),
        account_lock: raw.account_lock.unwrap_or_default().checked(&key.name("account_lock"), &mut scope),
        password_policy: raw
            .password_policy
            .unwrap_or_default()
            .checked(&key.name("password_policy"), &mut scope),
        governance,
        branding: resolve::branding(raw.branding.unwrap_or_default()),
    }
}

/// As files alone have it.
pub fn resolve(settings: &Settings, tenant: &TenantId, conf: &TenantConf, generation: u64) -> TenantPolicy {
    resolve_with(settings, tenant, conf, &Set::nothing(), generation)
}

/// Merges: what administrators have set over the tenant's own word over `deployment.toml`. Never fails: what could fail was
/// checked when it was written.
pub fn resolve_with(
    settings: &Settings,
    tenant: &TenantId,
    conf: &TenantConf,
    set: &Set,
    generation: u64,
) -> TenantPolicy {
    let defaults = &settings.defaults;
    let ours = reach::our_ports(settings);
    let reach = Reach::Confined { loopback: settings.tenancy.issuers_on_loopback };
    let forged =
        conf.issuers.iter().find_map(|issuer| Some((issuer, reach::forbidden(settings, &ours, issuer)?)));
    let own = conf.issuers.iter().filter(|_| forged.is_none());
    let sign_in = conf.sign_in.as_ref().unwrap_or(&defaults.sign_in);
    let access = &conf.access;
    let cross_tenant = access.cross_tenant.as_ref().unwrap_or(&defaults.cross_tenant);
    let own = own.map(|issuer| {
        let keys = match &issuer.keys {
            KeySource::Discovery => KeySource::ConfinedDiscovery(Arc::clone(&ours)),
            keys => keys.clone(),
        };
        Arc::new(Issuer { tenant: tenant.clone(), of_tenant_file: true, reach, keys, ..issuer.clone() })
    });
    let mut problem = forged.map(|(issuer, place)| {
        let message = format!("the issuer {:?} is asked {place}", issuer.issuer);
        mistake(settings, tenant, "Doorward.issuers", message)
    });
    let routes = if access.routes.is_empty() && conf.sign_in.is_none() {
        Arc::clone(&defaults.route_table)
    } else {
        let table =
            resolve::access::table(settings.portal.profile, &defaults.routes, &access.routes, sign_in);
        match table {
            Ok(table) => Arc::new(table.under(Arc::clone(&defaults.route_table))),
            Err(bad) => {
                // each rule was checked on its own; together they can still be too many
                problem = Some(mistake(settings, tenant, "Doorward.routes", bad.to_string()));
                Arc::clone(&defaults.route_table)
            }
        }
    };
    let inherited =
        |own: &Option<Vec<String>>, below: &[String]| own.clone().unwrap_or_else(|| below.to_vec());
    let own_guards = conf.guards.iter().map(|guard| {
        let guard = Guard { of_tenant: true, ..guard.clone() };
        Arc::new(resolve::guard::of_profile(guard, settings.portal.profile))
    });
    let governed = Governed {
        account_lock: conf.account_lock.over(&defaults.rules.account_lock),
        passwords: conf.password_policy.over(&defaults.rules.password_rules),
        login: defaults.rules.login.clone(),
        disabled_stay_out: defaults.rules.disabled_stay_out,
    };
    let rules = defaults.rules.changed(governed.with(&conf.governance).with(&set.overrides));
    TenantPolicy {
        tenant: tenant.clone(),
        generation,
        anonymous: problem.is_none() && is_anonymous_allowed(defaults.anonymous, conf.anonymous),
        issuers: defaults.issuers.iter().cloned().chain(own).collect(),
        sign_in: sign_in.clone(),
        cross_tenant: cross_tenant.clone(),
        routes,
        cors_allowed_origins: inherited(&access.cors_allowed_origins, &defaults.cors_allowed_origins)
            .iter()
            .filter_map(|origin| HeaderValue::from_str(origin).ok())
            .collect(),
        websocket_origins: inherited(&access.websocket_origins, &defaults.websocket_origins),
        identity_headers: access.identity_headers.unwrap_or(defaults.identity_headers),
        token_cookie: defaults.token_cookie.clone(),
        forward_token: access.forward_token.unwrap_or(defaults.forward_token),
        guards: defaults.guards.iter().cloned().chain(own_guards).collect(),
        session: conf.session.over(&defaults.session),
        breached_url: rules.password_rules.breached_url.clone(),
        rules,
        governance: Layers {
            deployment: Arc::clone(&defaults.governance),
            tenant_file: Arc::clone(&conf.governance),
            administrators: Arc::clone(&set.overrides),
            version: set.version,
        },
        branding: Branding {
            name: conf.branding.name.clone().or_else(|| defaults.branding.name.clone()),
            logo: conf.branding.logo.clone().or_else(|| defaults.branding.logo.clone()),
            accent: conf.branding.accent.clone().or_else(|| defaults.branding.accent.clone()),
        },
        // a tenant's domain has only letters, digits, `.`, `-` and `_`
        header_value: HeaderValue::from_str(tenant.as_str()).unwrap_or_else(|_| HeaderValue::from_static("")),
        problem,
    }
}

const OPEN_IT: &str = "open it in deployment.toml";
const SWITCH_ON: &str = "write `enabled = true` below [accounts] in deployment.toml";

/// What the tenant's file would open and `deployment.toml` (or the profile) keeps for users: it stays closed. And what needs
/// accounts where there are none. Each with a remedy.
pub fn without_effect(settings: &Settings, conf: &TenantConf) -> Vec<(Key, &'static str, &'static str)> {
    let is_kept = |methods: &[String], pattern: &str| {
        let method = methods.first().map_or("GET", String::as_str);
        settings.defaults.route_table.classify(method, &any_path(pattern)).access == RouteAccess::SignedIn
    };
    let ours = Key::root().name(OURS);
    let routes = conf.access.routes.iter().enumerate();
    let mut found: Vec<_> = routes
        .filter(|(_, rule)| rule.access != RouteAccess::SignedIn && is_kept(&rule.methods, &rule.pattern))
        .map(|(index, _)| {
            let key = ours.name("routes").item(index).name("access");
            (
                key,
                "deployment.toml or the profile keeps this path for users, so this opens nothing there",
                OPEN_IT,
            )
        })
        .collect();
    let kept_without_upgrade = conf.access.routes.iter().enumerate().filter(|(_, rule)| {
        let method = rule.methods.first().map_or("GET", String::as_str);
        let below = settings.defaults.route_table.classify(method, &any_path(&rule.pattern));
        matches!(rule.upgrade, UpgradeRule::Protocols(_)) && below.upgrade == UpgradeRule::Never
    });
    found.extend(kept_without_upgrade.map(|(index, _)| {
        let key = ours.name("routes").item(index).name("upgrade");
        let message =
            "deployment.toml or the profile forwards no upgrade on this path, so this has no effect";
        (key, message, "write `upgrade` in a route of deployment.toml")
    }));
    if let Some(rule) = conf.sign_in.as_ref().and_then(resolve::access::sign_in_route) {
        let key = ours.name("sign_in").name("url");
        // our own pages are everybody's, whatever the routes say
        let is_own_page = rule.pattern.starts_with("/.doorward/");
        if is_own_page && !settings.accounts.enabled {
            let message = "accounts are off in deployment.toml, so there is no sign-in page of Doorward's";
            found.push((key, message, SWITCH_ON));
        } else if !is_own_page && is_kept(&rule.methods, &rule.pattern) {
            let message =
                "deployment.toml or the profile keeps this path for users, so nobody can sign in there";
            found.push((key, message, OPEN_IT));
        }
    }
    if !conf.guards.is_empty() && !settings.accounts.enabled {
        let message = "accounts are off in deployment.toml: nothing can be counted, so nobody gets through these sign-ins";
        found.push((ours.name("guards"), message, SWITCH_ON));
    }
    found
}

fn mistake(settings: &Settings, tenant: &TenantId, key: &str, message: String) -> Mistake {
    let file = settings.tenancy.folder.join(tenant.as_str()).join("tenant-conf.json");
    let mistake = Mistake::whole(&file, message, "correct it; until then the tenant is closed");
    Mistake { key: key.to_owned(), ..mistake }
}

/// The policy of a tenant whose file cannot be read and that has no last good one: nobody comes in but this tenant's own
/// users, by a token of `deployment.toml`'s issuers, and only what sign-in needs is open.
pub fn closed(
    settings: &Settings,
    tenant: &TenantId,
    problem: Mistake,
    set: &Set,
    generation: u64,
) -> Arc<TenantPolicy> {
    let conf = TenantConf { anonymous: Some(false), ..TenantConf::default() };
    let policy = resolve_with(settings, tenant, &conf, set, generation);
    Arc::new(TenantPolicy { problem: Some(problem), cross_tenant: CrossTenant::Nobody, ..policy })
}

#[cfg(test)]
mod tests;
