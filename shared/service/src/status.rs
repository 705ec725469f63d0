//! The one conversion from a [`Fault`] to what a caller sees: google.rpc.Status with ErrorInfo, always (AIP-193).
//!
//! It promises that a source never reaches the wire (S-26), that an internal fault is one log line under an id and
//! nothing but that id for the caller, and that a status fits the headers it rides in. It decides nothing: the kind
//! and the reason were chosen where the fault was made.

use std::collections::HashMap;
use std::error::Error;

use base::{Fault, Kind};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, QuotaViolation, StatusExt};
use tracing::error;
use uuid::Uuid;

/// The most that one status adds to headers or trailers, encoded.
pub const STATUS_BYTES_MAX: usize = 8 * 1024;

const MESSAGE_BYTES_MAX: usize = 512;
const VALUE_BYTES_MAX: usize = 256;

/// The status of a fault, spoken by `domain`. An internal fault is logged here, once, with all its sources.
pub fn status(domain: &str, fault: &Fault) -> Status {
    let code = code(fault.kind());
    if code == Code::Internal {
        return internal(domain, fault);
    }
    let message = shortened(fault.message(), MESSAGE_BYTES_MAX);
    // Violations that are not told are counted in the metadata as `violations_omitted`.
    let mut told = fault.violations().len();
    loop {
        let status = Status::with_error_details(code, message, details(domain, fault, message, told));
        if told == 0 || encoded_bytes(&status) <= STATUS_BYTES_MAX {
            return status;
        }
        told /= 2;
    }
}

/// A status that carries only a reason, for codes that no fault of ours has.
pub(crate) fn bare(domain: &str, code: Code, message: &str) -> Status {
    let details = ErrorDetails::with_error_info(code_name(code), domain, HashMap::new());
    Status::with_error_details(code, shortened(message, MESSAGE_BYTES_MAX), details)
}

/// The canonical name of a code, as it stands in metrics.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::Precondition => Code::FailedPrecondition,
        Kind::Denied => Code::PermissionDenied,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Aborted | Kind::Busy => Code::Aborted,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Deadline => Code::DeadlineExceeded,
        Kind::Unimplemented => Code::Unimplemented,
        Kind::Internal => Code::Internal,
    }
}

fn internal(domain: &str, fault: &Fault) -> Status {
    let id = Uuid::new_v4().to_string();
    error!(
        error.id = %id,
        error.message = fault.message(),
        error.metadata = ?fault.metadata(),
        error.sources = %sources(fault),
        "an invariant is broken; the caller was told only the id"
    );
    let message = format!("internal error {id}");
    let details = ErrorDetails::with_error_info(fault.reason(), domain, [("id".to_owned(), id)]);
    Status::with_error_details(Code::Internal, message, details)
}

