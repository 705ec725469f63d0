//! Working sagas off: any replica, one step after the other, until they are over.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use base::{Fault, Kind};
use futures_util::future::join_all;
use service::{Caller, Cx, Host, Service, Work, backoff, points};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::store::{self, Saga, State};
use crate::{Answers, Flow};

/// The safety net beside being woken.
const POLL: Duration = Duration::from_millis(250);
/// Sagas that one replica works on at once. What is beyond stays unclaimed, for itself and for others.
const WORKERS_MAX: usize = 64;

/// Works sagas off until told to stop.
pub async fn run<F: Flow>(host: Arc<Host<F::Service>>, stop: CancellationToken) {
    let mut workers = JoinSet::new();
    while !stop.is_cancelled() {
        let news = host.begun();
        while workers.len() >= WORKERS_MAX {
            workers.join_next().await;
        }
        let free = i64::try_from(WORKERS_MAX - workers.len()).unwrap_or(1);
        match store::claim(&host.db, host.clock.now(), free).await {
            Ok(claimed) if claimed.is_empty() => {
                tokio::select! {
                    () = news => {}
                    () = tokio::time::sleep(POLL) => {}
                    () = stop.cancelled() => {}
                }
            }
            Ok(claimed) => {
                for saga in claimed {
                    workers.spawn(work_off::<F>(Arc::clone(&host), saga));
                }
            }
            Err(fault) => {
                tracing::warn!(%fault, "sagas could not be claimed");
                tokio::time::sleep(POLL).await;
            }
        }
        while workers.try_join_next().is_some() {}
    }
    while workers.join_next().await.is_some() {}
}

async fn work_off<F: Flow>(host: Arc<Host<F::Service>>, saga: Saga) {
    let id = saga.id;
    if let Err(fault) = drive::<F>(&host, saga).await {
        tracing::warn!(saga.id = %id, %fault, "a saga could not go on; it is tried again");
    }
    host.tell_moved();
}

/// Takes one claimed saga as far as it goes.
///
/// # Errors
/// When the database does not answer; the claim runs out by itself.
pub async fn drive<F: Flow>(host: &Arc<Host<F::Service>>, mut saga: Saga) -> Result<(), Fault> {
    let flow = F::read(&saga.flow, &saga.request)?;
    host.points.at(points::SAGA_CLAIMED).await?;
    loop {
        let next = match saga.state {
            State::Preparing => prepare(host, &flow, &saga).await?,
            State::Committed => settle(host, &flow, &saga).await?,
            State::Aborting => cancel(host, &flow, &saga).await?,
            State::Settled | State::Aborted => return Ok(()),
        };
        match next {
            Next::Moved(state) => saga.state = state,
            Next::Refused(refusal) => {
                host.points.at(points::ABORT_BEFORE).await?;
                if !host.transact(&Abort { flow: &flow, saga: &saga, refusal: &refusal }).await? {
                    return Ok(());
                }
                host.points.at(points::ABORT_AFTER).await?;
                saga.refusal = Some((refusal.kind(), refusal.reason().to_owned(), refusal.message().to_owned()));
                saga.state = State::Aborting;
            }
            Next::Later => {
                let mut tx = host.db.write().await?;
                store::release(&mut tx, &saga, host.clock.now() + backoff::away(saga.attempts)).await?;
                return tx.commit().await;
            }
            Next::Stale => return Ok(()),
        }
        host.tell_moved();
    }
}

enum Next {
    Moved(State),
    Refused(Fault),
    Later,
    Stale,
}

/// Whether another attempt of the whole saga may end otherwise: a repeat of its request begins anew.
fn is_passing(fault: &Fault) -> bool {
    matches!(
        fault.kind(),
        Kind::Unavailable | Kind::Deadline | Kind::Aborted | Kind::Exhausted | Kind::Busy | Kind::Internal
    )
}

/// Whether asking the same again may be answered otherwise. What was ABORTED wants a new attempt, unless others were just
/// faster.
fn is_asked_again(fault: &Fault) -> bool {
    is_passing(fault) && (fault.kind() != Kind::Aborted || fault.reason() == "CONTENTION")
}

