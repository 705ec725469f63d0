//! Messages from and to the JSON mapping of protobuf.
//!
//! Reading and the well-known types are prost-reflect's. Ordinary messages are written here because maps must come
//! out in the order of their keys, and because an `Any` may pack a type that nobody knows.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MapKey, MessageDescriptor, ReflectMessage, Value};
use serde::de::IgnoredAny;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::reflection::{as_any, payload};

/// Whether fields without presence are written when they hold their default.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Defaults {
    Skipped,
    Emitted,
}

/// Reads any number of messages written one after the other. A message says what was wrong with it and where.
pub(super) fn parse(descriptor: &MessageDescriptor, text: &str) -> Result<Vec<DynamicMessage>, String> {
    let mut messages = Vec::new();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut start = 0;
    while let Some(value) = values.next() {
        value.map_err(|e| e.to_string())?;
        let end = values.byte_offset();
        let mut json = serde_json::Deserializer::from_str(text.get(start..end).unwrap_or_default());
        let message = DynamicMessage::deserialize(descriptor.clone(), &mut json)
            .map_err(|e| format!("could not read a {}: {e}", descriptor.full_name()))?;
        messages.push(message);
        start = end;
    }
    Ok(messages)
}

/// Writes a message, indented by two spaces.
pub(super) fn render(message: &DynamicMessage, pool: &DescriptorPool, defaults: Defaults) -> Result<String, String> {
    serde_json::to_string_pretty(&Json { message, style: Style { pool, defaults } }).map_err(|e| e.to_string())
}

#[derive(Clone, Copy)]
struct Style<'a> {
    /// Where the types in `Any`s are found.
    pool: &'a DescriptorPool,
    defaults: Defaults,
}

struct Json<'a> {
    message: &'a DynamicMessage,
    style: Style<'a>,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = match self.message.descriptor().full_name() {
            "google.protobuf.Any" => return self.any(serializer),
            name if name.starts_with("google.protobuf.") => return self.message.serialize(serializer),
            _ => serializer.serialize_map(None)?,
        };
        self.fields(&mut map)?;
        map.end()
    }
}

impl Json<'_> {
    fn fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for field in self.message.descriptor().fields() {
            let empty_is_shown = self.style.defaults == Defaults::Emitted && !field.supports_presence();
            if self.message.has_field(&field) || empty_is_shown {
                let value = self.message.get_field(&field);
                map.serialize_entry(
                    field.json_name(),
                    &Item { value: &value, kind: &field.kind(), style: self.style },
                )?;
            }
        }
        Ok(())
    }

    fn any<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let Some((name, any)) = as_any(self.message) else { return map.end() };
        map.serialize_entry("@type", &any.type_url)?;
        match payload(self.style.pool, &name, &any) {
            Some(message) if name.starts_with("google.protobuf.") => {
                map.serialize_entry("value", &Json { message: &message, style: self.style })?;
            }
            Some(message) => Json { message: &message, style: self.style }.fields(&mut map)?,
            None => {
                let why = format!("{name} is not recognized; see @value for raw binary message data");
                map.serialize_entry("@error", &why)?;
                map.serialize_entry("@value", &BASE64_STANDARD.encode(&any.value))?;
            }
        }
        map.end()
    }
}

/// One value of a field, an element of a list, or a value in a map; `kind` is that of the field.
struct Item<'a> {
    value: &'a Value,
    kind: &'a Kind,
    style: Style<'a>,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { kind, style, .. } = *self;
        match self.value {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::I32(value) => serializer.serialize_i32(*value),
            Value::U32(value) => serializer.serialize_u32(*value),
            // Strings, because JSON readers take numbers for doubles.
            Value::I64(value) => serializer.collect_str(value),
            Value::U64(value) => serializer.collect_str(value),
            Value::F32(value) if value.is_finite() => serializer.serialize_f32(*value),
            Value::F32(value) => serializer.serialize_str(not_finite(f64::from(*value))),
            Value::F64(value) if value.is_finite() => serializer.serialize_f64(*value),
            Value::F64(value) => serializer.serialize_str(not_finite(*value)),
            Value::String(value) => serializer.serialize_str(value),
            Value::Bytes(value) => serializer.serialize_str(&BASE64_STANDARD.encode(value)),
            Value::EnumNumber(number) => match kind.as_enum().and_then(|kind| kind.get_value(*number)) {
                Some(value) if value.parent_enum().full_name() == "google.protobuf.NullValue" => {
                    serializer.serialize_unit()
                }
                Some(value) => serializer.serialize_str(value.name()),
                None => serializer.serialize_i32(*number),
            },
            Value::Message(message) => Json { message, style }.serialize(serializer),
            Value::List(values) => serializer.collect_seq(values.iter().map(|value| Item { value, kind, style })),
            Value::Map(entries) => {
                let Some(entry) = kind.as_message() else { return serializer.serialize_unit() };
                let kind = &entry.map_entry_value_field().kind();
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                serializer.collect_map(entries.into_iter().map(|(key, value)| (name(key), Item { value, kind, style })))
            }
        }
    }
}

fn not_finite(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    }
}

fn name(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}
