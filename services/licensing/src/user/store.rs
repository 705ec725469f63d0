//! Customer users in SQL.

use base::{Fault, Id};
use db::{Record, Row, Tx};

use super::{State, User};
use crate::organization::Organization;

impl Record for User {
    fn read(row: &Row) -> Result<Self, Fault> {
        let state = State::parse(&row.get::<String>("state")?);
        Ok(Self {
            id: row.get("user_id")?,
            customer: row.get("customer_id")?,
            display_name: row.get("display_name")?,
            sign_in_name: row.get("sign_in_name")?,
            sort_key: row.get("sort_key")?,
            usage_location: row.get("usage_location")?,
            state: state.ok_or_else(|| Fault::internal("a user's row holds an unknown state"))?,
            version: row.get("version")?,
        })
    }
}

/// Takes a fact over, unless it or a newer one is here already: whether it was taken over.
pub async fn put(tx: &mut Tx, told: &User) -> Result<bool, Fault> {
    let written = tx.sql(
        "INSERT INTO users (user_id, customer_id, display_name, sign_in_name, sign_in_key, sort_key, usage_location, state,
             version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (user_id) DO UPDATE SET
             customer_id = excluded.customer_id, display_name = excluded.display_name,
             sign_in_name = excluded.sign_in_name, sign_in_key = excluded.sign_in_key, sort_key = excluded.sort_key,
             usage_location = excluded.usage_location, state = excluded.state, version = excluded.version
         WHERE users.version < excluded.version",
    )
    .bind(told.id)
    .bind(told.customer)
    .bind(&told.display_name)
    .bind(&told.sign_in_name)
    .bind(told.sign_in_name.to_ascii_lowercase())
    .bind(&told.sort_key)
    .bind(&told.usage_location)
    .bind(told.state.as_str())
    .bind(told.version)
    .execute()
    .await?;
    Ok(written == 1)
}

/// Those of these ids who are not known as another customer's. One of the customer's own is among them: they may have been
/// told of since the caller looked for them.
pub async fn unknown(tx: &mut Tx, customer: Id<Organization>, ids: &[Id<User>]) -> Result<Vec<Id<User>>, Fault> {
    tx.sql_for(
        "SELECT DISTINCT unhex(value) AS user_id FROM json_each($1)
         WHERE NOT EXISTS (SELECT 1 FROM users WHERE users.user_id = unhex(value) AND users.customer_id <> $2)",
        "SELECT DISTINCT asked.user_id FROM unnest($1::uuid[]) AS asked (user_id)
         WHERE NOT EXISTS (
             SELECT 1 FROM users WHERE users.user_id = asked.user_id AND users.customer_id <> $2::uuid)",
    )
    .bind(ids)
    .bind(customer)
    .all()
    .await
}

/// Those of these users whom the customer has, together as they are alike: whether they were deleted, their usage location,
/// and who they are.
pub async fn members(
    tx: &mut Tx,
    customer: Id<Organization>,
    ids: &[Id<User>],
) -> Result<Vec<(bool, String, Vec<Id<User>>)>, Fault> {
    tx.sql_for(
        "SELECT state = 'DELETED' AS deleted, usage_location, group_concat(hex(user_id), '') AS user_ids FROM users
         WHERE customer_id = $1 AND user_id IN (SELECT unhex(value) FROM json_each($2))
         GROUP BY state, usage_location",
        "SELECT state = 'DELETED' AS deleted, usage_location, array_agg(user_id) AS user_ids FROM users
         WHERE customer_id = $1 AND user_id = ANY($2)
         GROUP BY state, usage_location",
    )
    .bind(customer)
    .bind(ids)
    .all()
    .await
}

/// Those of these users whom the customer has, in full.
pub async fn people(tx: &mut Tx, customer: Id<Organization>, ids: &[Id<User>]) -> Result<Vec<User>, Fault> {
    tx.sql_for(
        "SELECT user_id, customer_id, display_name, sign_in_name, sort_key, usage_location, state, version
         FROM users
         WHERE customer_id = $1 AND user_id IN (SELECT unhex(value) FROM json_each($2))",
        "SELECT user_id, customer_id, display_name, sign_in_name, sort_key, usage_location, state, version
         FROM users
         WHERE customer_id = $1 AND user_id = ANY($2)",
    )
    .bind(customer)
    .bind(ids)
    .all()
    .await
}
