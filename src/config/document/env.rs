//! `DOORWARD_SERVER__WORKERS=2`: the environment laid over a tree.

use std::collections::BTreeMap;

use super::{DocumentNode, ListItem, NodeValue, SourcePosition, TableEntry, toml};

pub const PREFIX: &str = "DOORWARD_";

/// Read by the command line, no part of the configuration.
pub const RESERVED: [&str; 2] = ["DOORWARD_CONFIG", "DOORWARD_LOG"];

/// Puts each `DOORWARD_…` variable at the key it names. Unknown names are inserted too: reading the tree reports
/// them with the variable's name.
pub fn apply_environment(root: &mut DocumentNode, env: &BTreeMap<String, String>) {
    let mut variables: Vec<_> = env
        .iter()
        .filter(|(name, _)| !RESERVED.contains(&name.as_str()))
        .filter_map(|(name, text)| Some((segments(name.strip_prefix(PREFIX)?), name, text)))
        .filter(|(_, name, text)| !is_service_link(name, text))
        .collect();
    // a table before what is in it, `[9]` before `[10]`
    variables.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    for (steps, name, text) in variables {
        let place = SourcePosition::Variable(name.as_str().into());
        let path: Vec<_> = steps.into_iter().map(|NameSegment { text, .. }| text).collect();
        insert(root, &path, possible_values(text, &place), &place);
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct NameSegment {
    number: Option<usize>,
    text: String,
}

fn segments(name: &str) -> Vec<NameSegment> {
    name.split("__")
        .map(|part| NameSegment { number: part.parse().ok(), text: part.to_ascii_lowercase() })
        .collect()
}

/// A TOML value, or else the text itself, or else a list with commas: whichever the key takes.
pub(super) fn possible_values(text: &str, place: &SourcePosition) -> DocumentNode {
    let mut readings = scalar_values(text, place);
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    readings.push(NodeValue::List(
        items
            .enumerate()
            .map(|(index, item)| ListItem {
                index,
                node: with_alternatives(scalar_values(item, place), place),
            })
            .collect(),
    ));
    with_alternatives(readings, place)
}

fn scalar_values(text: &str, place: &SourcePosition) -> Vec<NodeValue> {
    let mut readings: Vec<_> = toml::value(text, place).into_iter().collect();
    readings.push(NodeValue::Text(text.to_owned()));
    readings
}

fn with_alternatives(mut readings: Vec<NodeValue>, place: &SourcePosition) -> DocumentNode {
    let otherwise = readings.split_off(1.min(readings.len()));
    let value = readings.pop().unwrap_or(NodeValue::Null);
    DocumentNode { alternatives: otherwise, ..DocumentNode::new(value, place.clone()) }
}

fn insert(node: &mut DocumentNode, path: &[String], new: DocumentNode, place: &SourcePosition) {
    let Some((name, rest)) = path.split_first() else {
        *node = new;
        return;
    };
    let index = name.parse::<usize>().ok();
    // a number is an index where a list is, or where nothing is yet and the list begins
    if let NodeValue::List(items) = &mut node.value
        && let Some(index) = index
        && index <= items.len()
    {
        if index == items.len() {
            items.push(ListItem {
                index,
                node: DocumentNode::new(NodeValue::Table(Vec::new()), place.clone()),
            });
        }
        if let Some(item) = items.get_mut(index) {
            insert(&mut item.node, rest, new, place);
        }
        return;
    }
    if !matches!(node.value, NodeValue::Table(_)) {
        *node = DocumentNode::new(NodeValue::Table(Vec::new()), place.clone());
    }
    let NodeValue::Table(entries) = &mut node.value else { return };
    if !entries.iter().any(|entry| entry.name == *name) {
        let starts_list = rest.first().is_some_and(|next| next == "0");
        let empty = if starts_list { NodeValue::List(Vec::new()) } else { NodeValue::Table(Vec::new()) };
        entries.push(TableEntry {
            name: name.clone(),
            place: place.clone(),
            node: DocumentNode::new(empty, place.clone()),
        });
    }
    if let Some(entry) = entries.iter_mut().find(|entry| entry.name == *name) {
        if rest.is_empty() {
            entry.place = place.clone();
        }
        insert(&mut entry.node, rest, new, place);
    }
}

/// Kubernetes sets `DOORWARD_PORT=tcp://…` and its kin in every pod when a Service is called `doorward`.
fn is_service_link(name: &str, text: &str) -> bool {
    let is_port = |rest: &str| {
        let rest = rest.split('_').next().unwrap_or_default();
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit())
    };
    !name.contains("__")
        && (name.ends_with("_SERVICE_HOST")
            || name.ends_with("_SERVICE_PORT")
            || name.contains("_SERVICE_PORT_")
            || (name.ends_with("_PORT") && text.contains("://"))
            || name.split_once("_PORT_").is_some_and(|(_, rest)| is_port(rest)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn overlaid(variables: &[(&str, &str)]) -> serde_json::Value {
        let mut root =
            DocumentNode::new(NodeValue::Table(Vec::new()), SourcePosition::Text { line: 1, column: 1 });
        let env = variables.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        apply_environment(&mut root, &env);
        root.to_json()
    }

    #[test]
    fn names_become_keys_and_texts_become_values() {
        for (name, text, tree) in [
            ("DOORWARD_SERVER__WORKERS", "2", json!({"server": {"workers": 2}})),
            ("DOORWARD_TENANCY__TTL", "15m", json!({"tenancy": {"ttl": "15m"}})),
            (
                "DOORWARD_APIM__DEVPORTAL__ENABLE_ANONYMOUS_MODE",
                "false",
                json!({"apim": {"devportal": {"enable_anonymous_mode": false}}}),
            ),
            ("DOORWARD_SERVER__LISTEN", "[\"a\", \"b\"]", json!({"server": {"listen": ["a", "b"]}})),
            (
                "DOORWARD_ISSUER__0__INTROSPECTION__CLIENT_SECRET",
                "s",
                json!({"issuer": [{"introspection": {"client_secret": "s"}}]}),
            ),
            ("DOORWARD_CONFIG", "x", json!({})),
            ("DOORWARD_LOG", "x", json!({})),
            ("PATH", "x", json!({})),
        ] {
            assert_eq!(overlaid(&[(name, text)]), tree, "{name}");
        }
    }

    #[test]
    fn lists_grow_in_order() {
        let many: Vec<_> = (0..11)
            .map(|index| (format!("DOORWARD_PORTAL__UPSTREAM__{index}__URL"), index.to_string()))
            .collect();
        let many: Vec<_> = many.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(overlaid(&many)["portal"]["upstream"][10], json!({"url": 10}));
    }

    #[test]
    fn ignores_kubernetes_service_variables() {
        for (name, text) in [
            ("DOORWARD_PORT", "tcp://10.0.0.1:80"),
            ("DOORWARD_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("DOORWARD_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("DOORWARD_SERVICE_HOST", "10.0.0.1"),
            ("DOORWARD_SERVICE_PORT", "80"),
            ("DOORWARD_SERVICE_PORT_HTTP", "80"),
            ("DOORWARD_ADMIN_SERVICE_HOST", "10.0.0.1"),
        ] {
            assert_eq!(overlaid(&[(name, text)]), json!({}), "{name}");
        }
        assert_ne!(overlaid(&[("DOORWARD_PORTAL", "x")]), json!({}));
    }
}
