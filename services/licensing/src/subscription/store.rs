//! Subscriptions in SQL.

use std::collections::{BTreeMap, BTreeSet};

use base::names::sort_key;
use base::{Fault, Id, Keyset, Page, Seek, Timestamp};
use db::{Record, Row, Tx};

use super::history::{Actor, Change, Kind};
use super::{Reason, Reseller, State, Subscription};
use crate::offer::commitment::{BillingCycle, Commitment, Term};
use crate::offer::{Limit, Offer};
use crate::organization::Organization;
use crate::product::Product;

impl Record for Subscription {
    fn read(row: &Row) -> Result<Self, Fault> {
        let reseller: Option<Id<Organization>> = row.get("reseller_id")?;
        let mpn_id: Option<String> = row.get("reseller_mpn_id")?;
        Ok(Self {
            id: row.get("subscription_id")?,
            order: row.get("order_id")?,
            customer: row.get("customer_id")?,
            product: row.get("product_id")?,
            offer: row.get("offer_id")?,
            parent: row.get("parent_id")?,
            friendly_name: row.get("friendly_name")?,
            quantity: row.get("quantity")?,
            state: state(row)?,
            trial_end: row.get("trial_end_time")?,
            commitment: commitment(row)?,
            partner: row.get("partner_id")?,
            reseller: reseller.zip(mpn_id).map(|(id, mpn_id)| Reseller { id, mpn_id }),
            create_time: row.get("create_time")?,
            update_time: row.get("update_time")?,
            version: row.get("version")?,
        })
    }
}

fn state(row: &Row) -> Result<State, Fault> {
    let (reason, time) = (row.get::<Option<String>>("state_reason")?, row.get("state_time")?);
    let reason = reason.map(|reason| read_reason(&reason)).transpose()?;
    match (row.get::<String>("state")?.as_str(), reason, row.get("expire_time")?) {
        ("ACTIVE", None, None) => Ok(State::Active { time }),
        ("SUSPENDED", Some(reason), Some(expire_time)) => Ok(State::Suspended { reason, time, expire_time }),
        ("DELETED", Some(reason), None) => Ok(State::Deleted { reason, time }),
        _ => Err(Fault::internal("a subscription's row holds no state")),
    }
}

fn commitment(row: &Row) -> Result<Commitment, Fault> {
    let unknown = || Fault::internal("a subscription's row holds an unknown commitment");
    let (cycle, term): (Option<String>, Option<String>) = (row.get("billing_cycle")?, row.get("term")?);
    Ok(Commitment {
        billing_cycle: cycle.map(|word| BillingCycle::parse(&word).ok_or_else(unknown)).transpose()?,
        term: term.map(|word| Term::parse(&word).ok_or_else(unknown)).transpose()?,
    })
}

fn read_reason(text: &str) -> Result<Reason, Fault> {
    Reason::parse(text).ok_or_else(|| Fault::internal("a subscription's row holds an unknown reason"))
}

/// A state in its columns: its word, why, since when, until when.
struct Written {
    word: &'static str,
    reason: Option<&'static str>,
    time: Timestamp,
    expire_time: Option<Timestamp>,
}

impl Written {
    const fn of(state: State) -> Self {
        match state {
            State::Active { time } => Self { word: "ACTIVE", reason: None, time, expire_time: None },
            State::Suspended { reason, time, expire_time } => {
                Self { word: "SUSPENDED", reason: Some(reason.as_str()), time, expire_time: Some(expire_time) }
            }
            State::Deleted { reason, time } => {
                Self { word: "DELETED", reason: Some(reason.as_str()), time, expire_time: None }
            }
        }
    }
}

/// Writes a new subscription.
pub async fn insert(tx: &mut Tx, subscription: &Subscription) -> Result<(), Fault> {
    let reseller = subscription.reseller.as_ref();
    let state = Written::of(subscription.state);
    tx.sql(
        "INSERT INTO subscriptions (subscription_id, order_id, customer_id, product_id, offer_id, parent_id,
             friendly_name, name_key, quantity, state, state_reason, state_time, expire_time, trial_end_time,
             billing_cycle, term, due_time, partner_id, reseller_id, reseller_mpn_id, version, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
    )
    .bind(subscription.id)
    .bind(subscription.order)
    .bind(subscription.customer)
    .bind(subscription.product)
    .bind(subscription.offer)
    .bind(subscription.parent)
    .bind(&subscription.friendly_name)
    .bind(sort_key(&subscription.friendly_name))
    .bind(subscription.quantity)
    .bind(state.word)
    .bind(state.reason.map(str::to_owned))
    .bind(state.time)
    .bind(state.expire_time)
    .bind(subscription.trial_end)
    .bind(subscription.commitment.billing_cycle.map(|cycle| cycle.as_str().to_owned()))
    .bind(subscription.commitment.term.map(|term| term.as_str().to_owned()))
    .bind(subscription.due_time())
    .bind(subscription.partner)
    .bind(reseller.map(|reseller| reseller.id))
    .bind(reseller.map(|reseller| reseller.mpn_id.clone()))
    .bind(subscription.version)
    .bind(subscription.create_time)
    .bind(subscription.update_time)
    .execute()
    .await
    .map(drop)
}

