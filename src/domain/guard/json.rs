//! Finds a member of a JSON body if every parser finds the same one.

use std::collections::HashSet;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{AmbiguousLogin, field_matcher::folded};

/// The one value of one of these members.
pub(super) fn member(members: &[String], body: &[u8]) -> Result<Option<String>, AmbiguousLogin> {
    let document: JsonDocument = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() { AmbiguousLogin::DuplicateName } else { AmbiguousLogin::Encoding }
    })?;
    let mut found = None;
    for member in members {
        let steps: Vec<String> = match member.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(|s| s.replace("~1", "/").replace("~0", "~")).collect(),
            None => vec![member.clone()],
        };
        if let Some(value) = document.find(&steps)?
            && found.replace(value).is_some()
        {
            return Err(AmbiguousLogin::DuplicateName);
        }
    }
    Ok(found)
}

/// Whether the document has one of these members, at any place that [`JsonDocument`] keeps.
pub(super) fn names_any(members: &[&str], body: &[u8]) -> bool {
    let folded_members: Vec<String> = members.iter().map(|member| folded(member)).collect();
    serde_json::from_slice::<JsonDocument>(body).is_ok_and(|document| document.names_any(&folded_members))
}

/// A document without duplicate members. Values that cannot be user names are dropped.
enum JsonDocument {
    Null,
    Text(String),
    List,
    Object(Vec<(String, JsonDocument)>),
}

impl JsonDocument {
    fn names_any(&self, folded_members: &[String]) -> bool {
        let Self::Object(members) = self else { return false };
        members
            .iter()
            .any(|(name, value)| folded_members.contains(&folded(name)) || value.names_any(folded_members))
    }

    fn find(&self, steps: &[String]) -> Result<Option<String>, AmbiguousLogin> {
        let Some((step, rest)) = steps.split_first() else {
            return match self {
                Self::Null => Ok(None),
                Self::Text(text) => Ok(Some(text.clone())),
                Self::List | Self::Object(_) => Err(AmbiguousLogin::NotText),
            };
        };
        match self {
            Self::Object(members) => {
                // some parsers ignore the case of member names (Go, Jackson if configured)
                let mut matching = members.iter().filter(|(name, _)| folded(name) == folded(step));
                match (matching.next(), matching.next()) {
                    (None, _) => Ok(None),
                    (Some((name, value)), None) if name == step => value.find(rest),
                    _ => Err(AmbiguousLogin::LookalikeField),
                }
            }
            // a list of logins: which one the portal takes is unknown
            Self::List => Err(AmbiguousLogin::NotText),
            Self::Null | Self::Text(_) => Ok(None),
        }
    }
}

impl<'de> Deserialize<'de> for JsonDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonVisitor;

        impl<'de> Visitor<'de> for JsonVisitor {
            type Value = JsonDocument;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<JsonDocument, E> {
                Ok(JsonDocument::Null)
            }

            // a name of digits may be written as a number
            fn visit_u64<E>(self, number: u64) -> Result<JsonDocument, E> {
                Ok(JsonDocument::Text(number.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<JsonDocument, E> {
                Ok(JsonDocument::Text(number.to_string()))
            }

            // the text form of a float is ambiguous: 1e3 is 1000 or 1000.0
            fn visit_f64<E>(self, _: f64) -> Result<JsonDocument, E> {
                Ok(JsonDocument::List)
            }

            fn visit_bool<E>(self, value: bool) -> Result<JsonDocument, E> {
                Ok(JsonDocument::Text(value.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<JsonDocument, E> {
                Ok(JsonDocument::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonDocument, A::Error> {
                while items.next_element::<JsonDocument>()?.is_some() {}
                Ok(JsonDocument::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<JsonDocument, A::Error> {
                let mut members: Vec<(String, JsonDocument)> = Vec::new();
                let mut names = HashSet::new();
                while let Some((name, value)) = entries.next_entry::<String, JsonDocument>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                    members.push((name, value));
                }
                Ok(JsonDocument::Object(members))
            }
        }

        deserializer.deserialize_any(JsonVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(body: &str) -> Result<Option<String>, AmbiguousLogin> {
        member(&["username".to_owned(), "/login/email".to_owned()], body.as_bytes())
    }

    #[test]
    fn a_member_is_found_at_its_place_only() {
        for (body, name) in [
            (r#"{"username":"alex","password":"x"}"#, Some("alex")),
            (r#"{"username":"al\u0065x"}"#, Some("alex")),
            (r#"{"login":{"email":"a@b.c"},"list":[{"username":"x"}]}"#, Some("a@b.c")),
            (r#"{"username":4711}"#, Some("4711")),
            (r#"{"username":null}"#, None),
            (r#"{"x":{"username":"alex"}}"#, None),
            (r#""alex""#, None),
        ] {
            assert_eq!(user(body), Ok(name.map(ToOwned::to_owned)), "{body}");
        }
    }

    #[test]
    fn finds_members_in_any_spelling_and_depth() {
        for (body, found) in [
            (r#"{"code":"1"}"#, true),
            (r#"{"Code":"1"}"#, true),
            (r#"{"params":{"username":"a","c_ode":1}}"#, true),
            (r#"{"params":{"codes":1}}"#, false),
            ("{}", false),
            ("no JSON", false),
        ] {
            assert_eq!(names_any(&["code"], body.as_bytes()), found, "{body}");
        }
    }

    #[test]
    fn attack_duplicate_json_members() {
        for body in [
            r#"{"username":"decoy","username":"victim"}"#,
            r#"{"username":"decoy","usern\u0061me":"victim"}"#,
            r#"{"username":"decoy","login":{"email":"victim"}}"#,
        ] {
            assert_eq!(user(body), Err(AmbiguousLogin::DuplicateName), "{body}");
        }
    }

    #[test]
    fn attack_json_members_in_another_case() {
        for body in [
            r#"{"Username":"victim"}"#,
            r#"{"username":"decoy","userName":"victim"}"#,
            r#"{"username ":"x"}"#,
        ] {
            assert_eq!(user(body), Err(AmbiguousLogin::LookalikeField), "{body}");
        }
    }

    #[test]
    fn attack_json_that_only_some_parsers_take() {
        for body in [
            "{'username':'victim'}",
            "{\"username\":\"victim\"} x",
            "\u{feff}{}",
            "{\"a\":1,}",
            "/**/{}",
            "[",
            "",
        ] {
            assert_eq!(user(body), Err(AmbiguousLogin::Encoding), "{body}");
        }
        for body in [
            r#"{"username":["victim"]}"#,
            r#"{"username":{"$ne":""}}"#,
            r#"[{"username":"x"}]"#,
            r#"{"username":1.5}"#,
        ] {
            assert_eq!(user(body), Err(AmbiguousLogin::NotText), "{body}");
        }
    }
}
