//! The licenses of somebody who was deleted, in SQL.

use base::{Fault, Id};
use db::Tx;

use super::{License, of_user};
use crate::organization::Organization;
use crate::user::User;

/// Ends everything that a user holds: it is kept as a snapshot, and the seats are free. Every pool of the customer is
/// held. Answers what it was.
pub async fn release(tx: &mut Tx, customer: Id<Organization>, user: Id<User>) -> Result<Vec<License>, Fault> {
    let held = of_user(tx, customer, user).await?;
    tx.sql("DELETE FROM license_snapshots WHERE customer_id = $1 AND user_id = $2")
        .bind(customer)
        .bind(user)
        .execute()
        .await?;
    if held.is_empty() {
        return Ok(held);
    }
    tx.sql(
        "INSERT INTO license_snapshots (customer_id, user_id, product_id, excluded_plans, assign_time)
         SELECT customer_id, user_id, product_id, excluded_plans, create_time FROM assignments
         WHERE customer_id = $1 AND user_id = $2",
    )
    .bind(customer)
    .bind(user)
    .execute()
    .await?;
    tx.sql(
        "UPDATE pools SET consumed = consumed - 1
         WHERE customer_id = $1 AND product_id IN (
             SELECT product_id FROM assignments WHERE customer_id = $1 AND user_id = $2)",
    )
    .bind(customer)
    .bind(user)
    .execute()
    .await?;
    let ended = tx
        .sql("DELETE FROM assignments WHERE customer_id = $1 AND user_id = $2")
        .bind(customer)
        .bind(user)
        .execute()
        .await?;
    if usize::try_from(ended) == Ok(held.len()) {
        return Ok(held);
    }
    Err(Fault::internal("licenses have changed although every pool was held"))
}
