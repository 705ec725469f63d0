//! Creation: the customer at identity and its partners' relationships here become effective together, or none of it.

use base::{Fault, Id};
use saga::Answers;
use serde::{Deserialize, Serialize};
use service::{Cx, Fact, Operation as _};
use uuid::Uuid;

use super::access::{self, Change};
use super::ops::CreateCustomer;
use super::{Source, store};
use crate::account::{self, PartnerKind};
use crate::opening::{self, Opening};
use crate::organization::{NewOrganization, Organization};
use crate::{Partner, organization, partnership};

/// The name of the flow.
pub const FLOW: &str = "creation";

/// What the saga remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Creation {
    /// The organization.
    pub opening: Opening,
    partner: Uuid,
    kind: String,
    reseller: Option<Uuid>,
}

impl Creation {
    /// Begins the saga of this call.
    pub(super) async fn begin(
        cx: &mut Cx<Partner>,
        id: Uuid,
        new: &NewOrganization,
        (partner, kind): (Id<Organization>, PartnerKind),
        reseller: Option<Id<Organization>>,
    ) -> Result<(), Fault> {
        let creation = Self {
            opening: Opening::new(cx, id, CreateCustomer::METHOD, new)?,
            partner: partner.uuid(),
            kind: kind.as_str().to_owned(),
            reseller: reseller.map(Id::uuid),
        };
        crate::flow::begin(cx, id, FLOW, &creation).await
    }

    /// The decision.
    ///
    /// # Errors
    /// `PARTNERSHIP_NOT_ACTIVE`, `ACCOUNT_SUSPENDED`.
    pub async fn decide(&self, cx: &mut Cx<Partner>, id: Uuid, answers: &Answers) -> Result<(), Fault> {
        let opened = opening::opened(answers.get(opening::IDENTITY)?)?;
        let customer = opened.organization;
        organization::store::put(&mut cx.tx, &customer).await?;
        cx.deliver_as(id);
        let partner = Id::from_uuid(self.partner);
        let kind = PartnerKind::parse(&self.kind).ok_or_else(|| Fault::internal("a creation cannot be read"))?;
        let mut parties = vec![(partner, kind)];
        if let Some(reseller) = self.reseller.map(Id::from_uuid) {
            partnership::store::check_active(&mut cx.tx, partner, reseller).await?;
            parties.push((reseller, PartnerKind::Reseller));
        }
        for (party, kind) in parties {
            check_account(cx, party).await?;
            let now = cx.now();
            store::activate(&mut cx.tx, &customer, party, kind, Source::Creation, now).await?;
            store::grant(&mut cx.tx, customer.id, party, now).await?;
            access::tell(cx, customer.id, party, Change::Gives, Some(id)).await?;
            cx.record(
                Fact::new("RelationshipBegun")
                    .about("partner", party.uuid())
                    .organization(party.uuid())
                    .customer(customer.id.uuid())
                    .change("relationship", "", kind.as_str())
                    .change("delegated_admin", "", true),
            );
        }
        cx.record(Fact::new("CustomerCreated").about("customer", customer.id.uuid()).customer(customer.id.uuid()));
        Ok(())
    }
}

/// Refuses to make a partner serve somebody new while it is suspended.
///
/// # Errors
/// `ACCOUNT_SUSPENDED`.
pub(super) async fn check_account(cx: &mut Cx<Partner>, party: Id<Organization>) -> Result<(), Fault> {
    let account = account::store::get(&mut cx.tx, party).await?;
    account.ok_or_else(|| Fault::internal(format!("the account of {party} is gone")))?.check_active()
}
