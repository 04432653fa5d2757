//! `cross_tenant`: `false`, `true`, or a list of tenants

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

use crate::config::text_form::AsText;
use crate::domain::{identity::CrossTenantAccess, tenant::TenantId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrossTenantValue(pub CrossTenantAccess);

impl<'de> Deserialize<'de> for CrossTenantValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CrossTenantVisitor;

        impl<'de> Visitor<'de> for CrossTenantVisitor {
            type Value = CrossTenantValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("false, true, or a list of tenant domains")
            }

            fn visit_bool<E>(self, all: bool) -> Result<CrossTenantValue, E> {
                Ok(CrossTenantValue(if all {
                    CrossTenantAccess::AnyTenant
                } else {
                    CrossTenantAccess::OwnTenantOnly
                }))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<CrossTenantValue, A::Error> {
                let mut tenants = Vec::new();
                while let Some(AsText(tenant)) = items.next_element::<AsText<TenantId>>()? {
                    tenants.push(tenant);
                }
                Ok(CrossTenantValue(CrossTenantAccess::Listed(tenants)))
            }
        }

        deserializer.deserialize_any(CrossTenantVisitor)
    }
}

impl Serialize for CrossTenantValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            CrossTenantAccess::OwnTenantOnly => serializer.serialize_bool(false),
            CrossTenantAccess::AnyTenant => serializer.serialize_bool(true),
            CrossTenantAccess::Listed(tenants) => serializer.collect_seq(tenants),
        }
    }
}

impl JsonSchema for CrossTenantValue {
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
