//! What was written, as a tree in which every value knows its place: one form for TOML, JSON and the environment.

pub mod env;
pub mod json;
pub mod key;
pub mod nearest;
pub mod read;
pub mod text;
pub mod toml;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use key::{Key, Step};

use super::mistake::Mistake;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Line and column, from 1, in characters.
    Text { line: usize, column: usize },
    /// The environment variable of that name.
    Variable(Arc<str>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Item>),
    /// In the order written; JSON may repeat a name, and whoever reads the tree decides what that means.
    Table(Vec<Entry>),
}

/// An item keeps the index it was written at, also when a faulty neighbour has been taken out.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub index: usize,
    pub node: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub name: String,
    /// The place of the name: where to look for a key that should not be there.
    pub place: Place,
    pub node: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub value: Value,
    pub place: Place,
    /// Other readings of the same text, tried in turn: `12` in the environment is a number, a text and a list of one.
    pub otherwise: Vec<Value>,
}

impl Node {
    pub fn new(value: Value, place: Place) -> Self {
        Self { value, place, otherwise: Vec::new() }
    }

    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.name == name)
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.value, step) {
            (Value::Table(entries), Step::Name(name)) => {
                entries.iter().find(|entry| entry.name == *name).map(|entry| &entry.node)
            }
            (Value::List(items), Step::Index(index)) => items.get(*index).map(|item| &item.node),
            _ => None,
        }
    }

    fn child_mut(&mut self, step: &Step) -> Option<&mut Self> {
        match (&mut self.value, step) {
            (Value::Table(entries), Step::Name(name)) => {
                entries.iter_mut().find(|entry| entry.name == *name).map(|entry| &mut entry.node)
            }
            (Value::List(items), Step::Index(index)) => items.get_mut(*index).map(|item| &mut item.node),
            _ => None,
        }
    }

    pub fn at(&self, key: &Key) -> Option<&Self> {
        key.steps().iter().try_fold(self, |node, step| node.child(step))
    }

    pub fn at_mut(&mut self, key: &Key) -> Option<&mut Self> {
        key.steps().iter().try_fold(self, |node, step| node.child_mut(step))
    }

    /// Takes the value at `key` out of the tree; `false` when there is none.
    pub fn remove(&mut self, key: &Key) -> bool {
        let Some((last, parent)) = key.steps().split_last() else { return false };
        let Some(parent) = self.at_mut(&Key::of(parent)) else { return false };
        match (&mut parent.value, last) {
            (Value::Table(entries), Step::Name(name)) => {
                let before = entries.len();
                entries.retain(|entry| entry.name != *name);
                entries.len() < before
            }
            (Value::List(items), Step::Index(index)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        }
    }

    /// The place of the deepest part of `key` that was written, and `key` with the indices that were written.
    pub fn locate(&self, key: &Key) -> (Place, Key) {
        let (mut node, mut place) = (Some(self), self.place.clone());
        let mut written = Key::root();
        for step in key.steps() {
            written = match (step, node.map(|node| &node.value)) {
                (Step::Index(index), Some(Value::List(items))) => {
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
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(|item| item.node.to_json()).collect(),
            Value::Table(entries) => serde_json::Value::Object(
                entries.iter().map(|entry| (entry.name.clone(), entry.node.to_json())).collect(),
            ),
        }
    }
}

/// So many mistakes are kept of one document.
pub const MOST: usize = 50;

/// Mistakes gathered while one document is read; keeps one mistake a key, since one often causes the next.
#[derive(Debug)]
pub struct Findings {
    file: PathBuf,
    found: Vec<(Key, Mistake)>,
}

impl Findings {
    pub fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), found: Vec::new() }
    }

    /// A mistake at `key` of `root`.
    pub fn add(&mut self, root: &Node, key: &Key, message: impl Into<String>, remedy: impl Into<String>) {
        if self.is_full() {
            return;
        }
        let (place, key) = root.locate(key);
        if !self.found.iter().any(|(other, _)| other.covers(&key) || key.covers(other)) {
            self.push(key, place, message.into(), remedy.into());
        }
    }

    /// A mistake at a place that is already known.
    pub fn push(&mut self, key: Key, place: Place, message: String, remedy: String) {
        if self.is_full() {
            return;
        }
        let (file, line, column) = match place {
            Place::Text { line, column } => (self.file.clone(), Some(line), Some(column)),
            Place::Variable(name) => (PathBuf::from(format!("env:{name}")), None, None),
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

    /// Nobody reads more at once, and a file with a mistake in each of its keys is not to keep us busy.
    pub fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }

    /// In the order of the file.
    pub fn into_mistakes(self) -> Vec<Mistake> {
        let mut mistakes: Vec<_> = self.found.into_iter().map(|(_, mistake)| mistake).collect();
        mistakes.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        mistakes
    }
}
