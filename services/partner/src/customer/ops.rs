//! What can be asked of customers.

mod creation;

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Fact, Operation, Progress};
use uuid::Uuid;

pub use creation::{CreateCustomer, Created, NewCustomer};

use super::access::{self, Change};
use super::changed_meanwhile;
use super::store::{self, Filter, Served, Serving};
use crate::organization::{self, Organization};
use crate::policy::{Permission, Target};
use crate::subscription::{self, Portfolio};
use crate::{Partner, invitation};

/// Partners that GetCustomer shows beside the customer, at most.
const COLLEAGUES_MAX: i64 = 100;

/// Subscriptions that GetCustomer shows beside the customer, at most.
const SUBSCRIPTIONS_MAX: i64 = 100;

/// Lists the caller's customers by name.
#[derive(Debug)]
pub struct ListCustomers {
    pub(super) filter: Filter,
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

impl Operation for ListCustomers {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.CustomerService/ListCustomers";
    const PERMISSION: Permission = Permission::ReadCustomers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<(Page<Served>, Tokens), Fault> {
        let scope = cx.page_scope(&format!("{}|{}", self.filter.name_prefix, self.filter.domain_prefix));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let partner = cx.organization()?;
        let page = store::list(&mut cx.tx, partner, &self.filter, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}

/// Shows one customer.
#[derive(Debug)]
pub struct GetCustomer {
    pub(super) id: Id<Organization>,
}

/// A customer as a partner sees it.
#[derive(Debug)]
pub enum Seen {
    /// One that it serves.
    Served {
        /// The customer.
        customer: Box<Served>,
        /// The customer grants it delegated admin.
        delegated_admin: bool,
        /// Its partners who serve the customer too.
        colleagues: Vec<Serving>,
        /// What it sold to the customer, or is the reseller of record of.
        portfolio: Portfolio,
    },
    /// One that it is named to in an open invitation: its name.
    Named(Organization),
}

impl Operation for GetCustomer {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.CustomerService/GetCustomer";
    const PERMISSION: Permission = Permission::ReadCustomers;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::CustomerName(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Seen, Fault> {
        let (partner, now) = (cx.organization()?, cx.now());
        let Some(customer) = store::served(&mut cx.tx, self.id, partner).await? else {
            let named = organization::store::get(&mut cx.tx, self.id).await?;
            return named.map(Seen::Named).ok_or_else(|| Fault::not_found("customer", self.id));
        };
        let delegated = store::delegated_admin(&mut cx.tx, self.id, partner).await?;
        Ok(Seen::Served {
            customer: Box::new(customer),
            delegated_admin: delegated.is_some_and(|delegated| delegated.is_granted),
            colleagues: store::colleagues(&mut cx.tx, self.id, partner, COLLEAGUES_MAX).await?,
            portfolio: subscription::store::portfolio(&mut cx.tx, (self.id, partner), now, SUBSCRIPTIONS_MAX).await?,
        })
    }
}

/// Ends a reseller's relationship with a customer.
#[derive(Debug)]
pub struct RemoveCustomer {
    pub(super) id: Id<Organization>,
    pub(super) is_attested: bool,
    pub(super) version: Option<i64>,
}

/// How far the end of a relationship has come.
#[derive(Debug)]
pub struct Removed {
    pub(super) customer: Id<Organization>,
    pub(super) is_everywhere: bool,
    pub(super) remaining_delegated_admin: bool,
}

impl Operation for RemoveCustomer {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.CustomerService/RemoveCustomer";
    const PERMISSION: Permission = Permission::RemoveCustomer;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.id)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Removed, Fault> {
        let partner: Id<Organization> = cx.organization()?;
        let found = store::get(&mut cx.tx, self.id, partner).await?;
        let relationship = found.ok_or_else(|| Fault::not_found("customer", self.id))?;
        relationship.check_removal(self.is_attested, self.version)?;
        let (now, by) = (cx.now(), cx.principal()?.id);
        if !store::remove(&mut cx.tx, &relationship, by, now).await? {
            return Err(changed_meanwhile("relationship"));
        }
        let remaining = self.remaining(cx, partner).await?;
        invitation::ops::cancel_bound(cx, partner, self.id).await?;
        let removal: Id<Self> = cx.new_id();
        cx.deliver_as(removal.uuid());
        access::tell(cx, self.id, partner, Change::Takes, None).await?;
        cx.continue_with(removal.uuid());
        cx.record(
            Fact::new("RelationshipRemoved")
                .about("customer", self.id.uuid())
                .customer(self.id.uuid())
                .change("state", "ACTIVE", "REMOVED")
                .change("attestation_accepted", "", true)
                .change("delegated_admin", remaining, remaining),
        );
        Ok(Removed { customer: self.id, is_everywhere: false, remaining_delegated_admin: remaining })
    }

    async fn resume(&self, cx: &mut Cx<Partner>, removal: Uuid) -> Result<Progress<Removed>, Fault> {
        let partner = cx.organization()?;
        let is_everywhere = cx.is_delivered(removal).await?;
        let remaining_delegated_admin = self.remaining(cx, partner).await?;
        let reply = Removed { customer: self.id, is_everywhere, remaining_delegated_admin };
        Ok(Progress::of(is_everywhere, reply))
    }
}

impl RemoveCustomer {
    async fn remaining(&self, cx: &mut Cx<Partner>, partner: Id<Organization>) -> Result<bool, Fault> {
        let delegated = store::delegated_admin(&mut cx.tx, self.id, partner).await?;
        Ok(delegated.is_some_and(|delegated| delegated.is_granted))
    }
}

/// Lists the partners of the caller's customer by name.
#[derive(Debug)]
pub struct ListPartnersOfCustomer {
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

impl Operation for ListPartnersOfCustomer {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.CustomerService/ListPartnersOfCustomer";
    const PERMISSION: Permission = Permission::ReadOwnPartners;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::OwnOrganization
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<(Page<Serving>, Tokens), Fault> {
        let scope = cx.page_scope("");
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let customer = cx.organization()?;
        let page = store::partners(&mut cx.tx, customer, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}

/// Withdraws a partner's delegated admin over the caller's customer.
#[derive(Debug)]
pub struct RevokeDelegatedAdmin {
    pub(super) partner: Id<Organization>,
    pub(super) version: Option<i64>,
}

impl Operation for RevokeDelegatedAdmin {
    type Service = Partner;
    const METHOD: &'static str = "/tandem.partner.v1.CustomerService/RevokeDelegatedAdmin";
    const PERMISSION: Permission = Permission::RevokeDelegatedAdmin;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::PartnerOfCustomer(self.partner)
    }

    async fn run(&self, cx: &mut Cx<Partner>, (): &()) -> Result<Serving, Fault> {
        let customer: Id<Organization> = cx.organization()?;
        let granted = store::delegated_admin(&mut cx.tx, customer, self.partner).await?;
        if let (Some(granted), Some(seen)) = (granted, self.version)
            && granted.version != seen
        {
            return Err(changed_meanwhile("delegated admin"));
        }
        if let Some(granted) = granted.filter(|granted| granted.is_granted) {
            let now = cx.now();
            if !store::revoke(&mut cx.tx, customer, self.partner, granted, now).await? {
                return Err(changed_meanwhile("delegated admin"));
            }
            access::tell(cx, customer, self.partner, Change::Takes, None).await?;
            cx.answer_after_delivery();
            cx.record(
                Fact::new("DelegatedAdminRevoked")
                    .about("partner", self.partner.uuid())
                    .customer(customer.uuid())
                    .change("delegated_admin", true, false),
            );
        }
        let partner = store::partner(&mut cx.tx, customer, self.partner).await?;
        partner.ok_or_else(|| Fault::not_found("partner", self.partner))
    }
}
