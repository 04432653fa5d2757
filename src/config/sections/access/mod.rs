//! `[access]`, and the same keys of a tenant's file

pub mod route;

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::route::RouteSection;
use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        sections::portal::PortalProfile,
        text_form::{AsText, TextForm},
        values::{
            cross_tenant::CrossTenantValue, identity_header::IdentityHeaderName, name::CookieName,
            web::WebOrigin,
        },
    },
    domain::{identity::CrossTenantAccess, route::RouteRule, user_template::UserTemplate},
};

/// Access control.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
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
    /// The owner of the `Authorization` header. `doorward`: credentials that are not a valid token are refused. `portal`:
    /// Doorward does not read the header, and the portal gets it as it is. `auto`: it belongs to Doorward if it has a token of an
    /// issuer that is configured here, otherwise to the portal, which gets it if the request is allowed by a session or
    /// anonymously.
    #[schemars(extend("x-default" = "`doorward` with `profile = \"wso2-apim\"`, `auto` with `\"generic\"`"))]
    pub authorization: Option<AuthorizationOwner>,
    /// Whether answers to authenticated requests get `Cache-Control: private` where the portal does not say whether a shared
    /// cache may store them. Answers on `open` routes stay as they are.
    #[schemars(extend("default" = true, "x-source" = "RFC 9111 §3.5"))]
    pub private_responses: Option<bool>,
    /// The identity headers that the portal gets. Headers of these names from clients are removed.
    #[schemars(extend("x-default" = "`wso2` with `profile = \"wso2-apim\"`, `oauth2-proxy` with `\"generic\"`"))]
    pub identity_headers: Option<HeaderProfile>,
    /// Identity headers of your own, by name: `"X-WEBAUTH-USER" = "{name}"`. Placeholders: `{name}`, which distinguishes users as
    /// in `identity_headers`, `{tenant}`, `{email}`, `{display_name}`, `{roles}` (separated by commas), `{scopes}`. A header of
    /// which a value is missing is left out. Headers of these names from clients are removed.
    #[schemars(extend("default" = {}))]
    pub own_identity_headers: Option<BTreeMap<String, AsText<UserTemplate>>>,
    /// How values of identity headers are written: as UTF-8, or with all but ASCII percent-encoded.
    #[schemars(extend("default" = "utf-8", "x-source" = "RFC 9110 §5.5, RFC 3986 §2.1"))]
    pub identity_encoding: Option<IdentityEncoding>,
    /// A rule. The most specific pattern wins, segment by segment. For the same pattern a tenant's rule wins over those here,
    /// and these over the profile's; side by side, a rule with methods wins over one without, and then the later one. A
    /// tenant's rule can close what is open here, but never open what is `signed-in` here. Paths that no rule matches follow the
    /// anonymous mode with `profile = "generic"` and are `signed-in` with `"wso2-apim"`. A rule opens a path only as it is
    /// written, and closes it in every spelling that a portal may accept for it: another case, with or without a final slash,
    /// encoded twice (see "Which spellings of a path a rule covers").
    pub route: Option<Vec<RouteSection>>,
}

/// The owner of the `Authorization` header of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum AuthorizationOwner {
    Doorward,
    Portal,
    Auto,
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

/// How values of identity headers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum IdentityEncoding {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "percent")]
    Percent,
}

/// An identity header of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnIdentityHeader {
    pub name: HeaderName,
    pub template: UserTemplate,
}

/// Access control of one tenant, but for its routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSettings {
    pub cross_tenant: CrossTenantAccess,
    pub cors_allowed_origins: Vec<HeaderValue>,
    /// Origins beside our own from which WebSockets may be opened.
    pub websocket_origins: Vec<String>,
    /// Name of a cookie that holds a whole access token, for portals that keep theirs in one.
    pub token_cookie: Option<String>,
    /// Send the `Authorization` header of users on to the portal.
    pub forward_token: bool,
    pub authorization: AuthorizationOwner,
    /// Add `Cache-Control: private` to answers to authenticated requests.
    pub private_responses: bool,
    pub identity_headers: HeaderProfile,
    pub own_identity_headers: Arc<[OwnIdentityHeader]>,
    pub identity_encoding: IdentityEncoding,
}

