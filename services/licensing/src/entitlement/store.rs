//! Pools and what they are made of, in SQL.

use base::{Fault, Id, Keyset, Page, Seek};
use db::{Record, Row, Tx};

use super::{Entitlement, Pool, Source};
use crate::organization::Organization;
use crate::product::Product;
use base::names::sort_key;

impl Record for Pool {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self { product: row.get("product_id")?, total: row.get("total")?, consumed: row.get("consumed")? })
    }
}

impl Record for Entitlement {
    /// Without its sources.
    fn read(row: &Row) -> Result<Self, Fault> {
        let pool = Pool::read(row)?;
        Ok(Self { pool, name: row.get("name")?, part_number: row.get("part_number")?, sources: Vec::new() })
    }
}

impl Record for Source {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            product: row.get("product_id")?,
            subscription: row.get("subscription_id")?,
            offer: row.get("offer_id")?,
            partner: row.get("partner_id")?,
        })
    }
}

/// Adds seats. Whoever adds to several pools does it in the order of their products.
pub async fn add_seats(tx: &mut Tx, customer: Id<Organization>, product: Id<Product>, seats: i64) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO pools (customer_id, product_id, total, consumed) VALUES ($1, $2, $3, 0)
         ON CONFLICT (customer_id, product_id) DO UPDATE SET total = pools.total + excluded.total",
    )
    .bind(customer)
    .bind(product)
    .bind(seats)
    .execute()
    .await
    .map(drop)
}

/// The customer's pools of these products, held for a change, in the order of the products.
pub async fn lock(tx: &mut Tx, customer: Id<Organization>, products: &[Id<Product>]) -> Result<Vec<Pool>, Fault> {
    tx.sql_for(
        "SELECT product_id, total, consumed FROM pools
         WHERE customer_id = $1 AND product_id IN (SELECT unhex(value) FROM json_each($2))
         ORDER BY product_id",
        "SELECT product_id, total, consumed FROM pools
         WHERE customer_id = $1 AND product_id = ANY($2)
         ORDER BY product_id",
    )
    .bind(customer)
    .bind(products)
    .for_update()
    .all()
    .await
}

/// Every pool of the customer, held for a change, in the order of the products: whoever ends one of its users waits for
/// those who are giving them licenses.
pub async fn lock_all(tx: &mut Tx, customer: Id<Organization>) -> Result<Vec<Pool>, Fault> {
    tx.sql("SELECT product_id, total, consumed FROM pools WHERE customer_id = $1 ORDER BY product_id")
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

/// One page of what the customer owns, by the name of the product. A partner sees the sources that it ordered or is the
/// reseller of record of; without a viewer all are shown.
pub async fn list(
    tx: &mut Tx,
    customer: Id<Organization>,
    viewer: Option<Id<Organization>>,
    seek: &Seek,
    limit: usize,
) -> Result<Page<Entitlement>, Fault> {
    let rows = tx
        .sql(
            "SELECT product_id, total, consumed, name, part_number
             FROM pools JOIN products USING (product_id)
             WHERE customer_id = $1",
        )
        .bind(customer)
        .page(seek, limit, "name_key", "product_id")
        .all()
        .await?;
    let mut page = Page::cut(rows, limit, seek, |entitlement: &Entitlement| Keyset {
        key: sort_key(&entitlement.name),
        id: entitlement.pool.product.uuid(),
    });
    let products: Vec<Id<Product>> = page.rows.iter().map(|entitlement| entitlement.pool.product).collect();
    let mut sources = sources(tx, customer, &products, viewer).await?;
    sources.sort_by_key(|source| source.subscription);
    for source in sources {
        if let Some(entitlement) = page.rows.iter_mut().find(|each| each.pool.product == source.product) {
            entitlement.sources.push(source);
        }
    }
    Ok(page)
}

async fn sources(
    tx: &mut Tx,
    customer: Id<Organization>,
    products: &[Id<Product>],
    viewer: Option<Id<Organization>>,
) -> Result<Vec<Source>, Fault> {
    tx.sql_for(
        "SELECT product_id, subscription_id, offer_id, partner_id FROM subscriptions
         WHERE customer_id = $1 AND product_id IN (SELECT unhex(value) FROM json_each($2))",
        "SELECT product_id, subscription_id, offer_id, partner_id FROM subscriptions
         WHERE customer_id = $1 AND product_id = ANY($2)",
    )
    .bind(customer)
    .bind(products)
    .when(viewer, "AND (partner_id = $? OR reseller_id = $?)")
    .all()
    .await
}

/// The partners who may order for the customer; for a viewer itself and those whom it works with. In no order.
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
