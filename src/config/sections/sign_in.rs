//! `[sign_in]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::portal::PortalProfile;
use crate::{
    config::{text_form::AsText, values::route::SignInUrl},
    domain::own_path,
};

/// WSO2's devportal starts every sign-in here.
pub const WSO2_SIGN_IN: &str = "/devportal/services/configs?tenant={tenant}";
/// A sign-in page of our own, which brings the browser back to where it wanted to go.
pub const OWN_SIGN_IN: &str = "/.doorward/sign-in?tenant={tenant}&to={return_path}";

/// The sign-in address.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct SignInSection {
    /// Where a browser is sent to sign in: an absolute path of the portal, or another site's URL. `{tenant}`,
    /// `{return_url}` and `{return_path}` are filled in, percent-encoded. A path of our own is always reachable without
    /// sign-in. `none` where only programs with tokens come: a page then answers 401.
    #[schemars(extend(
        "x-default" = "Doorward's own page with `accounts.enabled`; else `/devportal/services/configs?tenant={tenant}` with `profile = \"wso2-apim\"`; with `\"generic\"` none, and required as soon as `enable_anonymous_mode` is off",
        "x-source" = "WSO2 `/devportal/services/configs`"
    ))]
    pub url: Option<AsText<SignInUrl>>,
}

/// The sign-in address. Placeholders: `{tenant}`, `{return_url}` (absolute), `{return_path}` (path and query), all
/// percent-encoded when filled in. Empty if sign-in with a browser is not available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInSettings {
    pub url: String,
}

impl SignInSettings {
    /// Whether there is an address at all.
    pub fn is_configured(&self) -> bool {
        !self.url.is_empty()
    }

    /// Whether this is Doorward's own page, which waits for user input.
    pub fn is_own_page(&self) -> bool {
        self.url.starts_with(own_path::PREFIX)
    }

    /// Whether the sign-in service itself sends the browser back to where it wanted to go.
    pub fn has_return_placeholder(&self) -> bool {
        self.url.contains("{return_url}") || self.url.contains("{return_path}")
    }
}

impl SignInSection {
    pub fn resolve(self, profile: PortalProfile, has_accounts: bool) -> SignInSettings {
        if let Some(settings) = self.written() {
            return settings;
        }
        let url = match profile {
            _ if has_accounts => OWN_SIGN_IN,
            PortalProfile::Wso2Apim => WSO2_SIGN_IN,
            PortalProfile::Generic => "",
        };
        SignInSettings { url: url.to_owned() }
    }

    /// `None`: no key is written.
    pub fn written(self) -> Option<SignInSettings> {
        self.url.map(|AsText(url)| SignInSettings { url: url.0.unwrap_or_default() })
    }
}

impl From<&SignInSettings> for SignInSection {
    fn from(sign_in: &SignInSettings) -> Self {
        let url = sign_in.is_configured().then(|| sign_in.url.clone());
        Self { url: Some(AsText(SignInUrl(url))) }
    }
}
