//! What can be asked of orders and subscriptions.

use std::collections::BTreeMap;

use base::{Fault, Id, Page, Seek};
use service::page_token::{self, Tokens};
use service::{Cx, Fact, Operation};
use uuid::Uuid;

use super::store::Filter;
use super::{Line, Order, Reseller, Subscription, check_line, check_reseller, store};
use crate::entitlement::ops::viewer;
use crate::organization::Organization;
use crate::policy::{Permission, Target};
use crate::product::Product;
use crate::projection::Unresolved;
use crate::{Licensing, entitlement, offer, organization, partner};

/// Orders subscriptions for a customer, all lines or none.
#[derive(Debug)]
pub struct PlaceOrder {
    pub(super) customer: Id<Organization>,
    pub(super) lines: Vec<Line>,
    pub(super) reseller_mpn_id: Option<String>,
}

/// What an order brought.
#[derive(Debug)]
pub struct Placed {
    pub(super) order: Id<Order>,
    pub(super) subscriptions: Vec<Subscription>,
}

impl Operation for PlaceOrder {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/PlaceOrder";
    const PERMISSION: Permission = Permission::PlaceOrder;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    fn gate(&self) -> Option<Uuid> {
        Some(self.customer.uuid())
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Placed, Fault> {
        let seller: Id<Organization> = cx.organization()?;
        let standing = partner::store::standing(&mut cx.tx, seller).await?;
        if standing.as_ref().is_some_and(|standing| standing.suspended) {
            let message = "your organization is suspended as a partner: what it has goes on, nothing new begins";
            return Err(Fault::precondition("ACCOUNT_SUSPENDED", message).with("partner_center_code", 800039));
        }
        let Some(country) = organization::store::country(&mut cx.tx, self.customer).await? else {
            cx.hang_on(Unresolved::Organization(self.customer));
            return Err(Fault::not_found("customer", self.customer));
        };
        let reseller = match &self.reseller_mpn_id {
            Some(mpn_id) if standing.is_some_and(|standing| standing.mpn_id == *mpn_id) => {
                let message = "this is your own organization's MPN id; name the reseller, or nobody";
                return Err(Fault::precondition("MPN_ID_IS_OWN", message).with("partner_center_code", 2072));
            }
            Some(mpn_id) => Some(check_reseller(partner::store::reseller(&mut cx.tx, seller, mpn_id).await?)?),
            None => None,
        };
        let order: Id<Order> = cx.new_id();
        let mut subscriptions = Vec::with_capacity(self.lines.len());
        for (at, line) in self.lines.iter().enumerate() {
            let subscription = self.subscription(cx, line, order, seller, reseller.as_ref(), &country).await;
            subscriptions.push(subscription.map_err(|fault| fault.with("line", at))?);
        }
        self.write(cx, order, &subscriptions).await?;
        Ok(Placed { order, subscriptions })
    }
}

impl PlaceOrder {
    async fn subscription(
        &self,
        cx: &mut Cx<Licensing>,
        line: &Line,
        order: Id<Order>,
        seller: Id<Organization>,
        reseller: Option<&Reseller>,
        country: &str,
    ) -> Result<Subscription, Fault> {
        let offer = offer::store::get(&mut cx.tx, line.offer).await?;
        let offer = offer.ok_or_else(|| Fault::not_found("offer", line.offer))?;
        check_line(line, &offer, country)?;
        let now = cx.now();
        Ok(Subscription {
            id: cx.new_id(),
            order,
            customer: self.customer,
            product: offer.product,
            offer: offer.id,
            friendly_name: line.friendly_name.clone().unwrap_or(offer.name),
            quantity: line.quantity,
            partner: seller,
            reseller: reseller.cloned(),
            create_time: now,
            update_time: now,
            version: 1,
        })
    }

    async fn write(
        &self,
        cx: &mut Cx<Licensing>,
        order: Id<Order>,
        subscriptions: &[Subscription],
    ) -> Result<(), Fault> {
        let mut seats: BTreeMap<Id<Product>, i64> = BTreeMap::new();
        for subscription in subscriptions {
            store::insert(&mut cx.tx, subscription).await?;
            *seats.entry(subscription.product).or_default() += subscription.quantity;
            cx.record(
                Fact::new("SubscriptionOrdered")
                    .about("subscription", subscription.id.uuid())
                    .customer(self.customer.uuid())
                    .change("order_id", "", order)
                    .change("product_id", "", subscription.product)
                    .change("offer_id", "", subscription.offer)
                    .change("quantity", 0, subscription.quantity)
                    .change(
                        "reseller_id",
                        "",
                        subscription.reseller.as_ref().map_or(String::new(), |r| r.id.to_string()),
                    ),
            );
        }
        for (product, seats) in seats {
            entitlement::store::add_seats(&mut cx.tx, self.customer, product, seats).await?;
        }
        Ok(())
    }
}

/// Shows one subscription.
#[derive(Debug)]
pub struct GetSubscription {
    pub(super) id: Id<Subscription>,
}

impl Operation for GetSubscription {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/GetSubscription";
    const PERMISSION: Permission = Permission::ReadSubscriptions;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Subscription(self.id)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Subscription, Fault> {
        store::get(&mut cx.tx, self.id).await?.ok_or_else(|| Fault::not_found("subscription", self.id))
    }
}

/// Lists a customer's subscriptions by name.
#[derive(Debug)]
pub struct ListSubscriptions {
    pub(super) customer: Id<Organization>,
    pub(super) product: Option<Id<Product>>,
    pub(super) page_size: usize,
    pub(super) page_token: String,
    pub(super) start: Seek,
}

impl Operation for ListSubscriptions {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/ListSubscriptions";
    const PERMISSION: Permission = Permission::ReadSubscriptions;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<(Page<Subscription>, Tokens), Fault> {
        let scope = cx.page_scope(&format!("{}|{:?}", self.customer, self.product));
        let seek = page_token::seek(&cx.host().keys, &scope, &self.page_token, self.start.clone())?;
        let viewer = viewer(cx, self.customer)?;
        let filter = Filter { customer: self.customer, viewer, product: self.product };
        let page = store::list(&mut cx.tx, &filter, &seek, self.page_size).await?;
        let tokens = Tokens::of(&cx.host().keys, &scope, &page);
        Ok((page, tokens))
    }
}