/// Writes what a subscription that is held has become.
pub async fn update(tx: &mut Tx, after: &Subscription) -> Result<(), Fault> {
    let (reseller, state) = (after.reseller.as_ref(), Written::of(after.state));
    let updated = tx
        .sql(
            "UPDATE subscriptions SET offer_id = $3, quantity = $4,
                 tried_offer_id = CASE WHEN offer_id = $3 THEN tried_offer_id ELSE offer_id END,
                 state = $5, state_reason = $6, state_time = $7,
                 expire_time = $8, trial_end_time = $9, billing_cycle = $10, term = $11, due_time = $12,
                 reseller_id = $13, reseller_mpn_id = $14, version = version + 1, update_time = $15
             WHERE subscription_id = $1 AND version = $2 - 1",
        )
        .bind(after.id)
        .bind(after.version)
        .bind(after.offer)
        .bind(after.quantity)
        .bind(state.word)
        .bind(state.reason.map(str::to_owned))
        .bind(state.time)
        .bind(state.expire_time)
        .bind(after.trial_end)
        .bind(after.commitment.billing_cycle.map(|cycle| cycle.as_str().to_owned()))
        .bind(after.commitment.term.map(|term| term.as_str().to_owned()))
        .bind(after.due_time())
        .bind(reseller.map(|reseller| reseller.id))
        .bind(reseller.map(|reseller| reseller.mpn_id.clone()))
        .bind(after.update_time)
        .execute()
        .await?;
    if updated == 1 { Ok(()) } else { Err(Fault::internal("a subscription that was held has changed")) }
}

/// A subscription with its parent and everything that adds to either, held for a change: first what the others add to, which
/// whoever orders something more for it shares meanwhile, then all, which only a statement that begins after that sees, in
/// the order of their ids.
///
/// **Invariant:** what is ordered for a subscription follows it from then on
/// (`what_is_ordered_for_a_subscription_that_is_being_suspended_follows_it`).
pub async fn lock_family(tx: &mut Tx, id: Id<Subscription>) -> Result<Vec<Subscription>, Fault> {
    let root = tx
        .sql(
            "SELECT subscription_id FROM subscriptions
             WHERE subscription_id = (
                 SELECT COALESCE(parent_id, subscription_id) FROM subscriptions WHERE subscription_id = $1)",
        )
        .bind(id)
        .for_update()
        .optional();
    let _: Option<Id<Subscription>> = root.await?;
    tx.sql(
        "SELECT subscription_id, order_id, customer_id, product_id, offer_id, parent_id, friendly_name, quantity, state,
             state_reason, state_time, expire_time, trial_end_time, billing_cycle, term, partner_id, reseller_id, reseller_mpn_id, version,
             create_time, update_time
         FROM subscriptions
         WHERE subscription_id = $1 OR parent_id = $1
             OR subscription_id = (SELECT parent_id FROM subscriptions WHERE subscription_id = $1)
             OR parent_id = (SELECT parent_id FROM subscriptions WHERE subscription_id = $1)
         ORDER BY subscription_id",
    )
    .bind(id)
    .for_update()
    .all()
    .await
}

/// Those that change by themselves now, the earliest first, behind the one that was looked at last.
pub async fn due(
    tx: &mut Tx,
    now: Timestamp,
    last: (Timestamp, Id<Subscription>),
    limit: i64,
) -> Result<Vec<(Timestamp, Id<Subscription>)>, Fault> {
    tx.sql(
        "SELECT due_time, subscription_id FROM subscriptions
         WHERE due_time <= $1 AND (due_time, subscription_id) > ($2, $3)
         ORDER BY due_time, subscription_id LIMIT $4",
    )
    .bind(now)
    .bind(last.0)
    .bind(last.1)
    .bind(limit)
    .all()
    .await
}

/// Those of a customer that change by themselves now.
pub async fn due_of(tx: &mut Tx, customer: Id<Organization>, now: Timestamp) -> Result<Vec<Id<Subscription>>, Fault> {
    tx.sql("SELECT subscription_id FROM subscriptions WHERE customer_id = $1 AND due_time <= $2 ORDER BY due_time")
        .bind(customer)
        .bind(now)
        .all()
        .await
}

/// Whose a subscription is.
pub async fn customer(tx: &mut Tx, id: Id<Subscription>) -> Result<Option<Id<Organization>>, Fault> {
    tx.sql("SELECT customer_id FROM subscriptions WHERE subscription_id = $1").bind(id).optional().await
}

