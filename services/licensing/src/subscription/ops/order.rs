//! Orders as they are placed.

use std::collections::{BTreeMap, BTreeSet};

use base::{Fault, Id};
use saga::intent;
use service::{Cx, Operation, Preparation};
use uuid::Uuid;

use crate::access::Access;
use crate::offer::Offer;
use crate::organization::Organization;
use crate::partner::PartnerKind;
use crate::policy::{Permission, Target};
use crate::product::Product;
use crate::projection::Unresolved;
use crate::purchase_permission::{self, not_bought_by_partner, not_permitted};
use crate::subscription::order::{Line, Order, check_limit, check_new, check_parent, check_terms};
use crate::subscription::{Reseller, State, Subscription, TRIAL_LIFE, change, reseller, store};
use crate::{Licensing, access, entitlement, offer, organization, partner};

/// Orders subscriptions for a customer, all lines or none.
#[derive(Debug)]
pub struct PlaceOrder {
    pub(in crate::subscription) customer: Id<Organization>,
    pub(in crate::subscription) lines: Vec<Line>,
    pub(in crate::subscription) reseller_mpn_id: Option<String>,
    pub(in crate::subscription) base: Option<Id<Subscription>>,
}

/// What an order brought.
#[derive(Debug)]
pub struct Placed {
    pub(in crate::subscription) order: Id<Order>,
    pub(in crate::subscription) subscriptions: Vec<Subscription>,
}

/// On whose account an order goes.
struct Terms {
    seller: Id<Organization>,
    reseller: Option<Reseller>,
    /// A customer who buys by itself buys in this family alone.
    family: Option<String>,
    country: String,
}

impl Operation for PlaceOrder {
    type Service = Licensing;
    const METHOD: &'static str = "/tandem.licensing.v1.SubscriptionService/PlaceOrder";
    const PERMISSION: Permission = Permission::PlaceOrder;
    type Prepared = ();

    fn target(&self) -> Target {
        Target::Customer(self.customer)
    }

    async fn gate(&self, _: &Preparation<'_, Licensing>) -> Result<Option<Uuid>, Fault> {
        Ok(Some(self.customer.uuid()))
    }

    async fn run(&self, cx: &mut Cx<Licensing>, (): &()) -> Result<Placed, Fault> {
        let caller: Id<Organization> = cx.organization()?;
        let terms = match caller == self.customer {
            true => self.terms_of_customer(cx).await?,
            false => self.terms_of_partner(cx, caller).await?,
        };
        let parents = self.hold_parents(cx, terms.seller).await?;
        let order: Id<Order> = cx.new_id();
        let mut placed: Vec<(Subscription, Offer)> = Vec::with_capacity(self.lines.len());
        for (at, line) in self.lines.iter().enumerate() {
            let subscription = self.subscription(cx, line, order, &terms, &parents).await;
            placed.push(subscription.map_err(|fault| fault.with("line", at))?);
        }
        let owned = self.add_seats(cx, &placed).await?;
        self.check_limits(cx, &placed, owned).await?;
        let subscriptions: Vec<Subscription> = placed.into_iter().map(|(subscription, _)| subscription).collect();
        for subscription in &subscriptions {
            change::ordered(cx, subscription).await?;
        }
        Ok(Placed { order, subscriptions })
    }
}

impl PlaceOrder {
    /// A partner orders on its own account, and may name the reseller of record.
    async fn terms_of_partner(&self, cx: &mut Cx<Licensing>, seller: Id<Organization>) -> Result<Terms, Fault> {
        if self.base.is_some() {
            let message = "is for customers who buy by themselves; leave it out";
            return Err(Fault::field("base_subscription_id", "UNKNOWN_VALUE", message));
        }
        let standing = partner::store::standing(&mut cx.tx, seller).await?;
        partner::check_may_begin(standing.as_ref())?;
        let Some(country) = organization::store::country(&mut cx.tx, self.customer).await? else {
            cx.hang_on(Unresolved::Organization(self.customer));
            return Err(Fault::not_found("customer", self.customer));
        };
        let reseller = match &self.reseller_mpn_id {
            Some(mpn_id) => Some(reseller::named(cx, seller, mpn_id).await?),
            None => None,
        };
        Ok(Terms { seller, reseller, family: None, country })
    }

    /// A customer buys by itself where a partner lets it, on the account of that partner (C26).
    async fn terms_of_customer(&self, cx: &mut Cx<Licensing>) -> Result<Terms, Fault> {
        if self.reseller_mpn_id.is_some() {
            return Err(reseller_stays("reseller_mpn_id"));
        }
        if let Some(at) = self.lines.iter().position(|line| line.reseller_mpn_id.is_some()) {
            return Err(reseller_stays(&format!("lines[{at}].reseller_mpn_id")));
        }
        let Some(id) = self.base else {
            let message = "names the subscription that the order is based on";
            return Err(Fault::field("base_subscription_id", "REQUIRED", message));
        };
        let base = store::hold(&mut cx.tx, id).await?.filter(|base| base.customer == self.customer);
        let base = base.ok_or_else(|| Fault::not_found("subscription", id))?;
        // Held before what hangs on it, as whoever ends it does.
        let access = access::store::get(&mut cx.tx, self.customer, base.partner).await?;
        let offer = offer::store::get(&mut cx.tx, base.offer).await?;
        let family = offer.map(|offer| offer.product_family).unwrap_or_default();
        if !purchase_permission::store::is_on(&mut cx.tx, self.customer, base.partner, &family).await? {
            return Err(not_permitted(&family));
        }
        if store::own_purchases(&mut cx.tx, self.customer).await?.contains(&base.id) {
            return Err(not_bought_by_partner(&family));
        }
        base.check_active()?;
        self.check_account(cx, base.partner, access).await?;
        partner::check_may_begin(partner::store::standing(&mut cx.tx, base.partner).await?.as_ref())?;
        let Some(country) = organization::store::country(&mut cx.tx, self.customer).await? else {
            cx.hang_on(Unresolved::Organization(self.customer));
            return Err(Fault::not_found("customer", self.customer));
        };
        // The reseller of record stays, and takes part in what is new like one whom the partner names (C20).
        let reseller = match base.reseller {
            Some(Reseller { mpn_id, .. }) => Some(reseller::named(cx, base.partner, &mpn_id).await?),
            None => None,
        };
        Ok(Terms { seller: base.partner, reseller, family: Some(family), country })
    }

