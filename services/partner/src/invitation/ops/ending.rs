//! Invitations that end with what they rest on. An acceptance that runs meanwhile finds that when it decides.

use base::{Fault, Id};
use service::{Cx, Fact};

use super::super::{Invitation, State, store};
use crate::Partner;
use crate::organization::Organization;

/// Cancels the partner's own open invitations that are bound to a customer whom it serves no more (C2): what it still
/// asks of the customer would bring the relationship back by itself.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn cancel_bound(
    cx: &mut Cx<Partner>,
    partner: Id<Organization>,
    customer: Id<Organization>,
) -> Result<(), Fault> {
    let now = cx.now();
    let bound = store::lock_bound(&mut cx.tx, partner, customer, now).await?;
    end(cx, partner, bound, State::Canceled, "InvitationCanceled").await
}

/// Invalidates the open joint invitations of a provider and a reseller whose partnership ends (C33).
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn invalidate_joint(
    cx: &mut Cx<Partner>,
    provider: Id<Organization>,
    reseller: Id<Organization>,
) -> Result<(), Fault> {
    let now = cx.now();
    let joint = store::lock_joint(&mut cx.tx, provider, reseller, now).await?;
    end(cx, reseller, joint, State::Invalidated, "InvitationInvalidated").await
}

/// Ends invitations that are held. Each is recorded in the journal of the partner that invited, whoever brought it about,
/// and replies that would still show its link are erased.
async fn end(
    cx: &mut Cx<Partner>,
    partner: Id<Organization>,
    invitations: Vec<(Id<Invitation>, String)>,
    state: State,
    action: &'static str,
) -> Result<(), Fault> {
    let now = cx.now();
    for (id, before) in invitations {
        store::set_state(&mut cx.tx, id, state, now).await?;
        cx.erase_sealed_replies(id.uuid()).await?;
        cx.record(Fact::new(action).about("invitation", id.uuid()).organization(partner.uuid()).change(
            "state",
            before,
            state.as_str(),
        ));
    }
    Ok(())
}
