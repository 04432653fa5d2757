//! The settings that an administrator can override for a tenant, by WSO2's names: categories, connectors, properties.
//!
//! The catalogue is data. The management API, the configuration, the console and `docs/GOVERNANCE.md` are generated
//! from it. A value is transferred as text; `Property::check` converts it into its canonical form.

mod catalogue;
mod change_context;
mod check;
mod derive;
pub mod expiry;
mod id;
mod kind;
mod lookup;
mod overrides;
mod update;
mod update_refusal;

use std::fmt;

pub use catalogue::categories;
pub use change_context::ChangeContext;
pub use check::BadValue;
pub use expiry::{ExpiryRule, expiry_days};
pub use id::id_of;
pub use kind::Kind;
pub use lookup::{
    ResolvedProperty, category, connector, connector_named, names, property, property_in_any_case,
};
pub use overrides::Overrides;
pub use update::{PropertyWrite, revert, update};
pub use update_refusal::{ErrorCode, UpdateRefusal};

/// Displayed instead of a secret. A client that sends it back leaves the secret unchanged.
pub const MASK: &str = "********";

/// Prefix of the names of secret properties, whose values are never displayed.
pub const SECRET_PREFIX: &str = "__secret__";

/// The connectors of one page of a console.
#[derive(Debug, PartialEq, Eq)]
pub struct Category {
    pub name: &'static str,
    pub connectors: &'static [Connector],
}

/// Properties that belong together.
#[derive(PartialEq, Eq)]
pub struct Connector {
    pub name: &'static str,
    pub friendly_name: &'static str,
    /// The category's name.
    pub category: &'static str,
    pub sub_category: &'static str,
    pub order: u32,
    pub properties: &'static [Property],
    /// Template of numbered properties: `<name>1`, `<name>2` …
    pub numbered: Option<&'static Property>,
}

/// One setting of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    pub name: &'static str,
    /// Other spellings that are accepted, and never shown.
    pub aliases: &'static [&'static str],
    pub display_name: &'static str,
    pub description: &'static str,
    /// `meta.type` of WSO2's API, which many properties are without.
    pub meta_type: Option<&'static str>,
    pub kind: Kind,
    pub unit: Option<&'static str>,
    pub default: &'static str,
    pub effect: Effect,
}

/// The effect of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// In force with the next request.
    Enforced { since: &'static str, how: &'static str },
    /// Stored and displayed without effect until the named feature exists.
    Stored { missing_feature: &'static str },
    /// A link for consoles. It cannot be changed.
    ReadOnly,
}

impl Connector {
    pub fn id(&self) -> String {
        id_of(self.name)
    }
}

/// Prints the name only, which keeps log lines short.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({})", self.name)
    }
}

impl Category {
    pub fn id(&self) -> String {
        id_of(self.name)
    }
}

impl Property {
    pub fn is_secret(&self) -> bool {
        self.name.starts_with(SECRET_PREFIX)
    }
}

#[cfg(test)]
mod tests;
