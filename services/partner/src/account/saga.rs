//! Onboarding: the organization at identity and the account here become effective together, or neither.

use base::Fault;
use saga::Answers;
use serde::{Deserialize, Serialize};
use service::{Cx, Fact, Operation as _};
use uuid::Uuid;

use super::ops::{OnboardPartner, already_linked};
use super::{Account, MpnId, PartnerKind, State, SupportContact, store, wire};
use crate::email::Email;
use crate::opening::{self, Opening};
use crate::{Partner, organization};

/// The name of the flow.
pub const FLOW: &str = "onboarding";

/// What the saga remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Onboarding {
    /// The organization.
    pub opening: Opening,
    kind: String,
    mpn_id: String,
    support: [String; 3],
}

impl Onboarding {
    /// The saga of this call.
    pub(super) fn of(cx: &Cx<Partner>, id: Uuid, call: &OnboardPartner) -> Result<Self, Fault> {
        let support = &call.support;
        Ok(Self {
            opening: Opening::new(cx, id, OnboardPartner::METHOD, &call.organization)?,
            kind: call.kind.as_str().to_owned(),
            mpn_id: call.mpn_id.as_str().to_owned(),
            support: [support.email.as_str().to_owned(), support.phone.clone(), support.website.clone()],
        })
    }

    /// Begins it.
    pub(super) async fn begin(&self, cx: &mut Cx<Partner>, id: Uuid) -> Result<(), Fault> {
        crate::flow::begin(cx, id, FLOW, self).await
    }

    fn account(&self, cx: &Cx<Partner>, opened: &opening::Opened) -> Result<Account, Fault> {
        let broken = || Fault::internal("an onboarding cannot be read");
        let [email, phone, website] = self.support.clone();
        Ok(Account {
            partner: opened.organization.id,
            kind: PartnerKind::parse(&self.kind).ok_or_else(broken)?,
            state: State::Active,
            mpn_id: MpnId::parse(&self.mpn_id).map_err(|_| broken())?,
            support: SupportContact { email: Email::parse(&email).map_err(|_| broken())?, phone, website },
            version: 1,
            create_time: cx.now(),
        })
    }

    /// The decision.
    ///
    /// # Errors
    /// `MPN_ID_ALREADY_LINKED`.
    pub async fn decide(&self, cx: &mut Cx<Partner>, id: Uuid, answers: &Answers) -> Result<(), Fault> {
        let opened = opening::opened(answers.get(opening::IDENTITY)?)?;
        let account = self.account(cx, &opened)?;
        organization::store::put(&mut cx.tx, &opened.organization).await?;
        if !store::insert(&mut cx.tx, &account).await? {
            return Err(already_linked(&account.mpn_id));
        }
        let partner = account.partner.uuid();
        cx.deliver_as(id);
        for service in crate::clients::PEERS {
            cx.tell(service, partner, account.version, &wire::standing(&account));
        }
        cx.record(
            Fact::new("PartnerOnboarded")
                .about("partner", partner)
                .organization(partner)
                .change("kind", "", account.kind.as_str())
                .change("mpn_id", "", account.mpn_id.as_str()),
        );
        Ok(())
    }
}
