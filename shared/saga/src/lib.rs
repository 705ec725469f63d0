//! Durable steps across services: claim, prepare, decide, settle, or abort. No business nouns.
//!
//! A saga is begun in the transaction of the call that wants it. Its *prepare* steps ask other services and may be
//! repeated; nothing they do is effective by itself. Its *decision* is one local transaction, guarded by the lease
//! epoch and the state, and the only moment at which anything becomes effective. From there it goes forward only,
//! until its *settle* steps are done. Before it, a refusal or the end of the budget *aborts* it: that is a conditional
//! update of the same row, so exactly one of the two happens. What the saga held here it lets go in that transaction;
//! every prepare step is canceled afterwards, done or not, for as long as that takes.
//!
//! ```text
//! PREPARING -> COMMITTED -> SETTLED
//!     \-> ABORTING -> ABORTED
//! ```
//!
//! A refusal that passes (nobody answered in time, somebody else was faster) binds nobody: the same request, repeated,
//! begins anew. Any other refusal is what the request is answered with from then on.
//!
//! **Invariant:** a worker whose lease epoch is stale changes nothing (`a_stale_worker_changes_nothing`). Retries live
//! here alone, with full jitter and a cap.

pub mod intent;
mod runner;
mod store;

use std::future::Future;
use std::time::Duration;

use base::Fault;
use service::{Cx, Host, Service};
use uuid::Uuid;

pub use runner::{drive, run};
pub use store::{Done, Outcome, Saga, State, answers, begin, claim, get, outcome, steps};

/// The tables of a service that decides.
pub const MIGRATIONS: &[db::Migration] =
    &[db::Migration { version: 200, name: "saga", sql: include_str!("../migrations/0200_saga.sql") }];

/// The tables of a service that takes part in another's decisions.
pub const INTENT_MIGRATIONS: &[db::Migration] =
    &[db::Migration { version: 210, name: "intent", sql: include_str!("../migrations/0210_intent.sql") }];

/// How long a claim holds.
pub const LEASE: Duration = Duration::from_secs(15);
/// How long a saga may try before its decision.
pub const BUDGET: Duration = Duration::from_secs(60);

/// The sagas of one service: what each step means.
///
/// Every function may be called again, by any replica, after a crash at any point.
pub trait Flow: Sized + Send + Sync + 'static {
    /// Whose sagas these are.
    type Service: Service;

    /// Reads a saga's request back. Unknown flows are an internal fault.
    ///
    /// # Errors
    /// When the bytes are not what this flow wrote.
    fn read(flow: &str, request: &[u8]) -> Result<Self, Fault>;

    /// What must be asked of other services before the decision, in any order and at the same time.
    fn prepare_steps(&self) -> &'static [&'static str];

    /// Asks. The answer is recorded and handed to the decision. A refusal aborts the saga, and so does an ABORTED one
    /// that tells the caller to try anew; UNAVAILABLE, contention and their like are tried again.
    fn prepare(
        &self,
        host: &Host<Self::Service>,
        saga: Uuid,
        step: &'static str,
    ) -> impl Future<Output = Result<Vec<u8>, Fault>> + Send;

    /// Takes back what the step may have done, even where it never arrived, so that a late one is refused.
    fn cancel(
        &self,
        host: &Host<Self::Service>,
        saga: Uuid,
        step: &'static str,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The decision: everything becomes effective in this transaction. A refusal rolls it back and aborts the saga.
    fn decide(
        &self,
        cx: &mut Cx<Self::Service>,
        saga: Uuid,
        answers: &Answers,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// What an aborted saga leaves behind locally, in the transaction that aborts it: nobody here waits for those who
    /// have still to take something back. It records the refusal.
    fn abandon(
        &self,
        cx: &mut Cx<Self::Service>,
        saga: Uuid,
        refusal: &Fault,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Whether a step that is not taken back yet would stand in the way of another attempt. Whoever repeats the request
    /// of an aborted saga begins anew when it is aborted, or with this when everything is taken back.
    fn stands_in_its_way(&self) -> bool {
        false
    }

    /// What must be done after the decision, forward only and for ever.
    fn settle_steps(&self) -> &'static [&'static str] {
        &[]
    }

    /// Does it.
    fn settle(
        &self,
        _host: &Host<Self::Service>,
        saga: Uuid,
        step: &'static str,
    ) -> impl Future<Output = Result<Vec<u8>, Fault>> + Send {
        async move { Err(Fault::internal(format!("saga {saga} has no step {step} to settle"))) }
    }
}

/// What the prepare steps were answered.
#[derive(Debug, Default)]
pub struct Answers(Vec<(String, Vec<u8>)>);

impl Answers {
    /// The answer to a step.
    ///
    /// # Errors
    /// When that step has no answer, which is a bug: the decision comes after all of them.
    pub fn get(&self, step: &str) -> Result<&[u8], Fault> {
        let found = self.0.iter().find(|(name, _)| name == step);
        found.map(|(_, answer)| answer.as_slice()).ok_or_else(|| Fault::internal(format!("step {step} has no answer")))
    }
}
