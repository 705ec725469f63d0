//! What holds for every RPC that is served to everybody, each judged by a valid request of somebody who may make it:
//!
//! - A change is repeated under its request_id: the same answer to the byte, and one effect. Another request under that
//!   request_id is refused.
//! - A change is tried dry: the answer of the real call without the ids, secrets and etags that it would make, and no row
//!   of the three databases changes.
//! - Each id in the request is swapped for one that exists and belongs to others, and for one that nobody has: code,
//!   message and details are the same, in a dry run too, and no row changes. Where an organization is named, the
//!   caller's own is refused or unknown. [`exceptions`] lists where it is otherwise, and why.
//!
//! The ids are found by the contract's descriptors. An RPC without a fixture, an id that no fixture names and an exception
//! about nothing are failures. A fixture makes its request twice, in two channels that know nothing of each other: what
//! the one names is foreign to the other.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where something is missing")]

mod answers;
mod call;
mod contract;
mod every_service;
mod exceptions;
mod identity;
mod judge;
mod licensing;
mod noticed;
mod partner;
mod place;
mod stage;
mod swap;
mod trial;

use rstest::rstest;
use testkit::database::Kind;

use judge::Judge;

#[rstest]
#[tokio::test]
async fn every_rpc_repeats_runs_dry_and_answers_for_a_foreign_id_as_for_an_unknown_one(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let mut judge = Judge::start(kind).await;
    every_service::fixtures(&mut judge).await;
    identity::fixtures(&mut judge).await;
    licensing::fixtures(&mut judge).await;
    partner::fixtures(&mut judge).await;
    let findings = judge.findings().await;
    assert!(findings.is_empty(), "{} found:\n{}", findings.len(), findings.join("\n"));
}
