//! Pools and what they are made of, in SQL.

use std::collections::{BTreeMap, BTreeSet};

use base::{Fault, Id, Keyset, Seek};
use db::{Record, Row, Tx};

use super::{Drift, Entitlement, Pool, Shift, Source};
use crate::organization::Organization;
use crate::product::Product;
use crate::product_rules::{LicenseGroup, Rules};
use base::names::sort_key;

impl Record for Pool {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            product: row.get("product_id")?,
            seats: row.get("seats")?,
            suspended: row.get("suspended")?,
            consumed: row.get("consumed")?,
        })
    }
}

impl Record for Entitlement {
    /// Without its rules and its sources.
    fn read(row: &Row) -> Result<Self, Fault> {
        let pool = Pool::read(row)?;
        let (name, part_number) = (row.get("name")?, row.get("part_number")?);
        Ok(Self { pool, name, part_number, rules: Rules::default(), sources: Vec::new(), more_sources: false })
    }
}

impl Record for Source {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            product: row.get("product_id")?,
            subscription: row.get("subscription_id")?,
            offer: row.get("offer_id")?,
            product_family: row.get("product_family")?,
            partner: row.get("partner_id")?,
            reseller_mpn_id: row.get("reseller_mpn_id")?,
            quantity: row.get("quantity")?,
            suspended: row.get::<String>("state")? == "SUSPENDED",
            orderable: false,
        })
    }
}

impl Record for Drift {
    fn read(row: &Row) -> Result<Self, Fault> {
        let product = row.get("product_id")?;
        let told = Pool {
            product,
            seats: row.get("seats")?,
            suspended: row.get("suspended")?,
            consumed: row.get("consumed")?,
        };
        let counted = Pool {
            product,
            seats: row.get("counted_seats")?,
            suspended: row.get("counted_suspended")?,
            consumed: row.get("counted_licenses")?,
        };
        Ok(Self { customer: row.get("customer_id")?, told, counted })
    }
}

/// Adds seats, and says how many there are now. Whoever adds to several pools does it in the order of their products.
pub async fn add_seats(
    tx: &mut Tx,
    customer: Id<Organization>,
    product: Id<Product>,
    seats: i64,
) -> Result<i64, Fault> {
    tx.sql(
        "INSERT INTO pools (customer_id, product_id, seats, suspended, consumed) VALUES ($1, $2, $3, 0, 0)
         ON CONFLICT (customer_id, product_id) DO UPDATE SET seats = pools.seats + excluded.seats
         RETURNING seats",
    )
    .bind(customer)
    .bind(product)
    .bind(seats)
    .one()
    .await
}

/// The products that the customer owns: those of which a subscription that is not deleted brings seats.
pub async fn owned(tx: &mut Tx, customer: Id<Organization>) -> Result<BTreeSet<Id<Product>>, Fault> {
    let owned: Vec<Id<Product>> =
        tx.sql("SELECT product_id FROM pools WHERE customer_id = $1 AND seats > 0").bind(customer).all().await?;
    Ok(owned.into_iter().collect())
}

/// The customer's pools of these products, held for a change, in the order of the products. A pool without a seat is none.
pub async fn lock(tx: &mut Tx, customer: Id<Organization>, products: &[Id<Product>]) -> Result<Vec<Pool>, Fault> {
    tx.sql_for(
        "SELECT product_id, seats, suspended, consumed FROM pools
         WHERE customer_id = $1 AND product_id IN (SELECT unhex(value) FROM json_each($2)) AND seats > 0
         ORDER BY product_id",
        "SELECT product_id, seats, suspended, consumed FROM pools
         WHERE customer_id = $1 AND product_id = ANY($2) AND seats > 0
         ORDER BY product_id",
    )
    .bind(customer)
    .bind(products)
    .for_update()
    .all()
    .await
}

