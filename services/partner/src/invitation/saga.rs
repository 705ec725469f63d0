//! The acceptance: what the invitation asks becomes effective in one decision, or none of it.
//!
//! *Accept* allots an epoch for each partner and begins the saga. *Prepare* lets identity and licensing write intents,
//! which give no authority. *Decide* makes the relationships ACTIVE, grants delegated admin and marks the invitation
//! ACCEPTED, in one transaction: the only moment at which anything becomes visible. The outbox delivers the decision;
//! whoever is asked before it arrives finds the intent and asks here.

use std::time::Duration;

use base::{Fault, Id};
use db::{Db, Tx};
use proto::partner::v1 as pb;
use saga::Answers;
use serde::{Deserialize, Serialize};
use service::{Cx, Fact, Host};
use uuid::Uuid;

use super::{AcceptedBy, Invitation, Party, State, store, telling};
use crate::account::{self, PartnerKind};
use crate::clients::{self, Participant};
use crate::customer::access::{self, Change};
use crate::customer::{self, Source};
use crate::organization::Organization;
use crate::{Partner, organization, partnership};

/// The name of the flow.
pub const FLOW: &str = "acceptance";
/// Who is asked before the decision.
pub const STEPS: &[&str] = &[IDENTITY, LICENSING];
const IDENTITY: &str = "identity";
const LICENSING: &str = "licensing";

/// What the saga remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Acceptance {
    invitation: Uuid,
    customer: Uuid,
    /// The user who accepts.
    user: Uuid,
    /// Each partner with the epoch that was allotted to it.
    partners: Vec<(Uuid, i64)>,
}

impl Acceptance {
    /// Begins the saga for an invitation that is held, and may be accepted.
    pub(super) async fn begin(
        cx: &mut Cx<Partner>,
        id: Uuid,
        invitation: &Invitation,
        customer: Id<Organization>,
        parties: &[Party],
    ) -> Result<(), Fault> {
        let mut partners = Vec::with_capacity(parties.len());
        for party in parties {
            let partner = party.partner.uuid();
            let epoch = access::next_epoch(&mut cx.tx, customer.uuid(), partner, Change::Gives).await?;
            partners.push((partner, epoch));
        }
        let user = cx.principal()?.id;
        let acceptance = Self { invitation: invitation.id.uuid(), customer: customer.uuid(), user, partners };
        let now = cx.now();
        store::begin_acceptance(&mut cx.tx, invitation.id, id, customer, now).await?;
        crate::flow::begin(cx, id, FLOW, &acceptance).await
    }

    /// The acceptance that would begin now. Nothing is allotted to it.
    pub(super) async fn foresee(
        tx: &mut Tx,
        invitation: &Invitation,
        (customer, user): (Uuid, Uuid),
    ) -> Result<Self, Fault> {
        let mut partners = Vec::new();
        for partner in std::iter::once(invitation.partner).chain(invitation.provider) {
            let partner = partner.uuid();
            partners.push((partner, access::upcoming_epoch(tx, customer, partner).await?));
        }
        Ok(Self { invitation: invitation.id.uuid(), customer, user, partners })
    }

