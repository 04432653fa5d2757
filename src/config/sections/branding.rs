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

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branding {
    /// Shown instead of the tenant's domain.
    pub name: Option<String>,
    /// Path or URL of an image.
    pub logo: Option<String>,
    /// CSS colour `#rrggbb`; its contrast is checked when it is set.
    pub accent: Option<String>,
}

impl BrandingSection {
    pub fn resolve(self) -> Branding {
        Branding {
            name: self.name.map(|name| name.0.0),
            logo: self.logo.map(|logo| logo.0.0),
            accent: self.accent.map(|accent| accent.0.0),
        }
    }
}

impl Branding {
    /// Keys not set here are those below.
    #[must_use]
    pub fn inherit_from(&self, below: &Self) -> Self {
        Self {
            name: self.name.clone().or_else(|| below.name.clone()),
            logo: self.logo.clone().or_else(|| below.logo.clone()),
            accent: self.accent.clone().or_else(|| below.accent.clone()),
        }
    }
}

impl From<&Branding> for BrandingSection {
    fn from(branding: &Branding) -> Self {
        Self {
            name: branding.name.clone().map(|name| AsText(NotEmpty(name))),
            logo: branding.logo.clone().map(|logo| AsText(Image(logo))),
            accent: branding.accent.clone().map(|accent| AsText(Accent(accent))),
        }
    }
}
