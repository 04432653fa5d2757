//! JSON documents: tenant files, and the bodies of the management API.

use std::path::Path;

use super::{are_explained, is_in};
use crate::config::{
    document::{
        DocumentNode, NodeValue, SourcePosition,
        json::{self, MAX_DEPTH},
    },
    tenant_file,
};

const MAX_BYTES: usize = 64 * 1024;

/// The input is a JSON document.
///
/// - It is accepted where serde_json accepts it, with the same value; only depth and the length of names are bounded further.
/// - Every value has the place at which it is written, and every error a place in the text.
/// - A value that is written again is read as the same value.
/// - A tenant file that is refused is refused with a reason and a place.
pub fn json_document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.len() > MAX_BYTES {
        return;
    }
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reference = serde_json::from_str::<serde_json::Value>(bare);
    match (json::parse(text), reference) {
        (Ok(root), Ok(reference)) => {
            assert_eq!(root.to_json(), reference, "another value");
            is_in_place(&root, &bare.split('\n').map(|line| line.chars().collect()).collect::<Vec<_>>(), 0);
            is_read_as_written(&reference);
        }
        (Ok(_), Err(error)) => unreachable!("accepted what serde_json refuses: {error}"),
        (Err(error), reference) => {
            let SourcePosition::Text { line, column } = error.place else { unreachable!("{error:?}") };
            assert!(is_in(text, line, column), "{error:?} is not in the text");
            let bounded = ["nested too deeply", "a key with a name of more than 1,000 bytes"];
            assert!(reference.is_err() || bounded.contains(&error.message), "{error:?}");
        }
    }
    if let Err(mistakes) = tenant_file::parse(text, Path::new("tenant-conf.json")) {
        are_explained(&mistakes, text);
    }
}

fn is_in_place(node: &DocumentNode, lines: &[Vec<char>], depth: usize) {
    assert!(depth <= MAX_DEPTH, "{depth} levels");
    let SourcePosition::Text { line, column } = node.place else { unreachable!("{node:?}") };
    let line = line.checked_sub(1).and_then(|index| lines.get(index));
    let first = column.checked_sub(1).and_then(|index| line?.get(index)).copied().unwrap_or_default();
    let is_here = match &node.value {
        NodeValue::Null => first == 'n',
        NodeValue::Bool(value) => first == if *value { 't' } else { 'f' },
        NodeValue::Number(_) => first == '-' || first.is_ascii_digit(),
        NodeValue::Text(_) => first == '"',
        NodeValue::List(_) => first == '[',
        NodeValue::Table(_) => first == '{',
    };
    assert!(is_here, "{node:?} begins with {first:?}");
    match &node.value {
        NodeValue::List(items) => items.iter().for_each(|item| is_in_place(&item.node, lines, depth + 1)),
        NodeValue::Table(entries) => {
            for entry in entries {
                is_in_place(&entry.node, lines, depth + 1);
            }
        }
        _ => {}
    }
}

fn is_read_as_written(value: &serde_json::Value) {
    let written = value.to_string();
    let reference = serde_json::from_str(&written).unwrap_or_default();
    let again = json::parse(&written).map(|root| root.to_json());
    assert_eq!(again, Ok::<serde_json::Value, json::Error>(reference), "written and read again");
}
