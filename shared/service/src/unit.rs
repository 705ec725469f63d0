//! One call on its way through steps 4 to 12, in a task of its own.
//!
//! It promises that a transaction is begun only in time, ends in commit or rollback whoever goes away meanwhile, and is
//! tried again when the database asks for it. It refuses to know what an operation does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base::{Fault, Kind};
use prost::Message as _;
use proto::Request as _;
use tokio::time::Instant;
use tonic::Response;
use tonic::metadata::MetadataValue;
use uuid::Uuid;

use crate::backoff;
use crate::caller::Caller;
use crate::cx::Cx;
use crate::deadline::{self, in_time};
use crate::dry_run;
use crate::executor::Host;
use crate::floor;
use crate::gate::Pass;
use crate::journal::{self, Outcome};
use crate::operation::{Operation, Preparation, Progress, Service};
use crate::outbox;
use crate::points;
use crate::replay::{self, Answer, Claim, Keep, ReplayKey};

/// Attempts of one unit of work before CONTENTION.
pub(crate) const ATTEMPTS_MAX: u32 = 8;
/// How often a call asks other services for what it hangs on, before its refusal stands: once for each kind of thing that
/// can come to light only after another.
const RESOLUTIONS_MAX: u32 = 3;
/// How long an operation that reduces authority waits for its delivery (§4).
const DELIVERY_WAIT: Duration = Duration::from_secs(2);
/// How long an answer waits for what its operation began.
const FOLLOW_WAIT: Duration = Duration::from_secs(2);
/// Response metadata of an answer whose facts have not arrived everywhere yet (§4).
const PROPAGATION: &str = "tandem-propagation";

/// One admitted call, before it is parsed.
pub(crate) struct Call<O: Operation> {
    pub(crate) host: Arc<Host<O::Service>>,
    pub(crate) caller: Caller,
    pub(crate) body: O::Request,
    pub(crate) deadline: Instant,
}

impl<O: Operation> Call<O> {
    pub(crate) async fn serve(self) -> Result<Response<O::Response>, Fault> {
        let (host, caller) = (Arc::clone(&self.host), self.caller.clone());
        let mut journaled =
            Journaled { request_hash: None, dry: self.body.validate_only(), is_recorded: false, concerned: None };
        let outcome = match self.parse(&mut journaled) {
            Ok(unit) => unit.work(&mut journaled).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = &outcome {
            host.record_refusal::<O>(&caller, &journaled, fault).await;
        }
        outcome
    }

    /// Steps 3, for named targets, and 4.
    fn parse(self, journaled: &mut Journaled) -> Result<Unit<O>, Fault> {
        let Self { host, caller, body, deadline } = self;
        let method = host.contract.method(O::METHOD)?;
        let bytes = body.encode_to_vec();
        if bytes.len() > method.request_bytes_max {
            return Err(Fault::exhausted("MESSAGE_TOO_LARGE", format!("the request has {} bytes", bytes.len()))
                .with("limit", method.request_bytes_max));
        }
        let dry = journaled.dry;
        let replay = match dry {
            true => None,
            false => ReplayKey::new(&host.keys, &caller, O::METHOD, body.request_id(), &bytes)?,
        };
        journaled.request_hash = replay.as_ref().map(|key| key.hash(&host.keys));
        let operation = O::parse(body)?;
        if let Some(target) = operation.named_target(&caller) {
            let source = caller.counted_as();
            host.limiters.source_and_target.take(&format!("{}|{source}|{target}", O::METHOD))?;
            host.limiters.target.take(&format!("{}|{target}", O::METHOD))?;
        }
        Ok(Unit { host, caller, operation, replay, dry, deadline })
    }
}

/// What the journal needs to know of a call that was refused.
pub(crate) struct Journaled {
    pub(crate) request_hash: Option<[u8; 32]>,
    pub(crate) dry: bool,
    /// The refusal stands there already: what the call began came to nothing, and recorded that once for everybody who
    /// waits for it or repeats the request.
    pub(crate) is_recorded: bool,
    /// At which organization the caller was found allowed before something else stood in the way.
    pub(crate) concerned: Option<Uuid>,
}

/// One call on its way through steps 5 to 12.
struct Unit<O: Operation> {
    host: Arc<Host<O::Service>>,
    caller: Caller,
    operation: O,
    replay: Option<ReplayKey>,
    dry: bool,
    deadline: Instant,
}

/// What the attempts of an operation can hang on.
type UnresolvedOf<O> = <<O as Operation>::Service as Service>::Unresolved;

/// Why an attempt came to nothing.
struct Stop<S: Service> {
    fault: Fault,
    unresolved: Vec<S::Unresolved>,
    concerned: Option<Uuid>,
}

impl<S: Service> From<Fault> for Stop<S> {
    fn from(fault: Fault) -> Self {
        Self { fault, unresolved: Vec::new(), concerned: None }
    }
}

/// What an attempt ended with.
struct Done<O: Operation> {
    response: O::Response,
    told: Vec<Uuid>,
    wait: bool,
    continuation: Option<Uuid>,
    /// What was committed is what the refusal brings about.
    refusal: Option<Fault>,
}

impl<O: Operation> Unit<O> {
    async fn work(self, journaled: &mut Journaled) -> Result<Response<O::Response>, Fault> {
        let done = {
            let _only_one = self.wait_for_the_first().await?;
            let _pass = self.wait_at_the_gate().await?;
            let permit = in_time(self.deadline, self.host.permits.acquire()).await?;
            let _permit = permit.map_err(|_| Fault::unavailable("OVERLOADED", "the service is stopping"))?;
            self.prepare_and_attempt(journaled).await?
        };
        let done = match done.continuation {
            Some(id) => Done { response: self.follow(id, journaled).await?, ..done },
            None => done,
        };
        let mut response = Response::new(done.response);
        if !done.told.is_empty() {
            self.host.wake_relays();
            let until = deadline::answer_by(self.deadline).min(Instant::now() + DELIVERY_WAIT);
            if done.wait && !outbox::delivered(&self.host.db, &self.host.outbox_delivered, &done.told, until).await {
                response.metadata_mut().insert(PROPAGATION, MetadataValue::from_static("pending"));
            }
        }
        done.refusal.map_or(Ok(response), Err)
    }

