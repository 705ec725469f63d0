//! Licenses in SQL, set by set.

pub mod listing;
pub mod release;

use std::collections::BTreeSet;

use base::{Fault, Id, Timestamp};
use db::{Record, Row, Tx};
use uuid::Uuid;

use super::{Excluded, Held, Move};
use crate::organization::Organization;
use crate::product::Product;
use crate::user::{PerUser, User};

/// Who has a product without the same service plans: ids of plans in ascending order with spaces between them, which are
/// only ever read as a whole.
struct Holders {
    product: Id<Product>,
    excluded: String,
    users: Vec<Id<User>>,
}

impl Record for Holders {
    fn read(row: &Row) -> Result<Self, Fault> {
        let (product, excluded) = (row.get("product_id")?, row.get("excluded_plans")?);
        Ok(Self { product, excluded, users: row.get("user_ids")? })
    }
}

fn excluded(text: &str) -> Result<Excluded, Fault> {
    let read = |id| Uuid::parse_str(id).map_err(|_| Fault::internal("a license leaves out what is no service plan"));
    text.split_whitespace().map(read).collect()
}

fn text(excluded: &Excluded) -> String {
    excluded.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Who of some users holds what. Most of many hold the same, so each holding stands there once; who holds nothing has the
/// first one.
#[derive(Debug)]
pub struct Holdings {
    /// Where each user's holding stands.
    pub of: PerUser<usize>,
    /// The distinct ones, and those which only a part of somebody's licenses would be.
    pub distinct: Vec<Held>,
}

impl Holdings {
    /// Product by product: whoever holds one more goes on to the holding that is theirs with it.
    fn gather(mut all: Vec<Holders>) -> Result<Self, Fault> {
        all.sort_unstable_by_key(|holders| holders.product);
        let longest = all.iter().map(|holders| holders.users.len()).max().unwrap_or_default();
        let of = PerUser::with_capacity_and_hasher(longest, Default::default());
        let mut holdings = Self { of, distinct: vec![Held::default()] };
        for Holders { product, excluded: text, users } in all {
            let excluded = excluded(&text)?;
            let mut grown: Vec<Option<usize>> = vec![None; holdings.distinct.len()];
            for user in users {
                let place = holdings.of.entry(user).or_default();
                let Some(next) = grown.get_mut(*place) else {
                    return Err(Fault::internal("a user has one license twice"));
                };
                *place = *next.get_or_insert_with(|| {
                    let mut held = holdings.distinct.get(*place).cloned().unwrap_or_default();
                    held.0.insert(product, excluded.clone());
                    holdings.distinct.push(held);
                    holdings.distinct.len() - 1
                });
            }
        }
        Ok(holdings)
    }

    /// What somebody holds; nothing of who is not among them.
    pub fn held_by(&self, user: Id<User>) -> Option<&Held> {
        self.of.get(&user).and_then(|place| self.distinct.get(*place))
    }
}

/// What these users hold of these products. In a change it is read after the pools are held, so that nobody can add
/// anything to the answer.
pub async fn held_of(
    tx: &mut Tx,
    customer: Id<Organization>,
    products: &[Id<Product>],
    users: &[Id<User>],
) -> Result<Holdings, Fault> {
    let rows = tx
        .sql_for(
            "SELECT product_id, excluded_plans, group_concat(hex(user_id), '') AS user_ids FROM assignments
             WHERE customer_id = $1 AND product_id IN (SELECT unhex(value) FROM json_each($2))
                 AND user_id IN (SELECT unhex(value) FROM json_each($3))
             GROUP BY product_id, excluded_plans",
            "SELECT product_id, excluded_plans, array_agg(user_id) AS user_ids FROM assignments
             WHERE customer_id = $1 AND product_id = ANY($2) AND user_id = ANY($3)
             GROUP BY product_id, excluded_plans",
        )
        .bind(customer)
        .bind(products)
        .bind(users)
        .all()
        .await?;
    Holdings::gather(rows)
}

/// What these users hold of every product: where rules between service plans matter, every pool is held before.
pub async fn held(tx: &mut Tx, customer: Id<Organization>, users: &[Id<User>]) -> Result<Holdings, Fault> {
    let rows = tx
        .sql_for(
            "SELECT product_id, excluded_plans, group_concat(hex(user_id), '') AS user_ids FROM assignments
             WHERE customer_id = $1 AND user_id IN (SELECT unhex(value) FROM json_each($2))
             GROUP BY product_id, excluded_plans",
            "SELECT product_id, excluded_plans, array_agg(user_id) AS user_ids FROM assignments
             WHERE customer_id = $1 AND user_id = ANY($2)
             GROUP BY product_id, excluded_plans",
        )
        .bind(customer)
        .bind(users)
        .all()
        .await?;
    Holdings::gather(rows)
}

/// Writes who gets, keeps and loses one product, whose pool is held. What is written is what was judged: anything else is
/// a broken invariant, and nothing is kept.
pub async fn write(tx: &mut Tx, customer: Id<Organization>, each: &Move, now: Timestamp) -> Result<(), Fault> {
    let (mut deleted, mut inserted, mut updated) = (0, 0, 0);
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
    if !each.replanned.is_empty() {
        updated = tx
            .sql_for(
                "UPDATE assignments SET excluded_plans = $4
                 WHERE customer_id = $1 AND product_id = $2 AND user_id IN (SELECT unhex(value) FROM json_each($3))",
                "UPDATE assignments SET excluded_plans = $4
                 WHERE customer_id = $1 AND product_id = $2 AND user_id = ANY($3)",
            )
            .bind(customer)
            .bind(each.product)
            .bind(&each.replanned)
            .bind(text(&each.excluded))
            .execute()
            .await?;
    }
    if !each.given.is_empty() {
        inserted = tx
            .sql_for(
                "INSERT INTO assignments (customer_id, product_id, user_id, excluded_plans, create_time)
                 SELECT $1, $2, unhex(value), $4, $5 FROM json_each($3)",
                "INSERT INTO assignments (customer_id, product_id, user_id, excluded_plans, create_time)
                 SELECT $1::uuid, $2::uuid, user_id, $4::text, $5::timestamptz FROM unnest($3::uuid[]) AS user_id",
            )
            .bind(customer)
            .bind(each.product)
            .bind(&each.given)
            .bind(text(&each.excluded))
            .bind(now)
            .execute()
            .await?;
    }
    let written = [(inserted, &each.given), (updated, &each.replanned), (deleted, &each.taken)];
    if written.into_iter().any(|(count, judged)| usize::try_from(count) != Ok(judged.len())) {
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
    /// The service plans that are left out of it.
    pub excluded: BTreeSet<Uuid>,
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
            excluded: excluded(&row.get::<String>("excluded_plans")?)?,
            assign_time: row.get("assign_time")?,
            disabled: row.get::<i64>("active_seats")? == 0,
        })
    }
}

