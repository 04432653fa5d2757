//! The keys of a schema, as the tests that write the reference and hold it to the code read them.

use serde_json::Value;

use super::{resolved, visit_keys};

#[derive(Debug)]
pub struct DocumentedKey {
    /// `portal.upstream[].url`
    pub path: String,
    pub form: String,
    /// As written in the schema, or in words.
    pub default: String,
    pub default_value: Option<Value>,
    /// Of a key whose default is not a value.
    pub example: Option<Value>,
    pub effect: String,
    pub source: String,
    pub restart: bool,
    /// A table with keys of its own, which follow.
    pub table: bool,
}

/// All keys, each table before the keys in it.
pub fn keys(schema: &Value) -> Vec<DocumentedKey> {
    let mut keys = Vec::new();
    visit_keys(schema, schema, "", &mut |path, property, table| {
        let word = |name: &str| property.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        keys.push(DocumentedKey {
            form: form(schema, property),
            default: property
                .get("default")
                .map_or_else(|| word("x-default"), |default| format!("`{default}`")),
            default_value: property.get("default").cloned(),
            example: property.get("examples").and_then(|examples| examples.get(0)).cloned(),
            effect: word("description").split_whitespace().collect::<Vec<_>>().join(" "),
            source: word("x-source"),
            restart: property.get("x-restart").is_some(),
            table,
            path,
        });
    });
    keys
}

fn form(root: &Value, schema: &Value) -> String {
    let schema = resolved(root, schema);
    if let Some(form) = schema.get("x-form").and_then(Value::as_str) {
        return form.to_owned();
    }
    let words = |list: &[Value]| {
        let words: Vec<_> = list.iter().map(|word| format!("`{word}`")).collect();
        words.join(", ")
    };
    if let Some(Value::Array(list)) = schema.get("enum") {
        return words(list);
    }
    if let Some(Value::Array(list)) = schema.get("oneOf") {
        return words(&list.iter().filter_map(|form| form.get("const").cloned()).collect::<Vec<_>>());
    }
    if let Some(Value::Array(forms)) = schema.get("anyOf") {
        let forms: Vec<_> = forms.iter().map(|form| self::form(root, form)).collect();
        return forms.join(" or ");
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => {
            let inside = schema.get("items").map(|items| form(root, items)).unwrap_or_default();
            if inside == "a table" {
                "a list of tables".to_owned()
            } else {
                format!("a list; each item {inside}")
            }
        }
        Some("object") => match schema.get("additionalProperties") {
            Some(inside @ Value::Object(_)) => format!("a table; each value {}", form(root, inside)),
            _ => "a table".to_owned(),
        },
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("integer") => "a whole number".to_owned(),
        Some("string") => "a text".to_owned(),
        _ => "anything".to_owned(),
    }
}
