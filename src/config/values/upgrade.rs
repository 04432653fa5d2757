//! `access.route.upgrade`: `true`, `false`, or a list of protocols

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

use crate::config::text_form::{AsText, InvalidValue, TextForm};
use crate::domain::upgrade::{UpgradeRule, WEBSOCKET, protocol_problem};

/// As written; a route without the key has none of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeValue(pub UpgradeRule);

/// `websocket` or `chat/2`: a protocol as `Upgrade` names it.
struct Protocol(String);

impl TextForm for Protocol {
    const EXPECTED: &'static str = "the name of a protocol such as \"websocket\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        match protocol_problem(written) {
            Some(problem) => Err(InvalidValue::new(format!("{written:?} {problem}"))),
            None => Ok(Self(written.to_owned())),
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

const EXPECTED_FORM: &str = "true, false, or a list of protocols such as [\"websocket\"]";

impl<'de> Deserialize<'de> for UpgradeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UpgradeVisitor;

        impl<'de> Visitor<'de> for UpgradeVisitor {
            type Value = UpgradeValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED_FORM)
            }

            fn visit_bool<E>(self, websocket: bool) -> Result<UpgradeValue, E> {
                Ok(UpgradeValue(UpgradeRule::of(websocket.then_some(WEBSOCKET))))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<UpgradeValue, A::Error> {
                let mut protocols = Vec::new();
                while let Some(AsText(Protocol(protocol))) = items.next_element::<AsText<Protocol>>()? {
                    protocols.push(protocol);
                }
                Ok(UpgradeValue(UpgradeRule::of(protocols.iter().map(String::as_str))))
            }
        }

        deserializer.deserialize_any(UpgradeVisitor)
    }
}

impl Serialize for UpgradeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            UpgradeRule::Protocols(protocols) if **protocols == [WEBSOCKET.into()] => {
                serializer.serialize_bool(true)
            }
            UpgradeRule::Protocols(protocols) => serializer.collect_seq(protocols.iter()),
            // the key is left out where nothing was written
            UpgradeRule::Users | UpgradeRule::Never => serializer.serialize_bool(false),
        }
    }
}

impl JsonSchema for UpgradeValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Upgrade".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "boolean" }, { "type": "array", "items": { "type": "string" } }],
            "x-form": EXPECTED_FORM
        })
    }
}
