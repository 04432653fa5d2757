//! A document as a tree of values with source positions: one form for TOML, JSON and the environment.

pub mod env;
pub mod json;
pub mod key;
pub mod nearest;
pub mod placeholders;
pub mod read;
pub mod text;
pub mod toml;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use key::{KeyPath, KeyStep};

use super::mistake::Mistake;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourcePosition {
    /// Line and column, from 1, in characters.
    Text { line: usize, column: usize },
    /// The environment variable of that name.
    Variable(Arc<str>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<ListItem>),
    /// In the order written; JSON may repeat a name, and the reader of the tree decides what that means.
    Table(Vec<TableEntry>),
}

/// An item keeps the index it was written at, also when a faulty item before it has been removed.
#[derive(Debug, Clone, PartialEq)]
pub struct ListItem {
    pub index: usize,
    pub node: DocumentNode,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TableEntry {
    pub name: String,
    /// The position of the name, for mistakes about the key itself.
    pub place: SourcePosition,
    pub node: DocumentNode,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DocumentNode {
    pub value: NodeValue,
    pub place: SourcePosition,
    /// Other readings of the same text, tried in turn: `12` in the environment is a number, a text and a list of one.
    pub alternatives: Vec<NodeValue>,
}

impl DocumentNode {
    pub fn new(value: NodeValue, place: SourcePosition) -> Self {
        Self { value, place, alternatives: Vec::new() }
    }

    pub fn entries(&self) -> &[TableEntry] {
        match &self.value {
            NodeValue::Table(entries) => entries,
            _ => &[],
        }
    }

    pub fn entry(&self, name: &str) -> Option<&TableEntry> {
        self.entries().iter().find(|entry| entry.name == name)
    }

    fn child(&self, step: &KeyStep) -> Option<&Self> {
        match (&self.value, step) {
            (NodeValue::Table(entries), KeyStep::Name(name)) => {
                entries.iter().find(|entry| entry.name == *name).map(|entry| &entry.node)
            }
            (NodeValue::List(items), KeyStep::Index(index)) => items.get(*index).map(|item| &item.node),
            _ => None,
        }
    }

    fn child_mut(&mut self, step: &KeyStep) -> Option<&mut Self> {
        match (&mut self.value, step) {
            (NodeValue::Table(entries), KeyStep::Name(name)) => {
                entries.iter_mut().find(|entry| entry.name == *name).map(|entry| &mut entry.node)
            }
            (NodeValue::List(items), KeyStep::Index(index)) => {
                items.get_mut(*index).map(|item| &mut item.node)
            }
            _ => None,
        }
    }

    pub fn at(&self, key: &KeyPath) -> Option<&Self> {
        key.steps().iter().try_fold(self, |node, step| node.child(step))
    }

    pub fn at_mut(&mut self, key: &KeyPath) -> Option<&mut Self> {
        key.steps().iter().try_fold(self, |node, step| node.child_mut(step))
    }

    /// Takes the value at `key` out of the tree; `false` when there is none.
    pub fn remove(&mut self, key: &KeyPath) -> bool {
        let Some((last, parent)) = key.steps().split_last() else { return false };
        let Some(parent) = self.at_mut(&KeyPath::of(parent)) else { return false };
        match (&mut parent.value, last) {
            (NodeValue::Table(entries), KeyStep::Name(name)) => {
                let before = entries.len();
                entries.retain(|entry| entry.name != *name);
                entries.len() < before
            }
            (NodeValue::List(items), KeyStep::Index(index)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        }
    }

    /// The place of the deepest part of `key` that was written, and `key` with the indices that were written.
    pub fn locate(&self, key: &KeyPath) -> (SourcePosition, KeyPath) {
        let (mut node, mut place) = (Some(self), self.place.clone());
        let mut written = KeyPath::root();
        for step in key.steps() {
            written = match (step, node.map(|node| &node.value)) {
                (KeyStep::Index(index), Some(NodeValue::List(items))) => {
                    written.item(items.get(*index).map_or(*index, |item| item.index))
                }
                (step, _) => written.then(step.clone()),
            };
            node = node.and_then(|node| node.child(step));
            if let Some(node) = node {
                place = node.place.clone();
            }
        }
        (place, written)
    }

    /// The plain value, for serde.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            NodeValue::Null => serde_json::Value::Null,
            NodeValue::Bool(value) => (*value).into(),
            NodeValue::Number(number) => serde_json::Value::Number(number.clone()),
            NodeValue::Text(text) => text.as_str().into(),
            NodeValue::List(items) => items.iter().map(|item| item.node.to_json()).collect(),
            NodeValue::Table(entries) => serde_json::Value::Object(
                entries.iter().map(|entry| (entry.name.clone(), entry.node.to_json())).collect(),
            ),
        }
    }
}

/// The maximum number of mistakes of one document.
pub const MAX_FINDINGS: usize = 50;

/// Mistakes gathered while one document is read; keeps one mistake a key, since one often causes the next.
#[derive(Debug)]
pub struct Findings {
    file: PathBuf,
    found: Vec<(KeyPath, Mistake)>,
}

impl Findings {
    pub fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), found: Vec::new() }
    }

    /// A mistake at `key` of `root`.
    pub fn add(
        &mut self,
        root: &DocumentNode,
        key: &KeyPath,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.is_full() {
            return;
        }
        let (place, key) = root.locate(key);
        if !self.found.iter().any(|(other, _)| other.covers(&key) || key.covers(other)) {
            self.push(key, place, message.into(), remedy.into());
        }
    }

    /// A mistake at a place that is already known.
    pub fn push(&mut self, key: KeyPath, place: SourcePosition, message: String, remedy: String) {
        if self.is_full() {
            return;
        }
        let (file, line, column) = match place {
            SourcePosition::Text { line, column } => (self.file.clone(), Some(line), Some(column)),
            SourcePosition::Variable(name) => (PathBuf::from(format!("env:{name}")), None, None),
        };
        let mistake = Mistake { file, line, column, key: key.to_string(), message, remedy };
        self.found.push((key, mistake));
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Bounds the work for a file with a mistake in each of its keys.
    pub fn is_full(&self) -> bool {
        self.found.len() >= MAX_FINDINGS
    }

    /// In the order of the file.
    pub fn into_mistakes(self) -> Vec<Mistake> {
        let mut mistakes: Vec<_> = self.found.into_iter().map(|(_, mistake)| mistake).collect();
        mistakes.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        mistakes
    }
}