async fn prepare<F: Flow>(host: &Arc<Host<F::Service>>, flow: &F, saga: &Saga) -> Result<Next, Fault> {
    if host.clock.now() >= saga.budget_until {
        let message = "not everybody who has to agree answered in time; nothing was changed, repeat the request";
        return Ok(Next::Refused(Fault::unavailable("SAGA_TIMED_OUT", message)));
    }
    let mut tx = host.db.snapshot().await?;
    let done = store::done(&mut tx, saga.id, "PREPARED").await;
    tx.rollback().await;
    let done = done?;
    let mut later = false;
    // At the same time: the answer to the caller waits for the slowest, not for all of them in turn.
    let open = flow.prepare_steps().iter().copied().filter(|step| done.get(step).is_err());
    let asked = open.map(|step| async move { (step, ask(host, flow, saga.id, step).await) });
    for (step, answer) in join_all(asked).await {
        match answer {
            Ok(answer) => note(host, saga, step, "PREPARED", &answer).await?,
            Err(fault) if is_asked_again(&fault) => {
                tracing::info!(saga.id = %saga.id, step, %fault, "a step was not answered; it is tried again");
                later = true;
            }
            Err(refusal) => return Ok(Next::Refused(refusal)),
        }
    }
    if later {
        return Ok(Next::Later);
    }
    host.points.at(points::DECISION_BEFORE).await?;
    match host.transact(&Decide { flow, saga }).await {
        Ok(true) => {
            host.points.at(points::DECISION_AFTER).await?;
            Ok(Next::Moved(State::Committed))
        }
        Ok(false) => Ok(Next::Stale),
        Err(fault) if is_asked_again(&fault) => {
            tracing::warn!(saga.id = %saga.id, %fault, "a decision could not be written; it is tried again");
            Ok(Next::Later)
        }
        Err(refusal) => Ok(Next::Refused(refusal)),
    }
}

async fn ask<F: Flow>(
    host: &Arc<Host<F::Service>>,
    flow: &F,
    saga: Uuid,
    step: &'static str,
) -> Result<Vec<u8>, Fault> {
    host.points.at(points::STEP_ASKED).await?;
    let answer = flow.prepare(host, saga, step).await?;
    host.points.at(points::STEP_ANSWERED).await?;
    Ok(answer)
}

async fn settle<F: Flow>(host: &Arc<Host<F::Service>>, flow: &F, saga: &Saga) -> Result<Next, Fault> {
    let mut tx = host.db.snapshot().await?;
    let done = store::done(&mut tx, saga.id, "SETTLED").await;
    tx.rollback().await;
    let done = done?;
    let mut later = false;
    for step in flow.settle_steps() {
        if done.get(step).is_ok() {
            continue;
        }
        host.points.at(points::SETTLE_ASKED).await?;
        let settled = flow.settle(host, saga.id, step).await;
        host.points.at(points::SETTLE_ANSWERED).await?;
        match settled {
            Ok(answer) => note(host, saga, step, "SETTLED", &answer).await?,
            Err(fault) => {
                // From the decision forward only: whatever was answered, it is tried again.
                tracing::warn!(saga.id = %saga.id, step, %fault, "a step after the decision failed; it is tried again");
                later = true;
            }
        }
    }
    if later {
        return Ok(Next::Later);
    }
    let settled = Move::<F::Service> { saga, from: State::Committed, to: State::Settled, service: PhantomData };
    let moved = host.transact(&settled).await?;
    Ok(if moved { Next::Moved(State::Settled) } else { Next::Stale })
}

