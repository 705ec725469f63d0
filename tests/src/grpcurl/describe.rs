//! Descriptors as the snippets of proto source that `describe` prints, documentation included.

use prost_reflect::prost_types::{FieldOptions, FileDescriptorProto};
use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, OneofDescriptor,
    ServiceDescriptor,
};

/// The kind of `symbol` and its source, such as `a message:\nmessage Empty {\n}\n`.
pub(super) fn symbol(pool: &DescriptorPool, symbol: &str) -> Option<String> {
    let mut source = Source::default();
    let kind = if let Some(service) = pool.get_service_by_name(symbol) {
        source.service(&service);
        "a service"
    } else if let Some(message) = pool.get_message_by_name(symbol) {
        source.message(&message);
        "a message"
    } else if let Some(kind) = pool.get_enum_by_name(symbol) {
        source.enumeration(&kind);
        "an enum"
    } else {
        source.member(pool, symbol)?
    };
    Some(format!("{kind}:\n{}", source.text))
}

#[derive(Default)]
struct Source {
    text: String,
    depth: usize,
}

impl Source {
    fn service(&mut self, service: &ServiceDescriptor) {
        self.documentation(service.parent_file_descriptor_proto(), service.path());
        self.open("service", service.name());
        let mut methods: Vec<_> = service.methods().collect();
        methods.sort_by(|a, b| a.name().cmp(b.name()));
        methods.iter().for_each(|method| self.method(method));
        self.close();
    }

    fn method(&mut self, method: &MethodDescriptor) {
        let stream = |streaming: bool| if streaming { "stream " } else { "" };
        self.documentation(method.parent_service().parent_file_descriptor_proto(), method.path());
        self.line(&format!(
            "rpc {} ( {}.{} ) returns ( {}.{} );",
            method.name(),
            stream(method.is_client_streaming()),
            method.input().full_name(),
            stream(method.is_server_streaming()),
            method.output().full_name()
        ));
    }

    fn message(&mut self, message: &MessageDescriptor) {
        self.documentation(message.parent_file_descriptor_proto(), message.path());
        self.open("message", message.name());
        for field in message.fields() {
            match field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
                None => self.field(&field),
                Some(oneof) if leads(&field, &oneof) => self.oneof(&oneof),
                Some(_) => {}
            }
        }
        message.child_messages().filter(|child| !child.is_map_entry()).for_each(|child| self.message(&child));
        message.child_enums().for_each(|child| self.enumeration(&child));
        self.close();
    }

    fn oneof(&mut self, oneof: &OneofDescriptor) {
        self.documentation(oneof.parent_message().parent_file_descriptor_proto(), oneof.path());
        self.open("oneof", oneof.name());
        oneof.fields().for_each(|field| self.field(&field));
        self.close();
    }

    fn field(&mut self, field: &FieldDescriptor) {
        let proto = field.field_descriptor_proto();
        let label = match field {
            field if field.is_list() => "repeated ",
            _ if proto.proto3_optional() => "optional ",
            _ => "",
        };
        let deprecated = proto.options.as_ref().is_some_and(FieldOptions::deprecated);
        let options = if deprecated { " [deprecated = true]" } else { "" };
        self.documentation(field.parent_message().parent_file_descriptor_proto(), field.path());
        self.line(&format!("{label}{} {} = {}{options};", type_name(&field.kind()), field.name(), field.number()));
    }

    fn enumeration(&mut self, kind: &EnumDescriptor) {
        self.documentation(kind.parent_file_descriptor_proto(), kind.path());
        self.open("enum", kind.name());
        for value in kind.values() {
            self.documentation(kind.parent_file_descriptor_proto(), value.path());
            self.line(&format!("{} = {};", value.name(), value.number()));
        }
        self.close();
    }

    /// A method or a field, by the name of what it belongs to.
    fn member(&mut self, pool: &DescriptorPool, symbol: &str) -> Option<&'static str> {
        let (parent, name) = symbol.rsplit_once('.')?;
        if let Some(service) = pool.get_service_by_name(parent) {
            self.method(&service.methods().find(|method| method.name() == name)?);
            return Some("a method");
        }
        self.field(&pool.get_message_by_name(parent)?.get_field_by_name(name)?);
        Some("a field")
    }

    fn documentation(&mut self, file: &FileDescriptorProto, path: &[i32]) {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        let documented = locations.filter(|location| location.path == path);
        for comment in documented.filter_map(|location| location.leading_comments.as_deref()) {
            comment.lines().for_each(|line| self.line(format!("//{line}").trim_end()));
        }
    }

    fn open(&mut self, keyword: &str, name: &str) {
        self.line(&format!("{keyword} {name} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// Whether `field` is where its oneof is printed: fields go by number, and a oneof stands at its lowest.
fn leads(field: &FieldDescriptor, oneof: &OneofDescriptor) -> bool {
    oneof.fields().all(|other| other.number() >= field.number())
}

fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(entry) if entry.is_map_entry() => {
            let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
            format!("map<{}, {}>", type_name(&key), type_name(&value))
        }
        Kind::Message(message) => format!(".{}", message.full_name()),
        Kind::Enum(kind) => format!(".{}", kind.full_name()),
        // Scalars print themselves in the words of the language.
        scalar => format!("{scalar:?}"),
    }
}
