//! `[access]`, and the same keys of a tenant's file

pub mod route;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::route::RouteSection;
use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        model::TenantDefaults,
        text_form::{AsText, TextForm},
        values::{cross_tenant::CrossTenantValue, name::CookieName, web::WebOrigin},
    },
    domain::{identity::CrossTenantAccess, route::RouteRule},
};

/// Access control.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct AccessSection {
    /// Other tenants whose users a tenant accepts: none, all, or those listed. Users of all others are
    /// treated as anonymous.
    #[schemars(extend("default" = false, "x-source" = "WSO2 cross-tenant subscription"))]
    pub cross_tenant: Option<CrossTenantValue>,
    /// Other web sites whose scripts may read why a request was refused.
    #[schemars(extend("default" = [], "x-source" = "Fetch standard, CORS"))]
    pub cors_allowed_origins: Option<Vec<AsText<WebOrigin>>>,
    /// Web sites beside our own that may open WebSockets.
    #[schemars(extend("default" = [], "x-source" = "RFC 6455 §10.2"))]
    pub websocket_origins: Option<Vec<AsText<WebOrigin>>>,
    /// A cookie that holds a whole access token, for portals that keep theirs in one. Not in a tenant's file.
    #[schemars(extend("default" = ""))]
    pub token_cookie: Option<AsText<CookieName>>,
    /// Whether the portal gets the `Authorization` header of a user. WSO2's portal needs it: it checks the
    /// token itself. A portal that trusts `identity_headers` does not.
    #[schemars(extend("x-default" = "`true` with `profile = \"wso2-apim\"`, `false` with `\"generic\"`"))]
    pub forward_token: Option<bool>,
    /// Whether answers to authenticated requests get `Cache-Control: private` where the portal does not say whether a shared
    /// cache may store them. Answers on `open` routes stay as they are.
    #[schemars(extend("default" = true, "x-source" = "RFC 9111 §3.5"))]
    pub private_responses: Option<bool>,
    /// The identity headers that the portal gets. Headers of these names from clients are removed.
    #[schemars(extend("x-default" = "`wso2` with `profile = \"wso2-apim\"`, `oauth2-proxy` with `\"generic\"`"))]
    pub identity_headers: Option<HeaderProfile>,
    /// A rule. The most specific pattern wins, segment by segment. For the same pattern a tenant's rule wins over those here,
    /// and these over the profile's; side by side, a rule with methods wins over one without, and then the later one. A
    /// tenant's rule can close what is open here, but never open what is `signed-in` here. What no rule matches follows the
    /// anonymous mode with `profile = "generic"` and is `signed-in` with `"wso2-apim"`. A rule opens a path only as it is
    /// written, and closes it in every spelling that a portal may accept for it: another case, with or without a final slash,
    /// encoded twice (see "Which spellings of a path a rule covers").
    pub route: Option<Vec<RouteSection>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum HeaderProfile {
    Wso2,
    #[serde(rename = "oauth2-proxy")]
    OAuth2Proxy,
    Authelia,
    None,
}

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

impl AccessSection {
    pub fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> AccessSettings {
        let origins = |written: Option<Vec<AsText<WebOrigin>>>| {
            written.map(|origins| origins.iter().map(|origin| origin.0.serialized()).collect())
        };
        // `[[access.route]]` in TOML, `routes` in a tenant's file
        let routes_key = key.name(if scope.is_tenant_file() { "routes" } else { "route" });
        AccessSettings {
            cross_tenant: self.cross_tenant.map(|welcome| welcome.0),
            cors_allowed_origins: origins(self.cors_allowed_origins),
            websocket_origins: origins(self.websocket_origins),
            token_cookie: self.token_cookie.map(|cookie| cookie.0.0),
            forward_token: self.forward_token,
            private_responses: self.private_responses,
            identity_headers: self.identity_headers,
            routes: route::routes(self.route.unwrap_or_default(), &routes_key, scope),
        }
    }
}

impl From<&TenantDefaults> for AccessSection {
    fn from(defaults: &TenantDefaults) -> Self {
        Self {
            cross_tenant: Some(CrossTenantValue(defaults.cross_tenant.clone())),
            cors_allowed_origins: Some(origins(&defaults.cors_allowed_origins)),
            websocket_origins: Some(origins(&defaults.websocket_origins)),
            token_cookie: Some(AsText(CookieName(defaults.token_cookie.clone()))),
            forward_token: Some(defaults.forward_token),
            private_responses: Some(defaults.private_responses),
            identity_headers: Some(defaults.identity_headers),
            route: Some(defaults.routes.iter().map(Into::into).collect()),
        }
    }
}

fn origins(written: &[String]) -> Vec<AsText<WebOrigin>> {
    written.iter().filter_map(|origin| WebOrigin::from_text(origin).ok().map(AsText)).collect()
}
