//! A change of settings: all of it, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{BadValue, Connector, Kind, MASK, Named, Refusal, derive, find::is_numbered};

/// What is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    Set {
        name: String,
        value: String,
    },
    /// What the files say counts again.
    Clear {
        name: String,
    },
}

/// A change while it is put together, on top of what is in force.
pub(super) struct Draft<'a> {
    values: BTreeMap<String, String>,
    effective: &'a dyn Fn(&str) -> String,
}

impl Draft<'_> {
    pub(super) fn writes(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// What this change says about a switch.
    pub(super) fn given(&self, name: &str) -> Option<bool> {
        self.values.get(name).map(|value| value == "true")
    }

    /// What will be in force.
    pub(super) fn now(&self, name: &str) -> String {
        self.values.get(name).cloned().unwrap_or_else(|| (self.effective)(name))
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.now(name).eq_ignore_ascii_case("true")
    }

    pub(super) fn derive(&mut self, name: &str, on: bool) {
        self.values.insert(name.to_owned(), on.to_string());
    }
}

/// One request to change one or several connectors. `effective` answers what a property is in force now.
///
/// Names may be aliases. A secret whose mask comes back stays as it is. What WSO2 writes along is written along, and a
/// result that contradicts itself is refused.
pub fn update(
    changes: &[(&'static Connector, Vec<(String, String)>)],
    effective: &dyn Fn(&str) -> String,
) -> Result<Vec<Write>, Refusal> {
    let mut draft = Draft { values: BTreeMap::new(), effective };
    // a pattern takes milliseconds to check, and a body has room for hundreds
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
            // a link comes back as it was shown; there is nothing to keep
            if named.property.kind == Kind::Link {
                continue;
            }
            let name = named.name.into_owned();
            match draft.values.get(&name) {
                Some(other) if *other != value => return Err(Refusal::Twice { connector, name }),
                _ => draft.values.insert(name, value),
            };
        }
    }
    derive::settle(&mut draft)?;
    Ok(draft.values.into_iter().map(|(name, value)| write(name, value)).collect())
}

/// What was set is taken back: these properties of one or several connectors are again what the files say.
pub fn revert(taken_back: &[(&'static Connector, Vec<String>)]) -> Result<Vec<Write>, Refusal> {
    if taken_back.iter().all(|(_, names)| names.is_empty()) {
        return Err(Refusal::NothingToRevert);
    }
    let names = taken_back
        .iter()
        .flat_map(|(connector, names)| {
            names.iter().map(|name| Ok(resolve(connector, name)?.name.into_owned()))
        })
        .collect::<Result<BTreeSet<String>, Refusal>>()?;
    Ok(names.into_iter().map(|name| Write::Clear { name }).collect())
}

fn resolve(connector: &'static Connector, name: &str) -> Result<Named, Refusal> {
    connector.property(name).ok_or_else(|| Refusal::UnknownProperty { connector, name: name.to_owned() })
}

fn refusal(named: &Named, problem: BadValue) -> Refusal {
    let name = named.name.clone().into_owned();
    match named.property.kind {
        Kind::PasswordPattern => Refusal::BadPattern { name, problem },
        Kind::ExpiryRule => Refusal::BadRule { name, problem },
        _ => Refusal::BadValue { connector: named.connector, name, problem },
    }
}

/// A rule without words is no rule.
fn write(name: String, value: String) -> Write {
    if value.is_empty() && is_numbered(&name) { Write::Clear { name } } else { Write::Set { name, value } }
}
