//! Customer users in SQL.

use base::Fault;
use db::Tx;

use super::User;

/// Takes a fact over, unless a newer one is here.
pub async fn put(tx: &mut Tx, told: &User) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO users (user_id, customer_id, display_name, sign_in_name, sort_key, usage_location, state, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (user_id) DO UPDATE SET
             customer_id = excluded.customer_id, display_name = excluded.display_name,
             sign_in_name = excluded.sign_in_name, sort_key = excluded.sort_key,
             usage_location = excluded.usage_location, state = excluded.state, version = excluded.version
         WHERE users.version < excluded.version",
    )
    .bind(told.id)
    .bind(told.customer)
    .bind(&told.display_name)
    .bind(&told.sign_in_name)
    .bind(&told.sort_key)
    .bind(&told.usage_location)
    .bind(told.state.as_str())
    .bind(told.version)
    .execute()
    .await
    .map(drop)
}
