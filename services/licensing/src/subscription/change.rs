//! Writing down what became of subscriptions: the rows, the seats of the customer, the history and the journal.

use std::collections::BTreeMap;

use base::{Fault, Id, Timestamp};
use service::{Cx, Fact};
use uuid::Uuid;

use super::history::{Actor, Change, Kind};
use super::{State, Subscription, store, telling};
use crate::entitlement::Shift;
use crate::product::Product;
use crate::{Licensing, access, entitlement, license};

/// A subscription before and after.
#[derive(Clone, Debug)]
pub(in crate::subscription) struct Step {
    before: Subscription,
    after: Subscription,
}

/// A subscription with its parent and its add-ons, held for a change. Nothing is due to them: whoever asked for them was
/// answered after that ([`super::sweep::check_settled`]).
#[derive(Debug)]
pub(in crate::subscription) struct Family {
    /// The subscription that was asked for.
    pub(in crate::subscription) subject: Subscription,
    /// What it adds to, if it is an add-on.
    pub(in crate::subscription) parent: Option<Subscription>,
    /// What adds to it.
    pub(in crate::subscription) add_ons: Vec<Subscription>,
}

impl Family {
    /// Holds them in the order of their ids.
    pub(in crate::subscription) async fn hold(cx: &mut Cx<Licensing>, id: Id<Subscription>) -> Result<Self, Fault> {
        let mut held = store::lock_family(&mut cx.tx, id).await?;
        let subject = held.iter().position(|each| each.id == id).map(|at| held.swap_remove(at));
        let subject = subject.ok_or_else(|| Fault::not_found("subscription", id))?;
        let parent = held.iter().position(|each| Some(each.id) == subject.parent).map(|at| held.swap_remove(at));
        // What adds to the parent beside it is not its business.
        held.retain(|each| each.parent == Some(id));
        Ok(Self { subject, parent, add_ons: held })
    }

    /// Lets happen what is due to any of them, and to what adds to the same parent.
    pub(in crate::subscription) async fn settle(cx: &mut Cx<Licensing>, id: Id<Subscription>) -> Result<(), Fault> {
        let held = store::lock_family(&mut cx.tx, id).await?;
        let due = due(&held, cx.now());
        apply(cx, &due).await.map(drop)
    }

    /// Its subject becomes `after`, and what adds to it follows.
    pub(in crate::subscription) async fn turn_into(
        self,
        cx: &mut Cx<Licensing>,
        after: Subscription,
    ) -> Result<Turned, Fault> {
        let follow = |add_on: Subscription| {
            let following = add_on.clone().following(&after);
            Step { before: add_on, after: following }
        };
        let mut steps: Vec<Step> = self.add_ons.into_iter().map(follow).collect();
        let unchanged = after.clone();
        steps.push(Step { before: self.subject, after });
        let Applied { changed, licenses_ended } = apply(cx, &steps).await?;
        let subject = changed.into_iter().find(|each| each.id == unchanged.id).unwrap_or(unchanged);
        Ok(Turned { subject, licenses_ended })
    }
}

/// What happens by itself to a subscription and its add-ons.
fn due(family: &[Subscription], now: Timestamp) -> Vec<Step> {
    let current = |subscription: &Subscription| {
        let alone = subscription.clone().as_of(now);
        match family.iter().find(|each| Some(each.id) == subscription.parent) {
            Some(parent) => alone.following(&parent.clone().as_of(now)),
            None => alone,
        }
    };
    family.iter().map(|before| Step { before: before.clone(), after: current(before) }).collect()
}

/// What a subscription has become.
#[derive(Debug)]
pub struct Turned {
    /// As it is now.
    pub(in crate::subscription) subject: Subscription,
    /// The licenses that are gone with its seats and with those of what adds to it.
    pub(in crate::subscription) licenses_ended: i64,
}

/// What was written down.
#[derive(Default)]
struct Applied {
    changed: Vec<Subscription>,
    licenses_ended: i64,
}