    /// Waits for what the operation began to end, at most 2 s, and answers as it stands then. It goes on whether or not
    /// the database answers us meanwhile: until the last moment a look that failed is no answer.
    async fn follow(&self, id: Uuid, journaled: &mut Journaled) -> Result<O::Response, Fault> {
        self.host.wake_followers();
        let last_moment = deadline::answer_by(self.deadline);
        let patience = last_moment.min(Instant::now() + FOLLOW_WAIT);
        let reply = loop {
            let news = self.host.moved.notified();
            match self.look(id).await {
                Ok(Progress::Over(reply)) => break reply,
                Ok(Progress::Under(reply)) if Instant::now() >= patience => break reply,
                Ok(Progress::Under(_)) => {}
                Ok(Progress::Refused(refusal)) => {
                    journaled.is_recorded = true;
                    return Err(refusal);
                }
                Err(fault) if is_transient(&fault) && Instant::now() < last_moment => {
                    tracing::info!(method = O::METHOD, %fault, "what a call began could not be looked at; looking again");
                }
                Err(fault) => return Err(fault),
            }
            // Another replica may be the one who works on it: look again even without news.
            let pause = last_moment.min(Instant::now() + Duration::from_millis(50));
            let _ = tokio::time::timeout_at(pause, news).await;
        };
        let request = self.replay.as_ref().map(|key| key.hash(&self.host.keys));
        self.operation.deliver(&self.preparation(), request, reply).await.map(O::present)
    }

    async fn look(&self, id: Uuid) -> Result<Progress<O::Reply>, Fault> {
        self.host.points.at(points::FOLLOWED).await?;
        let tx = self.host.db.snapshot().await?;
        let mut cx = Cx::new(tx, Arc::clone(&self.host), self.caller.clone(), O::METHOD);
        let progress = self.operation.resume(&mut cx, id).await;
        cx.tx.rollback().await;
        progress
    }

    /// A duplicate waits here and not at the row that the first one has claimed, where it would hold a session.
    async fn wait_for_the_first(&self) -> Result<Option<Pass<'_, u128>>, Fault> {
        let Some(replay) = &self.replay else { return Ok(None) };
        let until = self.deadline.min(Instant::now() + replay::DUPLICATE_WAIT);
        let entered = in_time(until, self.host.duplicates.enter(replay.gate_key(&self.host.keys))).await;
        deadline::check(self.deadline)?;
        entered.map_err(|_| replay::in_progress())?.map(Some)
    }

