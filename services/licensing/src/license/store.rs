//! Licenses in SQL, set by set.

use base::{Fault, Id, Timestamp};
use db::{Record, Row, Tx};

use super::Move;
use crate::organization::Organization;
use crate::product::Product;
use crate::user::User;

/// Who of these users holds which of these products. In a change it is read after the pools are held, so that nobody
/// can add anything to the answer.
pub async fn held(
    tx: &mut Tx,
    customer: Id<Organization>,
    products: &[Id<Product>],
    users: &[Id<User>],
) -> Result<Vec<(Id<Product>, Id<User>)>, Fault> {
    tx.sql_for(
        "SELECT product_id, user_id FROM assignments
         WHERE customer_id = $1 AND product_id IN (SELECT unhex(value) FROM json_each($2))
             AND user_id IN (SELECT unhex(value) FROM json_each($3))",
        "SELECT product_id, user_id FROM assignments
         WHERE customer_id = $1 AND product_id = ANY($2) AND user_id = ANY($3)",
    )
    .bind(customer)
    .bind(products)
    .bind(users)
    .all()
    .await
}

/// Writes who gets and who loses one product, whose pool is held. What is written is what was judged: anything else is a
/// broken invariant, and nothing is kept.
pub async fn write(tx: &mut Tx, customer: Id<Organization>, each: &Move, now: Timestamp) -> Result<(), Fault> {
    let mut deleted = 0;
    if !each.taken.is_empty() {
        deleted = tx
            .sql_for(
                "DELETE FROM assignments
                 WHERE customer_id = $1 AND product_id = $2 AND user_id IN (SELECT unhex(value) FROM json_each($3))",
                "DELETE FROM assignments WHERE customer_id = $1 AND product_id = $2 AND user_id = ANY($3)",
            )
            .bind(customer)
            .bind(each.product)
            .bind(&each.taken)
            .execute()
            .await?;
    }
    let mut inserted = 0;
    if !each.given.is_empty() {
        inserted = tx
            .sql_for(
                "INSERT INTO assignments (customer_id, product_id, user_id, create_time)
                 SELECT $1, $2, unhex(value), $4 FROM json_each($3)",
                "INSERT INTO assignments (customer_id, product_id, user_id, create_time)
                 SELECT $1::uuid, $2::uuid, user_id, $4::timestamptz FROM unnest($3::uuid[]) AS user_id",
            )
            .bind(customer)
            .bind(each.product)
            .bind(&each.given)
            .bind(now)
            .execute()
            .await?;
    }
    let counts = (usize::try_from(inserted), usize::try_from(deleted));
    if counts != (Ok(each.given.len()), Ok(each.taken.len())) {
        return Err(Fault::internal("licenses that were judged under the lock of their pool have changed"));
    }
    Ok(())
}

/// A license as it is shown.
#[derive(Clone, Debug)]
pub struct License {
    /// The product.
    pub product: Id<Product>,
    /// What people call it.
    pub name: String,
    /// The vendor's part number.
    pub part_number: String,
    /// When it was given.
    pub assign_time: Timestamp,
    /// It cannot be used: every subscription to the product is suspended.
    pub disabled: bool,
}

impl Record for License {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            product: row.get("product_id")?,
            name: row.get("name")?,
            part_number: row.get("part_number")?,
            assign_time: row.get("assign_time")?,
            disabled: row.get::<i64>("active_seats")? == 0,
        })
    }
}

/// What a user holds, by the name of the product: no more than there are products.
pub async fn of_user(tx: &mut Tx, customer: Id<Organization>, user: Id<User>) -> Result<Vec<License>, Fault> {
    tx.sql(
        "SELECT product_id, name, part_number, assignments.create_time AS assign_time, seats - suspended AS active_seats
         FROM assignments JOIN products USING (product_id) JOIN pools USING (customer_id, product_id)
         WHERE customer_id = $1 AND user_id = $2
         ORDER BY name_key, product_id",
    )
    .bind(customer)
    .bind(user)
    .all()
    .await
}

/// Ends the licenses that were given last, as many as have no seat any more. The pool is held.
pub async fn end_newest(
    tx: &mut Tx,
    customer: Id<Organization>,
    product: Id<Product>,
    count: i64,
) -> Result<(), Fault> {
    let ended = tx
        .sql(
            "DELETE FROM assignments
             WHERE customer_id = $1 AND product_id = $2 AND user_id IN (
                 SELECT user_id FROM assignments
                 WHERE customer_id = $1 AND product_id = $2
                 ORDER BY create_time DESC, user_id DESC LIMIT $3)",
        )
        .bind(customer)
        .bind(product)
        .bind(count)
        .execute()
        .await?;
    if i64::try_from(ended) == Ok(count) {
        return Ok(());
    }
    Err(Fault::internal("a pool counts licenses that are not there"))
}
