//! What the server says about itself: its services, and the descriptors of whatever is asked for.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use prost::Message;
use prost_reflect::prost_types::{Any, FileDescriptorProto};
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Extensions, Request, Status};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::status::code_name;

/// A server's descriptors, fetched as they are needed. Only the files of `google.protobuf` are known beforehand.
pub(super) struct Source {
    client: ServerReflectionClient<Channel>,
    metadata: MetadataMap,
    pool: DescriptorPool,
}

impl Source {
    pub(super) fn new(channel: Channel, metadata: MetadataMap) -> Self {
        Self { client: ServerReflectionClient::new(channel), metadata, pool: DescriptorPool::global() }
    }

    /// Everything loaded so far.
    pub(super) fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// The full names of the services, sorted.
    pub(super) async fn services(&mut self) -> Result<Vec<String>, Unresolved> {
        match self.ask(MessageRequest::ListServices(String::new())).await? {
            MessageResponse::ListServicesResponse(list) => {
                let mut names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
                names.sort();
                names.dedup();
                Ok(names)
            }
            _ => Err(Unresolved::unexpected()),
        }
    }

    /// Loads the file that defines `symbol`, and whatever that file imports, unless it is here already.
    pub(super) async fn load(&mut self, symbol: &str) -> Result<(), Unresolved> {
        let known = self.pool.get_message_by_name(symbol).is_some()
            || self.pool.get_enum_by_name(symbol).is_some()
            || self.pool.get_service_by_name(symbol).is_some();
        if known {
            return Ok(());
        }
        let first = self.files(MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
        let mut unread = first.map_err(|why| why.or_missing(symbol))?;
        let mut files = BTreeMap::new();
        let mut asked = HashSet::new();
        while let Some(file) = unread.pop() {
            for import in &file.dependency {
                if self.pool.get_file_by_name(import).is_none() && asked.insert(import.clone()) {
                    unread.extend(self.files(MessageRequest::FileByFilename(import.clone())).await?);
                }
            }
            files.insert(file.name().to_owned(), file);
        }
        self.pool.add_file_descriptor_protos(files.into_values()).map_err(|e| Unresolved::Invalid(e.to_string()))
    }

    /// Loads the types of all the `Any`s in `message`, at any depth. A type that the server does not know stays
    /// unknown: the message can be shown without it.
    pub(super) async fn load_any_types(&mut self, message: &DynamicMessage) -> Result<(), Unresolved> {
        let mut unseen = vec![message.clone()];
        while let Some(message) = unseen.pop() {
            for (_, value) in message.fields() {
                messages_in(value, &mut unseen);
            }
            let Some((name, any)) = as_any(&message) else { continue };
            match self.load(&name).await {
                Ok(()) | Err(Unresolved::Missing(_)) => {}
                Err(why) => return Err(why),
            }
            if let Some(payload) = payload(&self.pool, &name, &any) {
                unseen.push(payload);
            }
        }
        Ok(())
    }

    async fn files(&mut self, request: MessageRequest) -> Result<Vec<FileDescriptorProto>, Unresolved> {
        match self.ask(request).await? {
            MessageResponse::FileDescriptorResponse(response) => response
                .file_descriptor_proto
                .iter()
                .map(|bytes| FileDescriptorProto::decode(bytes.as_slice()))
                .collect::<Result<_, _>>()
                .map_err(|e| Unresolved::Invalid(e.to_string())),
            _ => Err(Unresolved::unexpected()),
        }
    }

    /// A stream of one question: some servers close the stream when they do not know an answer.
    async fn ask(&mut self, question: MessageRequest) -> Result<MessageResponse, Unresolved> {
        let question = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let stream = tokio_stream::once(question);
        let request = Request::from_parts(self.metadata.clone(), Extensions::default(), stream);
        let mut answers = self.client.server_reflection_info(request).await?.into_inner();
        match answers.message().await?.and_then(|answer| answer.message_response) {
            Some(MessageResponse::ErrorResponse(error)) => {
                Err(Status::new(Code::from_i32(error.error_code), error.error_message).into())
            }
            Some(answer) => Ok(answer),
            None => Err(Unresolved::unexpected()),
        }
    }
}

/// The type's name and the packed value, when `message` is an `Any`.
pub(super) fn as_any(message: &DynamicMessage) -> Option<(String, Any)> {
    if message.descriptor().full_name() != "google.protobuf.Any" {
        return None;
    }
    let any: Any = message.transcode_to().ok()?;
    let name = any.type_url.rsplit('/').next()?.to_owned();
    Some((name, any))
}

/// What is packed in `any`, when its type is known and its bytes fit.
pub(super) fn payload(pool: &DescriptorPool, name: &str, any: &Any) -> Option<DynamicMessage> {
    DynamicMessage::decode(pool.get_message_by_name(name)?, any.value.as_slice()).ok()
}

fn messages_in(value: &Value, into: &mut Vec<DynamicMessage>) {
    match value {
        Value::Message(message) => into.push(message.clone()),
        Value::List(values) => values.iter().for_each(|value| messages_in(value, into)),
        Value::Map(entries) => entries.values().for_each(|value| messages_in(value, into)),
        _ => {}
    }
}

/// Why reflection gave no answer.
pub(super) enum Unresolved {
    /// The server knows no such symbol.
    Missing(String),
    /// The server does not offer reflection.
    Unsupported,
    /// The server refused or failed.
    Failed(Status),
    /// The server's descriptors contradict themselves or the protocol.
    Invalid(String),
}

impl Unresolved {
    fn unexpected() -> Self {
        Self::Invalid("the server's reflection answered another question".to_owned())
    }

    fn or_missing(self, symbol: &str) -> Self {
        match self {
            Self::Failed(status) if status.code() == Code::NotFound => Self::Missing(symbol.to_owned()),
            other => other,
        }
    }
}

impl From<Status> for Unresolved {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Unimplemented => Self::Unsupported,
            _ => Self::Failed(status),
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(symbol) => write!(f, "Symbol not found: {symbol}"),
            Self::Unsupported => f.write_str("server does not support the reflection API"),
            Self::Failed(status) => {
                write!(f, "rpc error: code = {} desc = {}", code_name(status.code()), status.message())
            }
            Self::Invalid(why) => f.write_str(why),
        }
    }
}
