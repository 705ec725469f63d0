//! What a partner may do at a customer, as the other services hold it: whole, and under an epoch that rises.
//!
//! The epoch is allotted here, in the transaction of the change. A decision that is still to be made gets an epoch when
//! it begins; if something was taken away since, it may not be made (the customer has changed its mind meanwhile).

use base::{Fault, Id};
use db::Tx;
use proto::partner::v1 as pb;
use service::Cx;
use uuid::Uuid;

use super::Relationship;
use super::store::{self, epochs};
use crate::account::wire::write_kind;
use crate::organization::Organization;
use crate::{Partner, clients};

/// Whether a change gives something or takes something away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It gives.
    Gives,
    /// It takes away: decisions that began before it may not be made.
    Takes,
}

/// Allots the next epoch of a pair. The row is held until the transaction ends.
pub async fn next_epoch(tx: &mut Tx, first: Uuid, second: Uuid, change: Change) -> Result<i64, Fault> {
    let epoch = epochs::next(tx, first, second).await?;
    if change == Change::Takes {
        epochs::reduce(tx, first, second).await?;
    }
    Ok(epoch)
}

/// The epoch that would be allotted next. It is not.
pub async fn upcoming_epoch(tx: &mut Tx, first: Uuid, second: Uuid) -> Result<i64, Fault> {
    Ok(epochs::last(tx, first, second).await?.unwrap_or(0) + 1)
}

/// Refuses a decision that began under this epoch if something was taken away since.
///
/// # Errors
/// `ACCESS_CHANGED`.
pub async fn check_unreduced(tx: &mut Tx, first: Uuid, second: Uuid, epoch: i64) -> Result<(), Fault> {
    let reduced = epochs::reduced(tx, first, second).await?;
    if reduced.is_some_and(|reduced| reduced > epoch) {
        return Err(changed());
    }
    Ok(())
}

/// The refusal of a decision that something newer has overtaken.
pub fn changed() -> Fault {
    let message = "what the partner may do at the customer was changed while the acceptance ran; decide anew";
    Fault::precondition("ACCESS_CHANGED", message)
}

/// Tells the other services what the partner may do at the customer now.
pub async fn tell(
    cx: &mut Cx<Partner>,
    customer: Id<Organization>,
    partner: Id<Organization>,
    change: Change,
    decision: Option<Uuid>,
) -> Result<(), Fault> {
    let epoch = next_epoch(&mut cx.tx, customer.uuid(), partner.uuid(), change).await?;
    epochs::tell(&mut cx.tx, customer.uuid(), partner.uuid()).await?;
    let access = read(&mut cx.tx, customer, partner, epoch, decision).await?;
    let fact = pb::PartnerFact { version: epoch, fact: Some(pb::partner_fact::Fact::Access(access)) };
    for service in clients::PEERS {
        cx.tell(service, customer.uuid(), epoch, &fact);
    }
    Ok(())
}

/// What the partner may do at the customer now, under the epoch under which it was told: a later one would overtake the
/// decision that it was allotted to.
pub async fn present(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
    decision: Uuid,
) -> Result<pb::Access, Fault> {
    let epoch = epochs::told(tx, customer.uuid(), partner.uuid()).await?;
    read(tx, customer, partner, epoch.unwrap_or(0), Some(decision)).await
}

async fn read(
    tx: &mut Tx,
    customer: Id<Organization>,
    partner: Id<Organization>,
    epoch: i64,
    decision: Option<Uuid>,
) -> Result<pb::Access, Fault> {
    let relationship = store::get(tx, customer, partner).await?;
    let delegated = store::delegated_admin(tx, customer, partner).await?;
    let kind = relationship.as_ref().map_or(pb::PartnerKind::Unspecified, |found| write_kind(found.kind));
    Ok(pb::Access {
        customer_id: customer.to_string(),
        partner_id: partner.to_string(),
        kind: kind.into(),
        active: relationship.as_ref().is_some_and(Relationship::is_active),
        delegated_admin: delegated.is_some_and(|delegated| delegated.is_granted),
        order_right: relationship.as_ref().is_some_and(Relationship::orders),
        epoch,
        decision_id: decision.map(|id| id.to_string()).unwrap_or_default(),
    })
}