    /// Asks both participants what preparing it would refuse.
    ///
    /// # Errors
    /// As [`Acceptance::prepare`].
    pub(super) async fn check(&self, host: &Host<Partner>, left: Duration) -> Result<(), Fault> {
        let (identity, licensing) =
            (Participant::Identity(&host.service.identity), Participant::Licensing(&host.service.licensing));
        let (one, other) = tokio::join!(
            clients::check_access(&identity, self.intents(), left),
            clients::check_access(&licensing, self.intents(), left),
        );
        match one.and(other) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.refusal(&host.db, fault).await),
        }
    }

    /// Reads a saga's request back.
    ///
    /// # Errors
    /// When there is no such saga.
    pub(super) async fn recall(tx: &mut Tx, id: Uuid) -> Result<Self, Fault> {
        let broken = || Fault::internal(format!("acceptance {id} cannot be read"));
        let saga = saga::get(tx, id).await?.ok_or_else(broken)?;
        serde_json::from_slice(&saga.request).map_err(|error| broken().because(error))
    }

    /// The invitation that is accepted.
    pub(super) fn invitation(&self) -> Id<Invitation> {
        Id::from_uuid(self.invitation)
    }

    /// The customer who accepts.
    pub(super) fn customer(&self) -> Id<Organization> {
        Id::from_uuid(self.customer)
    }

    /// The partners that are authorized.
    pub(super) fn partners(&self) -> impl Iterator<Item = Id<Organization>> {
        self.partners.iter().map(|(partner, _)| Id::from_uuid(*partner))
    }

    fn intents(&self) -> Vec<pb::AccessIntent> {
        let intent = |(partner, epoch): &(Uuid, i64)| pb::AccessIntent {
            customer_id: self.customer.to_string(),
            partner_id: partner.to_string(),
            epoch: *epoch,
        };
        self.partners.iter().map(intent).collect()
    }

    /// Lets a participant write the intents.
    ///
    /// # Errors
    /// `ACCESS_CHANGED`, `ACCEPTANCE_OVERTAKEN`, or that it does not answer.
    pub async fn prepare(&self, host: &Host<Partner>, saga: Uuid, step: &str) -> Result<Vec<u8>, Fault> {
        match clients::prepare_access(&participant(&host.service, step)?, saga, self.intents(), self.user).await {
            Ok(answer) => Ok(answer),
            Err(fault) => Err(self.refusal(&host.db, fault).await),
        }
    }

    /// What a participant's refusal means. When something newer than this acceptance is effective there already: what was
    /// taken away since stays away until somebody decides anew; what was only given does not speak against this one,
    /// which begins anew.
    async fn refusal(&self, db: &Db, fault: Fault) -> Fault {
        if fault.reason() != "EPOCH_STALE" {
            return fault;
        }
        let checked = async {
            let mut tx = db.snapshot().await?;
            let mut checked = Ok(());
            for (partner, epoch) in &self.partners {
                checked = checked.and(access::check_unreduced(&mut tx, self.customer, *partner, *epoch).await);
            }
            tx.rollback().await;
            checked
        };
        checked.await.map_or_else(|fault| fault, |()| overtaken()).because(fault)
    }

    /// Lets a participant take them back.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn cancel(&self, service: &Partner, saga: Uuid, step: &str) -> Result<(), Fault> {
        clients::cancel_access(&participant(service, step)?, saga, self.intents()).await
    }

    /// The decision. What it rests on is held: an end of the partnership or a suspension precedes it or waits.
    ///
    /// # Errors
    /// `PARTNERSHIP_NOT_ACTIVE`, `ACCOUNT_SUSPENDED`, `ACCESS_CHANGED`, `INVITATION_CANCELED`.
    pub async fn decide(&self, cx: &mut Cx<Partner>, saga: Uuid, answers: &Answers) -> Result<(), Fault> {
        let by = AcceptedBy { user: self.user, credential_set: clients::credential_set(answers.get(IDENTITY)?)? };
        let id: Id<Invitation> = Id::from_uuid(self.invitation);
        let gone = || Fault::internal(format!("what acceptance {saga} is about is gone"));
        let invitation = store::get(&mut cx.tx, id).await?.ok_or_else(gone)?;
        let customer_id = Id::from_uuid(self.customer);
        let customer = organization::store::get(&mut cx.tx, customer_id).await?.ok_or_else(gone)?;
        if let Some(provider) = invitation.provider {
            partnership::store::check_active(&mut cx.tx, provider, invitation.partner).await?;
        }
        cx.deliver_as(saga);
        let parties = parties(cx, &invitation).await?;
        let now = cx.now();
        for party in &parties {
            customer::store::activate(&mut cx.tx, &customer, party.partner, party.kind, Source::Invitation, now)
                .await?;
            if party.delegated_admin {
                customer::store::grant(&mut cx.tx, customer.id, party.partner, now).await?;
            }
        }
        if !store::accept(&mut cx.tx, id, saga, by, now).await? {
            return Err(Fault::precondition("INVITATION_CANCELED", "the invitation was taken back meanwhile"));
        }
        telling::tell(cx, id).await?;
        telling::tell_bound(cx, invitation.partner, customer.id).await?;
        // Epochs are held last, as everywhere.
        for party in &parties {
            self.tell(cx, saga, &customer, party).await?;
        }
        cx.erase_sealed_replies(self.invitation).await?;
        cx.record(Fact::new("InvitationAccepted").about("invitation", self.invitation).customer(self.customer).change(
            "state",
            invitation.state.as_str(),
            State::Accepted.as_str(),
        ));
        Ok(())
    }

    /// Tells what a party has got, unless something was taken away from it since the acceptance began.
    async fn tell(
        &self,
        cx: &mut Cx<Partner>,
        saga: Uuid,
        customer: &Organization,
        party: &Party,
    ) -> Result<(), Fault> {
        let allotted = self.partners.iter().find(|(partner, _)| *partner == party.partner.uuid());
        let (partner, epoch) = *allotted.ok_or_else(|| Fault::internal("an acceptance forgot one of its parties"))?;
        access::check_unreduced(&mut cx.tx, self.customer, partner, epoch).await?;
        access::tell(cx, customer.id, party.partner, Change::Gives, Some(saga)).await?;
        cx.record(
            Fact::new("RelationshipBegun")
                .about("partner", partner)
                .organization(partner)
                .customer(self.customer)
                .change("relationship", "", party.kind.as_str())
                .change("delegated_admin", "", party.delegated_admin),
        );
        Ok(())
    }

    /// The acceptance is refused: the invitation is as it was, at once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn abandon(&self, cx: &mut Cx<Partner>, saga: Uuid, refusal: &Fault) -> Result<(), Fault> {
        let now = cx.now();
        store::end_acceptance(&mut cx.tx, Id::from_uuid(self.invitation), saga, now).await?;
        cx.record(
            crate::flow::refused("InvitationAcceptanceAborted", refusal)
                .about("invitation", self.invitation)
                .customer(self.customer),
        );
        Ok(())
    }

    /// What the decision is about, as it is now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn accesses(&self, cx: &mut Cx<Partner>, saga: Uuid) -> Result<Vec<pb::Access>, Fault> {
        let customer = Id::from_uuid(self.customer);
        let mut accesses = Vec::with_capacity(self.partners.len());
        for (partner, _) in &self.partners {
            accesses.push(access::present(&mut cx.tx, customer, Id::from_uuid(*partner), saga).await?);
        }
        Ok(accesses)
    }
}

