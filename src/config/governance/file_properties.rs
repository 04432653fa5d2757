//! Governance properties in files: names and values validated against the catalogue, with source positions.

use std::cmp::Ordering;

use super::governed_settings::own_key;
use crate::{
    config::{
        document::{KeyPath, nearest::nearest},
        document_context::DocumentContext,
        sections::governance::{PropertyEntry, PropertyTable},
    },
    domain::governance::{Kind, Overrides, ResolvedProperty, names, property, property_in_any_case},
};

/// One property set in a file.
pub struct FileProperty {
    pub named: ResolvedProperty,
    pub value: String,
    pub key: KeyPath,
}

/// All values of a table, with the names that its tables and keys make.
pub fn flatten(table: &PropertyTable, key: &KeyPath, name: &str, found: &mut Vec<(String, KeyPath, String)>) {
    for (part, value) in &table.0 {
        let key = key.name(part);
        let name = if name.is_empty() { part.clone() } else { format!("{name}.{part}") };
        match value {
            PropertyEntry::Scalar(text) => found.push((name, key, text.clone())),
            PropertyEntry::Table(table) => flatten(table, &key, &name, found),
        }
    }
}

/// `[governance]`.
pub fn governance_properties(
    table: &PropertyTable,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> Vec<FileProperty> {
    let mut found = Vec::new();
    flatten(table, key, "", &mut found);
    let mut all = Vec::new();
    for (name, key, value) in found {
        // the search for a similar name costs more than the rest
        if scope.is_full() {
            break;
        }
        all.extend(file_property(&name, key, &value, scope));
    }
    all
}

/// A property and its value; a mistake at `key` if there is no such property, or it cannot be that.
pub fn file_property(
    name: &str,
    key: KeyPath,
    value: &str,
    scope: &mut DocumentContext<'_>,
) -> Option<FileProperty> {
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
        Ok(value) => Some(FileProperty { named, value, key }),
        Err(problem) => {
            scope.mistake(&key, format!("`{}`: {problem}", named.name), "");
            None
        }
    }
}

/// The properties of a document; environment variables take precedence over its text. A duplicate in either,
/// also by a key of our own below `ours`, is a mistake.
pub fn overrides(all: Vec<FileProperty>, ours: &KeyPath, scope: &mut DocumentContext<'_>) -> Overrides {
    let mut values: Vec<(String, String, KeyPath)> = Vec::new();
    for FileProperty { named, value, key } in all {
        let name = named.name.into_owned();
        let typed = own_key(&name).map(|(section, key)| ours.name(section).name(key));
        let typed = typed.filter(|typed| scope.has_key(typed));
        let before = values.iter().find(|(known, ..)| *known == name).map(|(_, _, key)| key.clone());
        let variable = scope.is_variable(&key);
        let mut is_overridden = false;
        for other in before.iter().chain(&typed) {
            match variable.cmp(&scope.is_variable(other)) {
                Ordering::Less => is_overridden = true,
                Ordering::Equal => {
                    scope.mistake(&key, format!("`{name}` is set twice, here and as `{other}`"), "keep one");
                }
                Ordering::Greater => values.retain(|(.., key)| key != other),
            }
        }
        if !is_overridden {
            values.push((name, value, key));
        }
    }
    Overrides::from_rows(values.into_iter().map(|(name, value, _)| (name, value))).0
}
