//! What a dry run answers: the reply of the real call, without the ids, secrets and etags that it would have made.

use base::Fault;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage, Value};

/// Clears every string that the operation made, and every etag.
pub(crate) fn blank<R: prost::Message + Default>(
    response: &R,
    shape: &MessageDescriptor,
    made: &[String],
) -> Result<R, Fault> {
    let broken =
        |error: &dyn std::fmt::Display| Fault::internal(format!("a dry reply does not fit its shape: {error}"));
    let mut dynamic =
        DynamicMessage::decode(shape.clone(), response.encode_to_vec().as_slice()).map_err(|error| broken(&error))?;
    clear(&mut dynamic, made);
    R::decode(prost::Message::encode_to_vec(&dynamic).as_slice()).map_err(|error| broken(&error))
}

fn clear(message: &mut DynamicMessage, made: &[String]) {
    for field in message.descriptor().fields().collect::<Vec<_>>() {
        if !message.has_field(&field) {
            continue;
        }
        if field.name() == "etag" {
            message.clear_field(&field);
            continue;
        }
        match message.get_field_mut(&field) {
            Value::String(text) if made.contains(text) => text.clear(),
            Value::Message(inner) => clear(inner, made),
            Value::List(items) => items.iter_mut().for_each(|item| clear_item(item, made)),
            _ => {}
        }
    }
}

fn clear_item(item: &mut Value, made: &[String]) {
    match item {
        Value::String(text) if made.contains(text) => text.clear(),
        Value::Message(inner) => clear(inner, made),
        _ => {}
    }
}
