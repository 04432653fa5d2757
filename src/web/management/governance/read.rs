//! What is sent, understood in one way only: a name that is there twice, one that nobody knows and a value that is none are
//! told with their place. Values travel as texts; numbers, true and false are taken too.

use std::collections::HashSet;

use super::Problem;
use crate::config::document::{Entry, Node, Place, Value, json};

type Properties = Vec<(String, String)>;
/// A connector, and which of its properties; `None`: all.
type Preference = (String, Option<Vec<String>>);

/// `{"operation": "UPDATE", "properties": [{"name": …, "value": …}]}`
pub fn patch(text: &str) -> Result<Properties, Problem> {
    let root = parse(text)?;
    let fields = fields(&root, "", &["operation", "properties"])?;
    operation(fields.need("operation")?)?;
    properties(fields.need("properties")?)
}

/// `{"operation": "UPDATE", "connectors": [{"id": …, "properties": […]}]}`
pub fn patches(text: &str) -> Result<Vec<(String, Properties)>, Problem> {
    let root = parse(text)?;
    let fields = fields(&root, "", &["operation", "connectors"])?;
    operation(fields.need("operation")?)?;
    let connectors = fields.need("connectors")?;
    items(connectors.0, &connectors.1)?
        .map(|(item, path)| {
            let fields = self::fields(item, &path, &["id", "properties"])?;
            Ok((string(fields.need("id")?)?, properties(fields.need("properties")?)?))
        })
        .collect()
}

/// `{"properties": [name, …]}`
pub fn names(text: &str) -> Result<Vec<String>, Problem> {
    let root = parse(text)?;
    let properties = fields(&root, "", &["properties"])?.need("properties")?;
    items(properties.0, &properties.1)?.map(string).collect()
}

/// `[{"connector-name": …, "properties": [name, …]}]`
pub fn preferences(text: &str) -> Result<Vec<Preference>, Problem> {
    let root = parse(text)?;
    let mut connectors = HashSet::new();
    items(&root, "")?
        .map(|(item, path)| {
            let fields = fields(item, &path, &["connector-name", "properties"])?;
            let names = match fields.find("properties") {
                Some(properties) => {
                    let mut names = HashSet::new();
                    let names = items(properties.0, &properties.1)?.map(|name| once(name, &mut names));
                    Some(names.collect::<Result<_, _>>()?)
                }
                None => None,
            };
            Ok((once(fields.need("connector-name")?, &mut connectors)?, names))
        })
        .collect()
}

/// A value and what it is called in a message.
type At<'a> = (&'a Node, String);

struct Fields<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> Fields<'a> {
    fn find(&self, name: &str) -> Option<At<'a>> {
        self.node.entry(name).map(|entry| (&entry.node, below(&self.path, name)))
    }

    fn need(&self, name: &str) -> Result<At<'a>, Problem> {
        self.find(name)
            .ok_or_else(|| problem(&self.node.place, &self.path, &format!("the member {name:?} is missing")))
    }
}

fn parse(text: &str) -> Result<Node, Problem> {
    json::parse(text).map_err(|error| problem(&error.place, "", &format!("not JSON: {}", error.message)))
}

fn fields<'a>(node: &'a Node, path: &str, known: &[&str]) -> Result<Fields<'a>, Problem> {
    let Value::Table(entries) = &node.value else {
        return Err(problem(&node.place, path, "an object should be here"));
    };
    for (index, Entry { name, place, .. }) in entries.iter().enumerate() {
        let written: String = name.chars().take(100).collect();
        if !known.contains(&name.as_str()) {
            return Err(problem(place, path, &format!("the member {written:?} is not known here")));
        }
        if entries.iter().take(index).any(|earlier| earlier.name == *name) {
            return Err(problem(place, path, &format!("the member {written:?} is here twice")));
        }
    }
    Ok(Fields { node, path: path.to_owned() })
}

fn items<'a>(node: &'a Node, path: &str) -> Result<impl Iterator<Item = At<'a>>, Problem> {
    let Value::List(items) = &node.value else {
        return Err(problem(&node.place, path, "a list should be here"));
    };
    let path = path.to_owned();
    Ok(items.iter().map(move |item| (&item.node, format!("{path}[{}]", item.index))))
}

fn operation((node, path): At<'_>) -> Result<(), Problem> {
    match &node.value {
        Value::Text(text) if text == "UPDATE" => Ok(()),
        _ => Err(problem(&node.place, &path, "the only operation is \"UPDATE\"")),
    }
}

fn properties((node, path): At<'_>) -> Result<Properties, Problem> {
    items(node, &path)?
        .map(|(item, path)| {
            let fields = fields(item, &path, &["name", "value"])?;
            Ok((string(fields.need("name")?)?, value(fields.need("value")?)?))
        })
        .collect()
}

fn string((node, path): At<'_>) -> Result<String, Problem> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err(problem(&node.place, &path, "a text should be here")),
    }
}

/// A text that is not there yet: an answer is to be no longer than all there is.
fn once(at: At<'_>, seen: &mut HashSet<String>) -> Result<String, Problem> {
    let (node, path) = (at.0, at.1.clone());
    let text = string(at)?;
    if seen.insert(text.clone()) {
        Ok(text)
    } else {
        Err(problem(&node.place, &path, "this is here twice; ask for it once"))
    }
}

fn value((node, path): At<'_>) -> Result<String, Problem> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::List(_) | Value::Table(_) => {
            Err(problem(&node.place, &path, "a text, a number, true or false should be here"))
        }
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn problem(place: &Place, path: &str, what: &str) -> Problem {
    let key = if path.is_empty() { String::new() } else { format!("{path}: ") };
    Problem::bad_request(match place {
        Place::Text { line, column } => format!("Line {line}, column {column}: {key}{what}."),
        Place::Variable(_) => format!("{key}{what}."),
    })
}
