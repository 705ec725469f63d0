//! The one executor: every operation passes these steps in this order, and nowhere else.
//!
//! 1 span, metrics, size and load limits (in the listener) and the deadline class · 2 authenticate · 3 rate limit ·
//! 4 parse · 5 prepare · 6 begin · 7 claim the replay row or answer the saved reply · 8 authorize · 9 run ·
//! 10 journal and outbox · 11 save the reply · 12 commit, or roll back a dry run · busy: back to 6 · 13 fault to status.

use std::sync::Arc;

use base::{Clock, Fault, Id};
use db::Db;
use tokio::sync::{Notify, Semaphore};
use tonic::{Request, Response, Status};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::caller::Caller;
use crate::contract::Contract;
use crate::deadline::{deadline, in_time};
use crate::gate::Gate;
use crate::journal::{self, Fact, Outcome};
use crate::keys::ServiceKeys;
use crate::keyset::KeySet;
use crate::operation::{Operation, Service};
use crate::points::Points;
use crate::rate::{Limiters, Rates};
use crate::replay;
use crate::status::status;
use crate::unit::{Call, Journaled};

/// Calls of one organization at one hot aggregate that may be in the database at once (R-36: a tenth of the usual pool). A
/// second one would only wait for the row that the first one holds, and everybody else for what the two write without a
/// pause.
const SESSIONS_PER_AGGREGATE: usize = 1;
/// What the database answers when the answer to a commit was lost.
const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";

/// One service in one process.
#[derive(Debug)]
pub struct Host<S: Service> {
    /// Its database.
    pub db: Db,
    /// Its clock.
    pub clock: Clock,
    /// Its keys.
    pub keys: Arc<ServiceKeys>,
    /// The keys that verify access tokens.
    pub key_set: KeySet,
    /// Its own state.
    pub service: S,
    /// Where tests let things go wrong.
    pub points: Points,
    pub(crate) contract: Contract,
    pub(crate) outbox_news: Notify,
    pub(crate) outbox_delivered: Notify,
    pub(crate) begun: Notify,
    pub(crate) moved: Notify,
    pub(crate) limiters: Limiters,
    pub(crate) permits: Semaphore,
    pub(crate) aggregates: Gate<(Option<Uuid>, Uuid)>,
    pub(crate) duplicates: Gate<u128>,
}

/// What a host is made of.
#[derive(Debug)]
pub struct Parts<S> {
    /// Its database, migrated.
    pub db: Db,
    /// Its clock.
    pub clock: Clock,
    /// Its keys.
    pub keys: ServiceKeys,
    /// The issuer of access tokens.
    pub issuer: String,
    /// Its own state.
    pub service: S,
    /// The rates of this process.
    pub rates: Rates,
    /// Units of work under way at once.
    pub concurrency: usize,
}

impl<S: Service> Host<S> {
    /// Puts a host together.
    pub fn new(parts: Parts<S>) -> Result<Arc<Self>, Fault> {
        Ok(Arc::new(Self {
            db: parts.db,
            clock: parts.clock,
            keys: Arc::new(parts.keys),
            key_set: KeySet::new(parts.issuer),
            service: parts.service,
            points: Points::default(),
            contract: Contract::decode(proto::CONTRACT)?,
            outbox_news: Notify::new(),
            outbox_delivered: Notify::new(),
            begun: Notify::new(),
            moved: Notify::new(),
            limiters: Limiters::new(parts.rates),
            permits: Semaphore::new(parts.concurrency),
            aggregates: Gate::new(SESSIONS_PER_AGGREGATE),
            duplicates: Gate::new(1),
        }))
    }

    /// Runs one call of one operation.
    pub async fn run<O: Operation<Service = S>>(
        self: &Arc<Self>,
        request: Request<O::Request>,
    ) -> Result<Response<O::Response>, Status> {
        let outcome = self.execute::<O>(request).await;
        let reason = outcome.as_ref().map_or_else(|fault| fault.reason().to_owned(), |_| "OK".to_owned());
        metrics::counter!("operations_total", "service" => S::NAME, "method" => O::METHOD, "reason" => reason)
            .increment(1);
        outcome.map_err(|fault| status(S::DOMAIN, &fault))
    }

    async fn execute<O: Operation<Service = S>>(
        self: &Arc<Self>,
        request: Request<O::Request>,
    ) -> Result<Response<O::Response>, Fault> {
        let method = self.contract.method(O::METHOD)?;
        let deadline = deadline(&request, method)?;
        let caller = self.authenticate(&request, method, deadline).await?;
        self.limit(&caller)?;
        let call = Call::<O> { host: Arc::clone(self), caller, body: request.into_inner(), deadline };
        // The unit of work lives in a task of its own: a caller who goes away must never drop a half-begun transaction.
        let task = tokio::spawn(call.serve().in_current_span());
        let done = in_time(deadline, task).await?;
        done.map_err(|error| Fault::internal("a unit of work panicked").because(error))?
    }

    /// Authenticated refusals and failures are recorded in a transaction of their own, rate-limited per principal.
    /// A call whose outcome is unknown has failed or stands in the journal already, together with what it changed.
    pub(crate) async fn record_refusal<O: Operation<Service = S>>(
        &self,
        caller: &Caller,
        call: &Journaled,
        fault: &Fault,
    ) {
        let Some(principal) = caller.principal().filter(|_| fault.reason() != OUTCOME_UNKNOWN) else { return };
        let reads = self.contract.method(O::METHOD).is_ok_and(|method| method.reads);
        if call.dry || call.is_recorded || reads || self.limiters.refusals.take(&principal.id.to_string()).is_err() {
            return;
        }
        let fact = Fact::new(O::METHOD.rsplit('/').next().unwrap_or(O::METHOD));
        let fact = fact.refused(principal, call.concerned);
        let written = async {
            let mut tx = self.db.write().await?;
            let outcome = Outcome::Failed(fault.reason());
            journal::write(&mut tx, caller, self.clock.now(), call.request_hash, &[fact], outcome).await?;
            tx.commit().await
        };
        if let Err(fault) = written.await {
            tracing::warn!(method = O::METHOD, %fault, "a refusal could not be journaled");
        }
    }

    /// A new id for what is made outside of any request; requests ask [`Cx::new_id`](crate::Cx::new_id).
    pub fn new_id<T>(&self) -> Id<T> {
        Id::random()
    }

    /// Wakes whoever delivers facts.
    pub fn wake_relays(&self) {
        self.outbox_news.notify_waiters();
    }

    /// Deletes what is due: old replies, spent buckets.
    pub async fn sweep(&self) -> Result<(), Fault> {
        self.limiters.sweep();
        let mut tx = self.db.write().await?;
        replay::sweep(&mut tx, self.clock.now()).await?;
        tx.commit().await
    }
}
