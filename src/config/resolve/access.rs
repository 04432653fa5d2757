//! `[access]`, the same keys of a tenant's file, and the table of routes

use std::collections::{HashMap, HashSet};

use crate::config::document_context::DocumentContext;
use crate::{
    config::{
        document::KeyPath,
        model::{HeaderProfile, PortalProfile, SignInSettings},
        sections::{
            self,
            access::{AccessName, HeaderProfileName, RouteKindName},
        },
        text_form::{AsText, TextForm},
        values::{
            route::{Match, open_path},
            web::WebOrigin,
        },
    },
    domain::{
        identity::CrossTenantAccess,
        route::{
            AccessLevel as RouteAccess, InvalidRoutePattern, RouteKind, RouteRule, RouteTable, folded,
            generic, wso2_apim,
        },
        upgrade::UpgradeRule,
    },
};

/// WSO2's devportal starts every sign-in here.
pub const WSO2_SIGN_IN: &str = "/devportal/services/configs?tenant={tenant}";

/// Each key as written; `None` leaves it to the layer below.
#[derive(Debug, Clone, Default)]
pub struct AccessSettings {
    pub cross_tenant: Option<CrossTenantAccess>,
    pub cors_allowed_origins: Option<Vec<String>>,
    pub websocket_origins: Option<Vec<String>>,
    pub token_cookie: Option<Option<String>>,
    pub forward_token: Option<bool>,
    pub private_responses: Option<bool>,
    pub identity_headers: Option<HeaderProfile>,
    pub routes: Vec<RouteRule>,
}

pub fn access(
    raw: sections::access::AccessSection,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> AccessSettings {
    let origins = |written: Option<Vec<AsText<WebOrigin>>>| {
        written.map(|origins| origins.iter().map(|origin| origin.0.serialized()).collect())
    };
    // `[[access.route]]` in TOML, `routes` in a tenant's file
    let routes_key = key.name(if scope.is_tenant_file() { "routes" } else { "route" });
    AccessSettings {
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

impl From<HeaderProfileName> for HeaderProfile {
    fn from(raw: HeaderProfileName) -> Self {
        match raw {
            HeaderProfileName::Wso2 => Self::Wso2,
            HeaderProfileName::OAuth2Proxy => Self::OAuth2Proxy,
            HeaderProfileName::Authelia => Self::Authelia,
            HeaderProfileName::None => Self::None,
        }
    }
}

fn routes(
    raw: Vec<sections::access::RouteSection>,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Vec<RouteRule> {
    let mut rules = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let key = key.item(index);
        let matched = scope.required(&key.name("match"), raw.r#match, &format!("write {}", Match::EXPECTED));
        let access = scope.required(
            &key.name("access"),
            raw.access.map(AsText),
            "write \"open\", \"anonymous\" or \"signed-in\"",
        );
        let (Some(Match { methods, pattern }), Some(access)) = (matched, access) else { continue };
        let access = match access {
            AccessName::Open => RouteAccess::Open,
            AccessName::Anonymous => RouteAccess::Anonymous,
            AccessName::SignedIn => RouteAccess::SignedIn,
        };
        let surface = match raw.r#as.unwrap_or_default() {
            RouteKindName::Page => RouteKind::Page,
            RouteKindName::Api => RouteKind::Api,
            RouteKindName::Wso2Api => RouteKind::Wso2Api,
            RouteKindName::Asset => RouteKind::Asset,
        };
        let upgrade = raw.upgrade.map_or_else(|| UpgradeRule::default_for(surface), |upgrade| upgrade.0);
        rules.push(RouteRule { methods, pattern, access, kind: surface, upgrade });
    }
    rules
}

/// The profile's rules, then deployment.toml's, then the tenant's: for the same pattern the later layer wins. The sign-in
/// route comes last, so that no rule can make sign-in unreachable.
pub fn compile_table(
    profile: PortalProfile,
    deployment: &[RouteRule],
    tenant: &[RouteRule],
    sign_in: &SignInSettings,
) -> Result<RouteTable, InvalidRoutePattern> {
    let (mut rules, fallback) = match profile {
        PortalProfile::Wso2Apim => (wso2_apim::rules(), wso2_apim::fallback()),
        PortalProfile::Generic => (generic::rules(), generic::fallback()),
    };
    for layer in [deployment, tenant, sign_in_route(sign_in).as_slice()] {
        // within one layer a rule that names the method is the more specific one, but a rule for all methods means all
        // methods to those below it: a closed path is closed for every method
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
pub fn sign_in_route(sign_in: &SignInSettings) -> Option<RouteRule> {
    let path = sign_in.url.split(['?', '#']).next().filter(|path| path.starts_with('/'))?;
    Some(RouteRule {
        methods: Vec::new(),
        pattern: open_path(path),
        access: RouteAccess::Open,
        kind: RouteKind::Page,
        upgrade: UpgradeRule::Never,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_paths_that_no_rule_names() {
        use RouteAccess::{Anonymous, Open, SignedIn};

        let sign_in = SignInSettings { url: WSO2_SIGN_IN.to_owned() };
        for (profile, elsewhere) in [(PortalProfile::Wso2Apim, SignedIn), (PortalProfile::Generic, Anonymous)]
        {
            // as it is in force, with and without a tenant's rules
            let rule = RouteRule::new(&[], "/docs/**", Open, RouteKind::Page);
            for tenant in [&[][..], &[rule]] {
                let table = compile_table(profile, &[], tenant, &sign_in).unwrap();
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
