//! `[[access.route]]`, and the table of routes

use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        sections::{portal::PortalProfile, sign_in::SignInSettings},
        text_form::{AsText, TextForm},
        values::{
            route::{Match, open_path},
            upgrade::UpgradeValue,
        },
    },
    domain::{
        route::{
            AccessLevel, InvalidRoutePattern, RouteKind, RouteRule, RouteTable, folded, generic, wso2_apim,
        },
        upgrade::UpgradeRule,
    },
};

/// A rule: the access level of a path, and the form of a refusal.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RouteSection {
    /// Which requests: methods (none: all) and a path in which `*` is one segment and a final `**` any rest. A portal that takes
    /// another method from a field of a form (`_method`) serves that one: close such a path for `POST` as well. Required.
    #[schemars(extend("x-default" = "required"))]
    pub r#match: Option<AsText<Match>>,
    /// Access level: `open` always; `anonymous` without sign-in while anonymous mode is on; `signed-in` for users only. Required.
    #[schemars(extend("x-default" = "required"))]
    pub access: Option<AccessName>,
    /// Form of a refusal: a `page` is sent to sign-in; an `api` gets 401 as problem+json, a `wso2-api` in WSO2's
    /// form, an `asset` a bare 401.
    #[schemars(extend("default" = "page"))]
    pub r#as: Option<RouteKindName>,
    /// Which protocols a request may switch to: `true` is WebSocket, a list names others beside it or instead, `false` is none.
    /// Listed protocols are forwarded for every request that `access` allows. Without this key WebSocket is forwarded for users
    /// only, and neither on an `asset` nor on the profile's own open paths. Other protocols are never forwarded.
    #[schemars(extend("x-default" = "WebSocket for users; none with `as = \"asset\"`", "x-source" = "RFC 9110 §7.8, RFC 6455"))]
    pub upgrade: Option<UpgradeValue>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum AccessName {
    Open,
    Anonymous,
    SignedIn,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum RouteKindName {
    #[default]
    Page,
    Api,
    Wso2Api,
    Asset,
}

pub(super) fn routes(
    written: Vec<RouteSection>,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Vec<RouteRule> {
    let mut rules = Vec::new();
    for (index, section) in written.into_iter().enumerate() {
        let key = key.item(index);
        let matched =
            scope.required(&key.name("match"), section.r#match, &format!("write {}", Match::EXPECTED));
        let access = scope.required(
            &key.name("access"),
            section.access.map(AsText),
            "write \"open\", \"anonymous\" or \"signed-in\"",
        );
        let (Some(Match { methods, pattern }), Some(access)) = (matched, access) else { continue };
        let access = match access {
            AccessName::Open => AccessLevel::Open,
            AccessName::Anonymous => AccessLevel::Anonymous,
            AccessName::SignedIn => AccessLevel::SignedIn,
        };
        let kind = match section.r#as.unwrap_or_default() {
            RouteKindName::Page => RouteKind::Page,
            RouteKindName::Api => RouteKind::Api,
            RouteKindName::Wso2Api => RouteKind::Wso2Api,
            RouteKindName::Asset => RouteKind::Asset,
        };
        let upgrade = section.upgrade.map_or_else(|| UpgradeRule::default_for(kind), |upgrade| upgrade.0);
        rules.push(RouteRule { methods, pattern, access, kind, upgrade });
    }
    rules
}

impl From<&RouteRule> for RouteSection {
    fn from(rule: &RouteRule) -> Self {
        Self {
            r#match: Some(AsText(Match { methods: rule.methods.clone(), pattern: rule.pattern.clone() })),
            access: Some(match rule.access {
                AccessLevel::Open => AccessName::Open,
                AccessLevel::Anonymous => AccessName::Anonymous,
                AccessLevel::SignedIn => AccessName::SignedIn,
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
        let mut closing: HashMap<String, AccessLevel> = HashMap::new();
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
        access: AccessLevel::Open,
        kind: RouteKind::Page,
        upgrade: UpgradeRule::Never,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sections::sign_in::WSO2_SIGN_IN;

    #[test]
    fn attack_paths_that_no_rule_names() {
        use AccessLevel::{Anonymous, Open, SignedIn};

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
