//! What can be asked of entitlements.

use std::collections::BTreeMap;

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Operation};
use uuid::Uuid;

use super::{Drift, Entitlement, store};
use crate::Licensing;
use crate::organization::Organization;
use crate::policy::{self, Permission, Target};
use crate::product::{self, PlanNames, Product};
use crate::purchase_permission::{self, PurchasePermission};

/// Pools that differ, which one answer tells of at most.
const DRIFTS_MAX: usize = 100;

/// The service plans of some products.
pub(crate) type Plans = BTreeMap<Id<Product>, BTreeMap<Uuid, PlanNames>>;

/// Lists what a customer owns, by the name of the product.
#[derive(Debug)]
pub struct ListEntitlements {
    pub(super) customer: Id<Organization>,
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

/// One page of it.
#[derive(Debug)]
pub struct Listed {
    pub(super) page: Page<Entitlement>,
    pub(super) tokens: Tokens,
    pub(super) plans: Plans,
    pub(super) orderers: Vec<Id<Organization>>,
}

impl Operation for ListEntitlements {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.EntitlementService/ListEntitlements";
    const PERMISSION: Permission = Permission::ReadEntitlements;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Listed, Fault> {
        let scope = cx.page_scope(&self.customer.to_string());
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let page = owned(cx, self.customer, &seek, self.page_size).await?;
        let viewer = viewer(cx, self.customer)?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        let products: Vec<Id<Product>> = page.rows.iter().map(|entitlement| entitlement.pool.product).collect();
        let plans = product::store::plans(&mut cx.tx, &products).await?;
        let mut orderers = store::orderers(&mut cx.tx, self.customer, viewer).await?;
        orderers.sort_unstable();
        Ok(Listed { page, tokens, plans, orderers })
    }
}

/// One page of what a customer owns, with where whoever looks can order more.
pub(crate) async fn owned(
    cx: &mut Cx<Licensing>,
    customer: Id<Organization>,
    seek: &Seek,
    page_size: usize,
) -> Result<Page<Entitlement>, Fault> {
    let viewer = viewer(cx, customer)?;
    let mut page = store::list(&mut cx.tx, customer, viewer, seek, page_size).await?;
    let orderers = store::orderers(&mut cx.tx, customer, viewer).await?;
    let permissions = match viewer {
        Some(_) => Vec::new(),
        None => purchase_permission::store::list(&mut cx.tx, customer, None).await?,
    };
    let may_order = policy::has_role(cx.principal()?, Permission::PlaceOrder);
    for entitlement in &mut page.rows {
        for source in &mut entitlement.sources {
            let lets_buy = |permission: &PurchasePermission| {
                permission.permitted
                    && permission.partner == source.partner
                    && permission.product_family == source.product_family
            };
            let own = match viewer {
                Some(partner) => source.partner == partner,
                None => !source.suspended && permissions.iter().any(lets_buy),
            };
            source.orderable = may_order && own && orderers.contains(&source.partner);
        }
    }
    Ok(page)
}

/// Compares the counters of all pools with what they count.
#[derive(Debug)]
pub struct VerifySeats;

/// What it found.
#[derive(Debug)]
pub struct Verified {
    pub(super) pools: i64,
    pub(super) drifts: Vec<Drift>,
    pub(super) more: bool,
}

impl Operation for VerifySeats {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.EntitlementService/VerifySeats";
    const PERMISSION: Permission = Permission::VerifySeats;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Verified, Fault> {
        let pools = store::count(&mut cx.tx).await?;
        let mut drifts = store::drifts(&mut cx.tx, DRIFTS_MAX + 1).await?;
        let more = drifts.len() > DRIFTS_MAX;
        drifts.truncate(DRIFTS_MAX);
        Ok(Verified { pools, drifts, more })
    }
}

/// Through whose eyes the customer is looked at: a partner's, or nobody's in particular when the customer looks itself.
pub(crate) fn viewer(cx: &Cx<Licensing>, customer: Id<Organization>) -> Result<Option<Id<Organization>>, Fault> {
    let caller = cx.organization()?;
    Ok((caller != customer).then_some(caller))
}
