//! `[apim.devportal]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::portal::PortalProfile;

/// WSO2 API Manager's own keys, read as WSO2 reads them.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(extend("additionalProperties" = true))]
pub struct ApimSection {
    /// The developer portal.
    pub devportal: Option<DevportalSection>,
}

/// The developer portal.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(extend("additionalProperties" = true))]
pub struct DevportalSection {
    /// Whether visitors who have not signed in may see the portal's public pages. A tenant's `EnableAnonymous` wins
    /// over it in both directions.
    #[schemars(extend("x-default" = "`true` with `profile = \"wso2-apim\"`, `false` with `\"generic\"`",
        "x-source" = "WSO2 `[apim.devportal] enable_anonymous_mode`"))]
    pub enable_anonymous_mode: Option<bool>,
}

impl ApimSection {
    /// Whether the portal is in anonymous mode.
    pub fn resolve(self, profile: PortalProfile) -> bool {
        let written = self.devportal.unwrap_or_default().enable_anonymous_mode;
        written.unwrap_or(profile == PortalProfile::Wso2Apim)
    }

    /// As it would be written.
    pub fn of(anonymous: bool) -> Self {
        Self { devportal: Some(DevportalSection { enable_anonymous_mode: Some(anonymous) }) }
    }
}
