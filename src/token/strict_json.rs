//! Parses a JSON object without duplicate members.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// Refuses an object that names a member twice: two parsers could use a different one of
/// them, and the portal would not read what was verified here.
pub fn parse_object(json: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice::<UniqueMembers>(json).ok().map(|UniqueMembers(members)| members)
}

struct UniqueMembers(Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueMembersVisitor)
    }
}

struct UniqueMembersVisitor;

impl<'de> Visitor<'de> for UniqueMembersVisitor {
    type Value = UniqueMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueMembers, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member occurs twice"));
            }
        }
        Ok(UniqueMembers(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_object_with_duplicate_members() {
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
            assert_eq!(parse_object(json.as_bytes()).is_some(), good, "{json}");
        }
    }

    #[test]
    fn attack_deeply_nested_json() {
        let deep = format!("{{\"a\":{}", "[".repeat(60_000));
        assert!(parse_object(deep.as_bytes()).is_none());
    }
}
