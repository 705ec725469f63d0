//! Telling licensing whom an invitation names: a provider that knows of a customer and may order nothing there yet (C30).

use base::{Fault, Id};
use proto::partner::v1 as pb;
use service::Cx;
use service::form::timestamp;

use super::{Invitation, store};
use crate::organization::Organization;
use crate::{Partner, customer};

/// Tells how a joint invitation that is bound to a customer stands now; of others there is nothing to tell.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn tell(cx: &mut Cx<Partner>, id: Id<Invitation>) -> Result<(), Fault> {
    let Some(invitation) = store::get(&mut cx.tx, id).await? else { return Ok(()) };
    let (Some(provider), Some(customer)) = (invitation.provider, invitation.customer) else { return Ok(()) };
    let is_served = customer::store::is_served(&mut cx.tx, customer, invitation.partner).await?;
    let naming = pb::Naming {
        invitation_id: id.to_string(),
        customer_id: customer.to_string(),
        provider_id: provider.to_string(),
        open: is_served && invitation.is_open(cx.now()),
        expire_time: Some(timestamp(invitation.expire_time)),
    };
    let fact = pb::PartnerFact { version: invitation.version, fact: Some(pb::partner_fact::Fact::Naming(naming)) };
    cx.tell("licensing", id.uuid(), invitation.version, &fact);
    Ok(())
}

/// Tells of everything that is open and that a partner has bound to the customer whom it serves from now on: what it sent
/// before told nobody's name, because anybody may bind an invitation to any id.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn tell_bound(
    cx: &mut Cx<Partner>,
    partner: Id<Organization>,
    customer: Id<Organization>,
) -> Result<(), Fault> {
    let now = cx.now();
    for (id, _) in store::lock_bound(&mut cx.tx, partner, customer, now).await? {
        store::touch(&mut cx.tx, id, now).await?;
        tell(cx, id).await?;
    }
    Ok(())
}
