//! The JSON Schemas of both files, made from the structs that read them.

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::Value;

use super::{sections::DeploymentFile, tenant_file::section::TenantFile};

/// Of `deployment.toml`.
pub fn deployment() -> Value {
    schema_of::<DeploymentFile>()
}

/// Of `tenant-conf.json`: our keys in it.
pub fn tenant_conf() -> Value {
    schema_of::<TenantFile>()
}

fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(without_null))
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// A key is left out instead of being `null`.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    let Some(Value::Array(forms)) = object.get_mut("anyOf") else { return };
    forms.retain(|form| form.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(only)] = forms.as_slice() {
        let only = only.clone();
        object.remove("anyOf");
        for (name, value) in only {
            object.entry(name).or_insert(value);
        }
    }
}

/// One key of a schema, for the reference and the tests that hold it to the code.
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

/// All keys, each table before what is in it, in alphabetical order.
pub fn keys(schema: &Value) -> Vec<DocumentedKey> {
    let mut keys = Vec::new();
    collect(schema, schema, "", &mut keys);
    keys
}

fn collect(root: &Value, schema: &Value, prefix: &str, keys: &mut Vec<DocumentedKey>) {
    let Some(properties) = resolved(root, schema).get("properties").and_then(Value::as_object) else {
        return;
    };
    // plain keys before tables, as TOML wants them
    let (tables, plain): (Vec<_>, Vec<_>) =
        properties.iter().partition(|(_, property)| item_schema(root, property).get("properties").is_some());
    for (name, property) in plain.into_iter().chain(tables) {
        let many = property.get("type").is_some_and(|name| name == "array");
        let inside = item_schema(root, property);
        let table = inside.get("properties").is_some();
        let path = if many && table { format!("{prefix}{name}[]") } else { format!("{prefix}{name}") };
        let word = |name: &str| property.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        keys.push(DocumentedKey {
            form: form(root, property),
            default: property
                .get("default")
                .map_or_else(|| word("x-default"), |default| format!("`{default}`")),
            default_value: property.get("default").cloned(),
            example: property.get("examples").and_then(|examples| examples.get(0)).cloned(),
            effect: word("description").split_whitespace().collect::<Vec<_>>().join(" "),
            source: word("x-source"),
            restart: property.get("x-restart").is_some(),
            table,
            path: path.clone(),
        });
        collect(root, inside, &format!("{path}."), keys);
    }
}

/// Resolves a reference, or the items of a list.
fn item_schema<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = resolved(root, schema);
    schema.get("items").map_or(schema, |items| resolved(root, items))
}

fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference =
        schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
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

#[cfg(test)]
mod tests;