/// Who gets what, with every account held and found active.
///
/// # Errors
/// `ACCOUNT_SUSPENDED`.
pub(super) async fn parties(cx: &mut Cx<Partner>, invitation: &Invitation) -> Result<Vec<Party>, Fault> {
    let mut kind = PartnerKind::Reseller;
    for partner in std::iter::once(invitation.partner).chain(invitation.provider) {
        let account = account::store::get(&mut cx.tx, partner).await?;
        let account = account.ok_or_else(|| Fault::internal(format!("the account of {partner} is gone")))?;
        account.check_active()?;
        if partner == invitation.partner {
            kind = account.kind;
        }
    }
    Ok(invitation.parties(kind))
}

/// The refusal of an acceptance that another one was faster than.
fn overtaken() -> Fault {
    let message =
        "another acceptance about the same partner was decided meanwhile; nothing was changed, repeat the request";
    Fault::aborted("ACCEPTANCE_OVERTAKEN", message)
}

fn participant<'s>(service: &'s Partner, step: &str) -> Result<Participant<'s>, Fault> {
    match step {
        IDENTITY => Ok(Participant::Identity(&service.identity)),
        LICENSING => Ok(Participant::Licensing(&service.licensing)),
        unknown => Err(Fault::internal(format!("an acceptance has no step {unknown}"))),
    }
}