/// One subscription.
pub async fn get(tx: &mut Tx, id: Id<Subscription>) -> Result<Option<Subscription>, Fault> {
    tx.sql(
        "SELECT subscription_id, order_id, customer_id, product_id, offer_id, parent_id, friendly_name, quantity, state,
             state_reason, state_time, expire_time, trial_end_time, billing_cycle, term, partner_id, reseller_id, reseller_mpn_id, version,
             create_time, update_time
         FROM subscriptions
         WHERE subscription_id = $1",
    )
    .bind(id)
    .optional()
    .await
}

/// One subscription, held as it is.
pub async fn hold(tx: &mut Tx, id: Id<Subscription>) -> Result<Option<Subscription>, Fault> {
    tx.sql(
        "SELECT subscription_id, order_id, customer_id, product_id, offer_id, parent_id, friendly_name, quantity, state,
             state_reason, state_time, expire_time, trial_end_time, billing_cycle, term, partner_id, reseller_id, reseller_mpn_id, version,
             create_time, update_time
         FROM subscriptions
         WHERE subscription_id = $1",
    )
    .bind(id)
    .for_share()
    .optional()
    .await
}

/// What a limit counts of a customer's subscriptions under an offer.
pub async fn count_under(
    tx: &mut Tx,
    customer: Id<Organization>,
    offer: Id<Offer>,
    limit: Limit,
) -> Result<i64, Fault> {
    let counted = counts_under(tx, customer, &[offer]).await?;
    Ok(counted.get(&offer).copied().unwrap_or_default().under(limit))
}

/// How many subscriptions a customer has under an offer, whoever sold them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    ever: i64,
    now: i64,
}

impl Counted {
    /// What a limit counts of them.
    pub const fn under(self, limit: Limit) -> i64 {
        match limit {
            Limit::Concurrent(_) => self.now,
            Limit::Lifetime(_) => self.ever,
        }
    }
}

/// What limits count of a customer's subscriptions under these offers. One that was paid for after it was tried was had
/// under both.
pub async fn counts_under(
    tx: &mut Tx,
    customer: Id<Organization>,
    offers: &[Id<Offer>],
) -> Result<BTreeMap<Id<Offer>, Counted>, Fault> {
    let rows: Vec<(Id<Offer>, i64, i64)> = tx
        .sql_for(
            "WITH had AS (
                 SELECT offer_id, state FROM subscriptions
                 WHERE customer_id = $1 AND offer_id IN (SELECT unhex(value) FROM json_each($2))
                 UNION ALL
                 SELECT tried_offer_id, 'DELETED' FROM subscriptions
                 WHERE customer_id = $1 AND tried_offer_id IN (SELECT unhex(value) FROM json_each($2)))
             SELECT offer_id, COUNT(*), COUNT(CASE WHEN state <> 'DELETED' THEN 1 END) FROM had GROUP BY offer_id",
            "WITH had AS (
                 SELECT offer_id, state FROM subscriptions WHERE customer_id = $1 AND offer_id = ANY($2)
                 UNION ALL
                 SELECT tried_offer_id, 'DELETED' FROM subscriptions
                 WHERE customer_id = $1 AND tried_offer_id = ANY($2))
             SELECT offer_id, COUNT(*), COUNT(CASE WHEN state <> 'DELETED' THEN 1 END) FROM had GROUP BY offer_id",
        )
        .bind(customer)
        .bind(offers)
        .all()
        .await?;
    Ok(rows.into_iter().map(|(offer, ever, now)| (offer, Counted { ever, now })).collect())
}

/// Of what a partner sold to a customer under each offer to which something adds and is not deleted, an active one; without
/// one that is active a suspended one.
pub async fn to_add_to(
    tx: &mut Tx,
    (customer, partner): (Id<Organization>, Id<Organization>),
    now: Timestamp,
) -> Result<Vec<Subscription>, Fault> {
    tx.sql(
        "WITH ranked AS (
             SELECT subscription_id AS id, ROW_NUMBER() OVER (
                 PARTITION BY offer_id
                 ORDER BY CASE WHEN state = 'ACTIVE' AND (trial_end_time IS NULL OR trial_end_time > $3) THEN 0 ELSE 1 END,
                     subscription_id) AS place
             FROM subscriptions
             WHERE customer_id = $1 AND partner_id = $2 AND parent_id IS NULL AND state <> 'DELETED'
                 AND EXISTS (SELECT 1 FROM offer_parents p WHERE p.parent_offer_id = subscriptions.offer_id))
         SELECT subscription_id, order_id, customer_id, product_id, offer_id, parent_id, friendly_name, quantity, state,
             state_reason, state_time, expire_time, trial_end_time, billing_cycle, term, partner_id, reseller_id,
             reseller_mpn_id, version, create_time, update_time
         FROM subscriptions JOIN ranked ON id = subscription_id AND place = 1",
    )
    .bind(customer)
    .bind(partner)
    .bind(now)
    .all()
    .await
}

