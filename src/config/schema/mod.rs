//! The JSON Schemas of both files, made from the structs that read them.

#[cfg(test)]
mod documented_key;

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::Value;

#[cfg(test)]
pub use documented_key::{DocumentedKey, keys};

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

/// The paths of all keys, such as `portal.upstream[].url`: each table before the keys in it.
pub fn key_paths(schema: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    visit_keys(schema, schema, "", &mut |path, _, _| paths.push(path));
    paths
}

/// Calls `visit` with the path and the schema of each key, and whether it is a table with keys of its own.
fn visit_keys<'a>(
    root: &'a Value,
    schema: &'a Value,
    prefix: &str,
    visit: &mut impl FnMut(String, &'a Value, bool),
) {
    let Some(properties) = resolved(root, schema).get("properties").and_then(Value::as_object) else {
        return;
    };
    // plain keys before tables, as TOML wants them
    let (tables, plain): (Vec<_>, Vec<_>) =
        properties.iter().partition(|(_, property)| item_schema(root, property).get("properties").is_some());
    for (name, property) in plain.into_iter().chain(tables) {
        let many = property.get("type").is_some_and(|name| name == "array");
        let inside = item_schema(root, property);
        let is_table = inside.get("properties").is_some();
        let path = if many && is_table { format!("{prefix}{name}[]") } else { format!("{prefix}{name}") };
        let prefix = format!("{path}.");
        visit(path, property, is_table);
        visit_keys(root, inside, &prefix, visit);
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

#[cfg(test)]
mod tests;
