//! What can be asked of invitations.

mod answer;
mod check;
mod ending;
mod foresight;
mod manage;
mod read;

use base::{Fault, Id, Timestamp};
use service::Cx;

pub use answer::{AcceptInvitation, Accepted, Authorized, DeclineInvitation, PreviewInvitation, Previewed};
pub use check::CheckInvitationLink;
pub(crate) use ending::{cancel_bound, invalidate_joint};
pub use manage::{CancelInvitation, CreateInvitation, MarkInvitationSent, RotateInvitationLink, UpdateInvitationText};
pub use read::{GetInvitation, ListInvitations, Progressed, Shown, WatchInvitation};

use super::{Invitation, store};
use crate::link::{self, Purpose};
use crate::organization::Organization;
use crate::partnership::ops::Draft;
use crate::{Partner, organization};

/// An invitation with the names of its parties.
#[derive(Clone, Debug)]
pub struct Named {
    pub(super) invitation: Invitation,
    pub(super) partner_name: String,
    pub(super) provider_name: String,
    pub(super) now: Timestamp,
}

impl Named {
    fn of(entry: store::Entry, now: Timestamp) -> Self {
        let store::Entry { invitation, partner_name, provider_name } = entry;
        Self { invitation, partner_name, provider_name, now }
    }
}

/// An invitation and its mail.
#[derive(Clone, Debug)]
pub struct WithDraft {
    pub(super) named: Named,
    pub(super) draft: Draft,
}

fn unknown(id: Id<Invitation>) -> Fault {
    Fault::not_found("invitation", id)
}

async fn party(cx: &mut Cx<Partner>, id: Id<Organization>) -> Result<Organization, Fault> {
    let found = organization::store::get(&mut cx.tx, id).await?;
    found.ok_or_else(|| Fault::internal(format!("partner {id} is unknown to its own invitation")))
}

async fn named(cx: &mut Cx<Partner>, invitation: Invitation) -> Result<Named, Fault> {
    let partner_name = party(cx, invitation.partner).await?.name;
    let provider_name = match invitation.provider {
        Some(provider) => party(cx, provider).await?.name,
        None => String::new(),
    };
    Ok(Named { invitation, partner_name, provider_name, now: cx.now() })
}

/// The invitation as it is now.
async fn reread(cx: &mut Cx<Partner>, id: Id<Invitation>) -> Result<Named, Fault> {
    let invitation = store::get(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
    named(cx, invitation).await
}

/// The present link of an invitation.
fn present_link(cx: &Cx<Partner>, invitation: &Invitation) -> String {
    let token = link::token(&cx.host().keys, Purpose::Invitation, invitation.id.uuid(), invitation.rotation);
    cx.service().links.link(Purpose::Invitation, &token)
}

/// The mail, with the present link in its place. It is for the partner that invites and for nobody else (C6).
fn draft(cx: &Cx<Partner>, invitation: &Invitation) -> Draft {
    let link = present_link(cx, invitation);
    Draft { subject: invitation.subject.clone(), body: invitation.body.replace(link::PLACEHOLDER, &link), link }
}

/// The mail of a reply: sealed where the reply is kept, and not shown by a dry run.
fn sealed_draft(cx: &mut Cx<Partner>, invitation: &Invitation) -> Draft {
    let draft = draft(cx, invitation);
    cx.made(draft.link.clone());
    cx.made(draft.body.clone());
    cx.seal_reply(invitation.id.uuid());
    draft
}
