//! `[branding]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::{
        appearance::{Accent, Image},
        name::NotEmpty,
    },
};

/// Appearance of Doorward's own pages.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct BrandingSection {
    /// Shown instead of the tenant's domain.
    #[schemars(extend("x-default" = "the tenant's domain"))]
    pub name: Option<AsText<NotEmpty>>,
    /// An image. Its path must be reachable without sign-in.
    #[schemars(extend("x-default" = "none"))]
    pub logo: Option<AsText<Image>>,
    /// The colour of buttons and links.
    #[schemars(extend("x-default" = "Doorward's", "x-source" = "WCAG 2.2 §1.4.3"))]
    pub accent: Option<AsText<Accent>>,
}
