//! `[portal]`

pub mod upstream;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::upstream::{Upstream, UpstreamSection};
use crate::config::{document::KeyPath, document_context::DocumentContext};

/// The portal that Doorward protects.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct PortalSection {
    /// The kind of portal: `wso2-apim` knows the developer portal of WSO2 API Manager, its pages, its REST API
    /// and what stays open when it is closed; `generic` knows nothing beyond `[[access.route]]`.
    #[schemars(extend("default" = "wso2-apim"))]
    pub profile: Option<PortalProfile>,
    /// Where the portal listens. At least one, and exactly one with the path `/`.
    pub upstream: Option<Vec<UpstreamSection>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum PortalProfile {
    #[default]
    Wso2Apim,
    Generic,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalSettings {
    pub profile: PortalProfile,
    /// Longest path prefix first; the last one has the path `/`.
    pub upstreams: Vec<Arc<Upstream>>,
}

impl PortalSection {
    pub fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> PortalSettings {
        let key = key.name("upstream");
        let mut upstreams: Vec<Arc<Upstream>> = Vec::new();
        for (index, section) in self.upstream.unwrap_or_default().into_iter().enumerate() {
            let key = key.item(index);
            let Some(upstream) = section.resolve(&key, scope) else { continue };
            if upstreams.iter().any(|other| other.path == upstream.path) {
                let message = format!("there are two upstreams with the path {:?}", upstream.path);
                scope.mistake(&key.name("path"), message, "remove one, or give it another path");
            } else {
                upstreams.push(Arc::new(upstream));
            }
        }
        if upstreams.is_empty() {
            let remedy = "add [[portal.upstream]] with url = \"http://127.0.0.1:3000\", or wherever the portal listens";
            scope.mistake(&key, "there is no portal to forward to", remedy);
        } else if !upstreams.iter().any(|upstream| upstream.path == "/") {
            scope.mistake(&key, "no upstream has the path \"/\"", "add one for all other requests");
        }
        upstreams.sort_by(|a, b| b.path.len().cmp(&a.path.len()).then_with(|| a.path.cmp(&b.path)));
        PortalSettings { profile: self.profile.unwrap_or_default(), upstreams }
    }
}

impl From<&PortalSettings> for PortalSection {
    fn from(portal: &PortalSettings) -> Self {
        Self {
            profile: Some(portal.profile),
            upstream: Some(portal.upstreams.iter().map(|upstream| (&**upstream).into()).collect()),
        }
    }
}