    /// Every organization has a queue of its own: who may do nothing there, which nobody has asked yet, stands in nobody's
    /// way, and does not see from how long it takes whether others are there.
    async fn wait_at_the_gate(&self) -> Result<Option<Pass<'_, (Option<Uuid>, Uuid)>>, Fault> {
        let looked_up = in_time(self.deadline, self.operation.gate(&self.preparation())).await??;
        let Some(aggregate) = looked_up else { return Ok(None) };
        let organization = self.caller.principal().map(|principal| principal.organization_id);
        in_time(self.deadline, self.host.aggregates.enter((organization, aggregate))).await?.map(Some)
    }

    async fn prepare_and_attempt(&self, journaled: &mut Journaled) -> Result<Done<O>, Fault> {
        let reads = self.host.contract.method(O::METHOD)?.reads;
        let mut prepared = self.prepare(journaled).await?;
        let (mut attempt, mut resolved, mut asked) = (0, 0, Arc::new(BTreeSet::new()));
        loop {
            let stop = match self.attempt(reads, prepared.as_ref(), &asked).await {
                Ok(done) => return Ok(done),
                Err(stop) => stop,
            };
            journaled.concerned = stop.concerned;
            if stop.fault.kind() == Kind::Busy {
                attempt += 1;
                let pause = backoff::busy(attempt);
                if attempt >= ATTEMPTS_MAX || Instant::now() + pause >= self.deadline {
                    return Err(contention(stop.fault));
                }
                tokio::time::sleep(pause).await;
                if prepared.is_none() {
                    // There was a saved reply, which may have been swept or given up since.
                    prepared = self.prepare(journaled).await?;
                }
            } else if !stop.unresolved.is_empty() && resolved < RESOLUTIONS_MAX {
                resolved += 1;
                Arc::make_mut(&mut asked).extend(stop.unresolved.iter().cloned());
                O::Service::resolve(&self.preparation(), stop.unresolved).await?;
            } else {
                return Err(stop.fault);
            }
        }
    }

    fn preparation(&self) -> Preparation<'_, O::Service> {
        Preparation { host: &self.host, caller: &self.caller, dry: self.dry, deadline: self.deadline }
    }

    /// Step 5, after the caller was found allowed on a read snapshot. `None` when there is a saved reply: a repeated
    /// request is not prepared again, and is answered to those too who have lost what the first one rested on.
    async fn prepare(&self, journaled: &mut Journaled) -> Result<Option<O::Prepared>, Fault> {
        deadline::check(self.deadline)?;
        let mut resolved = 0;
        // A `()` has no size: there is nothing to prepare, and nothing to ask before.
        while std::mem::size_of::<O::Prepared>() > 0 {
            let tx = self.host.db.snapshot().await?;
            let mut cx = Cx::new(tx, Arc::clone(&self.host), self.caller.clone(), O::METHOD);
            let needed = self.to_be_prepared(&mut cx).await;
            cx.tx.rollback().await;
            journaled.concerned = cx.concerned;
            match needed {
                Ok(true) => break,
                Ok(false) => return Ok(None),
                Err(_) if !cx.unresolved.is_empty() && resolved < RESOLUTIONS_MAX => {
                    resolved += 1;
                    O::Service::resolve(&self.preparation(), cx.unresolved).await?;
                }
                Err(fault) => return Err(fault),
            }
        }
        self.operation.prepare(&self.preparation()).await.map(Some)
    }

    async fn to_be_prepared(&self, cx: &mut Cx<O::Service>) -> Result<bool, Fault> {
        if let Some(principal) = self.caller.principal() {
            floor::check(&mut cx.tx, principal).await?;
        }
        if let Some(key) = &self.replay
            && key.saved(&mut cx.tx).await?.is_some()
        {
            return Ok(false);
        }
        O::Service::authorize(cx, O::PERMISSION, &self.operation.target()).await?;
        Ok(true)
    }

    /// Steps 6 to 12.
    async fn attempt(
        &self,
        reads: bool,
        prepared: Option<&O::Prepared>,
        asked: &Arc<BTreeSet<UnresolvedOf<O>>>,
    ) -> Result<Done<O>, Stop<O::Service>> {
        deadline::check(self.deadline)?;
        let tx = if reads { self.host.db.snapshot().await? } else { self.host.db.write().await? };
        let mut cx = Cx::new(tx, Arc::clone(&self.host), self.caller.clone(), O::METHOD);
        cx.asked = Arc::clone(asked);
        match self.inside(&mut cx, prepared).await {
            Ok(Inside::Continued(id)) => {
                cx.tx.rollback().await;
                let response = O::Response::default();
                Ok(Done { response, told: Vec::new(), wait: false, continuation: Some(id), refusal: None })
            }
            Ok(Inside::Replayed(reply)) => {
                cx.tx.rollback().await;
                let response = O::Response::decode(reply.as_slice())
                    .map_err(|error| Fault::internal("a saved reply cannot be decoded").because(error))?;
                Ok(Done { response, told: Vec::new(), wait: false, continuation: None, refusal: None })
            }
            Ok(Inside::Ran { response, told }) if self.dry => {
                cx.tx.rollback().await;
                drop(told);
                if let Some(refusal) = cx.refusal {
                    return Err(refusal.into());
                }
                let output = &self.host.contract.method(O::METHOD)?.output;
                let response = dry_run::blank(&response, output, &cx.made)?;
                Ok(Done { response, told: Vec::new(), wait: false, continuation: None, refusal: None })
            }
            Ok(Inside::Ran { response, told }) => {
                let (wait, continuation) = (cx.wait_for_delivery, cx.continuation);
                if let Err(late) = deadline::check(self.deadline) {
                    cx.tx.rollback().await;
                    return Err(late.into());
                }
                if reads {
                    cx.tx.rollback().await;
                } else {
                    cx.tx.commit().await?;
                }
                Ok(Done { response, told, wait, continuation, refusal: cx.refusal })
            }
            Err(fault) => {
                cx.tx.rollback().await;
                Err(Stop { fault, unresolved: cx.unresolved, concerned: cx.concerned })
            }
        }
    }

    /// Steps 7 to 11.
    async fn inside(
        &self,
        cx: &mut Cx<O::Service>,
        prepared: Option<&O::Prepared>,
    ) -> Result<Inside<O::Response>, Fault> {
        let keys = Arc::clone(&self.host.keys);
        let request_hash = self.replay.as_ref().map(|key| key.hash(&keys));
        cx.request_hash = request_hash;
        if let Some(principal) = self.caller.principal() {
            floor::check(&mut cx.tx, principal).await?;
        }
        if let Some(key) = &self.replay
            && let Claim::Saved(saved) = key.claim(&mut cx.tx, cx.now).await?
        {
            if saved.is_sealed() || O::DELIVERS_SECRET {
                O::Service::authorize(cx, O::PERMISSION, &self.operation.target()).await?;
            }
            return match key.answer(&keys, saved, cx.now)? {
                Answer::Reply(reply) => Ok(Inside::Replayed(reply)),
                Answer::Continuation(id) => Ok(Inside::Continued(id)),
            };
        }
        O::Service::authorize(cx, O::PERMISSION, &self.operation.target()).await?;
        let prepared = prepared.ok_or_else(|| Fault::busy("a saved reply was swept or given up while it was read"))?;
        let reply = self.operation.run(cx, prepared).await?;
        let response = O::present(reply);
        let facts = std::mem::take(&mut cx.facts);
        journal::write(&mut cx.tx, &self.caller, cx.now, request_hash, &facts, Outcome::Succeeded).await?;
        let outgoing = std::mem::take(&mut cx.outgoing);
        let told = outbox::put(&mut cx.tx, &outgoing, cx.delivery, cx.now).await?;
        match &self.replay {
            // Only successes are stored.
            Some(key) if cx.refusal.is_some() => key.give_up(&mut cx.tx).await?,
            Some(key) => {
                let keep = Keep { secret_subject: cx.secret_subject, continuation: cx.continuation };
                key.save(&mut cx.tx, &keys, &response.encode_to_vec(), keep).await?;
            }
            None => {}
        }
        Ok(Inside::Ran { response, told })
    }
}

/// Whether the database may answer the same look a moment later.
fn is_transient(fault: &Fault) -> bool {
    matches!(fault.kind(), Kind::Busy | Kind::Unavailable)
}

enum Inside<R> {
    Replayed(Vec<u8>),
    Continued(Uuid),
    Ran { response: R, told: Vec<Uuid> },
}

pub(crate) fn contention(fault: Fault) -> Fault {
    Fault::contention("others kept changing the same rows; repeat the request").because(fault)
}
