//! `[access]` and `[[access.route]]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::cross_tenant::CrossTenantValue,
    values::upgrade::UpgradeValue,
    values::{name::CookieName, route::Match, web::WebOrigin},
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
    pub identity_headers: Option<HeaderProfileName>,
    /// A rule. The most specific pattern wins, segment by segment. For the same pattern a tenant's rule wins over those here,
    /// and these over the profile's; side by side, a rule with methods wins over one without, and then the later one. A
    /// tenant's rule can close what is open here, but never open what is `signed-in` here. What no rule matches follows the
    /// anonymous mode with `profile = "generic"` and is `signed-in` with `"wso2-apim"`. A rule opens a path only as it is
    /// written, and closes it in every spelling that a portal may accept for it: another case, with or without a final slash,
    /// encoded twice (see "Which spellings of a path a rule covers").
    pub route: Option<Vec<RouteSection>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum HeaderProfileName {
    Wso2,
    #[serde(rename = "oauth2-proxy")]
    OAuth2Proxy,
    Authelia,
    None,
}

/// A rule: the access level of a path, and the form of a refusal.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
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
