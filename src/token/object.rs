//! A JSON object that says each thing once.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// Reads a JSON object and refuses one that names a member twice: two readers could take a different one of
/// them, and what was verified here would not be what is believed there.
pub fn parse(json: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice::<Once>(json).ok().map(|Once(members)| members)
}

struct Once(Map<String, Value>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Once, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member occurs twice"));
            }
        }
        Ok(Once(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_with_distinct_members_is_read() {
        for (json, good) in [
            (r#"{"a":1,"b":{"a":2}}"#, true),
            (" {\"a\":1}\n", true),
            ("{}", true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"iss":"good","iss":"bad"}"#, false),
            (r#"{"iss":"good","\u0069ss":"bad"}"#, false),
            ("[]", false),
            ("foo", false),
            ("", false),
            (r#"{"a":1} x"#, false),
            (r#"{"exp":1e999}"#, false),
        ] {
            assert_eq!(parse(json.as_bytes()).is_some(), good, "{json}");
        }
    }

    #[test]
    fn deeply_nested_json_cannot_exhaust_the_stack() {
        let deep = format!("{{\"a\":{}", "[".repeat(60_000));
        assert!(parse(deep.as_bytes()).is_none());
    }
}
