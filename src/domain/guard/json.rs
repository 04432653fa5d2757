//! A member of a JSON body, found only where every program finds the same one.

use std::collections::HashSet;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Doubt, field::folded};

/// The one value of one of these members.
pub(super) fn member(members: &[String], body: &[u8]) -> Result<Option<String>, Doubt> {
    let document: Json = serde_json::from_slice(body)
        .map_err(|error| if error.is_data() { Doubt::Twice } else { Doubt::Encoding })?;
    let mut found = None;
    for member in members {
        let steps: Vec<String> = match member.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(|s| s.replace("~1", "/").replace("~0", "~")).collect(),
            None => vec![member.clone()],
        };
        if let Some(value) = document.find(&steps)?
            && found.replace(value).is_some()
        {
            return Err(Doubt::Twice);
        }
    }
    Ok(found)
}

/// Whether the document has one of these members, at any place that [`Json`] keeps.
pub(super) fn names_any(members: &[&str], body: &[u8]) -> bool {
    let folded_members: Vec<String> = members.iter().map(|member| folded(member)).collect();
    serde_json::from_slice::<Json>(body).is_ok_and(|document| document.names_any(&folded_members))
}

/// A document in which no object has a member twice. Only what names can be made of is kept.
enum Json {
    Null,
    Text(String),
    List,
    Object(Vec<(String, Json)>),
}

impl Json {
    fn names_any(&self, folded_members: &[String]) -> bool {
        let Self::Object(members) = self else { return false };
        members
            .iter()
            .any(|(name, value)| folded_members.contains(&folded(name)) || value.names_any(folded_members))
    }

    fn find(&self, steps: &[String]) -> Result<Option<String>, Doubt> {
        let Some((step, rest)) = steps.split_first() else {
            return match self {
                Self::Null => Ok(None),
                Self::Text(text) => Ok(Some(text.clone())),
                Self::List | Self::Object(_) => Err(Doubt::NotText),
            };
        };
        match self {
            Self::Object(members) => {
                // some programs do not look at the case of a name (Go, Jackson when told so)
                let mut alike = members.iter().filter(|(name, _)| folded(name) == folded(step));
                match (alike.next(), alike.next()) {
                    (None, _) => Ok(None),
                    (Some((name, value)), None) if name == step => value.find(rest),
                    _ => Err(Doubt::Alike),
                }
            }
            // a list of sign-ins: who takes the first?
            Self::List => Err(Doubt::NotText),
            Self::Null | Self::Text(_) => Ok(None),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Json;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            // a name of digits may be written as a number
            fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
                Ok(Json::Text(number.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
                Ok(Json::Text(number.to_string()))
            }

            // what a portal makes a text of cannot be told: 1e3 is 1000 or 1000.0
            fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
                Ok(Json::List)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Text(value.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
                while items.next_element::<Json>()?.is_some() {}
                Ok(Json::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
                let mut members: Vec<(String, Json)> = Vec::new();
                let mut names = HashSet::new();
                while let Some((name, value)) = entries.next_entry::<String, Json>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                    members.push((name, value));
                }
                Ok(Json::Object(members))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(body: &str) -> Result<Option<String>, Doubt> {
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
            assert_eq!(user(body), Err(Doubt::Twice), "{body}");
        }
    }

    #[test]
    fn attack_json_members_in_another_case() {
        for body in [
            r#"{"Username":"victim"}"#,
            r#"{"username":"decoy","userName":"victim"}"#,
            r#"{"username ":"x"}"#,
        ] {
            assert_eq!(user(body), Err(Doubt::Alike), "{body}");
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
            assert_eq!(user(body), Err(Doubt::Encoding), "{body}");
        }
        for body in [
            r#"{"username":["victim"]}"#,
            r#"{"username":{"$ne":""}}"#,
            r#"[{"username":"x"}]"#,
            r#"{"username":1.5}"#,
        ] {
            assert_eq!(user(body), Err(Doubt::NotText), "{body}");
        }
    }
}
