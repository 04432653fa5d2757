//! `cross_tenant`: `false`, `true`, or a list of tenants

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

use super::text::As;
use crate::domain::{identity::CrossTenant, tenant::TenantId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome(pub CrossTenant);

impl<'de> Deserialize<'de> for Welcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Welcome;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("false, true, or a list of tenant domains")
            }

            fn visit_bool<E>(self, all: bool) -> Result<Welcome, E> {
                Ok(Welcome(if all { CrossTenant::Everybody } else { CrossTenant::Nobody }))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Welcome, A::Error> {
                let mut tenants = Vec::new();
                while let Some(As(tenant)) = items.next_element::<As<TenantId>>()? {
                    tenants.push(tenant);
                }
                Ok(Welcome(CrossTenant::Of(tenants)))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for Welcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            CrossTenant::Nobody => serializer.serialize_bool(false),
            CrossTenant::Everybody => serializer.serialize_bool(true),
            CrossTenant::Of(tenants) => serializer.collect_seq(tenants),
        }
    }
}

impl JsonSchema for Welcome {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CrossTenant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "boolean" }, { "type": "array", "items": { "type": "string" } }],
            "x-form": "false, true, or a list of tenant domains"
        })
    }
}
