//! `tenant-conf.json`: the two keys we read

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    sections::{
        access::{AuthorizationOwner, HeaderProfile, route::RouteSection},
        account_lock::AccountLockSection,
        branding::BrandingSection,
        governance::PropertyTable,
        guard::GuardSection,
        issuer::IssuerSection,
        password_policy::PasswordPolicySection,
        session::SessionSection,
        sign_in::SignInSection,
    },
    text_form::AsText,
    values::{cross_tenant::CrossTenantValue, name::HostName, web::WebOrigin},
};

/// A tenant's tenant-conf.json
///
/// WSO2's file as it is; all keys but these two are WSO2's business.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct TenantFile {
    /// Whether visitors who have not signed in may see this tenant's public pages. A text counts as WSO2 reads it: "true"
    /// in any case is true, all else is false.
    #[serde(rename = "EnableAnonymous")]
    #[schemars(with = "Option<BooleanOrText>",
        extend("x-default" = "`apim.devportal.enable_anonymous_mode`", "x-source" = "WSO2 tenant-conf.json"))]
    pub enable_anonymous: Option<bool>,
    /// Doorward's own settings of this tenant.
    #[serde(rename = "Doorward")]
    pub doorward: Option<TenantSection>,
}

/// Only for the schema.
#[derive(JsonSchema)]
#[schemars(inline, untagged)]
#[expect(dead_code, reason = "names the forms in the schema; the value is read by hand, as WSO2 reads it")]
enum BooleanOrText {
    Boolean(bool),
    Text(String),
}

/// Doorward's own settings of this tenant.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct TenantSection {
    /// Host names that mean this tenant. Only those that `tenancy.claimable_hosts` of deployment.toml allows count.
    #[schemars(extend("default" = []))]
    pub hosts: Option<Vec<AsText<HostName>>>,
    /// Further token issuers of this tenant, after those of deployment.toml. Files must be in this tenant's folder.
    pub issuers: Option<Vec<IssuerSection>>,
    /// The sign-in address of this tenant.
    pub sign_in: Option<SignInSection>,
    /// Rules of this tenant, before those of deployment.toml. They never open what is `signed-in` there or in the profile.
    pub routes: Option<Vec<RouteSection>>,
    /// Sign-ins of this tenant that are guarded against guessing, beside those of deployment.toml.
    pub guards: Option<Vec<GuardSection>>,
    /// Other tenants whose users this tenant accepts.
    #[schemars(extend("x-default" = "`access.cross_tenant`"))]
    pub cross_tenant: Option<CrossTenantValue>,
    /// Other web sites whose scripts may read why a request was refused.
    #[schemars(extend("x-default" = "`access.cors_allowed_origins`"))]
    pub cors_allowed_origins: Option<Vec<AsText<WebOrigin>>>,
    /// Web sites beside our own that may open WebSockets.
    #[schemars(extend("x-default" = "`access.websocket_origins`"))]
    pub websocket_origins: Option<Vec<AsText<WebOrigin>>>,
    /// Whether the portal gets the `Authorization` header of a user.
    #[schemars(extend("x-default" = "`access.forward_token`"))]
    pub forward_token: Option<bool>,
    /// The owner of the `Authorization` header.
    #[schemars(extend("x-default" = "`access.authorization`"))]
    pub authorization: Option<AuthorizationOwner>,
    /// The identity headers that the portal gets.
    #[schemars(extend("x-default" = "`access.identity_headers`"))]
    pub identity_headers: Option<HeaderProfile>,
    /// How long this tenant's users stay signed in; keys not written are those of deployment.toml.
    pub session: Option<SessionSection>,
    /// Lockout after wrong passwords in this tenant; keys not written are those of deployment.toml.
    pub account_lock: Option<AccountLockSection>,
    /// Requirements for new passwords of this tenant; keys not written are those of deployment.toml.
    pub password_policy: Option<PasswordPolicySection>,
    /// WSO2's governance properties of this tenant by their own names, as `docs/GOVERNANCE.md` lists them. The overrides of an
    /// administrator take precedence.
    #[schemars(extend("x-default" = "`governance`", "x-source" = "WSO2 identity-governance"))]
    pub governance: Option<PropertyTable>,
    /// Appearance of this tenant's pages; keys not written are those of deployment.toml.
    pub branding: Option<BrandingSection>,
}
