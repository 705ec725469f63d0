//! The other side of a decision: the intents that a participant holds while somebody else decides.
//!
//! An intent gives no authority. It exists so that a participant who is asked meanwhile knows that there is a decision
//! to ask for. It is about a pair of ids, in an order that its service fixes, and carries the epoch that the owner
//! allotted. When the decision is canceled its place is kept, so that an intent which arrives late is refused; when it
//! was made, what it brought arrives with the epoch of its own, and the intents end.
//!
//! **Invariant:** prepare, cancel and settle converge in every order and number
//! (`every_order_of_prepare_cancel_and_settle_converges`).

use base::{Fault, Timestamp};
use db::Tx;
use uuid::Uuid;

/// What one intent is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The pair.
    pub about: (Uuid, Uuid),
    /// What the owner allotted to it.
    pub epoch: i64,
}

impl Intent {
    /// Refuses it when what is confirmed about the pair has overtaken it.
    ///
    /// # Errors
    /// `EPOCH_STALE`.
    pub fn check(&self, confirmed: Option<i64>) -> Result<(), Fault> {
        match confirmed {
            Some(confirmed) if confirmed >= self.epoch => {
                let message = format!("epoch {} was allotted, {confirmed} is confirmed", self.epoch);
                Err(Fault::precondition("EPOCH_STALE", message).with("epoch", confirmed))
            }
            _ => Ok(()),
        }
    }
}

/// Writes the intents of a decision. A repeat changes nothing, and neither does one that comes after the decision.
///
/// # Errors
/// `DECISION_CANCELED`.
pub async fn prepare(tx: &mut Tx, decision: Uuid, intents: &[Intent], now: Timestamp) -> Result<(), Fault> {
    for intent in intents {
        put(tx, decision, intent, "OPEN", now).await?;
        let state: String = tx
            .sql(
                "SELECT state FROM intents
                 WHERE decision_id = $1 AND first_id = $2 AND second_id = $3",
            )
            .bind(decision)
            .bind(intent.about.0)
            .bind(intent.about.1)
            .for_share()
            .one()
            .await?;
        if state == "CANCELED" {
            return Err(Fault::precondition("DECISION_CANCELED", "this decision was canceled before it was prepared"));
        }
    }
    Ok(())
}

/// Takes the intents of a decision back, and keeps the place of those that never arrived.
///
/// # Errors
/// When the database does not answer.
pub async fn cancel(tx: &mut Tx, decision: Uuid, intents: &[Intent], now: Timestamp) -> Result<(), Fault> {
    for intent in intents {
        put(tx, decision, intent, "CANCELED", now).await?;
    }
    end(tx, decision, "CANCELED", now).await
}

/// The decision was made and what it brought is here: its intents end.
///
/// # Errors
/// When the database does not answer.
pub async fn settle(tx: &mut Tx, decision: Uuid, intents: &[Intent], now: Timestamp) -> Result<(), Fault> {
    for intent in intents {
        put(tx, decision, intent, "SETTLED", now).await?;
        tx.sql(
            "UPDATE intents SET state = 'SETTLED', update_time = $4
             WHERE decision_id = $1 AND first_id = $2 AND second_id = $3 AND state = 'OPEN'",
        )
        .bind(decision)
        .bind(intent.about.0)
        .bind(intent.about.1)
        .bind(now)
        .execute()
        .await?;
    }
    Ok(())
}

/// The decisions that somebody has yet to make about a pair.
///
/// # Errors
/// When the database does not answer.
pub async fn open(tx: &mut Tx, about: (Uuid, Uuid)) -> Result<Vec<Uuid>, Fault> {
    tx.sql(
        "SELECT decision_id FROM intents
         WHERE first_id = $1 AND second_id = $2 AND state = 'OPEN'
         ORDER BY decision_id",
    )
    .bind(about.0)
    .bind(about.1)
    .all()
    .await
}

async fn put(tx: &mut Tx, decision: Uuid, intent: &Intent, state: &str, now: Timestamp) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO intents (decision_id, first_id, second_id, epoch, state, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $6)
         ON CONFLICT DO NOTHING",
    )
    .bind(decision)
    .bind(intent.about.0)
    .bind(intent.about.1)
    .bind(intent.epoch)
    .bind(state)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

async fn end(tx: &mut Tx, decision: Uuid, state: &str, now: Timestamp) -> Result<(), Fault> {
    tx.sql("UPDATE intents SET state = $2, update_time = $3 WHERE decision_id = $1 AND state = 'OPEN'")
        .bind(decision)
        .bind(state)
        .bind(now)
        .execute()
        .await
        .map(drop)
}
