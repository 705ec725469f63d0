//! Where a request names something: its fields called `…_id` and `…_ids`, wherever they stand in it.

use std::fmt;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

/// The way to such a field from its request. Of a list it is the first item.
#[derive(Clone, Debug)]
pub(super) struct Place {
    request: String,
    way: Vec<FieldDescriptor>,
}

/// As it is listed: `PlaceOrderRequest.lines.offer_id`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.request)?;
        self.way.iter().try_for_each(|field| write!(f, ".{}", field.name()))
    }
}

impl Place {
    /// Every place of a request.
    pub(super) fn all(request: &MessageDescriptor) -> Vec<Self> {
        let mut found = Vec::new();
        look(request, &mut Vec::new(), &mut found);
        found.into_iter().map(|way| Self { request: request.name().to_owned(), way }).collect()
    }

    /// Whether an organization is named here, by whatever it is to the caller.
    pub(super) fn names_organization(&self) -> bool {
        const ORGANIZATIONS: [&str; 5] = ["customer_id", "organization_id", "partner_id", "provider_id", "reseller_id"];
        self.way.last().is_some_and(|field| ORGANIZATIONS.contains(&field.name()))
    }

    /// What a request names here, if anything.
    pub(super) fn read(&self, request: &DynamicMessage) -> Option<String> {
        let [first, rest @ ..] = self.way.as_slice() else { return None };
        let mut value = request.get_field(first).into_owned();
        for field in rest {
            let inner = item(&value)?.as_message()?.get_field(field).into_owned();
            value = inner;
        }
        item(&value)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The same request that names something else here.
    pub(super) fn written(&self, request: &DynamicMessage, id: &str) -> DynamicMessage {
        let mut swapped = request.clone();
        write(&mut swapped, &self.way, id);
        swapped
    }
}

fn look(message: &MessageDescriptor, way: &mut Vec<FieldDescriptor>, found: &mut Vec<Vec<FieldDescriptor>>) {
    for field in message.fields() {
        let names = field.name().ends_with("_id") || field.name().ends_with("_ids");
        way.push(field.clone());
        match field.kind() {
            Kind::String if names && field.name() != "request_id" => found.push(way.clone()),
            // What is ours and does not hold itself.
            Kind::Message(inner) if inner.full_name().starts_with("tandem.") && inner != *message => {
                look(&inner, way, found);
            }
            _ => {}
        }
        way.pop();
    }
}

fn item(value: &Value) -> Option<&Value> {
    value.as_list().map_or(Some(value), |items| items.first())
}

fn write(message: &mut DynamicMessage, way: &[FieldDescriptor], id: &str) {
    let [field, rest @ ..] = way else { return };
    let mut value = message.get_field_mut(field);
    if let Value::List(items) = value {
        value = &mut items[0];
    }
    match value {
        Value::String(text) => id.clone_into(text),
        Value::Message(inner) => write(inner, rest, id),
        other => panic!("{} names nothing: {other:?}", field.full_name()),
    }
}
