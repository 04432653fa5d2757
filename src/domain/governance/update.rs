//! Applies a change of settings atomically.

use std::collections::{BTreeMap, BTreeSet};

use super::{BadValue, Connector, Kind, MASK, ResolvedProperty, UpdateRefusal, derive, lookup::is_numbered};

/// A change of one stored property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyWrite {
    Set {
        name: String,
        value: String,
    },
    /// The value of the configuration files applies again.
    Clear {
        name: String,
    },
}

/// A change under construction, on top of the effective values.
pub(super) struct ChangeDraft<'a> {
    values: BTreeMap<String, String>,
    effective: &'a dyn Fn(&str) -> String,
}

impl ChangeDraft<'_> {
    pub(super) fn writes(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The requested state of a switch.
    pub(super) fn requested(&self, name: &str) -> Option<bool> {
        self.values.get(name).map(|value| value == "true")
    }

    /// The effective value after the change.
    pub(super) fn value_after(&self, name: &str) -> String {
        self.values.get(name).cloned().unwrap_or_else(|| (self.effective)(name))
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.value_after(name).eq_ignore_ascii_case("true")
    }

    pub(super) fn derive(&mut self, name: &str, on: bool) {
        self.values.insert(name.to_owned(), on.to_string());
    }
}

/// One request to change one or several connectors. `effective` returns the current value of a property.
///
/// Names may be aliases. A secret whose mask is sent back stays unchanged. Dependent properties are written
/// as in WSO2, and a contradictory result is rejected.
pub fn update(
    changes: &[(&'static Connector, Vec<(String, String)>)],
    effective: &dyn Fn(&str) -> String,
) -> Result<Vec<PropertyWrite>, UpdateRefusal> {
    let mut draft = ChangeDraft { values: BTreeMap::new(), effective };
    // a pattern takes milliseconds to check, and a request may contain hundreds
    let mut checked: BTreeMap<String, &str> = BTreeMap::new();
    for (connector, properties) in changes {
        for (name, value) in properties {
            let named = resolve(connector, name)?;
            if named.property.is_secret() && value == MASK {
                continue;
            }
            if checked.insert(named.name.clone().into_owned(), value) == Some(value) {
                continue;
            }
            let value = named.property.check(value).map_err(|problem| refusal(&named, problem))?;
            // a link is sent back as it was displayed; there is nothing to store
            if named.property.kind == Kind::Link {
                continue;
            }
            let name = named.name.into_owned();
            match draft.values.get(&name) {
                Some(other) if *other != value => {
                    return Err(UpdateRefusal::DuplicateValue { connector, name });
                }
                _ => draft.values.insert(name, value),
            };
        }
    }
    derive::derive_dependent(&mut draft)?;
    Ok(draft.values.into_iter().map(|(name, value)| write(name, value)).collect())
}

/// Reverts properties of one or several connectors to the values of the configuration files.
pub fn revert(reverted: &[(&'static Connector, Vec<String>)]) -> Result<Vec<PropertyWrite>, UpdateRefusal> {
    if reverted.iter().all(|(_, names)| names.is_empty()) {
        return Err(UpdateRefusal::NothingToRevert);
    }
    let names = reverted
        .iter()
        .flat_map(|(connector, names)| {
            names.iter().map(|name| Ok(resolve(connector, name)?.name.into_owned()))
        })
        .collect::<Result<BTreeSet<String>, UpdateRefusal>>()?;
    Ok(names.into_iter().map(|name| PropertyWrite::Clear { name }).collect())
}

fn resolve(connector: &'static Connector, name: &str) -> Result<ResolvedProperty, UpdateRefusal> {
    connector
        .property(name)
        .ok_or_else(|| UpdateRefusal::UnknownProperty { connector, name: name.to_owned() })
}

fn refusal(named: &ResolvedProperty, problem: BadValue) -> UpdateRefusal {
    let name = named.name.clone().into_owned();
    match named.property.kind {
        Kind::PasswordPattern => UpdateRefusal::BadPasswordPattern { name, problem },
        Kind::ExpiryRule => UpdateRefusal::BadExpiryRule { name, problem },
        _ => UpdateRefusal::BadValue { connector: named.connector, name, problem },
    }
}

/// A blank numbered rule is removed.
fn write(name: String, value: String) -> PropertyWrite {
    if value.is_empty() && is_numbered(&name) {
        PropertyWrite::Clear { name }
    } else {
        PropertyWrite::Set { name, value }
    }
}
