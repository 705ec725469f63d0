//! Errors that were not made here: tonic's own, and those of the health and reflection services, get the same
//! google.rpc.Status as ours, so that a caller reads one kind of error.
//!
//! The texts below are tonic 0.14's and prost 0.14's; each has a test that provokes it over the wire.

use base::Fault;
use http::HeaderMap;
use tonic::{Code, Status};

use crate::status::{bare, status};

const DETAILS: &str = "grpc-status-details-bin";

/// What tonic and prost say of a message that cannot be read.
const UNREADABLE: [&str; 5] = [
    "failed to decode Protobuf message",
    "protocol error: received message with",
    "Error decompressing",
    "Unexpected EOF decoding stream",
    "Missing request message",
];

/// How a call ended, and whether its method exists.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) code: Code,
    pub(super) method_known: bool,
}

/// Reads the end of a call from headers or trailers, if they are its end, and dresses an error that has no details.
pub(super) fn end(domain: &str, headers: &mut HeaderMap) -> Option<Ending> {
    let code = Code::from_bytes(headers.get(Status::GRPC_STATUS)?.as_bytes());
    if code == Code::Ok || headers.contains_key(DETAILS) {
        return Some(Ending { code, method_known: true });
    }
    let message = Status::from_header_map(headers).map(|status| status.message().to_owned()).unwrap_or_default();
    let compressed = message.starts_with("Content is compressed");
    let dressed = match code {
        Code::Unimplemented if compressed => {
            let message = "the message is compressed in a way that is not accepted here";
            status(domain, &Fault::unimplemented("MESSAGE_MALFORMED", message))
        }
        Code::Unimplemented => {
            status(domain, &Fault::unimplemented("METHOD_UNKNOWN", "no such method is offered at this address"))
        }
        Code::OutOfRange | Code::ResourceExhausted if message.contains("limit") => too_large(domain, &message),
        Code::Internal if UNREADABLE.iter().any(|text| message.starts_with(text)) => {
            let message = format!("the message is not one that this method reads: {message}");
            status(domain, &Fault::invalid("MESSAGE_MALFORMED", message))
        }
        Code::Internal | Code::Unknown | Code::DataLoss => status(domain, &Fault::internal(message)),
        code => bare(domain, code, &message),
    };
    let method_known = code != Code::Unimplemented || compressed;
    // A status made here is always a valid header; were it not, the bare one would stand.
    if dressed.add_header(headers).is_err() {
        return Some(Ending { code, method_known });
    }
    Some(Ending { code: dressed.code(), method_known })
}

/// "…found 5000000 bytes, the limit is: 4194304 bytes", or "…size limit, of 4194304 bytes, exceeded…".
fn too_large(domain: &str, message: &str) -> Status {
    let which =
        if message.contains("encoded message") && !message.contains("decoded message") { "reply" } else { "request" };
    let fault = Fault::exhausted("MESSAGE_TOO_LARGE", format!("the {which} is larger than this method allows"));
    let after_limit = message.split_once("limit").map_or("", |(_, rest)| rest);
    let limit: String =
        after_limit.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    status(domain, &if limit.is_empty() { fault } else { fault.with("limit_bytes", limit) })
}
