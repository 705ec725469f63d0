//! What can be asked of entitlements.

use std::collections::BTreeMap;

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Operation};
use uuid::Uuid;

use super::{Entitlement, store};
use crate::Licensing;
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::product::{self, PlanNames, Product};

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
        let viewer = viewer(cx, self.customer)?;
        let page = store::list(&mut cx.tx, self.customer, viewer, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        let products: Vec<Id<Product>> = page.rows.iter().map(|entitlement| entitlement.pool.product).collect();
        let plans = product::store::plans(&mut cx.tx, &products).await?;
        let mut orderers = store::orderers(&mut cx.tx, self.customer, viewer).await?;
        orderers.sort_unstable();
        Ok(Listed { page, tokens, plans, orderers })
    }
}

/// Through whose eyes the customer is looked at: a partner's, or nobody's in particular when the customer looks itself.
pub(crate) fn viewer(cx: &Cx<Licensing>, customer: Id<Organization>) -> Result<Option<Id<Organization>>, Fault> {
    let caller = cx.organization()?;
    Ok((caller != customer).then_some(caller))
}