async fn cancel<F: Flow>(host: &Arc<Host<F::Service>>, flow: &F, saga: &Saga) -> Result<Next, Fault> {
    let mut tx = host.db.snapshot().await?;
    let done = store::done(&mut tx, saga.id, "CANCELED").await;
    tx.rollback().await;
    let done = done?;
    let mut later = false;
    for step in flow.prepare_steps() {
        if done.get(step).is_ok() {
            continue;
        }
        host.points.at(points::CANCEL_ASKED).await?;
        let canceled = flow.cancel(host, saga.id, step).await;
        host.points.at(points::CANCEL_ANSWERED).await?;
        match canceled {
            Ok(()) => note(host, saga, step, "CANCELED", &[]).await?,
            Err(fault) => {
                tracing::warn!(saga.id = %saga.id, step, %fault, "a step could not be taken back; it is tried again");
                later = true;
            }
        }
    }
    if later {
        return Ok(Next::Later);
    }
    let ended = host.transact(&End { flow, saga }).await?;
    Ok(if ended { Next::Moved(State::Aborted) } else { Next::Stale })
}

async fn note<S: Service>(host: &Host<S>, saga: &Saga, step: &str, kind: &str, answer: &[u8]) -> Result<(), Fault> {
    let mut tx = host.db.write().await?;
    store::record(&mut tx, saga, step, kind, answer, host.clock.now()).await?;
    tx.commit().await
}

/// The decision, guarded by the lease epoch and the state.
struct Decide<'s, F> {
    flow: &'s F,
    saga: &'s Saga,
}

impl<F: Flow> Work for Decide<'_, F> {
    type Service = F::Service;
    type Done = bool;

    fn caller(&self) -> Caller {
        Caller::recall(&self.saga.caller)
    }

    async fn run(&self, cx: &mut Cx<F::Service>) -> Result<bool, Fault> {
        let now = cx.now();
        if !store::advance(&mut cx.tx, self.saga, State::Preparing, State::Committed, now).await? {
            return Ok(false);
        }
        let answers: Answers = store::done(&mut cx.tx, self.saga.id, "PREPARED").await?;
        self.flow.decide(cx, self.saga.id, &answers).await?;
        Ok(true)
    }
}

/// The other possible end of PREPARING: a conditional update of the same row.
struct Abort<'s, F> {
    flow: &'s F,
    saga: &'s Saga,
    refusal: &'s Fault,
}

impl<F: Flow> Work for Abort<'_, F> {
    type Service = F::Service;
    type Done = bool;

    fn caller(&self) -> Caller {
        Caller::recall(&self.saga.caller)
    }

    async fn run(&self, cx: &mut Cx<F::Service>) -> Result<bool, Fault> {
        let now = cx.now();
        if !store::advance(&mut cx.tx, self.saga, State::Preparing, State::Aborting, now).await? {
            return Ok(false);
        }
        store::refuse(&mut cx.tx, self.saga, self.refusal).await?;
        self.flow.abandon(cx, self.saga.id, self.refusal).await?;
        if is_passing(self.refusal) && !self.flow.stands_in_its_way() {
            cx.give_up_requests(self.saga.id).await?;
        }
        Ok(true)
    }
}

/// The end of an aborted saga: everything is taken back.
struct End<'s, F> {
    flow: &'s F,
    saga: &'s Saga,
}

impl<F: Flow> Work for End<'_, F> {
    type Service = F::Service;
    type Done = bool;

    async fn run(&self, cx: &mut Cx<F::Service>) -> Result<bool, Fault> {
        let now = cx.now();
        if !store::advance(&mut cx.tx, self.saga, State::Aborting, State::Aborted, now).await? {
            return Ok(false);
        }
        if self.saga.refusal().is_none_or(|refusal| is_passing(&refusal)) && self.flow.stands_in_its_way() {
            cx.give_up_requests(self.saga.id).await?;
        }
        Ok(true)
    }
}

/// A step of the saga's own row and nothing else.
struct Move<'s, S> {
    saga: &'s Saga,
    from: State,
    to: State,
    service: PhantomData<fn() -> S>,
}

impl<S: Service> Work for Move<'_, S> {
    type Service = S;
    type Done = bool;

    async fn run(&self, cx: &mut Cx<S>) -> Result<bool, Fault> {
        let now = cx.now();
        store::advance(&mut cx.tx, self.saga, self.from, self.to, now).await
    }
}
