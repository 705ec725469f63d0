//! What can be asked of accounts.

use base::{Fault, Id, Secret};
use saga::{Outcome, State as SagaState};
use service::{Cx, Operation, Preparation, Progress};
use uuid::Uuid;

use super::saga::Onboarding;
use super::{Account, MpnId, PartnerKind, SupportContact, store};
use crate::Partner;
use crate::opening::{self, Asked};
use crate::organization::{self, Cloud, NewOrganization, Organization};
use crate::policy::{Permission, Target};

/// Takes a partner in that is in the program already.
#[derive(Debug)]
pub struct OnboardPartner {
    pub(super) kind: PartnerKind,
    pub(super) mpn_id: MpnId,
    pub(super) support: SupportContact,
    pub(super) organization: NewOrganization,
}

/// How far it has come.
#[derive(Debug)]
pub enum Onboarded {
    /// Not everywhere yet.
    Under,
    /// Effective.
    Done(Box<Newcomer>),
}

/// A partner that was taken in.
#[derive(Debug)]
pub struct Newcomer {
    pub(super) origin: Uuid,
    pub(super) organization: Organization,
    pub(super) account: Account,
    pub(super) admin: Uuid,
    pub(super) sign_in_name: String,
    pub(super) password: Secret<String>,
}

impl Operation for OnboardPartner {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.PartnerReviewService/OnboardPartner";
    const PERMISSION: Permission = Permission::OnboardPartner;
    type Prepared = Asked;
    const DELIVERS_SECRET: bool = true;

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn prepare(&self, preparation: &Preparation<'_, Partner>) -> Result<Asked, Fault> {
        opening::ask(preparation, &self.organization).await
    }

    async fn run(&self, cx: &mut Cx<Partner>, _: &Asked) -> Result<Onboarded, Fault> {
        if self.organization.cloud == Cloud::UsGovernment && self.kind != PartnerKind::Direct {
            let message = "the indirect model is absent in the government's cloud: only direct partners are taken in";
            return Err(Fault::precondition("NOT_AVAILABLE_IN_CLOUD", message));
        }
        if store::is_linked(&mut cx.tx, &self.mpn_id).await? {
            return Err(already_linked(&self.mpn_id));
        }
        let id: Id<Self> = cx.new_id();
        let onboarding = Onboarding::of(cx, id.uuid(), self)?;
        onboarding.begin(cx, id.uuid()).await?;
        Ok(Onboarded::Under)
    }

    async fn resume(&self, cx: &mut Cx<Partner>, id: Uuid) -> Result<Progress<Onboarded>, Fault> {
        let state = match saga::outcome(&mut cx.tx, id).await? {
            Outcome::Stands(state) => state,
            Outcome::Refused(refusal) => return Ok(Progress::Refused(refusal)),
        };
        if state != SagaState::Settled || !cx.is_delivered(id).await? {
            return Ok(Progress::Under(Onboarded::Under));
        }
        let opened = opening::opened(saga::answers(&mut cx.tx, id).await?.get(opening::IDENTITY)?)?;
        let partner = opened.organization.id;
        let gone = || Fault::internal(format!("the account of {partner} is gone"));
        let account = store::get(&mut cx.tx, partner).await?.ok_or_else(gone)?;
        let organization = organization::store::get(&mut cx.tx, partner).await?.ok_or_else(gone)?;
        let newcomer = Newcomer {
            origin: id,
            organization,
            account,
            admin: opened.admin,
            sign_in_name: opened.sign_in_name,
            password: Secret::new(String::new()),
        };
        Ok(Progress::Over(Onboarded::Done(Box::new(newcomer))))
    }

    async fn deliver(
        &self,
        preparation: &Preparation<'_, Partner>,
        request: Option<[u8; 32]>,
        reply: Onboarded,
    ) -> Result<Onboarded, Fault> {
        let Onboarded::Done(mut newcomer) = reply else { return Ok(reply) };
        let identity = &preparation.host.service.identity;
        let caller = preparation.caller;
        newcomer.password =
            opening::reveal(identity, newcomer.origin, caller, Self::METHOD, request, preparation.left()).await?;
        Ok(Onboarded::Done(newcomer))
    }
}

/// The refusal for an MPN id that another partner has.
pub(super) fn already_linked(mpn_id: &MpnId) -> Fault {
    let message = format!("the MPN id {} belongs to another partner", mpn_id.as_str());
    Fault::already_exists("MPN_ID_ALREADY_LINKED", message)
}