/// What a user holds, by the name of the product: no more than there are products.
pub async fn of_user(tx: &mut Tx, customer: Id<Organization>, user: Id<User>) -> Result<Vec<License>, Fault> {
    tx.sql(
        "SELECT product_id, name, part_number, excluded_plans, assignments.create_time AS assign_time,
             seats - suspended AS active_seats
         FROM assignments JOIN products USING (product_id) JOIN pools USING (customer_id, product_id)
         WHERE customer_id = $1 AND user_id = $2
         ORDER BY name_key, product_id",
    )
    .bind(customer)
    .bind(user)
    .all()
    .await
}

/// Ends the licenses that were given last, as many as have no seat any more, and answers whose they were. The pool is held.
pub async fn end_newest(
    tx: &mut Tx,
    customer: Id<Organization>,
    product: Id<Product>,
    count: i64,
) -> Result<Vec<Id<User>>, Fault> {
    let ended: Vec<Id<User>> = tx
        .sql(
            "DELETE FROM assignments
             WHERE customer_id = $1 AND product_id = $2 AND user_id IN (
                 SELECT user_id FROM assignments
                 WHERE customer_id = $1 AND product_id = $2
                 ORDER BY create_time DESC, user_id DESC LIMIT $3)
             RETURNING user_id",
        )
        .bind(customer)
        .bind(product)
        .bind(count)
        .all()
        .await?;
    if i64::try_from(ended.len()) == Ok(count) {
        return Ok(ended);
    }
    Err(Fault::internal("a pool counts licenses that are not there"))
}
