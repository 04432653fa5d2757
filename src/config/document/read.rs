//! Deserialises a tree and collects every mistake: an invalid value is recorded and removed, and the rest is tried again.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::{DocumentNode, Findings, KeyPath, KeyStep, nearest::nearest};

/// Between message and remedy in an error that one of our own value types made.
pub const REMEDY_SEPARATOR: char = '\u{1f}';

/// Before the list of all known keys, in the remedy for an unknown one.
pub const KNOWN_KEYS: &str = "known here: ";

/// Reads `T` from the key `base` of `root`, without invalid values.
pub fn read<T: DeserializeOwned + Default>(
    root: &mut DocumentNode,
    base: &KeyPath,
    findings: &mut Findings,
) -> T {
    // mistakes of the first reading of each variable
    let mut first_readings: Vec<(KeyPath, (KeyPath, String))> = Vec::new();
    // each round takes out a value or one of its readings, so the loop ends; the bound makes that explicit
    while !findings.is_full() {
        let Some(node) = root.at(base) else { break };
        let (key, message) = match serde_path_to_error::deserialize(node.to_json()) {
            Ok(read) => return read,
            Err(error) => (error_key(base, error.path()), error.inner().to_string()),
        };
        if let Some(whole) = next_reading(root, &key) {
            if !first_readings.iter().any(|(variable, _)| *variable == whole) {
                first_readings.push((whole, (key, message)));
            }
            continue;
        }
        // when no reading of a variable fits, a faulty item is more precise than "not a list", else the first reading's fault
        let first = first_readings.iter().find(|(variable, _)| *variable == key).map(|(_, first)| first);
        let (key, message) = first.cloned().unwrap_or((key, message));
        record_mistake(root, key, &message, findings);
    }
    T::default()
}

/// Tries the next reading of the variable that holds `key`.
fn next_reading(root: &mut DocumentNode, key: &KeyPath) -> Option<KeyPath> {
    let variable_key = (0..=key.steps().len())
        .rev()
        .map(|length| KeyPath::of(key.steps().get(..length).unwrap_or_default()))
        .find(|part| root.at(part).is_some_and(|node| !node.alternatives.is_empty()))?;
    let node = root.at_mut(&variable_key)?;
    node.value = node.alternatives.remove(0);
    Some(variable_key)
}

fn error_key(base: &KeyPath, path: &serde_path_to_error::Path) -> KeyPath {
    path.iter().fold(base.clone(), |key, segment| match segment {
        Segment::Seq { index } => key.item(*index),
        Segment::Map { key: name } => key.name(name),
        Segment::Enum { .. } | Segment::Unknown => key,
    })
}

fn record_mistake(root: &mut DocumentNode, mut key: KeyPath, message: &str, findings: &mut Findings) {
    let (message, remedy) = if let Some((name, known)) = unknown_name(message, "unknown field") {
        if key.steps().last() != Some(&KeyStep::Name(name.clone())) {
            key = key.name(&name);
        }
        (format!("there is no key `{name}` here"), suggestion(&name, &known))
    } else if let Some((word, known)) = unknown_name(message, "unknown variant") {
        (format!("`{word}` is not one of the words known here"), suggestion(&word, &known))
    } else if let Some((message, remedy)) = message.split_once(REMEDY_SEPARATOR) {
        (message.to_owned(), remedy.to_owned())
    } else {
        wrong_type(&key, message)
    };
    let (mut place, written) = root.locate(&key);
    // an unknown key is found at its name, a bad value at the value
    if message.starts_with("there is no key")
        && let Some((KeyStep::Name(name), parent)) = key.steps().split_last()
        && let Some(entry) = root.at(&KeyPath::of(parent)).and_then(|parent| parent.entry(name))
    {
        place = entry.place.clone();
    }
    findings.push(written, place, message, remedy);
    while !root.remove(&key) {
        // serde names a key that the tree does not have: give up what holds it
        let Some((_, parent)) = key.steps().split_last() else {
            root.value = super::NodeValue::Table(Vec::new());
            return;
        };
        key = KeyPath::of(parent);
    }
}