/// The pool to which a subscription that is not deleted brings its seats, held for a change.
pub async fn of_subscription(tx: &mut Tx, customer: Id<Organization>, product: Id<Product>) -> Result<Pool, Fault> {
    let held = lock(tx, customer, &[product]).await?.pop();
    held.ok_or_else(|| Fault::internal("a subscription that is not deleted has no pool"))
}

/// Every pool of the customer, held for a change, in the order of the products: nothing that its users hold changes while
/// somebody gives or takes licenses or deletes a user. A pool without a seat is none.
pub async fn lock_all(tx: &mut Tx, customer: Id<Organization>) -> Result<Vec<Pool>, Fault> {
    tx.sql(
        "SELECT product_id, seats, suspended, consumed FROM pools
         WHERE customer_id = $1 AND seats > 0
         ORDER BY product_id",
    )
    .bind(customer)
    .for_update()
    .all()
    .await
}

/// Moves the counter of a pool that is held.
pub async fn consume(tx: &mut Tx, customer: Id<Organization>, product: Id<Product>, seats: i64) -> Result<(), Fault> {
    let updated = tx
        .sql("UPDATE pools SET consumed = consumed + $3 WHERE customer_id = $1 AND product_id = $2")
        .bind(customer)
        .bind(product)
        .bind(seats)
        .execute()
        .await?;
    if updated == 1 { Ok(()) } else { Err(Fault::internal("a pool that was held is gone")) }
}

/// Moves the seats of a pool that is held, and gives back those of licenses that are gone.
pub async fn shift(
    tx: &mut Tx,
    customer: Id<Organization>,
    product: Id<Product>,
    by: Shift,
    released: i64,
) -> Result<(), Fault> {
    let updated = tx
        .sql(
            "UPDATE pools SET seats = seats + $3, suspended = suspended + $4, consumed = consumed - $5
             WHERE customer_id = $1 AND product_id = $2",
        )
        .bind(customer)
        .bind(product)
        .bind(by.seats)
        .bind(by.suspended)
        .bind(released)
        .execute()
        .await?;
    if updated == 1 { Ok(()) } else { Err(Fault::internal("a pool that was held is gone")) }
}

/// What the customer owns, of one license group or of all, by the name of the product, in the seek's own direction, and one
/// more than the limit when there are more. A partner sees the sources that it ordered or is the reseller of record of;
/// without a viewer all are shown.
pub async fn list(
    tx: &mut Tx,
    (customer, group): (Id<Organization>, Option<LicenseGroup>),
    viewer: Option<Id<Organization>>,
    seek: &Seek,
    limit: usize,
) -> Result<Vec<Entitlement>, Fault> {
    let mut entitlements: Vec<Entitlement> = tx
        .sql(
            "SELECT product_id, seats, suspended, consumed, name, part_number
             FROM pools JOIN products USING (product_id)
             WHERE customer_id = $1 AND seats > 0",
        )
        .bind(customer)
        .when(
            group.map(LicenseGroup::as_str),
            "AND COALESCE((SELECT license_group FROM product_rules r WHERE r.product_id = pools.product_id), 'FIRST') = $?",
        )
        .page(seek, limit, "name_key", "product_id")
        .all()
        .await?;
    let products: Vec<Id<Product>> = entitlements.iter().map(|entitlement| entitlement.pool.product).collect();
    let mut sources: BTreeMap<Id<Product>, Vec<Source>> = BTreeMap::new();
    for source in self::sources(tx, customer, &products, viewer).await? {
        sources.entry(source.product).or_default().push(source);
    }
    for entitlement in &mut entitlements {
        entitlement.sources = sources.remove(&entitlement.pool.product).unwrap_or_default();
    }
    Ok(entitlements)
}

/// Where an entitlement stands in the list.
pub fn position(entitlement: &Entitlement) -> Keyset {
    Keyset { key: sort_key(&entitlement.name), id: entitlement.pool.product.uuid() }
}

