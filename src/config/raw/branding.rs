//! `[branding]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    text::As,
    values::{
        look::{Accent, Image},
        name::NotEmpty,
    },
};

/// How Doorward's own pages look.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Branding {
    /// Shown instead of the tenant's domain.
    #[schemars(extend("x-default" = "the tenant's domain"))]
    pub name: Option<As<NotEmpty>>,
    /// An image. Its path must be reachable without sign-in.
    #[schemars(extend("x-default" = "none"))]
    pub logo: Option<As<Image>>,
    /// The colour of buttons and links.
    #[schemars(extend("x-default" = "Doorward's", "x-source" = "WCAG 2.2 §1.4.3"))]
    pub accent: Option<As<Accent>>,
}
