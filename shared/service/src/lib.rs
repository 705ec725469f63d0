//! The only shared crate that names tonic and tower: one executor runs every operation, and what every process
//! serves, verifies, limits and reports is here once.
//!
//! It promises that an operation cannot be run without being authorized, that what was acknowledged is durable and
//! replayable, and that no secret leaves through an error, a log or the journal. It refuses to know a business noun.

pub mod audit;
mod authn;
mod background;
pub mod backoff;
pub mod caller;
pub mod config;
pub mod contract;
pub mod cx;
mod deadline;
mod dry_run;
pub mod executor;
pub mod floor;
pub mod form;
pub mod gate;
pub mod journal;
mod key_store;
pub mod keys;
pub mod keyset;
pub mod limits;
pub mod management;
mod network;
pub mod operation;
pub mod outbox;
pub mod page_token;
pub mod peer;
pub mod points;
pub mod process;
pub mod rate;
pub mod replay;
pub mod reply;
pub mod seal;
pub mod serve;
pub mod status;
pub mod telemetry;
pub mod token;
mod unit;
pub mod watch;

pub use caller::{Caller, Principal};
pub use cx::Cx;
pub use executor::{Host, Parts};
pub use form::Form;
pub use journal::Fact;
pub use operation::{NamedLimit, Operation, Preparation, Progress, Service, Wire, Work};
pub use watch::Watch;

/// The tables that every service has beside its nouns.
pub const MIGRATIONS: &[db::Migration] =
    &[db::Migration { version: 100, name: "service", sql: include_str!("../migrations/0100_service.sql") }];
