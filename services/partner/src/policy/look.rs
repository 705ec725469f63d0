//! What a caller can see of a target. In a mutation the rows that say so are held until the end.

use base::{Fault, Id};
use service::Cx;

use super::{Target, TargetFacts};
use crate::Partner;
use crate::organization::Organization;
use crate::{customer, invitation, partnership};

/// What the organization can see of the target.
pub(super) async fn at(cx: &mut Cx<Partner>, own: Id<Organization>, target: &Target) -> Result<TargetFacts, Fault> {
    let now = cx.now();
    let tx = &mut cx.tx;
    let (is_seen, noun, id) = match *target {
        Target::Nothing | Target::OwnOrganization => return Ok(TargetFacts::Nothing),
        Target::Partnership(id) => {
            let found = partnership::store::get(tx, id).await?;
            (found.is_some_and(|found| found.is_seen_by(own)), "partnership", id.uuid())
        }
        Target::Customer(id) => {
            let found = customer::store::get(tx, id, own).await?;
            (found.is_some_and(|found| found.is_active()), "customer", id.uuid())
        }
        Target::CustomerName(id) => {
            let found = customer::store::get(tx, id, own).await?;
            let is_served = found.is_some_and(|found| found.is_active());
            let is_named = !is_served && invitation::store::binds(tx, own, id, now).await?;
            (is_served || is_named, "customer", id.uuid())
        }
        Target::Invitation(id) => {
            let found = invitation::store::get(tx, id).await?;
            (found.is_some_and(|found| found.partner == own), "invitation", id.uuid())
        }
        Target::NamingInvitation(id) => {
            let found = invitation::store::get(tx, id).await?;
            let is_seen = found.is_some_and(|found| found.partner == own || found.provider == Some(own));
            (is_seen, "invitation", id.uuid())
        }
        Target::PartnerOfCustomer(id) => {
            let found = customer::store::get(tx, own, id).await?;
            (found.is_some(), "partner", id.uuid())
        }
    };
    Ok(if is_seen { TargetFacts::Nothing } else { TargetFacts::Unseen { noun, id } })
}
