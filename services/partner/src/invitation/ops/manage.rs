//! What the partner that invites does with its invitations.

use std::time::Duration;

use base::{Fault, Id};
use service::{Cx, Fact, Operation};

use super::super::{Invitation, OPEN_MAX, State, store};
use super::{Named, WithDraft, named, party, present_link, reread, sealed_draft, unknown};
use crate::account::PartnerKind;
use crate::email::Email;
use crate::link::{self, PLACEHOLDER, Purpose};
use crate::organization::{self, Cloud, Organization};
use crate::partnership::ops::not_in_cloud;
use crate::policy::{Permission, Target};
use crate::{Partner, account, partnership};

/// Makes an invitation, and the draft of its mail.
#[derive(Debug)]
pub struct CreateInvitation {
    pub(in crate::invitation) provider: Option<Id<Organization>>,
    pub(in crate::invitation) recipient_email: Email,
    pub(in crate::invitation) customer: Option<Id<Organization>>,
    pub(in crate::invitation) require_domain: bool,
    pub(in crate::invitation) delegated_admin: bool,
    pub(in crate::invitation) provider_delegated_admin: bool,
    pub(in crate::invitation) life: Duration,
}

/// The draft's text, with the placeholder where the link stands.
fn text(partner: &str, provider: Option<&str>) -> (String, String) {
    match provider {
        None => (
            format!("{partner} asks to be your reseller"),
            format!(
                "{partner} would like to be your reseller. To authorize {partner}, open this link and sign in as a \
                 global admin:\n\n{PLACEHOLDER}\n\nYou will see what {partner} asks for before you decide."
            ),
        ),
        Some(provider) => (
            format!("{partner} and {provider} ask to be your resellers"),
            format!(
                "{partner} would like to be your reseller, together with its provider {provider}. To authorize both at \
                 once, open this link and sign in as a global admin:\n\n{PLACEHOLDER}\n\nYou will see what each of \
                 them asks for before you decide."
            ),
        ),
    }
}

impl CreateInvitation {
    async fn check_parties(&self, cx: &mut Cx<Partner>, own: &Organization) -> Result<(), Fault> {
        let gone = || Fault::internal(format!("the account of {} is gone", own.id));
        let account = account::store::get(&mut cx.tx, own.id).await?.ok_or_else(gone)?;
        account.check_active()?;
        if own.cloud == Cloud::UsGovernment {
            return Err(not_in_cloud());
        }
        let Some(provider) = self.provider else { return Ok(()) };
        if account.kind != PartnerKind::Reseller {
            let message = "only a reseller invites jointly with its provider";
            return Err(Fault::denied("PARTNER_KIND_NOT_ALLOWED", message).with("partner_kinds", "RESELLER"));
        }
        partnership::store::check_active(&mut cx.tx, provider, own.id).await?;
        account::store::get(&mut cx.tx, provider).await?.ok_or_else(gone)?.check_active()
    }
}

impl Operation for CreateInvitation {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/CreateInvitation";
    const PERMISSION: Permission = Permission::ManageInvitations;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<WithDraft, Fault> {
        let own_id: Id<Organization> = cx.organization()?;
        let own = organization::store::get(&mut cx.tx, own_id).await?;
        let own = own.ok_or_else(|| Fault::not_found("organization", own_id))?;
        self.check_parties(cx, &own).await?;
        let now = cx.now();
        if store::count_open(&mut cx.tx, own.id, now).await? >= OPEN_MAX {
            return Err(Fault::precondition("LIMIT_EXCEEDED", "too many invitations are open; cancel some")
                .with("limit", "open_invitations_max"));
        }
        let provider = match self.provider {
            Some(provider) => Some(party(cx, provider).await?.name),
            None => None,
        };
        let (subject, body) = text(&own.name, provider.as_deref());
        let required_domain = if self.require_domain { self.recipient_email.domain() } else { "" };
        let invitation = Invitation {
            id: cx.new_id(),
            partner: own.id,
            provider: self.provider,
            customer: self.customer,
            recipient_email: self.recipient_email.as_str().to_owned(),
            required_domain: required_domain.to_owned(),
            delegated_admin: self.delegated_admin,
            provider_delegated_admin: self.provider_delegated_admin,
            state: State::Draft,
            subject,
            body,
            rotation: 1,
            acceptance: None,
            is_accepting: false,
            accepting_customer: None,
            expire_time: now + self.life,
            accept_time: None,
            accepted_by: None,
            version: 1,
            create_time: now,
        };
        store::insert(&mut cx.tx, &invitation).await?;
        let id = invitation.id;
        insert_link(cx, id, invitation.rotation).await?;
        cx.record(
            Fact::new("InvitationCreated")
                .about("invitation", id.uuid())
                .change("provider_id", "", self.provider.map(|id| id.to_string()).unwrap_or_default())
                .change("customer_id", "", self.customer.map(|id| id.to_string()).unwrap_or_default())
                .change("delegated_admin", "", self.delegated_admin)
                .change("provider_delegated_admin", "", self.provider_delegated_admin)
                .personal(id.uuid(), "recipient_email", "", &invitation.recipient_email),
        );
        let draft = sealed_draft(cx, &invitation);
        Ok(WithDraft { named: named(cx, invitation).await?, draft })
    }
}

