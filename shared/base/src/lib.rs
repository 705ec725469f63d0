//! Words every room shares: typed ids, time, faults, pages and secrets.
//!
//! This crate does no IO, starts no task and knows no business noun. The clock and the source of ids live here
//! because everything above asks them through the request's context and never the system.

mod clock;
pub mod country;
mod fault;
mod id;
pub mod names;
mod page;
mod secret;

pub use clock::{Clock, Timestamp};
pub use fault::{Fault, Kind, VIOLATIONS_MAX, Violation, Violations};
pub use id::Id;
pub use page::{Keyset, Page, Seek};
pub use secret::Secret;
