//! What can be asked of entitlements.

use std::collections::{BTreeMap, BTreeSet};

use base::{Fault, Id, Kind, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Operation, reply};
use uuid::Uuid;

use super::{Drift, Entitlement, Source, store, wire};
use crate::offer::Offer;
use crate::offer::buying::Prospect;
use crate::organization::Organization;
use crate::policy::{self, Permission, Target};
use crate::product::{self, PlanNames, Product};
use crate::product_rules::LicenseGroup;
use crate::purchase_permission::{self, PurchasePermission};
use crate::subscription::{self, reseller};
use crate::{Licensing, offer, partner, product_rules};

/// Pools that differ, which one answer tells of at most.
const DRIFTS_MAX: usize = 100;

/// The service plans of some products.
pub(crate) type Plans = BTreeMap<Id<Product>, BTreeMap<Uuid, PlanNames>>;

/// Lists what a customer owns, by the name of the product.
#[derive(Debug)]
pub struct ListEntitlements {
    pub(super) customer: Id<Organization>,
    /// Of one license group alone.
    pub(super) group: Option<LicenseGroup>,
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
        let scope = cx.page_scope(&format!("{}|{:?}", self.customer, self.group));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let rows = owned(cx, (self.customer, self.group), &seek, self.page_size).await?;
        let products: Vec<Id<Product>> = rows.iter().map(|entitlement| entitlement.pool.product).collect();
        let plans = product::store::plans(&mut cx.tx, &products).await?;
        // Of products with much to tell, fewer make a page.
        let sizes = rows.iter().take(self.page_size).map(|each| reply::bytes(&wire::detail(each, &plans)));
        let fitting = reply::fitting(sizes);
        let page = Page::cut(rows, fitting, &seek, store::position);
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        let viewer = viewer(cx, self.customer)?;
        let orderers = orderers(cx, self.customer, viewer).await?;
        Ok(Listed { page, tokens, plans, orderers })
    }
}

/// What a customer owns, of one license group or of all, with where whoever looks can order more: as many products as make a
/// page, in the seek's own direction, and one more when there are more.
pub(crate) async fn owned(
    cx: &mut Cx<Licensing>,
    (customer, group): (Id<Organization>, Option<LicenseGroup>),
    seek: &Seek,
    page_size: usize,
) -> Result<Vec<Entitlement>, Fault> {
    let viewer = viewer(cx, customer)?;
    let mut entitlements = store::list(&mut cx.tx, (customer, group), viewer, seek, page_size).await?;
    let products: Vec<Id<Product>> = entitlements.iter().map(|entitlement| entitlement.pool.product).collect();
    let mut rules = product_rules::store::heads(&mut cx.tx, &products).await?;
    for entitlement in &mut entitlements {
        entitlement.rules = rules.remove(&entitlement.pool.product).unwrap_or_default().rules;
    }
    if policy::has_role(cx.principal()?, Permission::PlaceOrder) {
        mark_orderable(cx, customer, viewer, &mut entitlements).await?;
    }
    entitlements.iter_mut().for_each(Entitlement::cut_sources);
    Ok(entitlements)
}

/// Marks the sources under whose offer whoever looks could order more, as PlaceOrder would say it.
async fn mark_orderable(
    cx: &mut Cx<Licensing>,
    customer: Id<Organization>,
    viewer: Option<Id<Organization>>,
    entitlements: &mut [Entitlement],
) -> Result<(), Fault> {
    let orderers = orderers(cx, customer, viewer).await?;
    let (permissions, own_purchases) = match viewer {
        Some(_) => Default::default(),
        None => {
            let permissions = purchase_permission::store::list(&mut cx.tx, customer, None).await?;
            (permissions, subscription::store::own_purchases(&mut cx.tx, customer).await?)
        }
    };
    let is_own = |source: &Source| match viewer {
        Some(partner) => source.partner == partner,
        // It would be based on this subscription (C26).
        None => {
            let lets_buy = |permission: &PurchasePermission| {
                permission.permitted
                    && permission.partner == source.partner
                    && permission.product_family == source.product_family
            };
            !source.suspended && !own_purchases.contains(&source.subscription) && permissions.iter().any(lets_buy)
        }
    };
    let mut sources: BTreeMap<Id<Organization>, Vec<&mut Source>> = BTreeMap::new();
    for source in entitlements.iter_mut().flat_map(|entitlement| &mut entitlement.sources) {
        if orderers.contains(&source.partner) && is_own(source) {
            sources.entry(source.partner).or_default().push(source);
        }
    }
    for (seller, mut sources) in sources {
        if viewer.is_none() {
            // It would have the same reseller of record.
            retain_nameable(cx, seller, &mut sources).await?;
        }
        let ids: BTreeSet<Id<Offer>> = sources.iter().map(|source| source.offer).collect();
        let offers = offer::store::some(&mut cx.tx, &ids.into_iter().collect::<Vec<_>>()).await?;
        let prospect = Prospect::of(cx, (customer, seller), &offers).await?;
        let can_be_had: BTreeSet<Id<Offer>> =
            offers.iter().filter(|offer| prospect.refusals(offer).is_empty()).map(|offer| offer.id).collect();
        for source in sources {
            source.orderable = can_be_had.contains(&source.offer);
        }
    }
    Ok(())
}

/// Keeps those whose reseller of record, if they have one, could be named in an order of the seller.
async fn retain_nameable(
    cx: &mut Cx<Licensing>,
    seller: Id<Organization>,
    sources: &mut Vec<&mut Source>,
) -> Result<(), Fault> {
    let named: BTreeSet<String> = sources.iter().filter_map(|source| source.reseller_mpn_id.clone()).collect();
    let mut refused = BTreeSet::new();
    for mpn_id in named {
        match reseller::named(cx, seller, &mpn_id).await {
            Err(fault) if fault.kind() == Kind::Precondition => refused.insert(mpn_id),
            found => found.map(|_| false)?,
        };
    }
    sources.retain(|source| source.reseller_mpn_id.as_ref().is_none_or(|mpn_id| !refused.contains(mpn_id)));
    Ok(())
}

/// The partners who may order for the customer now, in the order of their ids; for a viewer itself and those whom it works
/// with.
pub(crate) async fn orderers(
    cx: &mut Cx<Licensing>,
    customer: Id<Organization>,
    viewer: Option<Id<Organization>>,
) -> Result<Vec<Id<Organization>>, Fault> {
    let mut orderers = Vec::new();
    for partner in store::orderers(&mut cx.tx, customer, viewer).await? {
        let standing = partner::store::standing(&mut cx.tx, partner).await?;
        if partner::check_may_begin(standing.as_ref()).is_ok() {
            orderers.push(partner);
        }
    }
    orderers.sort_unstable();
    Ok(orderers)
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