/// Writes down what has changed, and answers it as it is now.
async fn apply(cx: &mut Cx<Licensing>, steps: &[Step]) -> Result<Applied, Fault> {
    let changed = steps.iter().filter_map(|step| Some((step, Kind::between(&step.before, &step.after)?)));
    let changed: Vec<(&Step, Kind)> = changed.collect();
    let Some((first, _)) = changed.first() else { return Ok(Applied::default()) };
    let customer = first.before.customer;
    let mut shifts: BTreeMap<Id<Product>, Shift> = BTreeMap::new();
    for (Step { before, after }, _) in &changed {
        let (shift, by) = (shifts.entry(after.product).or_default(), before.shift_to(after));
        *shift = Shift { seats: shift.seats + by.seats, suspended: shift.suspended + by.suspended };
    }
    // Who waits for a pool waits for whoever gives licenses.
    shifts.retain(|_, shift| *shift != Shift::default());
    let products: Vec<Id<Product>> = shifts.keys().copied().collect();
    let mut ended = BTreeMap::new();
    let mut licenses_ended = 0;
    for pool in entitlement::store::lock(&mut cx.tx, customer, &products).await? {
        let shift = shifts.remove(&pool.product).unwrap_or_default();
        let surplus = shift.surplus(&pool);
        if surplus > 0 {
            let users = license::store::end_newest(&mut cx.tx, customer, pool.product, surplus).await?;
            ended.insert(pool.product, users);
            licenses_ended += surplus;
        }
        entitlement::store::shift(&mut cx.tx, customer, pool.product, shift, surplus).await?;
    }
    if !shifts.is_empty() {
        return Err(Fault::internal("a subscription that is not deleted has no pool"));
    }
    let now = cx.now();
    let mut current = Vec::with_capacity(changed.len());
    for (Step { before, after }, kind) in changed {
        let after = Subscription { version: before.version + 1, update_time: now, ..after.clone() };
        store::update(&mut cx.tx, &after).await?;
        write_history(cx, kind, before.quantity, &after).await?;
        cx.record(told(kind, before, &after));
        let users = ended.remove(&after.product).unwrap_or_default();
        let reader = if users.is_empty() { customer.uuid() } else { reader(cx, &after).await? };
        for fact in license::journal::ended(customer, after.product, &users) {
            cx.record(fact.organization(reader));
        }
        telling::tell(cx, &after).await?;
        current.push(after);
    }
    Ok(Applied { changed: current, licenses_ended })
}

/// In whose journal it stands whose licenses ended: the partner's who sold them, when it may read licenses, or else the
/// customer's own.
async fn reader(cx: &mut Cx<Licensing>, subscription: &Subscription) -> Result<Uuid, Fault> {
    let access = access::store::get(&mut cx.tx, subscription.customer, subscription.partner).await?;
    let manages = access.is_some_and(|access| access.active && access.delegated_admin);
    Ok(if manages { subscription.partner.uuid() } else { subscription.customer.uuid() })
}

/// Writes down that a subscription was ordered.
pub(in crate::subscription) async fn ordered(cx: &mut Cx<Licensing>, subscription: &Subscription) -> Result<(), Fault> {
    store::insert(&mut cx.tx, subscription).await?;
    write_history(cx, Kind::Ordered, 0, subscription).await?;
    cx.record(
        fact(Kind::Ordered, subscription)
            .change("order_id", "", subscription.order)
            .change("product_id", "", subscription.product)
            .change("offer_id", "", subscription.offer)
            .change("quantity", 0, subscription.quantity)
            .change("reseller_id", "", reseller_id(subscription)),
    );
    telling::tell(cx, subscription).await
}

async fn write_history(
    cx: &mut Cx<Licensing>,
    kind: Kind,
    quantity_before: i64,
    after: &Subscription,
) -> Result<(), Fault> {
    let change = Change {
        id: cx.new_id(),
        subscription: after.id,
        version: after.version,
        kind,
        reason: reason(after),
        quantity_before,
        quantity_after: after.quantity,
        actor: Actor::of(cx.caller()),
        create_time: cx.now(),
    };
    store::insert_change(&mut cx.tx, &change).await
}

const fn reason(subscription: &Subscription) -> Option<super::Reason> {
    match subscription.state {
        State::Active { .. } => None,
        State::Suspended { reason, .. } | State::Deleted { reason, .. } => Some(reason),
    }
}

fn reseller_id(subscription: &Subscription) -> String {
    subscription.reseller.as_ref().map_or(String::new(), |reseller| reseller.id.to_string())
}

/// In the journal of the partner of record, and of the customer.
fn fact(kind: Kind, subscription: &Subscription) -> Fact {
    Fact::new(kind.fact())
        .about("subscription", subscription.id.uuid())
        .customer(subscription.customer.uuid())
        .organization(subscription.partner.uuid())
}

fn told(kind: Kind, before: &Subscription, after: &Subscription) -> Fact {
    let fact = fact(kind, after);
    match kind {
        Kind::Ordered | Kind::QuantityChanged => fact.change("quantity", before.quantity, after.quantity),
        Kind::ResellerChanged => fact.change("reseller_id", reseller_id(before), reseller_id(after)),
        Kind::Suspended | Kind::Reactivated | Kind::Deleted => {
            let word = |subscription| reason(subscription).map(super::Reason::as_str).unwrap_or_default();
            fact.change("state_reason", word(before), word(after))
        }
        Kind::Converted => {
            fact.change("offer_id", before.offer, after.offer).change("quantity", before.quantity, after.quantity)
        }
    }
}
