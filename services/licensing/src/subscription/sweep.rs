//! What happens to subscriptions by itself: trials end, and what was suspended for too long is deleted.
//!
//! It is written down from time to time, and for a customer at once when somebody asks for anything of it: whoever reads
//! or changes something finds every subscription, its seats and its licenses as they are at that moment.

use std::sync::Arc;

use base::{Fault, Id, Timestamp};
use service::{Cx, Host, Preparation, Work};
use uuid::Uuid;

use super::change::Family;
use super::{Subscription, store};
use crate::Licensing;
use crate::organization::Organization;
use crate::policy::Target;
use crate::projection::Unresolved;

/// Subscriptions that are looked for at once.
const BATCH: i64 = 100;

/// Writes down what is due, of every customer. What cannot be written down keeps nothing else from it, and is due the
/// next time.
///
/// # Errors
/// When the database does not answer.
pub async fn run(host: &Arc<Host<Licensing>>) -> Result<(), Fault> {
    let mut last = (Timestamp::from_micros(0), Id::from_uuid(Uuid::nil()));
    loop {
        let mut tx = host.db.snapshot().await?;
        let due = store::due(&mut tx, host.clock.now(), last, BATCH).await;
        tx.rollback().await;
        let due = due?;
        match due.last() {
            Some(end) => last = *end,
            None => return Ok(()),
        }
        for (_, id) in due {
            if let Err(fault) = host.transact(&Happen(id)).await {
                tracing::warn!(subscription.id = %id, %fault, "what is due to a subscription is not written down yet");
            }
        }
    }
}

/// Writes down what is due to the subscriptions of one customer.
///
/// # Errors
/// When it cannot be written down: nobody is told then what is not so any more. `CONTENTION` when the time that is left
/// does not do for all of them; what was written down stays so.
pub(crate) async fn settle(preparation: &Preparation<'_, Licensing>, customer: Id<Organization>) -> Result<(), Fault> {
    let host = preparation.host;
    let mut tx = host.db.snapshot().await?;
    let due = store::due_of(&mut tx, customer, host.clock.now()).await;
    tx.rollback().await;
    for id in due? {
        if preparation.left().is_zero() {
            return Err(Fault::contention(
                "what is due to many subscriptions is being written down; repeat the request",
            ));
        }
        host.transact(&Happen(id)).await?;
    }
    Ok(())
}

/// Whoever asks for something of a customer is judged, and answered, after what was due to it.
///
/// **Invariant:** nobody gets a seat of a subscription whose time is over
/// (`at_the_end_of_a_trial_nobody_gets_a_seat_of_it_whether_it_was_written_down_or_not`).
pub(crate) async fn check_settled(cx: &mut Cx<Licensing>, target: &Target) -> Result<(), Fault> {
    let customer = match target {
        Target::Nothing | Target::OwnOrganization => None,
        Target::Customer(id) => Some(*id),
        Target::Subscription(id) => store::customer(&mut cx.tx, *id).await?,
    };
    let Some(customer) = customer else { return Ok(()) };
    let now = cx.now();
    if store::due_of(&mut cx.tx, customer, now).await?.is_empty() {
        return Ok(());
    }
    cx.hang_on(Unresolved::Due(customer));
    Err(Fault::contention("what is due to a subscription is being written down; repeat the request"))
}

/// Lets happen what is due to one subscription, and to what adds to it.
struct Happen(Id<Subscription>);

impl Work for Happen {
    type Service = Licensing;
    type Done = ();

    async fn run(&self, cx: &mut Cx<Licensing>) -> Result<(), Fault> {
        Family::settle(cx, self.0).await
    }
}
