//! What can be asked of offers.

use std::collections::{BTreeMap, BTreeSet};

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Fact, Operation, reply};

use super::buying::Prospect;
use super::store::Filter;
use super::{Commitments, Limit, Offer, store, wire};
use crate::Licensing;
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::product::{self, Product};

/// Makes an offer, or changes one.
#[derive(Debug)]
pub struct UpsertOffer {
    pub(super) id: Id<Offer>,
    pub(super) product: Id<Product>,
    pub(super) name: String,
    pub(super) countries: BTreeSet<String>,
    pub(super) minimum_quantity: i64,
    pub(super) maximum_quantity: i64,
    pub(super) available: bool,
    pub(super) trial: bool,
    pub(super) limit: Option<Limit>,
    pub(super) parents: BTreeSet<Id<Offer>>,
    pub(super) commitments: Commitments,
    pub(super) product_family: String,
    pub(super) version: Option<i64>,
}

impl Operation for UpsertOffer {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.CatalogService/UpsertOffer";
    const PERMISSION: Permission = Permission::ManageCatalog;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Offer, Fault> {
        if product::store::get(&mut cx.tx, self.product).await?.is_none() {
            return Err(Fault::not_found("product", self.product));
        }
        let held = self.hold(cx).await?;
        let now = cx.now();
        let wanted = Offer {
            id: self.id,
            product: self.product,
            name: self.name.clone(),
            countries: self.countries.clone(),
            minimum_quantity: self.minimum_quantity,
            maximum_quantity: self.maximum_quantity,
            available: self.available,
            trial: self.trial,
            limit: self.limit,
            parents: self.parents.clone(),
            commitments: self.commitments.clone(),
            product_family: self.product_family.clone(),
            create_time: now,
            update_time: now,
            version: 1,
        };
        if held.is_none() && self.version.is_none() && store::insert(&mut cx.tx, &wanted).await? {
            cx.record(told("OfferMade", None, &wanted));
            return Ok(wanted);
        }
        let present = match held {
            Some(present) => present,
            // Somebody made it while this waited.
            None => store::lock(&mut cx.tx, self.id).await?.ok_or_else(changed_meanwhile)?,
        };
        self.check_is_no_parent(cx).await?;
        if self.version.is_some_and(|version| version != present.version) {
            return Err(changed_meanwhile());
        }
        if present.product != self.product {
            let message = format!("the offer sells the product {}; make another offer", present.product);
            return Err(Fault::precondition("OFFER_PRODUCT_FIXED", message).with("product_id", present.product));
        }
        if wanted.says_the_same_as(&present) {
            return Ok(present);
        }
        store::update(&mut cx.tx, &wanted, now).await?;
        cx.record(told("OfferUpdated", Some(&present), &wanted));
        Ok(Offer { create_time: present.create_time, version: present.version + 1, ..wanted })
    }
}

impl UpsertOffer {
    /// Holds the offer, if there is one already, for a change and what it adds to as it is, all in the order of their ids:
    /// whoever makes an add-on of one of these meanwhile waits, or was waited for. What it adds to is no add-on.
    async fn hold(&self, cx: &mut Cx<Licensing>) -> Result<Option<Offer>, Fault> {
        let mut present = None;
        let mut ids = self.parents.clone();
        ids.insert(self.id);
        for id in ids {
            if id == self.id {
                present = store::lock(&mut cx.tx, id).await?;
                continue;
            }
            let parent = store::get(&mut cx.tx, id).await?.ok_or_else(|| Fault::not_found("offer", id))?;
            if !parent.parents.is_empty() {
                let message = format!("the offer {id} is an add-on itself: nothing adds to it");
                return Err(Fault::precondition("PARENT_IS_ADD_ON", message).with("offer_id", id));
            }
        }
        Ok(present)
    }

    /// What others add to is no add-on. Asked when its row is held: who adds to it holds that as well.
    async fn check_is_no_parent(&self, cx: &mut Cx<Licensing>) -> Result<(), Fault> {
        if !self.parents.is_empty() && store::is_parent(&mut cx.tx, self.id).await? {
            let message = "other offers add to this one: it is no add-on itself";
            return Err(Fault::precondition("PARENT_IS_ADD_ON", message).with("offer_id", self.id));
        }
        Ok(())
    }
}

fn changed_meanwhile() -> Fault {
    Fault::aborted("ETAG_MISMATCH", "the offer is not as it was when it was read; read it again")
}

fn told(action: &'static str, before: Option<&Offer>, after: &Offer) -> Fact {
    let old = before.map(described).unwrap_or_default();
    let fact = Fact::new(action).about("offer", after.id.uuid());
    let changes =
        described(after).into_iter().map(|(field, new)| (field, old.get(field).cloned().unwrap_or_default(), new));
    changes.filter(|(_, old, new)| old != new).fold(fact, |fact, (field, old, new)| fact.change(field, old, new))
}

/// Everything that can be chosen about an offer, for the journal.
fn described(offer: &Offer) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("name", offer.name.clone()),
        ("product_id", offer.product.to_string()),
        ("countries", offer.countries.iter().cloned().collect::<Vec<_>>().join(" ")),
        ("minimum_quantity", offer.minimum_quantity.to_string()),
        ("maximum_quantity", offer.maximum_quantity.to_string()),
        ("available", offer.available.to_string()),
        ("trial", offer.trial.to_string()),
        ("limit", offer.limit.map(|limit| format!("{} {}", limit.unit(), limit.count())).unwrap_or_default()),
        ("parent_offer_ids", offer.parents.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        ("billing_cycles", offer.commitments.cycle_words()),
        ("terms", offer.commitments.term_words()),
        ("product_family", offer.product_family.clone()),
    ])
}

/// Lists the offers by name.
#[derive(Debug)]
pub struct ListOffers {
    /// For whom they are judged, if for anybody.
    pub(super) customer: Option<Id<Organization>>,
    pub(super) filter: Filter,
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

/// One page of offers.
#[derive(Debug)]
pub struct Listed {
    pub(super) page: Page<Offer>,
    pub(super) tokens: Tokens,
    /// What they are judged on, when they are judged for a customer.
    pub(super) prospect: Option<Prospect>,
}

impl Operation for ListOffers {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.CatalogService/ListOffers";
    const PERMISSION: Permission = Permission::ReadCatalog;
    type Prepared = ();

    fn target(&self) -> Target {
        self.customer.map_or(Target::Nothing, Target::Customer)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Listed, Fault> {
        let scope = cx.page_scope(&format!("{:?}|{:?}", self.customer, self.filter));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let rows = store::list(&mut cx.tx, &self.filter, &seek, self.page_size).await?;
        // Of offers with much to tell, fewer make a page.
        let fitting = reply::fitting(rows.iter().take(self.page_size).map(wire::bytes));
        let page = Page::cut(rows, fitting, &seek, store::position);
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        let prospect = match self.customer {
            Some(customer) => Some(Prospect::of_caller(cx, customer, &page.rows).await?),
            None => None,
        };
        Ok(Listed { page, tokens, prospect })
    }
}

/// Shows one offer.
#[derive(Debug)]
pub struct GetOffer {
    pub(super) id: Id<Offer>,
}

impl Operation for GetOffer {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.CatalogService/GetOffer";
    const PERMISSION: Permission = Permission::ReadCatalog;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Nothing
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Offer, Fault> {
        store::get(&mut cx.tx, self.id).await?.ok_or_else(|| Fault::not_found("offer", self.id))
    }
}