async fn insert_link(cx: &mut Cx<Partner>, id: Id<Invitation>, rotation: i64) -> Result<(), Fault> {
    let token = link::token(&cx.host().keys, Purpose::Invitation, id.uuid(), rotation);
    store::insert_link(&mut cx.tx, link::digest(token.expose()), id, rotation).await
}

/// The invitation, held for a change, if it is open and as the caller saw it. Policy has seen to it that it is theirs.
async fn to_change(cx: &mut Cx<Partner>, id: Id<Invitation>, version: Option<i64>) -> Result<Invitation, Fault> {
    let invitation = store::lock(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
    invitation.check_change(version, cx.now())?;
    Ok(invitation)
}

/// The same for what must not happen while an acceptance runs, which is said first, whatever time it is.
async fn to_end(cx: &mut Cx<Partner>, id: Id<Invitation>, version: Option<i64>) -> Result<Invitation, Fault> {
    let invitation = store::lock(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
    invitation.check_idle()?;
    invitation.check_change(version, cx.now())?;
    Ok(invitation)
}

/// Replaces the mail's text.
#[derive(Debug)]
pub struct UpdateInvitationText {
    pub(in crate::invitation) id: Id<Invitation>,
    pub(in crate::invitation) subject: String,
    pub(in crate::invitation) body: String,
    pub(in crate::invitation) version: Option<i64>,
}

impl Operation for UpdateInvitationText {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/UpdateInvitationText";
    const PERMISSION: Permission = Permission::ManageInvitations;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Invitation(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<WithDraft, Fault> {
        let invitation = to_change(cx, self.id, self.version).await?;
        let link = present_link(cx, &invitation);
        if !self.body.contains(&link) {
            let message = "the exact link has to stay in the text: it is what connects the customer to you";
            return Err(Fault::precondition("INVITATION_LINK_MISSING", message));
        }
        let body = self.body.replace(&link, PLACEHOLDER);
        let token = link.rsplit('#').next().unwrap_or_default();
        for (field, text) in [("subject", &self.subject), ("body", &body)] {
            if text.contains(token) {
                return Err(Fault::field(field, "MALFORMED", "holds the link's token outside of the link in the text"));
            }
        }
        let now = cx.now();
        store::set_text(&mut cx.tx, self.id, (&self.subject, &body), now).await?;
        cx.record(Fact::new("InvitationTextUpdated").about("invitation", self.id.uuid()));
        let named = reread(cx, self.id).await?;
        let draft = sealed_draft(cx, &named.invitation);
        Ok(WithDraft { named, draft })
    }
}

/// Says that the mail is on its way.
#[derive(Debug)]
pub struct MarkInvitationSent {
    pub(in crate::invitation) id: Id<Invitation>,
    pub(in crate::invitation) version: Option<i64>,
}

impl Operation for MarkInvitationSent {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/MarkInvitationSent";
    const PERMISSION: Permission = Permission::ManageInvitations;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Invitation(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Named, Fault> {
        let invitation = to_change(cx, self.id, self.version).await?;
        if invitation.state == State::Draft {
            let now = cx.now();
            store::set_state(&mut cx.tx, self.id, State::Sent, now).await?;
            cx.record(Fact::new("InvitationSent").about("invitation", self.id.uuid()).change(
                "state",
                State::Draft.as_str(),
                State::Sent.as_str(),
            ));
        }
        reread(cx, self.id).await
    }
}

/// Replaces the link.
#[derive(Debug)]
pub struct RotateInvitationLink {
    pub(in crate::invitation) id: Id<Invitation>,
    pub(in crate::invitation) life: Duration,
    pub(in crate::invitation) version: Option<i64>,
}

impl Operation for RotateInvitationLink {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/RotateInvitationLink";
    const PERMISSION: Permission = Permission::ManageInvitations;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Invitation(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<WithDraft, Fault> {
        let invitation = to_end(cx, self.id, self.version).await?;
        let (now, rotation) = (cx.now(), invitation.rotation + 1);
        store::rotate(&mut cx.tx, self.id, rotation, now + self.life, now).await?;
        insert_link(cx, self.id, rotation).await?;
        // Replies with the former link would show one that is dead.
        cx.erase_sealed_replies(self.id.uuid()).await?;
        cx.record(Fact::new("InvitationLinkRotated").about("invitation", self.id.uuid()).change(
            "rotation",
            invitation.rotation,
            rotation,
        ));
        let named = reread(cx, self.id).await?;
        let draft = sealed_draft(cx, &named.invitation);
        Ok(WithDraft { named, draft })
    }
}

/// Takes the invitation back.
#[derive(Debug)]
pub struct CancelInvitation {
    pub(in crate::invitation) id: Id<Invitation>,
    pub(in crate::invitation) version: Option<i64>,
}

impl Operation for CancelInvitation {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/CancelInvitation";
    const PERMISSION: Permission = Permission::ManageInvitations;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Invitation(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Named, Fault> {
        let invitation = to_end(cx, self.id, self.version).await?;
        let now = cx.now();
        store::set_state(&mut cx.tx, self.id, State::Canceled, now).await?;
        cx.erase_sealed_replies(self.id.uuid()).await?;
        cx.record(Fact::new("InvitationCanceled").about("invitation", self.id.uuid()).change(
            "state",
            invitation.state.as_str(),
            State::Canceled.as_str(),
        ));
        reread(cx, self.id).await
    }
}