async fn sources(
    tx: &mut Tx,
    customer: Id<Organization>,
    products: &[Id<Product>],
    viewer: Option<Id<Organization>>,
) -> Result<Vec<Source>, Fault> {
    tx.sql_for(
        "SELECT s.product_id, subscription_id, offer_id, product_family, partner_id, reseller_mpn_id, quantity, state
         FROM subscriptions s JOIN offers USING (offer_id)
         WHERE customer_id = $1 AND s.product_id IN (SELECT unhex(value) FROM json_each($2)) AND state <> 'DELETED'",
        "SELECT s.product_id, subscription_id, offer_id, product_family, partner_id, reseller_mpn_id, quantity, state
         FROM subscriptions s JOIN offers USING (offer_id)
         WHERE customer_id = $1 AND s.product_id = ANY($2) AND state <> 'DELETED'",
    )
    .bind(customer)
    .bind(products)
    .when(viewer, "AND (partner_id = $? OR reseller_id = $?)")
    .all()
    .await
}

/// The partners who have the right to order for the customer; for a viewer itself and those whom it works with. In no order.
pub async fn orderers(
    tx: &mut Tx,
    customer: Id<Organization>,
    viewer: Option<Id<Organization>>,
) -> Result<Vec<Id<Organization>>, Fault> {
    tx.sql(
        "SELECT partner_id FROM accesses
         WHERE customer_id = $1 AND active AND order_right AND kind <> 'RESELLER'",
    )
    .bind(customer)
    .when(
        viewer,
        "AND (partner_id = $? OR EXISTS (
             SELECT 1 FROM partnerships p WHERE p.provider_id = partner_id AND p.reseller_id = $? AND p.active))",
    )
    .all()
    .await
}

/// How many pools there are.
pub async fn count(tx: &mut Tx) -> Result<i64, Fault> {
    tx.sql("SELECT COUNT(*) FROM pools").one().await
}

/// The first pools, in the order of customers and products, whose counters are not what they count: seats against
/// subscriptions, consumed seats against the licenses of users who were not deleted. What has no pool counts as a pool of
/// nothing.
pub async fn drifts(tx: &mut Tx, limit: usize) -> Result<Vec<Drift>, Fault> {
    tx.sql(
        "WITH counters AS (
             SELECT customer_id, product_id, seats, suspended, consumed,
                 0 AS counted_seats, 0 AS counted_suspended, 0 AS counted_licenses
             FROM pools
             UNION ALL
             SELECT customer_id, product_id, 0, 0, 0,
                 quantity, CASE WHEN state = 'SUSPENDED' THEN quantity ELSE 0 END, 0
             FROM subscriptions
             WHERE state <> 'DELETED'
             UNION ALL
             SELECT customer_id, product_id, 0, 0, 0, 0, 0, 1
             FROM assignments
             WHERE NOT EXISTS (
                 SELECT 1 FROM users WHERE users.user_id = assignments.user_id AND users.state = 'DELETED')
         ), sums AS (
             SELECT customer_id, product_id,
                 CAST(SUM(seats) AS BIGINT) AS seats,
                 CAST(SUM(suspended) AS BIGINT) AS suspended,
                 CAST(SUM(consumed) AS BIGINT) AS consumed,
                 CAST(SUM(counted_seats) AS BIGINT) AS counted_seats,
                 CAST(SUM(counted_suspended) AS BIGINT) AS counted_suspended,
                 CAST(SUM(counted_licenses) AS BIGINT) AS counted_licenses
             FROM counters
             GROUP BY customer_id, product_id
         )
         SELECT customer_id, product_id, seats, suspended, consumed, counted_seats, counted_suspended, counted_licenses
         FROM sums
         WHERE seats <> counted_seats OR suspended <> counted_suspended OR consumed <> counted_licenses
         ORDER BY customer_id, product_id
         LIMIT $1",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .all()
    .await
}
