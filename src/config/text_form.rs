//! Values written as text, `"15m"` or `"https://portal.example.com"`: read where they stand, so that a bad one is a
//! mistake at its own line and column.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use crate::config::document::read::REMEDY_SEPARATOR;

/// The fault of a text, for the author of the file; never with a secret in it. `TextForm::remedy` says what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(Cow<'static, str>);

impl InvalidValue {
    pub fn new(problem: impl Into<Cow<'static, str>>) -> Self {
        Self(problem.into())
    }

    /// The text is not what another parser expects.
    pub fn because(error: &impl fmt::Display) -> Self {
        Self(error.to_string().into())
    }
}

/// A value with a text form.
pub trait TextForm: Sized {
    /// Completes "write …"; also the type named in the reference.
    const EXPECTED: &'static str;

    fn from_text(written: &str) -> Result<Self, InvalidValue>;

    fn to_text(&self) -> String;

    /// Says what to write in place of an invalid text.
    fn remedy() -> String {
        format!("write {}", Self::EXPECTED)
    }
}

/// `T`, written as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsText<T>(pub T);

impl<'de, T: TextForm> Deserialize<'de> for AsText<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<T>(PhantomData<T>);

        impl<T: TextForm> Visitor<'_> for TextVisitor<T> {
            type Value = AsText<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: Error>(self, written: &str) -> Result<AsText<T>, E> {
                T::from_text(written)
                    .map(AsText)
                    .map_err(|invalid| E::custom(format!("{invalid}{REMEDY_SEPARATOR}{}", T::remedy())))
            }
        }

        deserializer.deserialize_str(TextVisitor(PhantomData))
    }
}

impl<T: TextForm> Serialize for AsText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_text())
    }
}

impl<T: TextForm> JsonSchema for AsText<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::EXPECTED.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-form": T::EXPECTED })
    }
}
