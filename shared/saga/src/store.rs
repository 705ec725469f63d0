//! Sagas in SQL. Every write of a worker is conditional on its lease epoch.

use base::{Fault, Kind, Timestamp};
use db::{Db, Record, Row, Tx};
use service::{Cx, Service};
use uuid::Uuid;

use crate::{Answers, BUDGET, LEASE};

/// Where a saga stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Asking the others; nothing is effective.
    Preparing,
    /// Decided; going forward only.
    Committed,
    /// Refused; taking back what was asked.
    Aborting,
    /// Over: everything was done.
    Settled,
    /// Over: nothing was done.
    Aborted,
}

impl State {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "PREPARING",
            Self::Committed => "COMMITTED",
            Self::Aborting => "ABORTING",
            Self::Settled => "SETTLED",
            Self::Aborted => "ABORTED",
        }
    }

    /// Reads what [`State::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Preparing, Self::Committed, Self::Aborting, Self::Settled, Self::Aborted];
        all.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether there is nothing left to do.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Settled | Self::Aborted)
    }
}

/// One saga.
#[derive(Debug)]
pub struct Saga {
    /// Its id.
    pub id: Uuid,
    /// What kind of saga it is.
    pub flow: String,
    /// What was asked, as the flow wrote it.
    pub request: Vec<u8>,
    /// Where it stands.
    pub state: State,
    /// Why it was refused.
    pub refusal: Option<(Kind, String, String)>,
    pub(crate) caller: String,
    pub(crate) attempts: i64,
    pub(crate) lease_epoch: i64,
    pub(crate) budget_until: Timestamp,
}

impl Record for Saga {
    fn read(row: &Row) -> Result<Self, Fault> {
        let kind: Option<String> = row.get("refusal_kind")?;
        let reason: Option<String> = row.get("refusal_reason")?;
        let message: Option<String> = row.get("refusal_message")?;
        let refusal = match (kind, reason, message) {
            (Some(kind), Some(reason), Some(message)) => Some((read_kind(&kind), reason, message)),
            _ => None,
        };
        Ok(Self {
            id: row.get("saga_id")?,
            flow: row.get("flow")?,
            request: row.get("request")?,
            caller: row.get("caller")?,
            state: State::parse(&row.get::<String>("state")?)
                .ok_or_else(|| Fault::internal("a saga's row holds an unknown state"))?,
            refusal,
            attempts: row.get("attempts")?,
            lease_epoch: row.get("lease_epoch")?,
            budget_until: row.get("budget_until")?,
        })
    }
}

/// Begins a saga in the transaction of the call that wants it. The call's answer follows it.
///
/// # Errors
/// When the database does not take it.
pub async fn begin<S: Service>(cx: &mut Cx<S>, id: Uuid, flow: &str, request: &[u8]) -> Result<(), Fault> {
    let now = cx.now();
    let caller = cx.caller().write_down()?;
    cx.tx
        .sql(
            "INSERT INTO sagas
                 (saga_id, flow, request, caller, state, attempts, lease_epoch, lease_until, budget_until, create_time,
                  update_time)
             VALUES ($1, $2, $3, $4, 'PREPARING', 0, 0, $5, $6, $5, $5)",
        )
        .bind(id)
        .bind(flow)
        .bind(request)
        .bind(caller)
        .bind(now)
        .bind(now + BUDGET)
        .execute()
        .await?;
    cx.continue_with(id);
    Ok(())
}

/// A saga by its id.
///
/// # Errors
/// When the database does not answer.
pub async fn get(tx: &mut Tx, id: Uuid) -> Result<Option<Saga>, Fault> {
    tx.sql(
        "SELECT saga_id, flow, request, caller, state, refusal_kind, refusal_reason, refusal_message, attempts,
             lease_epoch, budget_until
         FROM sagas
         WHERE saga_id = $1",
    )
    .bind(id)
    .optional()
    .await
}

