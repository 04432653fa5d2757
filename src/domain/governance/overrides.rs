//! What administrators have set for one tenant.

use std::{collections::BTreeMap, fmt};

use super::{
    MASK, SECRET, Write,
    find::{is_numbered, property},
};

/// Canonical names and values, only of the catalogue.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<String, String>);

impl Overrides {
    /// Of what a store has. What this version does not know, or would not take, is handed back: it has no effect, and
    /// whoever reads says so.
    pub fn read(rows: impl IntoIterator<Item = (String, String)>) -> (Self, Vec<String>) {
        let mut overrides = Self::default();
        let mut left_out = Vec::new();
        for (name, value) in rows {
            match property(&name).map(|known| (known.property.check(&value), known.name)) {
                // a numbered rule that is blank is none
                Some((Ok(value), name)) if !(value.is_empty() && is_numbered(&name)) => {
                    overrides.0.insert(name.into_owned(), value);
                }
                _ => left_out.push(name),
            }
        }
        (overrides, left_out)
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

    pub fn apply(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Set { name, value } => self.0.insert(name.clone(), value.clone()),
                Write::Clear { name } => self.0.remove(name),
            };
        }
    }
}

/// Without its secrets.
impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            self.iter().map(|(name, value)| (name, if name.starts_with(SECRET) { MASK } else { value }));
        f.debug_map().entries(shown).finish()
    }
}
