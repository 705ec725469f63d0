//! The customer's answer.

use base::{Fault, Id, Secret};
use saga::{Outcome, State as SagaState};
use service::{Caller, Cx, Fact, Operation, Preparation, Progress};
use uuid::Uuid;

use super::super::saga::{self as acceptance, Acceptance};
use super::super::{Invitation, State, consents, in_progress, store};
use super::foresight::Foresight;
use super::{party, unknown};
use crate::account::PartnerKind;
use crate::link;
use crate::organization::{Cloud, Organization};
use crate::partnership::ops::not_in_cloud;
use crate::partnership::unknown_link;
use crate::policy::{Permission, Target};
use crate::projection::own_organization;
use crate::{Partner, account, customer, partnership};

/// Shows who asks for what, to the bearer of the link.
#[derive(Debug)]
pub struct PreviewInvitation {
    pub(in crate::invitation) token: Secret<String>,
}

/// Who asks for what.
#[derive(Debug)]
pub struct Previewed {
    pub(in crate::invitation) invitation: Invitation,
    pub(in crate::invitation) partner: Organization,
    pub(in crate::invitation) provider: Option<Organization>,
    pub(in crate::invitation) consents: Vec<String>,
    pub(in crate::invitation) consent_hash: String,
}

async fn previewed(cx: &mut Cx<Partner>, invitation: Invitation) -> Result<Previewed, Fault> {
    let partner = party(cx, invitation.partner).await?;
    let provider = match invitation.provider {
        Some(provider) => Some(party(cx, provider).await?),
        None => None,
    };
    let account = account::store::get(&mut cx.tx, invitation.partner).await?;
    let kind = account.ok_or_else(|| Fault::internal("an invitation's partner has no account"))?.kind;
    let provider_name = provider.as_ref().map(|provider| provider.name.as_str());
    let consents = consents(&invitation, (&partner.name, kind), provider_name);
    let consent_hash = invitation.consent_hash(&cx.host().keys, (&partner, kind), provider.as_ref());
    Ok(Previewed { invitation, partner, provider, consents, consent_hash })
}

