//! `[sign_in]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{text_form::AsText, values::route::SignInUrl};

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
