//! Strict parser of request bodies: duplicate members, unknown members and invalid values are rejected with their
//! position. Values are sent as texts; numbers, true and false are accepted too.

use std::collections::HashSet;

use super::ApiProblem;
use crate::config::document::{DocumentNode, NodeValue, SourcePosition, TableEntry, json};

type PropertyValues = Vec<(String, String)>;
/// A connector, and which of its properties; `None`: all.
type Preference = (String, Option<Vec<String>>);

/// `{"operation": "UPDATE", "properties": [{"name": …, "value": …}]}`
pub fn patch(text: &str) -> Result<PropertyValues, ApiProblem> {
    let root = parse(text)?;
    let fields = fields(&root, "", &["operation", "properties"])?;
    operation(fields.require("operation")?)?;
    properties(fields.require("properties")?)
}

/// `{"operation": "UPDATE", "connectors": [{"id": …, "properties": […]}]}`
pub fn patches(text: &str) -> Result<Vec<(String, PropertyValues)>, ApiProblem> {
    let root = parse(text)?;
    let fields = fields(&root, "", &["operation", "connectors"])?;
    operation(fields.require("operation")?)?;
    let connectors = fields.require("connectors")?;
    items(connectors.node, &connectors.path)?
        .map(|LocatedNode { node: item, path }| {
            let fields = self::fields(item, &path, &["id", "properties"])?;
            Ok((string(fields.require("id")?)?, properties(fields.require("properties")?)?))
        })
        .collect()
}

/// `{"properties": [name, …]}`
pub fn names(text: &str) -> Result<Vec<String>, ApiProblem> {
    let root = parse(text)?;
    let properties = fields(&root, "", &["properties"])?.require("properties")?;
    items(properties.node, &properties.path)?.map(string).collect()
}

/// `[{"connector-name": …, "properties": [name, …]}]`
pub fn preferences(text: &str) -> Result<Vec<Preference>, ApiProblem> {
    let root = parse(text)?;
    let mut connectors = HashSet::new();
    items(&root, "")?
        .map(|LocatedNode { node: item, path }| {
            let fields = fields(item, &path, &["connector-name", "properties"])?;
            let names = match fields.find("properties") {
                Some(properties) => {
                    let mut names = HashSet::new();
                    let names =
                        items(properties.node, &properties.path)?.map(|name| unique_string(name, &mut names));
                    Some(names.collect::<Result<_, _>>()?)
                }
                None => None,
            };
            Ok((unique_string(fields.require("connector-name")?, &mut connectors)?, names))
        })
        .collect()
}

/// A value and what it is called in a message.
struct LocatedNode<'a> {
    node: &'a DocumentNode,
    path: String,
}

struct ObjectFields<'a> {
    node: &'a DocumentNode,
    path: String,
}

impl<'a> ObjectFields<'a> {
    fn find(&self, name: &str) -> Option<LocatedNode<'a>> {
        self.node
            .entry(name)
            .map(|entry| LocatedNode { node: &entry.node, path: member_path(&self.path, name) })
    }

    fn require(&self, name: &str) -> Result<LocatedNode<'a>, ApiProblem> {
        self.find(name).ok_or_else(|| {
            located_problem(&self.node.place, &self.path, &format!("the member {name:?} is missing"))
        })
    }
}

fn parse(text: &str) -> Result<DocumentNode, ApiProblem> {
    json::parse(text)
        .map_err(|error| located_problem(&error.place, "", &format!("not JSON: {}", error.message)))
}

fn fields<'a>(node: &'a DocumentNode, path: &str, known: &[&str]) -> Result<ObjectFields<'a>, ApiProblem> {
    let NodeValue::Table(entries) = &node.value else {
        return Err(located_problem(&node.place, path, "an object should be here"));
    };
    for (index, TableEntry { name, place, .. }) in entries.iter().enumerate() {
        let written: String = name.chars().take(100).collect();
        if !known.contains(&name.as_str()) {
            return Err(located_problem(place, path, &format!("the member {written:?} is not known here")));
        }
        if entries.iter().take(index).any(|earlier| earlier.name == *name) {
            return Err(located_problem(place, path, &format!("the member {written:?} is here twice")));
        }
    }
    Ok(ObjectFields { node, path: path.to_owned() })
}

fn items<'a>(
    node: &'a DocumentNode,
    path: &str,
) -> Result<impl Iterator<Item = LocatedNode<'a>>, ApiProblem> {
    let NodeValue::List(items) = &node.value else {
        return Err(located_problem(&node.place, path, "a list should be here"));
    };
    let path = path.to_owned();
    Ok(items
        .iter()
        .map(move |item| LocatedNode { node: &item.node, path: format!("{path}[{}]", item.index) }))
}

fn operation(LocatedNode { node, path }: LocatedNode<'_>) -> Result<(), ApiProblem> {
    match &node.value {
        NodeValue::Text(text) if text == "UPDATE" => Ok(()),
        _ => Err(located_problem(&node.place, &path, "the only operation is \"UPDATE\"")),
    }
}

fn properties(LocatedNode { node, path }: LocatedNode<'_>) -> Result<PropertyValues, ApiProblem> {
    items(node, &path)?
        .map(|LocatedNode { node: item, path }| {
            let fields = fields(item, &path, &["name", "value"])?;
            Ok((string(fields.require("name")?)?, value(fields.require("value")?)?))
        })
        .collect()
}

fn string(LocatedNode { node, path }: LocatedNode<'_>) -> Result<String, ApiProblem> {
    match &node.value {
        NodeValue::Text(text) => Ok(text.clone()),
        _ => Err(located_problem(&node.place, &path, "a text should be here")),
    }
}

/// A text that has not occurred yet, so that a response cannot be longer than the whole catalogue.
fn unique_string(at: LocatedNode<'_>, seen: &mut HashSet<String>) -> Result<String, ApiProblem> {
    let (place, path) = (&at.node.place, at.path.clone());
    let text = string(at)?;
    if seen.insert(text.clone()) {
        Ok(text)
    } else {
        Err(located_problem(place, &path, "this is here twice; ask for it once"))
    }
}

fn value(LocatedNode { node, path }: LocatedNode<'_>) -> Result<String, ApiProblem> {
    match &node.value {
        NodeValue::Text(text) => Ok(text.clone()),
        NodeValue::Bool(value) => Ok(value.to_string()),
        NodeValue::Number(number) => Ok(number.to_string()),
        NodeValue::Null | NodeValue::List(_) | NodeValue::Table(_) => {
            Err(located_problem(&node.place, &path, "a text, a number, true or false should be here"))
        }
    }
}

fn member_path(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn located_problem(place: &SourcePosition, path: &str, what: &str) -> ApiProblem {
    let key = if path.is_empty() { String::new() } else { format!("{path}: ") };
    ApiProblem::bad_request(match place {
        SourcePosition::Text { line, column } => format!("Line {line}, column {column}: {key}{what}."),
        SourcePosition::Variable(_) => format!("{key}{what}."),
    })
}
