//! What can be bound to a statement.

use base::{Id, Timestamp};
use uuid::Uuid;

/// A parameter as both databases understand it. `None` is a typed NULL.
#[derive(Clone, Debug)]
pub enum Value {
    /// UUID, or BLOB of 16 bytes.
    Uuid(Option<Uuid>),
    /// TEXT.
    Text(Option<String>),
    /// BIGINT, or INTEGER.
    Int(Option<i64>),
    /// BOOLEAN, or INTEGER 0 and 1.
    Bool(Option<bool>),
    /// TIMESTAMPTZ, or INTEGER microseconds.
    Time(Option<Timestamp>),
    /// BYTEA, or BLOB.
    Bytes(Option<Vec<u8>>),
    /// `uuid[]`, or JSON text with an array of 32 hexadecimal digits each (`unhex(value)`).
    Uuids(Vec<Uuid>),
    /// `text[]`, or JSON text with an array of strings.
    Texts(Vec<String>),
    /// `bigint[]`, or JSON text with an array of numbers.
    Ints(Vec<i64>),
}

impl Value {
    /// How long a list is; nothing else has elements.
    pub(crate) fn elements(&self) -> usize {
        match self {
            Self::Uuids(ids) => ids.len(),
            Self::Texts(texts) => texts.len(),
            Self::Ints(ints) => ints.len(),
            Self::Uuid(_) | Self::Text(_) | Self::Int(_) | Self::Bool(_) | Self::Time(_) | Self::Bytes(_) => 0,
        }
    }
}

/// A Rust type that can be bound.
pub trait Param {
    /// The value to bind.
    fn value(self) -> Value;
}

impl Param for Value {
    fn value(self) -> Value {
        self
    }
}

impl<T> Param for Id<T> {
    fn value(self) -> Value {
        Value::Uuid(Some(self.uuid()))
    }
}
impl<T> Param for Option<Id<T>> {
    fn value(self) -> Value {
        Value::Uuid(self.map(Id::uuid))
    }
}
impl<T> Param for &[Id<T>] {
    fn value(self) -> Value {
        Value::Uuids(self.iter().map(|id| id.uuid()).collect())
    }
}
impl<T> Param for &Vec<Id<T>> {
    fn value(self) -> Value {
        self.as_slice().value()
    }
}
impl Param for Uuid {
    fn value(self) -> Value {
        Value::Uuid(Some(self))
    }
}
impl Param for Option<Uuid> {
    fn value(self) -> Value {
        Value::Uuid(self)
    }
}
impl Param for &[Uuid] {
    fn value(self) -> Value {
        Value::Uuids(self.to_vec())
    }
}
impl Param for &str {
    fn value(self) -> Value {
        Value::Text(Some(self.to_owned()))
    }
}
impl Param for &String {
    fn value(self) -> Value {
        Value::Text(Some(self.clone()))
    }
}
impl Param for String {
    fn value(self) -> Value {
        Value::Text(Some(self))
    }
}
impl Param for Option<&str> {
    fn value(self) -> Value {
        Value::Text(self.map(str::to_owned))
    }
}
impl Param for Option<String> {
    fn value(self) -> Value {
        Value::Text(self)
    }
}
impl Param for Vec<String> {
    fn value(self) -> Value {
        Value::Texts(self)
    }
}
impl Param for &[&str] {
    fn value(self) -> Value {
        Value::Texts(self.iter().map(|text| (*text).to_owned()).collect())
    }
}
impl Param for i64 {
    fn value(self) -> Value {
        Value::Int(Some(self))
    }
}
impl Param for Option<i64> {
    fn value(self) -> Value {
        Value::Int(self)
    }
}
impl Param for Vec<i64> {
    fn value(self) -> Value {
        Value::Ints(self)
    }
}
impl Param for bool {
    fn value(self) -> Value {
        Value::Bool(Some(self))
    }
}
impl Param for Timestamp {
    fn value(self) -> Value {
        Value::Time(Some(self))
    }
}
impl Param for Option<Timestamp> {
    fn value(self) -> Value {
        Value::Time(self)
    }
}
impl Param for &[u8] {
    fn value(self) -> Value {
        Value::Bytes(Some(self.to_vec()))
    }
}
impl<const N: usize> Param for &[u8; N] {
    fn value(self) -> Value {
        Value::Bytes(Some(self.to_vec()))
    }
}
impl<const N: usize> Param for [u8; N] {
    fn value(self) -> Value {
        Value::Bytes(Some(self.to_vec()))
    }
}
impl Param for Vec<u8> {
    fn value(self) -> Value {
        Value::Bytes(Some(self))
    }
}
impl Param for &Vec<u8> {
    fn value(self) -> Value {
        Value::Bytes(Some(self.clone()))
    }
}
impl Param for Option<Vec<u8>> {
    fn value(self) -> Value {
        Value::Bytes(self)
    }
}

/// The JSON text that SQLite reads with `json_each`.
pub(crate) fn json_list(value: &Value) -> Option<String> {
    let items: Vec<String> = match value {
        Value::Uuids(ids) => ids.iter().map(|id| format!("\"{}\"", id.simple())).collect(),
        Value::Texts(texts) => texts.iter().map(|text| json_string(text)).collect(),
        Value::Ints(ints) => ints.iter().map(ToString::to_string).collect(),
        _ => return None,
    };
    Some(format!("[{}]", items.join(",")))
}

/// A JSON string literal (RFC 8259, section 7).
fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