    /// The partner whose account the order goes on could place it itself.
    async fn check_account(
        &self,
        cx: &mut Cx<Licensing>,
        partner: Id<Organization>,
        access: Option<Access>,
    ) -> Result<(), Fault> {
        let sells = |access: &Access| access.kind != Some(PartnerKind::Reseller);
        if access.is_some_and(|access| access.active && access.order_right && sells(&access)) {
            return Ok(());
        }
        for decision in intent::open(&mut cx.tx, (self.customer.uuid(), partner.uuid())).await? {
            cx.hang_on(Unresolved::Decision(decision));
        }
        let message = "the partner who sold that subscription may not place orders for your organization any more";
        Err(Fault::denied("ORDER_RIGHT_REQUIRED", message).with("partner_center_code", 20002))
    }

    /// What the lines add to, held as it is, in the order of the ids.
    async fn hold_parents(
        &self,
        cx: &mut Cx<Licensing>,
        seller: Id<Organization>,
    ) -> Result<BTreeMap<Id<Subscription>, Subscription>, Fault> {
        let ids: BTreeSet<Id<Subscription>> = self.lines.iter().filter_map(|line| line.parent).collect();
        let mut parents = BTreeMap::new();
        for id in ids {
            let found = store::hold(&mut cx.tx, id).await?;
            let own = found.filter(|found| found.customer == self.customer && found.partner == seller);
            parents.extend(own.map(|parent| (id, parent)));
        }
        Ok(parents)
    }

    async fn subscription(
        &self,
        cx: &mut Cx<Licensing>,
        line: &Line,
        order: Id<Order>,
        terms: &Terms,
        parents: &BTreeMap<Id<Subscription>, Subscription>,
    ) -> Result<(Subscription, Offer), Fault> {
        let offer = offer::store::get(&mut cx.tx, line.offer).await?;
        let offer = offer.ok_or_else(|| Fault::not_found("offer", line.offer))?;
        if terms.family.as_ref().is_some_and(|family| *family != offer.product_family) {
            return Err(not_permitted(&offer.product_family));
        }
        check_terms(line.quantity, &offer, &terms.country)?;
        let parent = line.parent.map(|id| parents.get(&id).ok_or_else(|| Fault::not_found("subscription", id)));
        check_parent(&offer, parent.transpose()?)?;
        let reseller = match &line.reseller_mpn_id {
            Some(mpn_id) => Some(reseller::named(cx, terms.seller, mpn_id).await?),
            None => terms.reseller.clone(),
        };
        let now = cx.now();
        let subscription = Subscription {
            id: cx.new_id(),
            order,
            customer: self.customer,
            product: offer.product,
            offer: offer.id,
            parent: line.parent,
            friendly_name: line.friendly_name.clone().unwrap_or_else(|| offer.name.clone()),
            quantity: line.quantity,
            state: State::Active { time: now },
            trial_end: offer.trial.then(|| now + TRIAL_LIFE),
            commitment: offer.commitments.choose(line.commitment)?,
            partner: terms.seller,
            reseller,
            create_time: now,
            update_time: now,
            version: 1,
        };
        Ok((subscription, offer))
    }

    /// Adds the seats to the pools, in the order of their products. Whoever orders something of the same products for the
    /// same customer waits here, so that what is counted afterwards stays so. Answers which of them it owned before.
    async fn add_seats(
        &self,
        cx: &mut Cx<Licensing>,
        placed: &[(Subscription, Offer)],
    ) -> Result<BTreeSet<Id<Product>>, Fault> {
        let mut seats: BTreeMap<Id<Product>, i64> = BTreeMap::new();
        for (subscription, _) in placed {
            *seats.entry(subscription.product).or_default() += subscription.quantity;
        }
        let mut owned = BTreeSet::new();
        for (product, seats) in seats {
            let now = entitlement::store::add_seats(&mut cx.tx, self.customer, product, seats).await?;
            owned.extend((now > seats).then_some(product));
        }
        Ok(owned)
    }

    /// What an offer allows is judged on what the customer has from every partner, and on the earlier lines.
    async fn check_limits(
        &self,
        cx: &mut Cx<Licensing>,
        placed: &[(Subscription, Offer)],
        mut owned: BTreeSet<Id<Product>>,
    ) -> Result<(), Fault> {
        let mut counted: BTreeMap<Id<Offer>, i64> = BTreeMap::new();
        for (at, (_, offer)) in placed.iter().enumerate() {
            if let Some(limit) = offer.effective_limit() {
                let count = match counted.get(&offer.id) {
                    Some(count) => *count,
                    None => store::count_under(&mut cx.tx, self.customer, offer.id, limit).await?,
                };
                check_limit(limit, count).map_err(|fault| fault.with("line", at))?;
                counted.insert(offer.id, count + 1);
            }
            check_new(offer, !owned.insert(offer.product)).map_err(|fault| fault.with("line", at))?;
        }
        Ok(())
    }
}

fn reseller_stays(field: &str) -> Fault {
    let message = "stays that of the subscription that the order is based on; leave it out";
    Fault::field(field, "UNKNOWN_VALUE", message)
}