impl Operation for PreviewInvitation {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/PreviewInvitation";
    const PERMISSION: Permission = Permission::Anyone;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    fn named_target(&self, _: &Caller) -> Option<String> {
        Some(link::name(self.token.expose()))
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Previewed, Fault> {
        let found = store::by_link(&mut cx.tx, link::digest(self.token.expose())).await?;
        let (id, rotation) = found.ok_or_else(unknown_link)?;
        let invitation = store::get(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
        invitation.check_link(rotation, cx.now())?;
        previewed(cx, invitation).await
    }
}

/// The invitation of a link, held for an answer, with the rotation that the link is of. The partnership is held first,
/// in the order in which its removal takes the two.
async fn to_answer(cx: &mut Cx<Partner>, token: &Secret<String>) -> Result<(Invitation, i64), Fault> {
    let found = store::by_link(&mut cx.tx, link::digest(token.expose())).await?;
    let (id, rotation) = found.ok_or_else(unknown_link)?;
    let seen = store::get(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
    if let Some(provider) = seen.provider {
        partnership::store::active(&mut cx.tx, provider, seen.partner).await?;
    }
    let invitation = store::lock(&mut cx.tx, id).await?.ok_or_else(|| unknown(id))?;
    Ok((invitation, rotation))
}

/// The organization that answers. In the government's cloud there is nothing to answer (C22).
async fn answering(cx: &mut Cx<Partner>) -> Result<Organization, Fault> {
    let customer = own_organization(cx).await?;
    if customer.cloud == Cloud::UsGovernment {
        return Err(not_in_cloud());
    }
    Ok(customer)
}

/// Authorizes every partner that the invitation names.
#[derive(Debug)]
pub struct AcceptInvitation {
    pub(in crate::invitation) token: Secret<String>,
    pub(in crate::invitation) consent: bool,
    pub(in crate::invitation) consent_hash: String,
}

/// How far an acceptance has come.
#[derive(Debug)]
pub struct Accepted {
    pub(in crate::invitation) invitation: Id<Invitation>,
    /// What each partner has, once it is effective everywhere.
    pub(in crate::invitation) authorized: Option<Vec<Authorized>>,
}

/// What a partner has at the customer.
#[derive(Debug)]
pub struct Authorized {
    pub(in crate::invitation) partner: Id<Organization>,
    pub(in crate::invitation) name: String,
    pub(in crate::invitation) kind: PartnerKind,
    pub(in crate::invitation) delegated_admin: bool,
    pub(in crate::invitation) order_right: bool,
}

impl AcceptInvitation {
    fn check_consent(&self, previewed: &Previewed) -> Result<(), Fault> {
        if !self.consent {
            let message = "tick the box: accepting authorizes everybody whom the preview names";
            return Err(Fault::precondition("CONSENT_REQUIRED", message));
        }
        if self.consent_hash == previewed.consent_hash {
            return Ok(());
        }
        let message = "what you saw is not what you would accept now; look at the preview again";
        Err(Fault::precondition("CONSENT_OUTDATED", message))
    }
}

impl Operation for AcceptInvitation {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/AcceptInvitation";
    const PERMISSION: Permission = Permission::AnswerInvitation;
    type Prepared = Foresight;

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn prepare(&self, preparation: &Preparation<'_, Partner>) -> Result<Foresight, Fault> {
        Foresight::ask(preparation, &self.token).await
    }

    async fn run(&self, cx: &mut Cx<Partner>, foresight: &Foresight) -> Result<Accepted, Fault> {
        let customer = answering(cx).await?;
        let (invitation, rotation) = to_answer(cx, &self.token).await?;
        let id = invitation.id;
        let is_own = invitation.accepting_customer == Some(customer.id);
        if let Some(acceptance) = invitation.acceptance
            && is_own
            && (invitation.is_accepting || invitation.state == State::Accepted)
        {
            // The same customer again: it is the same acceptance.
            cx.continue_with(acceptance);
            return Ok(Accepted { invitation: id, authorized: None });
        }
        invitation.check_rotation(rotation)?;
        if invitation.is_accepting {
            return Err(in_progress());
        }
        invitation.check_link(rotation, cx.now())?;
        let previewed = previewed(cx, invitation).await?;
        previewed.invitation.check_customer(&previewed.partner, &customer)?;
        self.check_consent(&previewed)?;
        if let Some(provider) = previewed.invitation.provider {
            partnership::store::check_active(&mut cx.tx, provider, previewed.invitation.partner).await?;
        }
        let parties = acceptance::parties(cx, &previewed.invitation).await?;
        foresight.check()?;
        let acceptance: Id<Self> = cx.new_id();
        Acceptance::begin(cx, acceptance.uuid(), &previewed.invitation, customer.id, &parties).await?;
        cx.record(
            Fact::new("InvitationAcceptanceBegun").about("invitation", id.uuid()).customer(customer.id.uuid()).change(
                "consent_hash",
                "",
                &self.consent_hash,
            ),
        );
        Ok(Accepted { invitation: id, authorized: None })
    }

    async fn resume(&self, cx: &mut Cx<Partner>, saga: Uuid) -> Result<Progress<Accepted>, Fault> {
        let state = match saga::outcome(&mut cx.tx, saga).await? {
            Outcome::Stands(state) => state,
            Outcome::Refused(refusal) => return Ok(Progress::Refused(refusal)),
        };
        let acceptance = Acceptance::recall(&mut cx.tx, saga).await?;
        let is_decided = matches!(state, SagaState::Committed | SagaState::Settled);
        if !is_decided || !cx.is_delivered(saga).await? {
            return Ok(Progress::Under(Accepted { invitation: acceptance.invitation(), authorized: None }));
        }
        let mut authorized = Vec::new();
        for partner in acceptance.partners() {
            authorized.extend(look(cx, acceptance.customer(), partner).await?);
        }
        let reply = Accepted { invitation: acceptance.invitation(), authorized: Some(authorized) };
        Ok(Progress::Over(reply))
    }
}

/// What the partner has at the customer now.
async fn look(
    cx: &mut Cx<Partner>,
    customer: Id<Organization>,
    partner: Id<Organization>,
) -> Result<Option<Authorized>, Fault> {
    let found = customer::store::partner(&mut cx.tx, customer, partner).await?;
    // What was taken away since is not answered as if it were there.
    Ok(found.filter(|serving| serving.relationship.is_active()).map(|serving| Authorized {
        partner,
        name: serving.name,
        kind: serving.relationship.kind,
        delegated_admin: serving.delegated_admin.is_granted,
        order_right: serving.relationship.orders(),
    }))
}

/// Declines for good.
#[derive(Debug)]
pub struct DeclineInvitation {
    pub(in crate::invitation) token: Secret<String>,
}

impl Operation for DeclineInvitation {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.InvitationService/DeclineInvitation";
    const PERMISSION: Permission = Permission::AnswerInvitation;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Id<Invitation>, Fault> {
        let customer = answering(cx).await?;
        let (invitation, rotation) = to_answer(cx, &self.token).await?;
        invitation.check_rotation(rotation)?;
        invitation.check_idle()?;
        invitation.check_link(rotation, cx.now())?;
        let partner = party(cx, invitation.partner).await?;
        invitation.check_customer(&partner, &customer)?;
        let now = cx.now();
        store::set_state(&mut cx.tx, invitation.id, State::Declined, now).await?;
        cx.erase_sealed_replies(invitation.id.uuid()).await?;
        cx.record(
            Fact::new("InvitationDeclined")
                .about("invitation", invitation.id.uuid())
                .customer(customer.id.uuid())
                .change("state", invitation.state.as_str(), State::Declined.as_str()),
        );
        Ok(invitation.id)
    }
}
