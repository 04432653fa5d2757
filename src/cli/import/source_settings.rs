//! The settings of another product as a tree. A setting is removed when it is translated, so that the report can
//! name all that remain.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use crate::config::document::{
    DocumentNode, Findings, KeyPath, ListItem, NodeValue, SourcePosition, TableEntry, toml,
};

pub struct SourceSettings {
    root: DocumentNode,
}

/// Why the text is no configuration. Quotes nothing of it: it may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableSource {
    #[error("line {line}, column {column}: this is not {format}")]
    At { line: u64, column: u64, format: &'static str },
    #[error("this is not {format}")]
    Somewhere { format: &'static str },
    #[error("there are no settings in it")]
    NoSettings,
}

impl SourceSettings {
    pub fn from_toml(text: &str, file: &Path) -> Result<Self, UnreadableSource> {
        let mut findings = Findings::new(file);
        let root = toml::parse(text, &mut findings).ok_or_else(|| {
            let mistakes = findings.into_mistakes();
            let place = mistakes.first().and_then(|mistake| Some((mistake.line?, mistake.column?)));
            place.map_or(UnreadableSource::Somewhere { format: "TOML" }, |(line, column)| {
                UnreadableSource::At { line: line as u64, column: column as u64, format: "TOML" }
            })
        })?;
        Ok(Self { root })
    }

    pub fn from_yaml(text: &str) -> Result<Self, UnreadableSource> {
        let value: Value = serde_saphyr::from_str(text).map_err(|error| match error.location() {
            Some(place) => {
                UnreadableSource::At { line: place.line(), column: place.column(), format: "YAML" }
            }
            None => UnreadableSource::Somewhere { format: "YAML" },
        })?;
        if !value.is_object() {
            return Err(UnreadableSource::NoSettings);
        }
        Ok(Self { root: node(value) })
    }

    pub fn of(root: DocumentNode) -> Self {
        Self { root }
    }

    pub fn has(&self, key: &str) -> bool {
        self.root.at(&path(key)).is_some()
    }

    /// The text, without taking it.
    pub fn text(&self, key: &str) -> Option<String> {
        scalar(&self.root.at(&path(key))?.value)
    }

    pub fn take(&mut self, key: &str) -> Option<DocumentNode> {
        let key = path(key);
        let node = self.root.at(&key)?.clone();
        self.root.remove(&key);
        Some(node)
    }

    /// A text, number or truth value; anything else stays.
    pub fn take_text(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        self.take(key);
        Some(text)
    }

    pub fn take_bool(&mut self, key: &str) -> Option<bool> {
        let value = self.text(key)?.to_ascii_lowercase().parse().ok()?;
        self.take(key);
        Some(value)
    }

    pub fn take_number(&mut self, key: &str) -> Option<u32> {
        let value = self.text(key)?.parse().ok()?;
        self.take(key);
        Some(value)
    }

    /// A list of texts, or one text, in which commas separate.
    pub fn take_list(&mut self, key: &str) -> Option<Vec<String>> {
        let texts = texts(&self.root.at(&path(key))?.value)?;
        self.take(key);
        Some(texts)
    }

    /// The items of a list of tables.
    pub fn take_items(&mut self, key: &str) -> Vec<Self> {
        let is_list = self.root.at(&path(key)).is_some_and(|node| matches!(node.value, NodeValue::List(_)));
        match self.take(key).filter(|_| is_list).map(|node| node.value) {
            Some(NodeValue::List(items)) => items.into_iter().map(|item| Self { root: item.node }).collect(),
            _ => Vec::new(),
        }
    }

    /// The entries of a table, by name.
    pub fn take_entries(&mut self, key: &str) -> BTreeMap<String, Self> {
        match self.take(key).map(|node| node.value) {
            Some(NodeValue::Table(entries)) => {
                entries.into_iter().map(|entry| (entry.name, Self { root: entry.node })).collect()
            }
            _ => BTreeMap::new(),
        }
    }

    /// The names of the remaining values; a list or an empty table has one name.
    pub fn remaining(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.root, &KeyPath::root(), &mut found);
        found
    }

    /// Whether the value is an empty text or list, or null.
    pub fn is_empty(&self, key: &str) -> bool {
        self.root.at(&path(key)).is_some_and(|node| match &node.value {
            NodeValue::Null => true,
            NodeValue::Text(text) => text.is_empty(),
            NodeValue::List(items) => items.is_empty(),
            NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::Table(_) => false,
        })
    }

    pub fn root_names(&self) -> Vec<String> {
        self.root.entries().iter().map(|entry| entry.name.clone()).collect()
    }
}

fn path(key: &str) -> KeyPath {
    key.split('.').filter(|part| !part.is_empty()).fold(KeyPath::root(), |path, part| path.name(part))
}

fn collect(node: &DocumentNode, key: &KeyPath, found: &mut Vec<String>) {
    match &node.value {
        NodeValue::Table(entries) => {
            for entry in entries {
                collect(&entry.node, &key.name(&entry.name), found);
            }
        }
        _ => found.push(key.to_string()),
    }
}

fn scalar(value: &NodeValue) -> Option<String> {
    match value {
        NodeValue::Text(text) => Some(text.clone()),
        NodeValue::Number(number) => Some(number.to_string()),
        NodeValue::Bool(value) => Some(value.to_string()),
        NodeValue::Null | NodeValue::List(_) | NodeValue::Table(_) => None,
    }
}

fn texts(value: &NodeValue) -> Option<Vec<String>> {
    match value {
        NodeValue::List(items) => items.iter().map(|item| scalar(&item.node.value)).collect(),
        value => {
            let text = scalar(value)?;
            Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
        }
    }
}

/// YAML has no positions here: the report names keys.
fn node(value: Value) -> DocumentNode {
    let place = SourcePosition::Text { line: 1, column: 1 };
    let value = match value {
        Value::Null => NodeValue::Null,
        Value::Bool(value) => NodeValue::Bool(value),
        Value::Number(number) => NodeValue::Number(number),
        Value::String(text) => NodeValue::Text(text),
        Value::Array(items) => NodeValue::List(
            items.into_iter().enumerate().map(|(index, item)| ListItem { index, node: node(item) }).collect(),
        ),
        Value::Object(entries) => NodeValue::Table(
            entries
                .into_iter()
                .map(|(name, value)| TableEntry { name, place: place.clone(), node: node(value) })
                .collect(),
        ),
    };
    DocumentNode::new(value, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_not_taken_remain() {
        let mut source =
            SourceSettings::from_yaml("a:\n  b: 1\n  c: [x, y]\nd: no number\ne: {}\nf: 'x, y'\n").unwrap();
        assert_eq!(source.take_number("a.b"), Some(1));
        assert_eq!(source.take_number("d"), None);
        assert_eq!(source.take_list("f"), Some(vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(source.remaining(), ["a.c", "d"]);
    }

    /// Attack by mishap: an error message shows the secret in the line with the mistake.
    #[test]
    fn attack_secret_in_the_message_of_a_broken_file() {
        let yaml = "secret: [hunter2\n";
        let toml = "secret = \"hunter2\nbroken";
        for error in [
            SourceSettings::from_yaml(yaml).err().unwrap(),
            SourceSettings::from_toml(toml, Path::new("f")).err().unwrap(),
            SourceSettings::from_yaml("hunter2").err().unwrap(),
        ] {
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
