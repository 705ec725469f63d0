//! The outbox: facts for other services are written in the transaction that makes them true, and delivered after it.
//!
//! Rows are claimed by state with a lease, never by "id greater than last"; any replica may deliver them; delivery is
//! at least once, and the receiver keeps the higher version. A delivered row is deleted. A fact that its receiver refuses
//! waits alone: what is told later may arrive before it, of the same aggregate too, and has the higher version. What waits
//! because its receiver was away is due as soon as the receiver takes anything else.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use base::{Fault, Timestamp};
use db::{Db, Record, Row, Tx};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backoff;
use crate::executor::Host;
use crate::operation::Service;
use crate::peer;
use crate::points::{OUTBOX_CLAIMED, OUTBOX_SENT};

/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(15);
/// Rows per delivery.
const BATCH: i64 = 200;
/// The safety net beside being woken.
const POLL: Duration = Duration::from_millis(250);

/// A fact on its way into the outbox.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) destination: &'static str,
    pub(crate) aggregate: Uuid,
    pub(crate) version: i64,
    pub(crate) fact: Vec<u8>,
}

/// A claimed fact.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The row.
    pub id: Uuid,
    /// The version of what it is about.
    pub version: i64,
    /// The encoded fact.
    pub fact: Vec<u8>,
    attempts: i64,
}

impl Record for Parcel {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("outbox_id")?,
            version: row.get("version")?,
            fact: row.get("fact")?,
            attempts: row.get("attempts")?,
        })
    }
}

impl Parcel {
    /// The fact as its message.
    pub fn decode<M: prost::Message + Default>(&self) -> Result<M, Fault> {
        M::decode(self.fact.as_slice()).map_err(|error| Fault::internal("a fact cannot be decoded").because(error))
    }
}

/// Writes the rows of one transaction and returns their ids.
pub(crate) async fn put(
    tx: &mut Tx,
    outgoing: &[Outgoing],
    delivery: Option<Uuid>,
    now: Timestamp,
) -> Result<Vec<Uuid>, Fault> {
    let mut ids = Vec::with_capacity(outgoing.len());
    for message in outgoing {
        let id = Uuid::now_v7();
        tx.sql(
            "INSERT INTO outbox
                 (outbox_id, destination, aggregate_id, version, fact, delivery_id, attempts, lease_until, receiver_away,
                  create_time)
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7, false, $7)",
        )
        .bind(id)
        .bind(message.destination)
        .bind(message.aggregate)
        .bind(message.version)
        .bind(&message.fact)
        .bind(delivery)
        .bind(now)
        .execute()
        .await?;
        ids.push(id);
    }
    Ok(ids)
}

/// Whether nothing of this delivery is left to be told, to anybody or to one destination.
pub(crate) async fn is_delivered(tx: &mut Tx, delivery: Uuid, destination: Option<&str>) -> Result<bool, Fault> {
    let waiting: Vec<i64> = tx
        .sql("SELECT version FROM outbox WHERE delivery_id = $1")
        .bind(delivery)
        .when(destination, "AND destination = $?")
        .all()
        .await?;
    Ok(waiting.is_empty())
}

/// Waits until all of these rows were delivered, by whichever replica; false when the time is up.
pub(crate) async fn delivered(db: &Db, wake: &Notify, ids: &[Uuid], until: Instant) -> bool {
    let gone = async {
        loop {
            let news = wake.notified();
            if pending(db, ids).await.is_ok_and(|pending| pending == 0) {
                return;
            }
            let _ = tokio::time::timeout(Duration::from_millis(50), news).await;
        }
    };
    tokio::time::timeout_at(until, gone).await.is_ok()
}

async fn pending(db: &Db, ids: &[Uuid]) -> Result<i64, Fault> {
    let mut tx = db.snapshot().await?;
    let count = tx
        .sql_for(
            "SELECT COUNT(*) FROM outbox WHERE outbox_id IN (SELECT unhex(value) FROM json_each($1))",
            "SELECT COUNT(*) FROM outbox WHERE outbox_id = ANY($1)",
        )
        .bind(ids)
        .one()
        .await;
    tx.rollback().await;
    count
}

