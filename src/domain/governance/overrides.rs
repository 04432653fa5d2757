//! The overrides that administrators have set for one tenant.

use std::{collections::BTreeMap, fmt};

use super::{
    MASK, PropertyWrite, SECRET_PREFIX,
    lookup::{is_numbered, property},
};

/// Canonical names and values of properties in the catalogue.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<String, String>);

impl Overrides {
    /// From the rows of the store. Properties that are unknown or invalid in this version are returned by
    /// name: they have no effect, and the caller logs them.
    pub fn from_rows(rows: impl IntoIterator<Item = (String, String)>) -> (Self, Vec<String>) {
        let mut overrides = Self::default();
        let mut ignored = Vec::new();
        for (name, value) in rows {
            match property(&name).map(|known| (known.property.check(&value), known.name)) {
                // a blank numbered rule does not exist
                Some((Ok(value), name)) if !(value.is_empty() && is_numbered(&name)) => {
                    overrides.0.insert(name.into_owned(), value);
                }
                _ => ignored.push(name),
            }
        }
        (overrides, ignored)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn apply(&mut self, writes: &[PropertyWrite]) {
        for write in writes {
            match write {
                PropertyWrite::Set { name, value } => self.0.insert(name.clone(), value.clone()),
                PropertyWrite::Clear { name } => self.0.remove(name),
            };
        }
    }
}

/// Masks secrets.
impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self
            .iter()
            .map(|(name, value)| (name, if name.starts_with(SECRET_PREFIX) { MASK } else { value }));
        f.debug_map().entries(shown).finish()
    }
}