/// Which subscriptions of a customer a list holds.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// The customer.
    pub customer: Id<Organization>,
    /// Only those that this partner ordered or is the reseller of record of.
    pub viewer: Option<Id<Organization>>,
    /// Only those to this product.
    pub product: Option<Id<Product>>,
}

/// One page of a customer's subscriptions by name.
pub async fn list(tx: &mut Tx, filter: &Filter, seek: &Seek, limit: usize) -> Result<Page<Subscription>, Fault> {
    let rows = tx
        .sql(
            "SELECT subscription_id, order_id, customer_id, product_id, offer_id, parent_id, friendly_name, quantity,
                 state, state_reason, state_time, expire_time, trial_end_time, billing_cycle, term, partner_id, reseller_id, reseller_mpn_id,
                 version, create_time, update_time
             FROM subscriptions
             WHERE customer_id = $1",
        )
        .bind(filter.customer)
        .when(filter.viewer, "AND (partner_id = $? OR reseller_id = $?)")
        .when(filter.product, "AND product_id = $?")
        .page(seek, limit, "name_key", "subscription_id")
        .all()
        .await?;
    Ok(Page::cut(rows, limit, seek, |subscription: &Subscription| Keyset {
        key: sort_key(&subscription.friendly_name),
        id: subscription.id.uuid(),
    }))
}

impl Record for Change {
    fn read(row: &Row) -> Result<Self, Fault> {
        let kind = Kind::parse(&row.get::<String>("kind")?);
        let reason = row.get::<Option<String>>("reason")?;
        let version = row.get::<String>("order_key")?.parse().map(|key: i64| i64::MAX - key);
        Ok(Self {
            id: row.get("change_id")?,
            subscription: row.get("subscription_id")?,
            version: version.map_err(|_| Fault::internal("a change's row holds no version"))?,
            kind: kind.ok_or_else(|| Fault::internal("a change's row holds an unknown kind"))?,
            reason: reason.map(|reason| read_reason(&reason)).transpose()?,
            quantity_before: row.get("quantity_before")?,
            quantity_after: row.get("quantity_after")?,
            actor: Actor {
                id: row.get("actor_id")?,
                kind: row.get("actor_kind")?,
                organization: row.get("actor_organization_id")?,
            },
            create_time: row.get("create_time")?,
        })
    }
}

/// The version counted down, so that the newest change comes first in ascending order.
fn order_key(version: i64) -> String {
    format!("{:019}", i64::MAX - version)
}

/// What a customer ordered by itself (C26), as the first lines of the histories say.
pub async fn own_purchases(tx: &mut Tx, customer: Id<Organization>) -> Result<BTreeSet<Id<Subscription>>, Fault> {
    let ordered: Vec<Id<Subscription>> = tx
        .sql(
            "SELECT subscription_id FROM subscriptions JOIN subscription_changes USING (subscription_id)
             WHERE customer_id = $1 AND state <> 'DELETED' AND kind = 'ORDERED' AND actor_organization_id = $1",
        )
        .bind(customer)
        .all()
        .await?;
    Ok(ordered.into_iter().collect())
}

/// Writes a line of the history.
pub async fn insert_change(tx: &mut Tx, change: &Change) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO subscription_changes (change_id, subscription_id, order_key, kind, reason, quantity_before,
             quantity_after, actor_id, actor_kind, actor_organization_id, create_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(change.id)
    .bind(change.subscription)
    .bind(order_key(change.version))
    .bind(change.kind.as_str())
    .bind(change.reason.map(|reason| reason.as_str().to_owned()))
    .bind(change.quantity_before)
    .bind(change.quantity_after)
    .bind(change.actor.id)
    .bind(&change.actor.kind)
    .bind(change.actor.organization)
    .bind(change.create_time)
    .execute()
    .await
    .map(drop)
}

/// One page of a subscription's history, newest first.
pub async fn changes(
    tx: &mut Tx,
    subscription: Id<Subscription>,
    seek: &Seek,
    limit: usize,
) -> Result<Page<Change>, Fault> {
    let rows = tx
        .sql(
            "SELECT change_id, subscription_id, order_key, kind, reason, quantity_before, quantity_after, actor_id,
                 actor_kind, actor_organization_id, create_time
             FROM subscription_changes
             WHERE subscription_id = $1",
        )
        .bind(subscription)
        .page(seek, limit, "order_key", "change_id")
        .all()
        .await?;
    Ok(Page::cut(rows, limit, seek, |change: &Change| Keyset { key: order_key(change.version), id: change.id.uuid() }))
}
