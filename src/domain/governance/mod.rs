//! What an administrator can set for a tenant, by WSO2's names: categories of connectors of properties.
//!
//! The catalogue is data. The management API, the configuration, the console and `docs/GOVERNANCE.md` are all read from
//! it. A value travels as a text; `Property::check` makes of what somebody sends the one form it is stored in.

mod catalogue;
mod check;
mod derive;
pub mod expiry;
mod find;
mod id;
mod kind;
mod overrides;
mod refusal;
mod update;

use std::fmt;

pub use catalogue::categories;
pub use check::BadValue;
pub use expiry::{ExpiryRule, expiry_days};
pub use find::{
    Named, category, category_named, connector, connector_named, names, property, property_in_any_case,
};
pub use id::{id_of, name_of};
pub use kind::Kind;
pub use overrides::Overrides;
pub use refusal::{ErrorCode, Refusal};
pub use update::{Write, revert, update};

/// What is shown instead of a secret. Sent back, it keeps the secret as it is.
pub const MASK: &str = "********";

/// The beginning of the name of a property whose value is shown to nobody.
pub const SECRET: &str = "__secret__";

/// What one page of a console shows.
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
    /// Of which there may be many: `<name>1`, `<name>2` …
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

/// What setting a property does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// In force with the next request.
    Enforced { since: &'static str, how: &'static str },
    /// Kept and shown; nothing acts on it before the named feature exists.
    Stored { waits_for: &'static str },
    /// A link for consoles. It cannot be changed.
    Shown,
}

impl Connector {
    pub fn id(&self) -> String {
        id_of(self.name)
    }
}

/// Its name: a refusal in a log is about this one, not about all it holds.
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
        self.name.starts_with(SECRET)
    }

    pub fn is_enforced(&self) -> bool {
        matches!(self.effect, Effect::Enforced { .. })
    }
}

#[cfg(test)]
mod tests;
