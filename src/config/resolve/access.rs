//! `[access]`, the same keys of a tenant's file, and the table of routes

use std::collections::{HashMap, HashSet};

use super::Scope;
use crate::{
    config::{
        document::Key,
        model::{HeaderProfile, Profile, SignIn},
        raw::{
            self,
            access::{IdentityHeaders, Kind, Who},
            text::{As, Text},
            values::{
                route::{Match, open_path},
                web::Origin,
            },
        },
    },
    domain::{
        identity::CrossTenant,
        route::{
            Access as RouteAccess, BadPattern, RouteRule, RouteTable, Surface, folded, generic, wso2_apim,
        },
        upgrade::UpgradeRule,
    },
};

/// WSO2's devportal starts every sign-in here.
pub const WSO2_SIGN_IN: &str = "/devportal/services/configs?tenant={tenant}";

/// Each key as written; `None` leaves it to the layer below.
#[derive(Debug, Clone, Default)]
pub struct Access {
    pub cross_tenant: Option<CrossTenant>,
    pub cors_allowed_origins: Option<Vec<String>>,
    pub websocket_origins: Option<Vec<String>>,
    pub token_cookie: Option<Option<String>>,
    pub forward_token: Option<bool>,
    pub private_responses: Option<bool>,
    pub identity_headers: Option<HeaderProfile>,
    pub routes: Vec<RouteRule>,
}

pub fn access(raw: raw::access::Access, key: &Key, scope: &mut Scope<'_>) -> Access {
    let origins = |written: Option<Vec<As<Origin>>>| {
        written.map(|origins| origins.iter().map(|origin| origin.0.serialized()).collect())
    };
    // `[[access.route]]` in TOML, `routes` in a tenant's file
    let routes_key = key.name(if scope.is_tenant() { "routes" } else { "route" });
    Access {
        cross_tenant: raw.cross_tenant.map(|welcome| welcome.0),
        cors_allowed_origins: origins(raw.cors_allowed_origins),
        websocket_origins: origins(raw.websocket_origins),
        token_cookie: raw.token_cookie.map(|cookie| cookie.0.0),
        forward_token: raw.forward_token,
        private_responses: raw.private_responses,
        identity_headers: raw.identity_headers.map(Into::into),
        routes: routes(raw.route.unwrap_or_default(), &routes_key, scope),
    }
}

impl From<IdentityHeaders> for HeaderProfile {
    fn from(raw: IdentityHeaders) -> Self {
        match raw {
            IdentityHeaders::Wso2 => Self::Wso2,
            IdentityHeaders::OAuth2Proxy => Self::OAuth2Proxy,
            IdentityHeaders::Authelia => Self::Authelia,
            IdentityHeaders::None => Self::None,
        }
    }
}

fn routes(raw: Vec<raw::access::Route>, key: &Key, scope: &mut Scope<'_>) -> Vec<RouteRule> {
    let mut rules = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let key = key.item(index);
        let matched = scope.required(&key.name("match"), raw.r#match, &format!("write {}", Match::WHAT));
        let access = scope.required(
            &key.name("access"),
            raw.access.map(As),
            "write \"open\", \"anonymous\" or \"signed-in\"",
        );
        let (Some(Match { methods, pattern }), Some(access)) = (matched, access) else { continue };
        let access = match access {
            Who::Open => RouteAccess::Open,
            Who::Anonymous => RouteAccess::Anonymous,
            Who::SignedIn => RouteAccess::SignedIn,
        };
        let surface = match raw.r#as.unwrap_or_default() {
            Kind::Page => Surface::Page,
            Kind::Api => Surface::Api,
            Kind::Wso2Api => Surface::Wso2Api,
            Kind::Asset => Surface::Asset,
        };
        let upgrade = raw.upgrade.map_or_else(|| UpgradeRule::unwritten(surface), |upgrade| upgrade.0);
        rules.push(RouteRule { methods, pattern, access, surface, upgrade });
    }
    rules
}

/// The profile's rules, then deployment.toml's, then the tenant's: for the same pattern the later layer wins. What sign-in
/// needs comes last, so that no rule can lock everybody out.
pub fn table(
    profile: Profile,
    deployment: &[RouteRule],
    tenant: &[RouteRule],
    sign_in: &SignIn,
) -> Result<RouteTable, BadPattern> {
    let (mut rules, fallback) = match profile {
        Profile::Wso2Apim => (wso2_apim::rules(), wso2_apim::fallback()),
        Profile::Generic => (generic::rules(), generic::fallback()),
    };
    for layer in [deployment, tenant, sign_in_route(sign_in).as_slice()] {
        // within one layer a rule that names the method is the more specific one, but a rule for all methods means all
        // methods to those below it: whoever closes a path has closed it
        let all: Vec<_> = layer.iter().filter(|rule| rule.methods.is_empty()).collect();
        let written: HashSet<_> = all.iter().map(|rule| rule.pattern.as_str()).collect();
        // in another case or with another final slash it closes what a layer below has opened
        let mut closing: HashMap<String, RouteAccess> = HashMap::new();
        for rule in all {
            let access = closing.entry(folded(&rule.pattern)).or_insert(rule.access);
            *access = rule.access.max(*access);
        }
        rules.retain(|rule| {
            let stricter = closing.get(&folded(&rule.pattern)).is_some_and(|access| *access > rule.access);
            !stricter && !written.contains(rule.pattern.as_str())
        });
        rules.extend_from_slice(layer);
    }
    RouteTable::compile(&rules, fallback)
}

/// The sign-in page itself, where it is a path of our own. `{tenant}` is any segment there.
pub fn sign_in_route(sign_in: &SignIn) -> Option<RouteRule> {
    let path = sign_in.url.split(['?', '#']).next().filter(|path| path.starts_with('/'))?;
    Some(RouteRule {
        methods: Vec::new(),
        pattern: open_path(path),
        access: RouteAccess::Open,
        surface: Surface::Page,
        upgrade: UpgradeRule::Never,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_what_no_rule_names_of_the_whole_server() {
        use RouteAccess::{Anonymous, Open, SignedIn};

        let sign_in = SignIn { url: WSO2_SIGN_IN.to_owned() };
        for (profile, elsewhere) in [(Profile::Wso2Apim, SignedIn), (Profile::Generic, Anonymous)] {
            // as it is in force, with and without a tenant's rules
            let rule = RouteRule::new(&[], "/docs/**", Open, Surface::Page);
            for tenant in [&[][..], &[rule]] {
                let table = table(profile, &[], tenant, &sign_in).unwrap();
                for path in [
                    "/console",
                    "/scim2/Users",
                    "/internal/data/v1/apis",
                    "/keymanager-operations/dcr/register",
                    "/CARBON/admin",
                    "/T/acme/carbon",
                ] {
                    assert_eq!(table.classify("GET", path).access, elsewhere, "{profile:?} {path}");
                }
                assert_eq!(table.classify("GET", "/devportal/services/configs").access, Open);
            }
        }
    }
}