impl Saga {
    /// Why it was refused, in the words that it was.
    pub fn refusal(&self) -> Option<Fault> {
        let (kind, reason, message) = self.refusal.clone()?;
        Some(Fault::recalled(kind, reason, message))
    }
}

/// How a saga stands, for the one who waits.
#[derive(Debug)]
pub enum Outcome {
    /// Nobody has refused it.
    Stands(State),
    /// It was aborted, with this.
    Refused(Fault),
}

/// How a saga stands, for the one who waits.
///
/// # Errors
/// When the database does not answer.
pub async fn outcome(tx: &mut Tx, id: Uuid) -> Result<Outcome, Fault> {
    let saga = get(tx, id).await?.ok_or_else(|| Fault::internal(format!("saga {id} is gone")))?;
    let refusal = saga.refusal().filter(|_| matches!(saga.state, State::Aborted | State::Aborting));
    Ok(refusal.map_or(Outcome::Stands(saga.state), Outcome::Refused))
}

/// A step that a saga has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The step.
    pub step: String,
    /// PREPARED, CANCELED or SETTLED.
    pub kind: String,
    /// When.
    pub time: Timestamp,
}

impl Record for Done {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self { step: row.get("step")?, kind: row.get("kind")?, time: row.get("create_time")? })
    }
}

/// The steps that a saga has taken, in the order of their time.
///
/// # Errors
/// When the database does not answer.
pub async fn steps(tx: &mut Tx, id: Uuid) -> Result<Vec<Done>, Fault> {
    tx.sql("SELECT step, kind, create_time FROM saga_steps WHERE saga_id = $1 ORDER BY create_time, kind, step")
        .bind(id)
        .all()
        .await
}

/// What the prepare steps of a saga were answered so far.
///
/// # Errors
/// When the database does not answer.
pub async fn answers(tx: &mut Tx, id: Uuid) -> Result<Answers, Fault> {
    done(tx, id, "PREPARED").await
}

