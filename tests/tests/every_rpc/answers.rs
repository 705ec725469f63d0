//! Answers, as they are compared: with one another, and a dry one with the real one.

use std::collections::BTreeMap;

use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value,
};
use tonic::Status;
use tonic_types::StatusExt as _;

/// Reads an answer.
pub(super) fn read(shape: &MessageDescriptor, bytes: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(shape.clone(), bytes).unwrap()
}

/// Everything that an answer tells but the id that was asked for and the time, so that two of them can be compared.
pub(super) fn told(shape: &MessageDescriptor, answer: &Result<Vec<u8>, Status>, id: &str) -> String {
    let text = match answer {
        Ok(bytes) => {
            let mut message = read(shape, bytes);
            forget_times(&mut message);
            format!("OK {message}")
        }
        Err(status) => refusal(status),
    };
    text.replace(id, "ID")
}

/// Everything that a refusal tells. Metadata comes in any order.
fn refusal(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().map(|info| {
        let metadata: BTreeMap<&String, &String> = info.metadata.iter().collect();
        format!("{} {} {metadata:?}", info.reason, info.domain)
    });
    let rest =
        (details.precondition_failure(), details.quota_failure(), details.bad_request(), details.resource_info());
    format!("{:?} {} {} {rest:?}", status.code(), status.message(), info.unwrap_or_default())
}

fn forget_times(message: &mut DynamicMessage) {
    for (field, value) in message.fields_mut() {
        match value {
            Value::Message(inner) if is_time(&field) => *inner = DynamicMessage::new(inner.descriptor()),
            Value::Message(inner) => forget_times(inner),
            Value::List(items) => items.iter_mut().filter_map(Value::as_message_mut).for_each(forget_times),
            _ => {}
        }
    }
}

fn is_time(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(of) if of.full_name() == "google.protobuf.Timestamp")
}

fn is_secret(field: &FieldDescriptor) -> bool {
    let redacted = field.options().get_field_by_name("debug_redact").and_then(|value| value.as_bool());
    redacted.unwrap_or_default()
}

/// Whether the answer says that it is to be asked for again.
pub(super) fn is_under_way(message: &DynamicMessage) -> bool {
    message.fields().any(|(field, value)| match (field.kind(), value.as_enum_number()) {
        (Kind::Enum(of), Some(number)) => is_in_progress(&of, number),
        _ => false,
    })
}

fn is_in_progress(of: &EnumDescriptor, number: i32) -> bool {
    let waits = |name: &str| name.ends_with("_IN_PROGRESS") || name.ends_with("_PENDING");
    of.get_value(number).is_some_and(|value| waits(value.name()))
}

/// What a dry run tells, as the real call would tell it.
pub(super) fn as_done(told: &str) -> String {
    told.replace("_WOULD_CHANGE", "_CHANGED").replace("_WOULD_FAIL", "_FAILED")
}

/// Whether a dry run foretells what the real call told: what would change has changed.
fn is_foretold(field: &FieldDescriptor, tried: i32, made: i32) -> bool {
    let Kind::Enum(of) = field.kind() else { return false };
    let (Some(tried), Some(made)) = (of.get_value(tried), of.get_value(made)) else { return false };
    let would = tried.name().split_once("_WOULD_");
    would.is_some_and(|(prefix, rest)| made.name().starts_with(&format!("{prefix}_{rest}")))
}

/// Where a dry answer is not the real one without the ids, secrets and etags that only the real call made. What goes on
/// across the services has not begun when it is tried dry: then the rest of the answer may be missing.
pub(super) fn dry_differences(dry: &DynamicMessage, real: &DynamicMessage) -> Vec<String> {
    let mut secrets = Vec::new();
    gather_secrets(real, &mut secrets);
    let comparison = Comparison { secrets, may_miss: is_under_way(dry) };
    let mut found = Vec::new();
    comparison.compare(dry, real, &mut found);
    found
}

fn gather_secrets(message: &DynamicMessage, secrets: &mut Vec<String>) {
    for (field, value) in message.fields() {
        match value {
            Value::String(text) if is_secret(&field) => secrets.push(text.clone()),
            Value::Message(inner) => gather_secrets(inner, secrets),
            Value::List(items) => items.iter().filter_map(Value::as_message).for_each(|m| gather_secrets(m, secrets)),
            _ => {}
        }
    }
}

struct Comparison {
    secrets: Vec<String>,
    may_miss: bool,
}

impl Comparison {
    fn compare(&self, dry: &DynamicMessage, real: &DynamicMessage, found: &mut Vec<String>) {
        for field in real.descriptor().fields() {
            let (tried, made) = (dry.get_field(&field), real.get_field(&field));
            let is_missing = !dry.has_field(&field) && real.has_field(&field);
            let mut note = |what: &str| found.push(format!("{} {what}", field.full_name()));
            match (&*tried, &*made) {
                (Value::String(tried), _) if field.name() == "etag" || is_secret(&field) => {
                    if !tried.is_empty() {
                        note("is told by a dry run");
                    }
                }
                (Value::String(_), Value::String(made)) if is_missing => {
                    let is_made = field.name().ends_with("_id") || self.secrets.iter().any(|it| made.contains(it));
                    if !is_made && !self.may_miss {
                        note("is not told by a dry run");
                    }
                }
                _ if is_missing && self.may_miss => {}
                (Value::Message(_), Value::Message(_)) if is_time(&field) => {
                    if dry.has_field(&field) != real.has_field(&field) {
                        note("is told by one of the two only");
                    }
                }
                (Value::Message(tried), Value::Message(made)) => self.compare(tried, made, found),
                (Value::List(tried), Value::List(made)) if tried.len() == made.len() => {
                    for (tried, made) in tried.iter().zip(made) {
                        match (tried, made) {
                            (Value::Message(tried), Value::Message(made)) => self.compare(tried, made, found),
                            (tried, made) if tried == made => {}
                            _ => found.push(format!("{} is another one", field.full_name())),
                        }
                    }
                }
                (Value::EnumNumber(tried), Value::EnumNumber(_)) if self.is_progress(&field, *tried) => {}
                (Value::EnumNumber(tried), Value::EnumNumber(made)) if is_foretold(&field, *tried, *made) => {}
                (tried, made) if tried == made => {}
                _ => note("is another one"),
            }
        }
    }

    fn is_progress(&self, field: &FieldDescriptor, number: i32) -> bool {
        self.may_miss && matches!(field.kind(), Kind::Enum(of) if is_in_progress(&of, number))
    }
}
