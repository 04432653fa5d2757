//! Notes: settings that are valid but probably not intended. They do not change the exit code.

use std::collections::HashMap;

use super::ineffective;
use crate::{
    config::{
        document::KeyPath,
        mistake::Note,
        model::{PortalProfile, Settings},
    },
    domain::{
        guard::{LoginGuard, LoginNameSource},
        route::{AccessLevel, RouteRule, RouteTable, any_path, folded},
    },
};

/// Guards of one file, with the routes and the lock they work under.
pub fn guard_notes<'a>(
    key: &KeyPath,
    guards: impl Iterator<Item = &'a LoginGuard>,
    routes: &RouteTable,
    locks_accounts: bool,
) -> Vec<Note> {
    let mut notes = Vec::new();
    let guards: Vec<_> = guards.collect();
    for (index, guard) in guards.iter().enumerate() {
        if index == 0 && !locks_accounts {
            notes.push((
                key.clone(),
                "account_lock.enabled is false, so wrong passwords lock no name",
                "write account_lock.enabled = true, or let an administrator switch it on",
            ));
        }
        notes.extend(answer_notes(&key.item(index), guard));
        let path = any_path(&guard.endpoint.pattern);
        let mut others = guards.iter().enumerate().filter(|(other, _)| *other != index);
        if others.any(|(_, other)| other.reads_same_part_as(guard) && other.endpoint.matches(&path)) {
            notes.push((
                key.item(index).name("match"),
                "another guard covers this path, too: the more specific one decides by the response where the path is written as in `match`, otherwise both decide, and the strictest outcome counts",
                "write guards that do not overlap, or describe the answers of both paths in each",
            ));
        }
        let endpoint = &guard.endpoint;
        let method = endpoint.methods.first().map_or("GET", String::as_str);
        let route = routes.classify(method, &any_path(&endpoint.pattern));
        if guard.name_source == LoginNameSource::Basic && route.access != AccessLevel::Open {
            notes.push((
                key.item(index).name("user_in"),
                "this path is not open: a request with HTTP Basic gets 401 before an attempt is counted",
                "give the path a route with access = \"open\"",
            ));
        }
    }
    notes
}

/// Notes on descriptions of answers that let a client guess without being counted.
fn answer_notes(key: &KeyPath, guard: &LoginGuard) -> Option<Note> {
    let is_anywhere = guard.success_signs.redirect.iter().any(|glob| glob.0.starts_with('*'));
    if guard.failure_signs.is_empty() && is_anywhere {
        return Some((
            key.name("succeeded_redirect"),
            "`*` at the start also matches an address that a wrong password leads to and that repeats what the client sent",
            "write the address from its start, or what a wrong password gets: failed_redirect",
        ));
    }
    (guard.success_signs.is_empty() && !guard.only_collects_name() && guard.name_source != LoginNameSource::Basic).then(|| {
        (
            key.clone(),
            "only a wrong password is described: another answer to one below 400 is not counted, and a right one resets nothing",
            "write what only the right password gets: succeeded_redirect, succeeded_status or succeeded_body",
        )
    })
}

/// Where WSO2 verifies passwords.
const WSO2_SIGN_IN_PATHS: [&str; 2] = ["/commonauth", "/oauth2/token"];

/// The last segment of the path of a sign-in, as portals call it.
const SIGN_IN_SEGMENTS: [&str; 8] =
    ["login", "signin", "sign-in", "sign_in", "logon", "token", "authenticate", "j_security_check"];

