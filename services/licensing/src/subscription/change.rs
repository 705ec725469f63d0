//! Writing down what became of subscriptions: the rows, the seats of the customer, the history and the journal.

use std::collections::BTreeMap;

use base::{Fault, Id, Timestamp};
use service::{Cx, Fact};

use super::history::{Actor, Change, Kind};
use super::{State, Subscription, store};
use crate::entitlement::Shift;
use crate::product::Product;
use crate::{Licensing, entitlement, license};

/// A subscription before and after.
#[derive(Clone, Debug)]
pub(in crate::subscription) struct Step {
    before: Subscription,
    after: Subscription,
}

/// A subscription with its parent and its add-ons, held for a change. What was due is written down.
#[derive(Debug)]
pub(in crate::subscription) struct Family {
    /// The subscription that was asked for.
    pub(in crate::subscription) subject: Subscription,
    /// What it adds to, if it is an add-on.
    pub(in crate::subscription) parent: Option<Subscription>,
    /// What adds to it.
    pub(in crate::subscription) add_ons: Vec<Subscription>,
    /// The version that its readers have seen.
    pub(in crate::subscription) version: i64,
}

impl Family {
    /// Holds them in the order of their ids, and lets happen what is due.
    pub(in crate::subscription) async fn hold(cx: &mut Cx<Licensing>, id: Id<Subscription>) -> Result<Self, Fault> {
        let held = store::lock_family(&mut cx.tx, id).await?;
        let version = held.iter().find(|each| each.id == id).map_or(0, |subject| subject.version);
        let now = cx.now();
        let due = due(&held, now);
        let mut current = apply(cx, &due).await?;
        for subscription in held {
            if !current.iter().any(|changed| changed.id == subscription.id) {
                current.push(subscription);
            }
        }
        let subject = current.iter().position(|each| each.id == id);
        let subject = subject.map(|at| current.swap_remove(at));
        let subject = subject.ok_or_else(|| Fault::not_found("subscription", id))?;
        let parent = current.iter().position(|each| Some(each.id) == subject.parent);
        let parent = parent.map(|at| current.swap_remove(at));
        // What adds to the parent beside it was held for what was due, and is not its business.
        current.retain(|each| each.parent == Some(id));
        Ok(Self { subject, parent, add_ons: current, version })
    }

    /// Its subject becomes `after`, and what adds to it follows.
    pub(in crate::subscription) async fn turn_into(
        self,
        cx: &mut Cx<Licensing>,
        after: Subscription,
    ) -> Result<Subscription, Fault> {
        let follow = |add_on: Subscription| {
            let following = add_on.clone().following(&after);
            Step { before: add_on, after: following }
        };
        let mut steps: Vec<Step> = self.add_ons.into_iter().map(follow).collect();
        let unchanged = after.clone();
        steps.push(Step { before: self.subject, after });
        let changed = apply(cx, &steps).await?;
        Ok(changed.into_iter().find(|each| each.id == unchanged.id).unwrap_or(unchanged))
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

/// Writes down what has changed, and answers it as it is now.
async fn apply(cx: &mut Cx<Licensing>, steps: &[Step]) -> Result<Vec<Subscription>, Fault> {
    let changed = steps.iter().filter_map(|step| Some((step, Kind::between(&step.before, &step.after)?)));
    let changed: Vec<(&Step, Kind)> = changed.collect();
    let Some((first, _)) = changed.first() else { return Ok(Vec::new()) };
    let customer = first.before.customer;
    let mut shifts: BTreeMap<Id<Product>, Shift> = BTreeMap::new();
    for (Step { before, after }, _) in &changed {
        let (shift, by) = (shifts.entry(after.product).or_default(), before.shift_to(after));
        *shift = Shift { seats: shift.seats + by.seats, suspended: shift.suspended + by.suspended };
    }
    let products: Vec<Id<Product>> = shifts.keys().copied().collect();
    let mut ended = BTreeMap::new();
    for pool in entitlement::store::lock(&mut cx.tx, customer, &products).await? {
        let shift = shifts.remove(&pool.product).unwrap_or_default();
        let surplus = shift.surplus(&pool);
        if surplus > 0 {
            license::store::end_newest(&mut cx.tx, customer, pool.product, surplus).await?;
            ended.insert(pool.product, surplus);
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
        let licenses = ended.remove(&after.product).unwrap_or_default();
        cx.record(told(kind, before, &after, licenses));
        current.push(after);
    }
    Ok(current)
}

/// Writes down that a subscription was ordered.
pub(in crate::subscription) async fn ordered(cx: &mut Cx<Licensing>, subscription: &Subscription) -> Result<(), Fault> {
    store::insert(&mut cx.tx, subscription).await?;
    write_history(cx, Kind::Ordered, 0, subscription).await?;
    let reseller = subscription.reseller.as_ref().map_or(String::new(), |reseller| reseller.id.to_string());
    cx.record(
        fact(Kind::Ordered, subscription)
            .change("order_id", "", subscription.order)
            .change("product_id", "", subscription.product)
            .change("offer_id", "", subscription.offer)
            .change("quantity", 0, subscription.quantity)
            .change("reseller_id", "", reseller),
    );
    Ok(())
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

/// In the journal of the partner of record, and of the customer.
fn fact(kind: Kind, subscription: &Subscription) -> Fact {
    Fact::new(kind.fact())
        .about("subscription", subscription.id.uuid())
        .customer(subscription.customer.uuid())
        .organization(subscription.partner.uuid())
}

fn told(kind: Kind, before: &Subscription, after: &Subscription, licenses_ended: i64) -> Fact {
    let fact = fact(kind, after);
    let fact = match kind {
        Kind::Ordered | Kind::QuantityChanged => fact.change("quantity", before.quantity, after.quantity),
        Kind::Suspended | Kind::Reactivated | Kind::Deleted => {
            let word = |subscription| reason(subscription).map(super::Reason::as_str).unwrap_or_default();
            fact.change("state_reason", word(before), word(after))
        }
    };
    if licenses_ended == 0 { fact } else { fact.change("licenses_ended", "", licenses_ended) }
}
