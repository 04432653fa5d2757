//! `[governance]`, and `governance` of a tenant's file: WSO2's properties by their own names

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    config::{
        governance::governed_settings, model::TenantDefaults,
        sections::password_policy::PasswordPolicySection,
    },
    domain::governance::{MASK, SECRET_PREFIX},
};

/// Names to values. TOML makes tables of names with dots that stand without quotes, so there may be tables in it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PropertyTable(pub BTreeMap<String, PropertyEntry>);

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum PropertyEntry {
    Scalar(String),
    Table(PropertyTable),
}

impl From<&TenantDefaults> for PropertyTable {
    /// Properties that no other key states.
    fn from(defaults: &TenantDefaults) -> Self {
        let rules = PasswordPolicySection::from(&*defaults.rules.password_rules);
        let is_stated_elsewhere = |name: &str| match governed_settings::own_key(name) {
            Some(("password_policy", "history")) => rules.history.is_some(),
            Some(("password_policy", "expiry_days")) => rules.expiry_days.is_some(),
            other => other.is_some(),
        };
        Self::masked(defaults.governance.iter().filter(|(name, _)| !is_stated_elsewhere(name)))
    }
}

impl PropertyTable {
    /// To be shown: without secrets.
    fn masked<'a>(values: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let shown = |(name, value): (&str, &str)| {
            let value = if name.starts_with(SECRET_PREFIX) { MASK } else { value };
            (name.to_owned(), PropertyEntry::Scalar(value.to_owned()))
        };
        Self(values.map(shown).collect())
    }
}

impl<'de> Deserialize<'de> for PropertyTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for PropertyEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PropertyVisitor;

        impl<'de> Visitor<'de> for PropertyVisitor {
            type Value = PropertyEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in quotes, a whole number, true or false")
            }

            fn visit_str<E: Error>(self, written: &str) -> Result<PropertyEntry, E> {
                Ok(PropertyEntry::Scalar(written.to_owned()))
            }

            fn visit_bool<E: Error>(self, written: bool) -> Result<PropertyEntry, E> {
                Ok(PropertyEntry::Scalar(written.to_string()))
            }

            fn visit_i64<E: Error>(self, written: i64) -> Result<PropertyEntry, E> {
                Ok(PropertyEntry::Scalar(written.to_string()))
            }

            fn visit_u64<E: Error>(self, written: u64) -> Result<PropertyEntry, E> {
                Ok(PropertyEntry::Scalar(written.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PropertyEntry, A::Error> {
                PropertyTable::deserialize(MapAccessDeserializer::new(map)).map(PropertyEntry::Table)
            }
        }

        deserializer.deserialize_any(PropertyVisitor)
    }
}

impl JsonSchema for PropertyTable {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Properties".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": { "type": ["string", "boolean", "integer", "object"] },
            "x-form": "a table; each key the name of a property, each value a text, a whole number, `true` or `false`"
        })
    }
}

/// One value that WSO2 writes with or without quotes.
#[derive(Debug, Clone, Serialize)]
pub struct ScalarText(pub String);

impl<'de> Deserialize<'de> for ScalarText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match PropertyEntry::deserialize(deserializer)? {
            PropertyEntry::Scalar(text) => Ok(Self(text)),
            PropertyEntry::Table(_) => Err(D::Error::custom(
                "invalid type: a table, expected text in quotes, a whole number, true or false",
            )),
        }
    }
}

impl JsonSchema for ScalarText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Plain".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "boolean", "integer"], "x-form": "a text, a whole number, `true` or `false`" })
    }
}
