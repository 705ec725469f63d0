//! Organizations that partner makes: pending until they are confirmed, gone when they are canceled, told to everybody
//! when they are effective (C21, S-05).
#![expect(clippy::unwrap_used, reason = "a test has nothing better to do than fail")]

mod facts;
mod orders;
mod pending;
mod secrets;

use tests::world::Refused;
use tonic::Status;

/// The reason of a refusal; `OK` for what was allowed.
fn reason<T>(answer: &Result<T, Status>) -> String {
    answer.as_ref().map_or_else(|status| Refused::of(status).reason, |_| "OK".to_owned())
}