/// "unknown field `x`, expected one of `a`, `b`": the names between backquotes.
fn unknown_name(message: &str, what: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix(what)?.strip_prefix(" `")?;
    let (name, rest) = rest.split_once("`, ")?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name.to_owned(), known))
}

fn suggestion(written: &str, known: &[String]) -> String {
    match nearest(written, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "remove it".to_owned(),
        None => format!("{KNOWN_KEYS}{}", known.join(", ")),
    }
}

/// "invalid type: string "x", expected a boolean".
fn wrong_type(key: &KeyPath, message: &str) -> (String, String) {
    let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "))
    else {
        return (message.to_owned(), String::new());
    };
    let expected = match expected {
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        "a string" | "string or map" | "variant identifier" => "text in quotes",
        "a boolean" => "true or false",
        "usize" | "u64" | "u32" | "u16" => "a whole number, not negative",
        other => other,
    };
    let secret = matches!(key.steps().last(), Some(KeyStep::Name(name)) if name.contains("secret"));
    let found = if secret { "this" } else { found };
    (format!("{found} cannot be used here"), format!("write {expected}"))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use serde::Deserialize;

    use super::*;
    use crate::config::document::{env, toml};

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct SampleConfig {
        on: Option<bool>,
        numbers: Option<Vec<u16>>,
        name: Option<String>,
        inner: Option<Inner>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, expecting = "a table")]
    struct Inner {
        client_secret: Option<String>,
    }

    fn read_all(text: &str, variables: &[(&str, &str)]) -> (SampleConfig, Vec<String>) {
        let mut findings = Findings::new(Path::new("f"));
        let mut root = toml::parse(text, &mut findings).unwrap();
        let env: BTreeMap<_, _> = variables.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        env::apply_environment(&mut root, &env);
        let sample = read(&mut root, &KeyPath::root(), &mut findings);
        (sample, findings.into_mistakes().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_mistake_at_once_each_in_its_place() {
        let (sample, mistakes) = read_all(
            "nmae = 'x'\non = 'yes'\nnumbers = [1, 'two', -3, 4, 'five']\ninner = 5\nname = 'n'",
            &[],
        );
        assert_eq!(
            mistakes,
            [
                "f:1:1: nmae: there is no key `nmae` here (did you mean `name`?)",
                "f:2:6: on: string \"yes\" cannot be used here (write true or false)",
                "f:3:15: numbers[1]: string \"two\" cannot be used here (write a whole number, not negative)",
                "f:3:22: numbers[2]: integer `-3` cannot be used here (write a whole number, not negative)",
                "f:3:29: numbers[4]: string \"five\" cannot be used here (write a whole number, not negative)",
                "f:4:9: inner: integer `5` cannot be used here (write a table)",
            ]
        );
        assert_eq!(
            sample,
            SampleConfig { numbers: Some(vec![1, 4]), name: Some("n".into()), ..SampleConfig::default() }
        );
    }

    #[test]
    fn a_secret_of_the_wrong_type_is_not_repeated() {
        let (_, mistakes) = read_all("inner.client_secret = 4711", &[]);
        assert_eq!(
            mistakes,
            ["f:1:23: inner.client_secret: this cannot be used here (write text in quotes)"]
        );
    }

    #[test]
    fn a_variable_is_read_as_its_key_needs_it() {
        let (sample, mistakes) = read_all(
            "on = true\nname = 'x'",
            &[("DOORWARD_NAME", "12"), ("DOORWARD_NUMBERS", "1, 2"), ("DOORWARD_ON", "false")],
        );
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!(
            sample,
            SampleConfig {
                on: Some(false),
                numbers: None.or(Some(vec![1, 2])),
                name: Some("12".into()),
                inner: None
            }
        );
    }

    #[test]
    fn a_bad_variable_is_named() {
        let (_, mistakes) = read_all("", &[("DOORWARD_ON", "maybe"), ("DOORWARD_NMAE", "x")]);
        assert_eq!(
            mistakes,
            [
                "env:DOORWARD_NMAE: nmae: there is no key `nmae` here (did you mean `name`?)",
                "env:DOORWARD_ON: on: string \"maybe\" cannot be used here (write true or false)",
            ]
        );
    }
}