/// Claims sagas that are due, by state and never by "id greater than last".
///
/// # Errors
/// When the database does not answer.
pub async fn claim(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<Saga>, Fault> {
    if !any_due(db, now).await? {
        return Ok(Vec::new());
    }
    let mut tx = db.write().await?;
    let claimed = tx
        .sql_for(
            "UPDATE sagas SET lease_epoch = lease_epoch + 1, lease_until = $2, attempts = attempts + 1
             WHERE saga_id IN (
                 SELECT saga_id FROM sagas
                 WHERE state IN ('PREPARING', 'COMMITTED', 'ABORTING') AND lease_until <= $1
                 ORDER BY lease_until LIMIT $3)
             RETURNING saga_id, flow, request, caller, state, refusal_kind, refusal_reason, refusal_message, attempts,
                 lease_epoch, budget_until",
            "UPDATE sagas SET lease_epoch = lease_epoch + 1, lease_until = $2, attempts = attempts + 1
             WHERE saga_id IN (
                 SELECT saga_id FROM sagas
                 WHERE state IN ('PREPARING', 'COMMITTED', 'ABORTING') AND lease_until <= $1
                 ORDER BY lease_until LIMIT $3 FOR UPDATE SKIP LOCKED)
             RETURNING saga_id, flow, request, caller, state, refusal_kind, refusal_reason, refusal_message, attempts,
                 lease_epoch, budget_until",
        )
        .bind(now)
        .bind(now + LEASE)
        .bind(limit)
        .all()
        .await?;
    tx.commit().await?;
    Ok(claimed)
}

async fn any_due(db: &Db, now: Timestamp) -> Result<bool, Fault> {
    let mut tx = db.snapshot().await?;
    let due: Option<i64> = tx
        .sql(
            "SELECT attempts FROM sagas
             WHERE state IN ('PREPARING', 'COMMITTED', 'ABORTING') AND lease_until <= $1
             LIMIT 1",
        )
        .bind(now)
        .optional()
        .await?;
    tx.rollback().await;
    Ok(due.is_some())
}

/// Gives a claim back until the next attempt is due.
pub(crate) async fn release(tx: &mut Tx, saga: &Saga, due: Timestamp) -> Result<(), Fault> {
    tx.sql("UPDATE sagas SET lease_until = $3 WHERE saga_id = $1 AND lease_epoch = $2")
        .bind(saga.id)
        .bind(saga.lease_epoch)
        .bind(due)
        .execute()
        .await
        .map(drop)
}

/// Moves a saga on. False when the worker is stale or the saga has moved already.
pub(crate) async fn advance(tx: &mut Tx, saga: &Saga, from: State, to: State, now: Timestamp) -> Result<bool, Fault> {
    let moved = tx
        .sql(
            "UPDATE sagas SET state = $4, attempts = 0, lease_until = $5, update_time = $6
             WHERE saga_id = $1 AND lease_epoch = $2 AND state = $3",
        )
        .bind(saga.id)
        .bind(saga.lease_epoch)
        .bind(from.as_str())
        .bind(to.as_str())
        // Its worker goes on with the next step under the same claim.
        .bind(now + LEASE)
        .bind(now)
        .execute()
        .await?;
    Ok(moved == 1)
}

/// Writes down why a saga was refused.
pub(crate) async fn refuse(tx: &mut Tx, saga: &Saga, refusal: &Fault) -> Result<(), Fault> {
    tx.sql(
        "UPDATE sagas SET refusal_kind = $3, refusal_reason = $4, refusal_message = $5
            WHERE saga_id = $1 AND lease_epoch = $2",
    )
    .bind(saga.id)
    .bind(saga.lease_epoch)
    .bind(write_kind(refusal.kind()))
    .bind(refusal.reason())
    .bind(refusal.message())
    .execute()
    .await
    .map(drop)
}

/// Records that a step was done, unless the worker is stale.
pub(crate) async fn record(
    tx: &mut Tx,
    saga: &Saga,
    step: &str,
    kind: &str,
    outcome: &[u8],
    now: Timestamp,
) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO saga_steps (saga_id, step, kind, outcome, create_time)
         SELECT saga_id, $3, $4, $5, $6 FROM sagas WHERE saga_id = $1 AND lease_epoch = $2
         ON CONFLICT DO NOTHING",
    )
    .bind(saga.id)
    .bind(saga.lease_epoch)
    .bind(step)
    .bind(kind)
    .bind(outcome)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

/// The steps of a kind that were done, with what they answered.
pub(crate) async fn done(tx: &mut Tx, id: Uuid, kind: &str) -> Result<Answers, Fault> {
    let rows = tx
        .sql("SELECT step, outcome FROM saga_steps WHERE saga_id = $1 AND kind = $2 ORDER BY step")
        .bind(id)
        .bind(kind)
        .all()
        .await?;
    Ok(Answers(rows))
}

const KINDS: [(Kind, &str); 11] = [
    (Kind::Invalid, "INVALID"),
    (Kind::NotFound, "NOT_FOUND"),
    (Kind::AlreadyExists, "ALREADY_EXISTS"),
    (Kind::Precondition, "PRECONDITION"),
    (Kind::Denied, "DENIED"),
    (Kind::Unauthenticated, "UNAUTHENTICATED"),
    (Kind::Aborted, "ABORTED"),
    (Kind::Exhausted, "EXHAUSTED"),
    (Kind::Unavailable, "UNAVAILABLE"),
    (Kind::Deadline, "DEADLINE"),
    (Kind::Unimplemented, "UNIMPLEMENTED"),
];

fn write_kind(kind: Kind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("INTERNAL", |(_, word)| word)
}

fn read_kind(word: &str) -> Kind {
    KINDS.iter().find(|(_, known)| *known == word).map_or(Kind::Internal, |(kind, _)| *kind)
}