/// The chain of causes, for the log.
pub(crate) fn sources(fault: &Fault) -> String {
    let chain = std::iter::successors(fault.source(), |cause: &&(dyn Error + 'static)| (*cause).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn details(domain: &str, fault: &Fault, message: &str, told: usize) -> ErrorDetails {
    let reason = if fault.kind() == Kind::Busy { "CONTENTION" } else { fault.reason() };
    let mut metadata: HashMap<String, String> = fault
        .metadata()
        .iter()
        .map(|(key, value)| ((*key).to_owned(), shortened(value, VALUE_BYTES_MAX).to_owned()))
        .collect();
    let omitted = fault.violations_omitted() + fault.violations().len() - told;
    if omitted > 0 {
        metadata.insert("violations_omitted".to_owned(), omitted.to_string());
    }
    let mut details = ErrorDetails::with_error_info(reason, domain, metadata);
    let resource = fault.resource().map(|(noun, id)| (noun, shortened(id, VALUE_BYTES_MAX)));
    let subject = resource.map_or_else(|| domain.to_owned(), |(noun, id)| format!("{noun}:{id}"));
    match fault.kind() {
        Kind::Precondition => {
            details.set_precondition_failure([PreconditionViolation::new(reason, subject, message)]);
        }
        Kind::Exhausted => {
            let mut violation = QuotaViolation::new(subject, message);
            reason.clone_into(&mut violation.quota_id);
            details.set_quota_failure([violation]);
        }
        _ => {}
    }
    if told > 0 {
        let violations = fault.violations().iter().take(told).map(|violation| {
            let field = shortened(&violation.field, VALUE_BYTES_MAX);
            let mut told = FieldViolation::new(field, shortened(&violation.message, MESSAGE_BYTES_MAX));
            violation.reason.clone_into(&mut told.reason);
            told
        });
        details.set_bad_request(violations.collect::<Vec<_>>());
    }
    if let Some((noun, id)) = resource {
        details.set_resource_info(noun, id, "", "");
    }
    if let Some(wait) = fault.wait() {
        details.set_retry_info(Some(wait));
    }
    details
}

/// What the status weighs on the wire at worst: every byte of the message escaped, the details in base64.
fn encoded_bytes(status: &Status) -> usize {
    status.message().len() * 3 + status.details().len().div_ceil(3) * 4
}

/// The longest prefix of whole characters within `max` bytes.
fn shortened(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use base::{VIOLATIONS_MAX, Violations};
    use tonic_types::StatusExt as _;

    use super::*;

    fn reason(status: &Status) -> String {
        status.get_details_error_info().expect("every error has an ErrorInfo").reason
    }

    #[test]
    fn an_internal_fault_gives_the_caller_an_id_and_nothing_else() {
        let fault = Fault::internal("row 7 vanished").because(io::Error::other("password=hunter2")).with("row", 7);
        let status = status("test.example", &fault);
        let info = status.get_details_error_info().expect("an ErrorInfo");
        assert_eq!((status.code(), info.reason.as_str()), (Code::Internal, "INTERNAL"));
        assert_eq!(info.metadata.keys().collect::<Vec<_>>(), ["id"]);
        assert_eq!(status.message(), format!("internal error {}", info.metadata["id"]));
        let wire = String::from_utf8_lossy(status.details()).into_owned();
        assert!(!wire.contains("hunter2") && !wire.contains("vanished"));
    }

    #[test]
    fn a_source_never_reaches_the_wire() {
        let fault = Fault::unavailable("DATABASE_UNAVAILABLE", "try again").because(io::Error::other("hunter2"));
        let status = status("test.example", &fault.retry_after(Duration::from_secs(3)));
        assert!(!String::from_utf8_lossy(status.details()).contains("hunter2"));
        let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
        assert_eq!((status.code(), wait), (Code::Unavailable, Some(Duration::from_secs(3))));
    }

    #[test]
    fn contention_is_told_as_aborted() {
        let status = status("test.example", &Fault::busy("serialization"));
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "CONTENTION"));
    }

    #[test]
    fn every_kind_of_refusal_has_its_detail() {
        let precondition = status("test.example", &Fault::precondition("SHELF_FULL", "take a book off first"));
        let failure = precondition.get_details_precondition_failure().expect("a PreconditionFailure");
        assert_eq!(failure.violations[0].r#type, "SHELF_FULL");
        let quota = status("test.example", &Fault::exhausted("RATE_LIMITED", "slow down"));
        assert_eq!(quota.get_details_quota_failure().expect("a QuotaFailure").violations[0].quota_id, "RATE_LIMITED");
        let missing = status("test.example", &Fault::not_found("book", "17"));
        let resource = missing.get_details_resource_info().expect("a ResourceInfo");
        assert_eq!((resource.resource_type.as_str(), resource.resource_name.as_str()), ("book", "17"));
    }

    #[test]
    fn many_violations_are_cut_to_what_fits_and_the_rest_is_counted() {
        let mut violations = Violations::default();
        for index in 0..60 {
            violations.add(format!("users[{index}].email"), "EMAIL_MALFORMED", "é".repeat(400));
        }
        let status = status("test.example", &violations.into_fault());
        let told = status.get_details_bad_request().expect("a BadRequest").field_violations;
        let info = status.get_details_error_info().expect("an ErrorInfo");
        assert_eq!(info.metadata["violations_omitted"], (60 - told.len()).to_string());
        assert_eq!(told[0].reason, "EMAIL_MALFORMED");
        let mut headers = http::HeaderMap::new();
        status.add_header(&mut headers).expect("the status is a header");
        assert!(headers.iter().map(|(_, value)| value.len()).sum::<usize>() <= STATUS_BYTES_MAX);

        let mut small = Violations::default();
        for index in 0..60 {
            small.add(format!("f{index}"), "REQUIRED", "is required");
        }
        let status = super::status("test.example", &small.into_fault());
        assert_eq!(status.get_details_bad_request().expect("a BadRequest").field_violations.len(), VIOLATIONS_MAX);
    }
}
