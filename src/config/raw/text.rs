//! Values written as text, `"15m"` or `"https://portal.example.com"`: read where they stand, so that a bad one is a
//! mistake at its own line and column.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use crate::config::document::read::REMEDY;

/// A value with a text form.
pub trait Text: Sized {
    /// Completes "write …"; also the type named in the reference.
    const WHAT: &'static str;

    /// `Err` says what is wrong with the text.
    fn read(written: &str) -> Result<Self, String>;

    fn show(&self) -> String;
}

/// `T`, written as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct As<T>(pub T);

impl<'de, T: Text> Deserialize<'de> for As<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<T: Text> Visitor<'_> for Reader<T> {
            type Value = As<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::WHAT)
            }

            fn visit_str<E: Error>(self, written: &str) -> Result<As<T>, E> {
                T::read(written)
                    .map(As)
                    .map_err(|problem| E::custom(format!("{problem}{REMEDY}write {}", T::WHAT)))
            }
        }

        deserializer.deserialize_str(Reader(PhantomData))
    }
}

impl<T: Text> Serialize for As<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.show())
    }
}

impl<T: Text> JsonSchema for As<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::WHAT.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-form": T::WHAT })
    }
}