/// Delivers one destination's facts until told to stop. `send` answers when the receiver has committed them.
pub async fn relay<S, F>(
    host: Arc<Host<S>>,
    destination: &'static str,
    stop: CancellationToken,
    send: impl Fn(Vec<Parcel>) -> F + Send,
) where
    S: Service,
    F: Future<Output = Result<(), Fault>> + Send,
{
    while !stop.is_cancelled() {
        let news = host.outbox_news.notified();
        match deliver(&host, destination, &send).await {
            Ok(0) => {
                tokio::select! {
                    () = news => {}
                    () = tokio::time::sleep(POLL) => {}
                    () = stop.cancelled() => {}
                }
            }
            Ok(_) => {
                host.outbox_delivered.notify_waiters();
                host.tell_moved();
                if let Err(fault) = call_back(&host, destination).await {
                    tracing::warn!(destination, %fault, "facts that wait could not be made due; their time will come");
                }
            }
            Err(fault) => {
                tracing::warn!(destination, %fault, "facts could not be delivered; they are tried again");
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }
}

async fn deliver<S, F>(host: &Host<S>, destination: &str, send: &impl Fn(Vec<Parcel>) -> F) -> Result<usize, Fault>
where
    S: Service,
    F: Future<Output = Result<(), Fault>> + Send,
{
    let now = host.clock.now();
    if !any_due(&host.db, destination, now).await? {
        return Ok(0);
    }
    let parcels = claim(&host.db, destination, now).await?;
    match hand_over(host, &parcels, send).await? {
        Taken::All => Ok(parcels.len()),
        Taken::Refused(fault) if parcels.len() == 1 => put_off(host, destination, &parcels, &fault).await.map(|()| 0),
        Taken::Refused(_) => deliver_singly(host, destination, &parcels, send).await,
        Taken::Away(fault) => put_off(host, destination, &parcels, &fault).await.and(Err(fault)),
    }
}

/// The receiver refuses one of them: the others must not wait for it.
async fn deliver_singly<S, F>(
    host: &Host<S>,
    destination: &str,
    parcels: &[Parcel],
    send: &impl Fn(Vec<Parcel>) -> F,
) -> Result<usize, Fault>
where
    S: Service,
    F: Future<Output = Result<(), Fault>> + Send,
{
    let mut delivered = 0;
    for (at, parcel) in parcels.iter().enumerate() {
        let one = std::slice::from_ref(parcel);
        match hand_over(host, one, send).await? {
            Taken::All => delivered += 1,
            Taken::Refused(fault) => put_off(host, destination, one, &fault).await?,
            Taken::Away(fault) => return put_off(host, destination, &parcels[at..], &fault).await.and(Err(fault)),
        }
    }
    Ok(delivered)
}

/// What the receiver did with a delivery.
enum Taken {
    All,
    Refused(Fault),
    Away(Fault),
}

/// Sends parcels in one call, and forgets them when they were taken.
async fn hand_over<S, F>(host: &Host<S>, parcels: &[Parcel], send: &impl Fn(Vec<Parcel>) -> F) -> Result<Taken, Fault>
where
    S: Service,
    F: Future<Output = Result<(), Fault>> + Send,
{
    if parcels.is_empty() {
        return Ok(Taken::All);
    }
    host.points.at(OUTBOX_CLAIMED).await?;
    let sent = send(parcels.to_vec()).await;
    host.points.at(OUTBOX_SENT).await?;
    match sent {
        Ok(()) => {}
        Err(fault) if peer::is_refusal(&fault) => return Ok(Taken::Refused(fault)),
        Err(fault) => return Ok(Taken::Away(fault)),
    }
    let ids: Vec<Uuid> = parcels.iter().map(|parcel| parcel.id).collect();
    let mut tx = host.db.write().await?;
    tx.sql_for(
        "DELETE FROM outbox WHERE outbox_id IN (SELECT unhex(value) FROM json_each($1))",
        "DELETE FROM outbox WHERE outbox_id = ANY($1)",
    )
    .bind(ids.as_slice())
    .execute()
    .await?;
    tx.commit().await?;
    Ok(Taken::All)
}

/// Gives parcels back that were not taken, for later.
async fn put_off<S: Service>(
    host: &Host<S>,
    destination: &str,
    parcels: &[Parcel],
    fault: &Fault,
) -> Result<(), Fault> {
    if let ([parcel], true) = (parcels, peer::is_refusal(fault)) {
        let (id, version, attempts) = (parcel.id, parcel.version, parcel.attempts);
        tracing::warn!(destination, outbox.id = %id, version, attempts, %fault, "a fact was refused; it waits alone");
    }
    let ids: Vec<Uuid> = parcels.iter().map(|parcel| parcel.id).collect();
    let attempts = parcels.iter().map(|parcel| parcel.attempts).max().unwrap_or(0);
    let mut tx = host.db.write().await?;
    tx.sql_for(
        "UPDATE outbox SET lease_until = $2, receiver_away = $3
         WHERE outbox_id IN (SELECT unhex(value) FROM json_each($1))",
        "UPDATE outbox SET lease_until = $2, receiver_away = $3 WHERE outbox_id = ANY($1)",
    )
    .bind(ids.as_slice())
    .bind(host.clock.now() + backoff::away(attempts))
    .bind(!peer::is_refusal(fault))
    .execute()
    .await?;
    tx.commit().await
}

/// The receiver has just taken something: what was put off while it was away is due. One batch for each delivery, so that
/// a receiver who has come back gets a little at first, and more only while it takes what it gets.
async fn call_back<S: Service>(host: &Host<S>, destination: &str) -> Result<(), Fault> {
    let waiting = first_waiting(&host.db, destination).await?;
    let Some(last) = waiting.last() else { return Ok(()) };
    let mut tx = host.db.write().await?;
    tx.sql(
        "UPDATE outbox SET lease_until = $3, receiver_away = false
         WHERE destination = $1 AND receiver_away AND outbox_id <= $2",
    )
    .bind(destination)
    .bind(*last)
    .bind(host.clock.now())
    .execute()
    .await?;
    tx.commit().await
}

async fn first_waiting(db: &Db, destination: &str) -> Result<Vec<Uuid>, Fault> {
    let mut tx = db.snapshot().await?;
    let waiting = tx
        .sql("SELECT outbox_id FROM outbox WHERE destination = $1 AND receiver_away ORDER BY outbox_id LIMIT $2")
        .bind(destination)
        .bind(BATCH)
        .all()
        .await?;
    tx.rollback().await;
    Ok(waiting)
}

async fn any_due(db: &Db, destination: &str, now: Timestamp) -> Result<bool, Fault> {
    let mut tx = db.snapshot().await?;
    let due: Option<i64> = tx
        .sql("SELECT version FROM outbox WHERE destination = $1 AND lease_until <= $2 LIMIT 1")
        .bind(destination)
        .bind(now)
        .optional()
        .await?;
    tx.rollback().await;
    Ok(due.is_some())
}

async fn claim(db: &Db, destination: &str, now: Timestamp) -> Result<Vec<Parcel>, Fault> {
    let mut tx = db.write().await?;
    let mut parcels: Vec<Parcel> = tx
        .sql_for(
            "UPDATE outbox SET lease_until = $3, receiver_away = false, attempts = attempts + 1
             WHERE outbox_id IN (
                 SELECT outbox_id FROM outbox WHERE destination = $1 AND lease_until <= $2
                 ORDER BY outbox_id LIMIT $4)
             RETURNING outbox_id, version, fact, attempts",
            "UPDATE outbox SET lease_until = $3, receiver_away = false, attempts = attempts + 1
             WHERE outbox_id IN (
                 SELECT outbox_id FROM outbox WHERE destination = $1 AND lease_until <= $2
                 ORDER BY outbox_id LIMIT $4 FOR UPDATE SKIP LOCKED)
             RETURNING outbox_id, version, fact, attempts",
        )
        .bind(destination)
        .bind(now)
        .bind(now + LEASE)
        .bind(BATCH)
        .all()
        .await?;
    tx.commit().await?;
    parcels.sort_by_key(|parcel| parcel.id);
    Ok(parcels)
}