/// Paths at which the portal may accept a sign-in and no guard counts, if there are guards at all.
fn unguarded_notes(settings: &Settings) -> Vec<Note> {
    let defaults = &settings.defaults;
    if defaults.guards.is_empty() {
        return Vec::new();
    }
    let is_guarded = |path: &str| defaults.guards.iter().any(|guard| guard.endpoint.matches(path));
    let mut notes = Vec::new();
    if settings.portal.profile == PortalProfile::Wso2Apim && !WSO2_SIGN_IN_PATHS.into_iter().all(is_guarded) {
        notes.push((
            KeyPath::root().name("guard"),
            "WSO2 verifies passwords at /commonauth and at /oauth2/token, and one of them has no guard",
            "write a guard for each, as in docs/INTEGRATIONS.md",
        ));
    }
    let is_sign_in = |rule: &RouteRule| {
        let name = rule.pattern.trim_end_matches("/**").rsplit('/').next().unwrap_or_default();
        rule.access == AccessLevel::Open
            && SIGN_IN_SEGMENTS.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    for (index, rule) in defaults.routes.iter().enumerate() {
        if is_sign_in(rule) && !is_guarded(&any_path(rule.pattern.trim_end_matches("/**"))) {
            notes.push((
                KeyPath::root().name("access").name("route").item(index).name("match"),
                "this path may be a sign-in, and no guard counts wrong passwords there",
                "write a guard for it if it takes a password",
            ));
        }
    }
    notes
}

/// Rules of one file whose patterns differ in spelling only but whose access levels differ: which one applies depends on
/// how a request spells its path.
pub fn spelling_notes(key: &KeyPath, rules: &[RouteRule]) -> Vec<Note> {
    let mut first: HashMap<String, &RouteRule> = HashMap::new();
    let mut notes = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let known = *first.entry(folded(&rule.pattern)).or_insert(rule);
        if known.pattern != rule.pattern && known.access != rule.access {
            notes.push((
                key.item(index).name("match"),
                "another rule differs from this one in case or a final slash only: all other spellings follow the stricter",
                "give both the same access, or write both in the one spelling that the portal serves",
            ));
        }
    }
    notes
}

/// Notes on `deployment.toml`. `locks_accounts`: lockout is on in some tenant's own file.
pub fn deployment_notes(settings: &Settings, locks_accounts: bool) -> Vec<Note> {
    let defaults = &settings.defaults;
    let locks_accounts = locks_accounts || defaults.rules.account_lock.enabled;
    let own = defaults.guards.iter().map(AsRef::as_ref);
    let mut notes = guard_notes(&KeyPath::root().name("guard"), own, &defaults.route_table, locks_accounts);
    notes.extend(unguarded_notes(settings));
    notes.extend(spelling_notes(&KeyPath::root().name("access").name("route"), &defaults.routes));
    notes.extend(ineffective::notes(settings));
    notes
}

/// A note if anonymous mode is off and no user, or no browser, can sign in. `is_written`: there is a key `sign_in.url`, perhaps
/// `"none"`.
pub fn no_sign_in_note(settings: &Settings, has_tenant_issuers: bool, is_written: bool) -> Option<Note> {
    let defaults = &settings.defaults;
    let can_authenticate = has_tenant_issuers || !defaults.issuers.is_empty() || settings.accounts.enabled;
    if defaults.anonymous {
        None
    } else if !can_authenticate {
        Some((
            KeyPath::root(),
            "no user can be authenticated, so only open routes can be used: there is no [[issuer]], and accounts are off",
            "name an issuer, or write accounts.enabled = true",
        ))
    } else if !defaults.sign_in.is_configured() && !is_written {
        Some((
            KeyPath::root().name("sign_in").name("url"),
            "anonymous mode is off and browsers have no sign-in address: they get 401",
            "set it; or write \"none\" if only programs with tokens use the portal",
        ))
    } else {
        None
    }
}

/// A management API without administrator roles: a note if a token can authenticate an administrator, otherwise a mistake.
pub fn admin_roles_note(settings: &Settings) -> Option<Note> {
    let management = &settings.management;
    (management.is_enabled() && management.admin_roles.is_empty()).then(|| {
        (
            KeyPath::root().name("management").name("admin_roles"),
            "no role makes an account an administrator: the management API accepts no password",
            "name a role, such as \"admin\"",
        )
    })
}
