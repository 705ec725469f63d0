//! One call of any of the four kinds: on the wire they are all streams, of which some carry exactly one message.

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Extensions, Request, Status};

use super::arguments::{Arguments, Call, Requests};
use super::reflection::{Source, Unresolved};
use super::{Failure, Terminal, causes, json, status};

/// Resolves the method, sends the requests and prints each response as it comes.
pub(super) async fn invoke(
    source: &mut Source,
    channel: Channel,
    metadata: MetadataMap,
    arguments: &Arguments,
    call: &Call,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let failed = |why: String| Failure::here(format!("Error invoking method {:?}: {why}", call.symbol));
    let method = resolve(source, call).await.map_err(failed)?;
    let messages = requests(&method, call, terminal).map_err(failed)?;
    let path = format!("/{}/{}", call.service, call.method).parse().map_err(|e| failed(format!("{e}")))?;
    let mut request = Request::from_parts(metadata, Extensions::default(), tokio_stream::iter(messages));
    if let Some(limit) = arguments.max_time {
        request.set_timeout(limit);
    }
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|e| failed(causes(&e)))?;

    let mut responses = match client.streaming(request, path, Dynamic { response: method.output() }).await {
        Ok(response) => response.into_inner(),
        Err(refused) => return Err(status::refusal(source, &refused).await),
    };
    let defaults = if arguments.emit_defaults { json::Defaults::Emitted } else { json::Defaults::Skipped };
    loop {
        match responses.message().await {
            Ok(Some(message)) => {
                source.load_any_types(&message).await.map_err(|why| failed(why.to_string()))?;
                let text = json::render(&message, source.pool(), defaults).map_err(failed)?;
                writeln!(terminal.out, "{text}")?;
                terminal.out.flush()?;
            }
            Ok(None) => return Ok(()),
            Err(refused) => return Err(status::refusal(source, &refused).await),
        }
    }
}

async fn resolve(source: &mut Source, call: &Call) -> Result<MethodDescriptor, String> {
    let Call { service, method, .. } = call;
    let hidden = || format!("target server does not expose service {service:?}");
    source.load(service).await.map_err(|why| match why {
        Unresolved::Missing(_) => hidden(),
        other => format!("failed to query for service descriptor {service:?}: {other}"),
    })?;
    let descriptor = source.pool().get_service_by_name(service).ok_or_else(hidden)?;
    descriptor
        .methods()
        .find(|candidate| candidate.name() == method)
        .ok_or_else(|| format!("service {service:?} does not include a method named {method:?}"))
}

fn requests(
    method: &MethodDescriptor,
    call: &Call,
    terminal: &mut Terminal<'_>,
) -> Result<Vec<DynamicMessage>, String> {
    let unreadable = |why: String| format!("error getting request data: {why}");
    let mut input = String::new();
    let text = match &call.requests {
        Requests::Given(text) => text,
        Requests::Input => {
            terminal.input.read_to_string(&mut input).map_err(|e| unreadable(e.to_string()))?;
            &input
        }
    };
    let mut messages = json::parse(&method.input(), text).map_err(unreadable)?;
    if !method.is_client_streaming() {
        if messages.is_empty() {
            messages.push(DynamicMessage::new(method.input()));
        }
        if messages.len() > 1 {
            let kind = if method.is_server_streaming() { "server-streaming" } else { "unary" };
            return Err(format!(
                "method {:?} is a {kind} RPC, but request data contained more than 1 message",
                method.full_name()
            ));
        }
    }
    Ok(messages)
}

/// Protobuf on the wire, by the method's descriptors instead of generated types.
struct Dynamic {
    response: MessageDescriptor,
}

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = ToWire;
    type Decoder = FromWire;

    fn encoder(&mut self) -> ToWire {
        ToWire
    }

    fn decoder(&mut self) -> FromWire {
        FromWire { response: self.response.clone() }
    }
}

struct ToWire;

impl Encoder for ToWire {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, wire: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(wire).map_err(|e| Status::internal(format!("the request does not fit the buffer: {e}")))
    }
}

struct FromWire {
    response: MessageDescriptor,
}

impl Decoder for FromWire {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, wire: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        DynamicMessage::decode(self.response.clone(), wire)
            .map(Some)
            .map_err(|e| Status::internal(format!("the response is not a {}: {e}", self.response.full_name())))
    }
}
