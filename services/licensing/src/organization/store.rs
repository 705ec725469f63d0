//! Organizations in SQL.

use base::{Fault, Id};
use db::Tx;

use super::Organization;

/// Takes a fact over, unless a newer one is here.
pub async fn put(tx: &mut Tx, told: &Organization) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO organizations (organization_id, kind, name, country, cloud, state, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (organization_id) DO UPDATE SET
             kind = excluded.kind, name = excluded.name, country = excluded.country, cloud = excluded.cloud,
             state = excluded.state, version = excluded.version
         WHERE organizations.version < excluded.version",
    )
    .bind(told.id)
    .bind(told.kind)
    .bind(&told.name)
    .bind(&told.country)
    .bind(told.cloud)
    .bind(told.state)
    .bind(told.version)
    .execute()
    .await
    .map(drop)
}

/// The country of an organization that was told of.
pub async fn country(tx: &mut Tx, id: Id<Organization>) -> Result<Option<String>, Fault> {
    tx.sql("SELECT country FROM organizations WHERE organization_id = $1").bind(id).optional().await
}

/// Has a customer alone, until the end of the transaction: who gives licenses to its users and who deletes one of them
/// wait for each other, in the order in which they came.
pub async fn hold_customer(tx: &mut Tx, id: Id<Organization>) -> Result<(), Fault> {
    if lock_customer(tx, id).await? {
        return Ok(());
    }
    make_customer(tx, id).await?;
    if lock_customer(tx, id).await? {
        Ok(())
    } else {
        Err(Fault::internal("a customer that was just made is not there"))
    }
}

async fn lock_customer(tx: &mut Tx, id: Id<Organization>) -> Result<bool, Fault> {
    let held = tx.sql("SELECT customer_id FROM customers WHERE customer_id = $1").bind(id).for_update().optional();
    held.await.map(|held: Option<Id<Organization>>| held.is_some())
}

async fn make_customer(tx: &mut Tx, id: Id<Organization>) -> Result<(), Fault> {
    tx.sql("INSERT INTO customers (customer_id) VALUES ($1) ON CONFLICT (customer_id) DO NOTHING")
        .bind(id)
        .execute()
        .await
        .map(drop)
}
