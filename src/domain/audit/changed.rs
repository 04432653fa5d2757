//! What is different in a file of JSON: a deed for each value, and no secret in any of them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use url::Url;

use super::{Deed, SECRET};
use crate::domain::governance;

/// So many are for people to read; the tag of the whole text says what exactly was there.
const MOST: usize = 200;
/// In characters.
const LONGEST: usize = 500;
/// How the name of a text ends that is nobody's to read, in every spelling: `client_secret`, `apiKey`.
const SECRETIVE: [&str; 9] = [
    "secret",
    "password",
    "passwd",
    "passphrase",
    "token",
    "credential",
    "apikey",
    "privatekey",
    "accesskey",
];

/// The values that were changed, each named by its JSON Pointer behind `file#` (RFC 6901 §6); no file is an empty one. None
/// where one side is no JSON.
pub fn changed(action: &'static str, file: &str, before: Option<&[u8]>, after: &[u8]) -> Vec<Deed> {
    let parse = |text: &[u8]| serde_json::from_slice::<Value>(text).ok();
    let (Some(before), Some(after)) = (parse(before.unwrap_or(b"{}")), parse(after)) else {
        return Vec::new();
    };
    let [mut old, mut new] = [BTreeMap::new(), BTreeMap::new()];
    leaves(&before, String::new(), false, &mut old);
    leaves(&after, String::new(), false, &mut new);
    let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut deeds: Vec<Deed> = all
        .into_iter()
        .filter(|at| old.get(*at) != new.get(*at))
        .map(|at| Deed {
            action,
            target: shorten(format!("{file}#{at}")),
            before: old.get(at).map(Leaf::shown),
            after: new.get(at).map(Leaf::shown),
        })
        .collect();
    let more = deeds.len().saturating_sub(MOST);
    if more > 0 {
        deeds.truncate(MOST);
        let after = Some(format!("and {more} more values"));
        deeds.push(Deed { action, target: format!("{file}#"), before: None, after });
    }
    deeds
}

#[derive(PartialEq)]
struct Leaf<'a> {
    value: &'a Value,
    is_secret: bool,
}

impl Leaf<'_> {
    fn shown(&self) -> String {
        match self.value {
            Value::String(_) | Value::Number(_) if self.is_secret => SECRET.to_owned(),
            Value::String(text) if names_a_password(text) => SECRET.to_owned(),
            value => shorten(value.to_string()),
        }
    }
}

fn leaves<'a>(value: &'a Value, at: String, is_secret: bool, into: &mut BTreeMap<String, Leaf<'a>>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let below = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                leaves(value, below, is_secret || says_secret(name), into);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                leaves(value, format!("{at}/{index}"), is_secret, into);
            }
        }
        // nothing in it, and nothing to say about it
        Value::Object(_) if at.is_empty() => {}
        value => {
            into.insert(at, Leaf { value, is_secret });
        }
    }
}

fn says_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let singular = plain.strip_suffix('s').unwrap_or(&plain);
    name.starts_with(governance::SECRET) || SECRETIVE.iter().any(|ending| singular.ends_with(ending))
}

/// `https://name:password@host`
fn names_a_password(text: &str) -> bool {
    text.contains("://") && Url::parse(text).is_ok_and(|url| url.password().is_some())
}

fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &str, after: &str) -> String {
        let deeds = changed("replace", "f", Some(before.as_bytes()), after.as_bytes());
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
        let lines = deeds
            .iter()
            .map(|deed| format!("{} {} > {}", deed.target, side(&deed.before), side(&deed.after)));
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn only_what_is_different_each_value_by_its_pointer() {
        for (before, after, said) in [
            ("{}", "{ }", ""),
            ("{\"a\": 1, \"b\": {\"c\": true}}", "{\"b\": {\"c\": false}, \"a\": 1}", "f#/b/c true > false"),
            ("{}", "{\"a/b\": {\"~\": \"x\"}}", "f#/a~1b/~0 - > \"x\""),
            ("{\"a\": [1, 2]}", "{\"a\": [1, 3, 4]}", "f#/a/1 2 > 3; f#/a/2 - > 4"),
            ("{\"a\": {\"b\": 1}}", "{\"a\": 2}", "f#/a - > 2; f#/a/b 1 > -"),
            ("{ broken", "{\"a\": 2}", ""),
        ] {
            assert_eq!(told(before, after), said, "{before} {after}");
        }
        assert_eq!(changed("replace", "f", None, b"{\"a\": null}").len(), 1);
    }

    #[test]
    fn attack_a_secret_is_read_in_the_audit() {
        for key in [
            "client_secret",
            "clientSecret",
            "API-KEY",
            "api_keys",
            "Password",
            "__secret__.x",
            "access.tokens",
        ] {
            let [old, new] = ["old", "new"].map(|value| format!("{{\"a\": [{{\"{key}\": \"{value}\"}}]}}"));
            assert_eq!(told(&old, &new), format!("f#/a/0/{key} (secret) > (secret)"));
            let below = format!("{{\"{key}\": {{\"of\": [\"x\", 7]}}}}");
            let pointer = format!("f#/{key}/of");
            assert_eq!(
                told("[]", &below),
                format!("f# [] > -; {pointer}/0 - > (secret); {pointer}/1 - > (secret)")
            );
        }
        assert_eq!(told("{\"a\": 1}", "{\"a\": \"https://me:pw@host/\"}"), "f#/a 1 > (secret)");
        // switches and rules are no secrets
        let (before, after) = (
            "{\"forward_token\": true, \"password_policy\": {\"min\": 8}}",
            "{\"forward_token\": false, \"password_policy\": {\"min\": 9}}",
        );
        assert_eq!(told(before, after), "f#/forward_token true > false; f#/password_policy/min 8 > 9");
    }

    #[test]
    fn attack_a_file_that_fills_the_audit() {
        let many: Vec<usize> = (0..1000).collect();
        let deeds = changed("replace", "f", Some(b"[]"), serde_json::to_string(&many).unwrap().as_bytes());
        assert_eq!(deeds.len(), MOST + 1);
        assert_eq!(deeds.last().unwrap().after.as_deref(), Some("and 801 more values"));
        let long = format!("{{\"{}\": \"{}\"}}", "k".repeat(9000), "é".repeat(9000));
        let deed = changed("replace", "f", Some(b"{\"a\": 1}"), long.as_bytes()).pop().unwrap();
        assert_eq!(
            (deed.target.chars().count(), deed.after.unwrap().chars().count()),
            (LONGEST + 1, LONGEST + 1)
        );
    }
}
