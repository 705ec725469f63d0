//! Licensing: what it is told, the catalog, orders, seats and licenses.
#![expect(clippy::unwrap_used, reason = "a test has nothing better to do than fail")]

mod away;
mod bounds;
mod buying;
mod catalog;
mod clouds;
mod commitments;
mod counters;
mod crossing;
mod decisions;
mod desk;
mod details;
mod due;
mod facts;
mod holders;
mod offers;
mod orders;
mod paging;
mod parted;
mod plans;
mod published;
mod purchases;
mod quantities;
mod races;
mod random;
mod releases;
mod resellers;
mod rules;
mod seats;
mod summaries;
mod suspensions;
mod terms;
mod tombstones;
mod trade;
mod trials;

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The code and reason of a refusal; `OK` for what was allowed.
fn outcome<T>(answer: &Result<T, Status>) -> (Code, String) {
    match answer {
        Ok(_) => (Code::Ok, "OK".to_owned()),
        Err(status) => (status.code(), status.get_details_error_info().map(|info| info.reason).unwrap_or_default()),
    }
}

/// The reason alone.
fn reason<T>(answer: &Result<T, Status>) -> String {
    outcome(answer).1
}

/// One documented value beside a reason.
fn detail<T>(answer: &Result<T, Status>, key: &str) -> Option<String> {
    let info = answer.as_ref().err().and_then(StatusExt::get_details_error_info);
    info.and_then(|info| info.metadata.get(key).cloned())
}
