//! `[access]` and `[[access.route]]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    cross_tenant::Welcome,
    text::As,
    upgrade::Upgrade,
    values::{name::CookieName, route::Match, web::Origin},
};

/// Who may use what.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Access {
    /// Whose users a tenant welcomes beside its own: nobody's, everybody's, or those of the tenants listed. Others are
    /// treated as visitors.
    #[schemars(extend("default" = false, "x-source" = "WSO2 cross-tenant subscription"))]
    pub cross_tenant: Option<Welcome>,
    /// Other web sites whose scripts may read why a request was refused.
    #[schemars(extend("default" = [], "x-source" = "Fetch standard, CORS"))]
    pub cors_allowed_origins: Option<Vec<As<Origin>>>,
    /// Web sites beside our own that may open WebSockets.
    #[schemars(extend("default" = [], "x-source" = "RFC 6455 §10.2"))]
    pub websocket_origins: Option<Vec<As<Origin>>>,
    /// A cookie that holds a whole access token, for portals that keep theirs in one. Not in a tenant's file.
    #[schemars(extend("default" = ""))]
    pub token_cookie: Option<As<CookieName>>,
    /// Whether the portal gets the `Authorization` header of a user that was let in. WSO2's portal needs it: it checks the
    /// token itself. A portal that trusts `identity_headers` does not.
    #[schemars(extend("x-default" = "`true` with `profile = \"wso2-apim\"`, `false` with `\"generic\"`"))]
    pub forward_token: Option<bool>,
    /// Whether answers to authenticated requests get `Cache-Control: private` where the portal does not say whether a shared
    /// cache may store them. Answers on `open` routes stay as they are.
    #[schemars(extend("default" = true, "x-source" = "RFC 9111 §3.5"))]
    pub private_responses: Option<bool>,
    /// The headers that tell the portal who is there. What clients send under these names never arrives.
    #[schemars(extend("x-default" = "`wso2` with `profile = \"wso2-apim\"`, `oauth2-proxy` with `\"generic\"`"))]
    pub identity_headers: Option<IdentityHeaders>,
    /// A rule. The most specific pattern wins, segment by segment. For the same pattern a tenant's rule wins over those here,
    /// and these over the profile's; side by side, a rule with methods wins over one without, and then the later one. A
    /// tenant's rule can close what is open here, but never open what is `signed-in` here. What no rule matches follows the
    /// anonymous mode with `profile = "generic"` and is `signed-in` with `"wso2-apim"`. A rule opens a path only as it is
    /// written, and closes it in every spelling that a portal may accept for it: another case, with or without a final slash,
    /// encoded twice (see "Which spellings of a path a rule covers").
    pub route: Option<Vec<Route>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum IdentityHeaders {
    Wso2,
    #[serde(rename = "oauth2-proxy")]
    OAuth2Proxy,
    Authelia,
    None,
}

/// A rule: who may use a path, and how they are refused.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Route {
    /// Which requests: methods (none: all) and a path in which `*` is one segment and a final `**` any rest. A portal that takes
    /// another method from a field of a form (`_method`) serves that one: close such a path for `POST` as well. Required.
    #[schemars(extend("x-default" = "required"))]
    pub r#match: Option<As<Match>>,
    /// Who: `open` everybody, always; `anonymous` visitors while anonymous mode is on; `signed-in` users only. Required.
    #[schemars(extend("x-default" = "required"))]
    pub access: Option<Who>,
    /// How others are refused: a `page` is sent to sign-in; an `api` gets 401 as problem+json, a `wso2-api` in WSO2's
    /// form, an `asset` a bare 401.
    #[schemars(extend("default" = "page"))]
    pub r#as: Option<Kind>,
    /// Which protocols a request may switch to: `true` is WebSocket, a list names others beside it or instead, `false` is none.
    /// Listed protocols are forwarded for every request that `access` allows. Without this key WebSocket is forwarded for users
    /// only, and neither on an `asset` nor on the profile's own open paths. Other protocols are never forwarded.
    #[schemars(extend("x-default" = "WebSocket for users; none with `as = \"asset\"`", "x-source" = "RFC 9110 §7.8, RFC 6455"))]
    pub upgrade: Option<Upgrade>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Who {
    Open,
    Anonymous,
    SignedIn,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Kind {
    #[default]
    Page,
    Api,
    Wso2Api,
    Asset,
}
