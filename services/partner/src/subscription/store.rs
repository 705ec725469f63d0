//! Subscriptions in brief, in SQL.

use base::names::sort_key;
use base::{Fault, Id, Timestamp};
use db::{Record, Row, Tx};

use super::{Portfolio, State, Subscription};
use crate::organization::Organization;

impl Record for Subscription {
    fn read(row: &Row) -> Result<Self, Fault> {
        let state = State::parse(&row.get::<String>("state")?, row.get("expire_time")?);
        Ok(Self {
            id: row.get("subscription_id")?,
            customer: row.get("customer_id")?,
            partner: row.get("partner_id")?,
            reseller: row.get("reseller_id")?,
            product_name: row.get("product_name")?,
            friendly_name: row.get("friendly_name")?,
            quantity: row.get("quantity")?,
            state: state.ok_or_else(|| Fault::internal("a subscription's row holds no state"))?,
            version: row.get("version")?,
        })
    }
}

/// Takes over what licensing told, unless something newer is here.
pub async fn put(tx: &mut Tx, told: &Subscription) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO subscriptions (subscription_id, customer_id, partner_id, reseller_id, product_name, friendly_name,
             name_key, quantity, state, expire_time, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (subscription_id) DO UPDATE SET
             reseller_id = excluded.reseller_id, product_name = excluded.product_name,
             friendly_name = excluded.friendly_name, name_key = excluded.name_key,
             quantity = excluded.quantity, state = excluded.state, expire_time = excluded.expire_time,
             version = excluded.version
         WHERE subscriptions.version < excluded.version",
    )
    .bind(told.id)
    .bind(told.customer)
    .bind(told.partner)
    .bind(told.reseller)
    .bind(&told.product_name)
    .bind(&told.friendly_name)
    .bind(sort_key(&told.friendly_name))
    .bind(told.quantity)
    .bind(told.state.as_str())
    .bind(told.state.expire_time())
    .bind(told.version)
    .execute()
    .await
    .map(drop)
}

/// What the partner sold to the customer or is the reseller of record of, without what is deleted by now: the first of it
/// by name, and how much there is.
pub async fn portfolio(
    tx: &mut Tx,
    (customer, partner): (Id<Organization>, Id<Organization>),
    now: Timestamp,
    limit: i64,
) -> Result<Portfolio, Fault> {
    let first = tx
        .sql(
            "SELECT subscription_id, customer_id, partner_id, reseller_id, product_name, friendly_name, quantity, state,
                 expire_time, version
             FROM subscriptions
             WHERE customer_id = $1 AND (partner_id = $2 OR reseller_id = $2)
                 AND (state = 'ACTIVE' OR state = 'SUSPENDED' AND expire_time > $3)
             ORDER BY name_key, subscription_id
             LIMIT $4",
        )
        .bind(customer)
        .bind(partner)
        .bind(now)
        .bind(limit)
        .all()
        .await?;
    let counts: Vec<(String, i64)> = tx
        .sql(
            "SELECT state, COUNT(*)
             FROM subscriptions
             WHERE customer_id = $1 AND (partner_id = $2 OR reseller_id = $2)
                 AND (state = 'ACTIVE' OR state = 'SUSPENDED' AND expire_time > $3)
             GROUP BY state",
        )
        .bind(customer)
        .bind(partner)
        .bind(now)
        .all()
        .await?;
    let count = |word: &str| counts.iter().find(|(state, _)| state == word).map_or(0, |(_, count)| *count);
    Ok(Portfolio { active: count("ACTIVE"), suspended: count("SUSPENDED"), first })
}
