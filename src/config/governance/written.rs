//! Properties as files say them: names and values checked against the catalogue, each where it stands.

use std::cmp::Ordering;

use super::typed::key_of;
use crate::{
    config::{
        document::{Key, nearest::nearest},
        raw::governance::{Properties, Value},
        resolve::Scope,
    },
    domain::governance::{Kind, Named, Overrides, names, property, property_in_any_case},
};

/// One property that a file says.
pub struct Said {
    pub named: Named,
    pub value: String,
    pub key: Key,
}

/// All values of a table, with the names that its tables and keys make.
pub fn flat(table: &Properties, key: &Key, name: &str, found: &mut Vec<(String, Key, String)>) {
    for (part, value) in &table.0 {
        let key = key.name(part);
        let name = if name.is_empty() { part.clone() } else { format!("{name}.{part}") };
        match value {
            Value::Plain(text) => found.push((name, key, text.clone())),
            Value::Table(table) => flat(table, &key, &name, found),
        }
    }
}

/// `[governance]`.
pub fn governance(table: &Properties, key: &Key, scope: &mut Scope<'_>) -> Vec<Said> {
    let mut found = Vec::new();
    flat(table, key, "", &mut found);
    let mut all = Vec::new();
    for (name, key, value) in found {
        // to look for what was meant by a name costs more than the rest
        if scope.is_full() {
            break;
        }
        all.extend(said(&name, key, &value, scope));
    }
    all
}

/// A property and its value; a mistake at `key` if there is no such property, or it cannot be that.
pub fn said(name: &str, key: Key, value: &str, scope: &mut Scope<'_>) -> Option<Said> {
    let variable = scope.is_variable(&key);
    let named = if variable { property_in_any_case(name) } else { property(name) };
    let Some(named) = named else {
        let mut remedy = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "docs/GOVERNANCE.md names all properties".to_owned(),
        };
        if variable {
            remedy += "; every name can be written as DOORWARD_GOVERNANCE='{\"<name>\" = \"<value>\"}'";
        }
        scope.mistake(&key, format!("there is no property `{name}`"), &remedy);
        return None;
    };
    match named.property.check(value) {
        Ok(_) if named.property.kind == Kind::Link => None,
        Ok(value) => Some(Said { named, value, key }),
        Err(problem) => {
            scope.mistake(&key, format!("`{}`: {problem}", named.name), "");
            None
        }
    }
}

/// What a document says by names of properties, and its variables of the environment over its text. Said twice in either,
/// also by a key of our own below `ours`, is a mistake.
pub fn overrides(all: Vec<Said>, ours: &Key, scope: &mut Scope<'_>) -> Overrides {
    let mut values: Vec<(String, String, Key)> = Vec::new();
    for Said { named, value, key } in all {
        let name = named.name.into_owned();
        let typed = key_of(&name).map(|(section, key)| ours.name(section).name(key));
        let typed = typed.filter(|typed| scope.has(typed));
        let before = values.iter().find(|(known, ..)| *known == name).map(|(_, _, key)| key.clone());
        let variable = scope.is_variable(&key);
        let mut outdone = false;
        for other in before.iter().chain(&typed) {
            match variable.cmp(&scope.is_variable(other)) {
                Ordering::Less => outdone = true,
                Ordering::Equal => {
                    scope.mistake(&key, format!("`{name}` is said twice, here and as `{other}`"), "keep one");
                }
                Ordering::Greater => values.retain(|(.., key)| key != other),
            }
        }
        if !outdone {
            values.push((name, value, key));
        }
    }
    Overrides::read(values.into_iter().map(|(name, value, _)| (name, value))).0
}
