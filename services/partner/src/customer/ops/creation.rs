//! A partner makes a customer.

use base::country::Country;
use base::names::{DisplayName, DomainPrefix, LocalName};
use base::{Fault, Id, Secret};
use saga::{Outcome, State as SagaState};
use service::{Cx, Operation, Preparation, Progress};
use uuid::Uuid;

use crate::account::{self, PartnerKind};
use crate::customer::saga::{Creation, check_account};
use crate::customer::store::{self, Served};
use crate::opening::{self, Asked};
use crate::organization::{self, Kind, NewOrganization, Organization};
use crate::policy::{Permission, Target};
use crate::{Partner, partnership};

/// Makes a customer, with an ACTIVE relationship and delegated admin of its maker (C21).
#[derive(Debug)]
pub struct CreateCustomer {
    pub(in crate::customer) name: String,
    pub(in crate::customer) country: Option<Country>,
    pub(in crate::customer) prefix: DomainPrefix,
    pub(in crate::customer) admin_display_name: DisplayName,
    pub(in crate::customer) admin_name: LocalName,
    pub(in crate::customer) reseller: Option<Id<Organization>>,
}

/// How far it has come.
#[derive(Debug)]
pub enum Created {
    /// Not everywhere yet.
    Under,
    /// Effective.
    Done(Box<NewCustomer>),
}

/// A customer that was made.
#[derive(Debug)]
pub struct NewCustomer {
    pub(in crate::customer) origin: Uuid,
    pub(in crate::customer) customer: Served,
    pub(in crate::customer) admin: Uuid,
    pub(in crate::customer) sign_in_name: String,
    pub(in crate::customer) password: Secret<String>,
}

impl CreateCustomer {
    /// The organization to make, in the maker's cloud and country (C34).
    fn organization(&self, maker: &Organization) -> Result<NewOrganization, Fault> {
        if let Some(country) = self.country.filter(|country| *country != maker.country) {
            let message = format!("a partner in {} makes no customer in {country}", maker.country);
            return Err(Fault::precondition("REGION_MISMATCH", message));
        }
        Ok(NewOrganization {
            kind: Kind::Customer,
            name: self.name.clone(),
            country: maker.country,
            cloud: maker.cloud,
            prefix: self.prefix.clone(),
            admin_display_name: self.admin_display_name.clone(),
            admin_name: self.admin_name.clone(),
        })
    }
}

impl Operation for CreateCustomer {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.CustomerService/CreateCustomer";
    const PERMISSION: Permission = Permission::CreateCustomer;
    type Prepared = Asked;
    const DELIVERS_SECRET: bool = true;

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn prepare(&self, preparation: &Preparation<'_, Partner>) -> Result<Asked, Fault> {
        if !preparation.dry {
            return Ok(Asked { dry: false });
        }
        let own = preparation.caller.principal().map(|principal| principal.organization_id).unwrap_or_default();
        let mut tx = preparation.host.db.snapshot().await?;
        let maker = organization::store::get(&mut tx, Id::from_uuid(own)).await;
        tx.rollback().await;
        let maker = maker?.ok_or_else(|| Fault::not_found("organization", own))?;
        opening::ask(preparation, &self.organization(&maker)?).await
    }

    async fn run(&self, cx: &mut Cx<Partner>, _: &Asked) -> Result<Created, Fault> {
        let own: Id<Organization> = cx.organization()?;
        let gone = || Fault::internal(format!("the account of {own} is gone"));
        let account = account::store::get(&mut cx.tx, own).await?.ok_or_else(gone)?;
        account.check_active()?;
        let maker = organization::store::get(&mut cx.tx, own).await?.ok_or_else(gone)?;
        let new = self.organization(&maker)?;
        if let Some(reseller) = self.reseller {
            if account.kind != PartnerKind::Provider {
                let message = "only a provider names the reseller of a customer";
                return Err(Fault::denied("PARTNER_KIND_NOT_ALLOWED", message).with("partner_kinds", "PROVIDER"));
            }
            partnership::store::check_active(&mut cx.tx, own, reseller).await?;
            check_account(cx, reseller).await?;
        }
        let id: Id<Self> = cx.new_id();
        Creation::begin(cx, id.uuid(), &new, (own, account.kind), self.reseller).await?;
        Ok(Created::Under)
    }

    async fn resume(&self, cx: &mut Cx<Partner>, id: Uuid) -> Result<Progress<Created>, Fault> {
        let state = match saga::outcome(&mut cx.tx, id).await? {
            Outcome::Stands(state) => state,
            Outcome::Refused(refusal) => return Ok(Progress::Refused(refusal)),
        };
        if state != SagaState::Settled || !cx.is_delivered(id).await? {
            return Ok(Progress::Under(Created::Under));
        }
        let opened = opening::opened(saga::answers(&mut cx.tx, id).await?.get(opening::IDENTITY)?)?;
        let (own, customer) = (cx.organization()?, opened.organization.id);
        let customer = store::served(&mut cx.tx, customer, own).await?;
        let new = NewCustomer {
            origin: id,
            // Made, and removed since.
            customer: customer.ok_or_else(|| Fault::not_found("customer", opened.organization.id))?,
            admin: opened.admin,
            sign_in_name: opened.sign_in_name,
            password: Secret::new(String::new()),
        };
        Ok(Progress::Over(Created::Done(Box::new(new))))
    }

    async fn deliver(
        &self,
        preparation: &Preparation<'_, Partner>,
        request: Option<[u8; 32]>,
        reply: Created,
    ) -> Result<Created, Fault> {
        let Created::Done(mut new) = reply else { return Ok(reply) };
        let identity = &preparation.host.service.identity;
        let caller = preparation.caller;
        new.password = opening::reveal(identity, new.origin, caller, Self::METHOD, request, preparation.left()).await?;
        Ok(Created::Done(new))
    }
}