impl AccessSettings {
    pub fn default_for(profile: PortalProfile) -> Self {
        let (forward_token, authorization, identity_headers) = match profile {
            PortalProfile::Wso2Apim => (true, AuthorizationOwner::Doorward, HeaderProfile::Wso2),
            PortalProfile::Generic => (false, AuthorizationOwner::Auto, HeaderProfile::OAuth2Proxy),
        };
        Self {
            cross_tenant: CrossTenantAccess::default(),
            cors_allowed_origins: Vec::new(),
            websocket_origins: Vec::new(),
            token_cookie: None,
            forward_token,
            authorization,
            private_responses: true,
            identity_headers,
            own_identity_headers: Arc::default(),
            identity_encoding: IdentityEncoding::Utf8,
        }
    }
}

impl AccessSection {
    /// The rules of `[[access.route]]`; in a tenant's file, of `routes`.
    pub fn take_routes(&mut self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> Vec<RouteRule> {
        let key = key.name(if scope.is_tenant_file() { "routes" } else { "route" });
        route::routes(self.route.take().unwrap_or_default(), &key, scope)
    }

    /// The headers of `own_identity_headers`.
    pub fn take_own_headers(
        &mut self,
        key: &KeyPath,
        scope: &mut DocumentContext<'_>,
    ) -> Arc<[OwnIdentityHeader]> {
        let key = key.name("own_identity_headers");
        let mut headers: Vec<OwnIdentityHeader> = Vec::new();
        for (written, AsText(template)) in self.own_identity_headers.take().unwrap_or_default() {
            let key = key.name(&written);
            match IdentityHeaderName::from_text(&written) {
                Err(invalid) => {
                    scope.mistake(&key, invalid.to_string(), &IdentityHeaderName::remedy());
                }
                Ok(IdentityHeaderName(name)) if headers.iter().any(|known| known.name == name) => {
                    scope.mistake(&key, "this header is here twice, in another case", "keep one");
                }
                Ok(IdentityHeaderName(name)) => headers.push(OwnIdentityHeader { name, template }),
            }
        }
        headers.into()
    }

    pub fn inherit_from(&self, below: &AccessSettings) -> AccessSettings {
        AccessSettings {
            cross_tenant: self.cross_tenant.as_ref().map_or(&below.cross_tenant, |access| &access.0).clone(),
            cors_allowed_origins: match &self.cors_allowed_origins {
                Some(origins) => {
                    let origins = origins.iter().map(|AsText(origin)| origin.serialized());
                    origins.filter_map(|origin| HeaderValue::try_from(origin).ok()).collect()
                }
                None => below.cors_allowed_origins.clone(),
            },
            websocket_origins: match &self.websocket_origins {
                Some(origins) => origins.iter().map(|AsText(origin)| origin.serialized()).collect(),
                None => below.websocket_origins.clone(),
            },
            token_cookie: match &self.token_cookie {
                Some(AsText(cookie)) => cookie.0.clone(),
                None => below.token_cookie.clone(),
            },
            forward_token: self.forward_token.unwrap_or(below.forward_token),
            authorization: self.authorization.unwrap_or(below.authorization),
            private_responses: self.private_responses.unwrap_or(below.private_responses),
            identity_headers: self.identity_headers.unwrap_or(below.identity_headers),
            own_identity_headers: Arc::clone(&below.own_identity_headers),
            identity_encoding: self.identity_encoding.unwrap_or(below.identity_encoding),
        }
    }

    /// As it would be written.
    pub fn of(access: &AccessSettings, routes: &[RouteRule]) -> Self {
        let cors = access.cors_allowed_origins.iter().filter_map(|origin| origin.to_str().ok());
        Self {
            cross_tenant: Some(CrossTenantValue(access.cross_tenant.clone())),
            cors_allowed_origins: Some(origins(cors)),
            websocket_origins: Some(origins(access.websocket_origins.iter().map(String::as_str))),
            token_cookie: Some(AsText(CookieName(access.token_cookie.clone()))),
            forward_token: Some(access.forward_token),
            authorization: Some(access.authorization),
            private_responses: Some(access.private_responses),
            identity_headers: Some(access.identity_headers),
            own_identity_headers: Some(
                access
                    .own_identity_headers
                    .iter()
                    .map(|header| (header.name.to_string(), AsText(header.template.clone())))
                    .collect(),
            ),
            identity_encoding: Some(access.identity_encoding),
            route: Some(routes.iter().map(Into::into).collect()),
        }
    }
}

fn origins<'a>(written: impl Iterator<Item = &'a str>) -> Vec<AsText<WebOrigin>> {
    written.filter_map(|origin| WebOrigin::from_text(origin).ok().map(AsText)).collect()
}
