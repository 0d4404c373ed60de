//! Declares the tables of the config: struct, reader and schema from one list of fields.

use crate::config::reader::field_name;
use serde_json::{Value as Json, json};

/// Declares a section: its fields, how it is read, and its schema, from one list.
macro_rules! section {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $field_doc:literal])* $field:ident: $type:ty,)* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: $type,)*
        }

        impl $crate::config::reader::Section for $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];
        }

        impl $crate::config::reader::Read for $name {
            fn read(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                reader: &mut $crate::config::reader::Reader<'_>,
            ) -> Option<Self> {
                let table = reader.table(value, <Self as $crate::config::reader::Section>::FIELDS)?;
                $(let $field = reader.field(value, table, stringify!($field));)*
                Some(Self { $($field: $field?),* })
            }

            fn schema() -> serde_json::Value {
                $crate::config::section::object_schema(
                    concat!($($doc),*),
                    [$((
                        stringify!($field),
                        concat!($($field_doc),*),
                        <$type as $crate::config::reader::Read>::schema(),
                        <$type as $crate::config::reader::Read>::absent().is_none(),
                    )),*],
                )
            }
        }
    };
}

/// Declares a word out of a few.
macro_rules! choice {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $word_doc:literal])* $variant:ident = $word:literal,)* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $word_doc])* $variant,)*
        }

        impl $crate::config::reader::Read for $name {
            fn read(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                reader: &mut $crate::config::reader::Reader<'_>,
            ) -> Option<Self> {
                match reader.word(value, &[$($word),*])? {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),*] })
            }
        }
    };
}

pub(super) use {choice, section};

/// The schema of a table: name, description, schema and obligation of each field.
pub(super) fn object_schema<const N: usize>(doc: &str, fields: [(&str, &str, Json, bool); N]) -> Json {
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for (name, description, mut schema, obligatory) in fields {
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".to_owned(), json!(description.trim()));
        }
        properties.insert(field_name(name).to_owned(), schema);
        if obligatory {
            required.push(field_name(name));
        }
    }
    json!({
        "type": "object",
        "description": doc.trim(),
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
