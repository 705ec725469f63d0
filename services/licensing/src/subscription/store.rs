//! Subscriptions in SQL.

use base::{Fault, Id, Keyset, Page, Seek};
use db::{Record, Row, Tx};

use super::{Reseller, Subscription};
use crate::organization::Organization;
use crate::product::Product;
use base::names::sort_key;

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
            friendly_name: row.get("friendly_name")?,
            quantity: row.get("quantity")?,
            partner: row.get("partner_id")?,
            reseller: reseller.zip(mpn_id).map(|(id, mpn_id)| Reseller { id, mpn_id }),
            create_time: row.get("create_time")?,
            update_time: row.get("update_time")?,
            version: row.get("version")?,
        })
    }
}

/// Writes a new subscription.
pub async fn insert(tx: &mut Tx, subscription: &Subscription) -> Result<(), Fault> {
    let reseller = subscription.reseller.as_ref();
    tx.sql(
        "INSERT INTO subscriptions (subscription_id, order_id, customer_id, product_id, offer_id, friendly_name,
             name_key, quantity, state, partner_id, reseller_id, reseller_mpn_id, version, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'ACTIVE', $9, $10, $11, $12, $13, $14)",
    )
    .bind(subscription.id)
    .bind(subscription.order)
    .bind(subscription.customer)
    .bind(subscription.product)
    .bind(subscription.offer)
    .bind(&subscription.friendly_name)
    .bind(sort_key(&subscription.friendly_name))
    .bind(subscription.quantity)
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

/// One subscription.
pub async fn get(tx: &mut Tx, id: Id<Subscription>) -> Result<Option<Subscription>, Fault> {
    tx.sql(
        "SELECT subscription_id, order_id, customer_id, product_id, offer_id, friendly_name, quantity, partner_id,
             reseller_id, reseller_mpn_id, version, create_time, update_time
         FROM subscriptions
         WHERE subscription_id = $1",
    )
    .bind(id)
    .optional()
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
            "SELECT subscription_id, order_id, customer_id, product_id, offer_id, friendly_name, quantity, partner_id,
                 reseller_id, reseller_mpn_id, version, create_time, update_time
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
