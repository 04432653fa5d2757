//! `[apim.devportal]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    #[schemars(extend("default" = true, "x-source" = "WSO2 `[apim.devportal] enable_anonymous_mode`"))]
    pub enable_anonymous_mode: Option<bool>,
}

impl ApimSection {
    /// Whether the portal is in anonymous mode.
    pub fn resolve(self) -> bool {
        self.devportal.unwrap_or_default().enable_anonymous_mode.unwrap_or(true)
    }

    /// As it would be written.
    pub fn of(anonymous: bool) -> Self {
        Self { devportal: Some(DevportalSection { enable_anonymous_mode: Some(anonymous) }) }
    }
}
