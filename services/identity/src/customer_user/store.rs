//! Lists of customer users and their deletions in SQL; a single user is [`crate::user::store`]'s.

use base::{Fault, Id, Keyset, Page, Seek, Timestamp};
use db::{Record, Row, Tx};

use super::Released;
use crate::country::Country;
use crate::names::prefix_end;
use crate::organization::Organization;
use crate::user::{self, User};

/// Which users a list holds: those that everything lets through.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The normalized full name begins with this.
    pub name_prefix: String,
    /// The normalized sign-in name begins with this.
    pub sign_in_prefix: String,
    /// They use licenses there.
    pub usage_location: Option<Country>,
    /// They are among these; all when there are none.
    pub selected: Vec<Id<User>>,
}

/// One page of a customer's active users by name.
pub async fn list(
    tx: &mut Tx,
    customer: Id<Organization>,
    filter: &Filter,
    seek: &Seek,
    limit: usize,
) -> Result<Page<User>, Fault> {
    let rows = match filter.selected.as_slice() {
        [] => rows(tx, customer, filter, seek, limit).await?,
        selected => selected_rows(tx, customer, filter, selected, seek, limit).await?,
    };
    let mut page = Page::cut(rows, limit, seek, |user: &User| Keyset { key: user.sort_key(), id: user.id.uuid() });
    user::store::add_roles(tx, &mut page.rows).await?;
    Ok(page)
}

fn some(prefix: &str) -> Option<&str> {
    (!prefix.is_empty()).then_some(prefix)
}

fn end(prefix: &str) -> Option<String> {
    some(prefix).and_then(prefix_end)
}

async fn rows(
    tx: &mut Tx,
    customer: Id<Organization>,
    filter: &Filter,
    seek: &Seek,
    limit: usize,
) -> Result<Vec<User>, Fault> {
    tx.sql(
        "SELECT user_id, organization_id, sign_in_name, sign_in_key, display_name, first_name, last_name,
             usage_location, state, password_hash, temporary_digest, temporary_expire_time, credential_set_by,
             credential_set_time, auth_version, version, create_time
         FROM users
         WHERE organization_id = $1 AND state = 'ACTIVE'",
    )
    .bind(customer)
    .when(some(&filter.name_prefix), "AND sort_key >= $?")
    .when(end(&filter.name_prefix), "AND sort_key < $?")
    .when(some(&filter.sign_in_prefix), "AND sign_in_key >= $?")
    .when(end(&filter.sign_in_prefix), "AND sign_in_key < $?")
    .when(filter.usage_location.as_ref().map(Country::as_str), "AND usage_location = $?")
    .page(seek, limit, "sort_key", "user_id")
    .all()
    .await
}

async fn selected_rows(
    tx: &mut Tx,
    customer: Id<Organization>,
    filter: &Filter,
    selected: &[Id<User>],
    seek: &Seek,
    limit: usize,
) -> Result<Vec<User>, Fault> {
    tx.sql_for(
        "SELECT user_id, organization_id, sign_in_name, sign_in_key, display_name, first_name, last_name,
             usage_location, state, password_hash, temporary_digest, temporary_expire_time, credential_set_by,
             credential_set_time, auth_version, version, create_time
         FROM users
         WHERE organization_id = $1 AND state = 'ACTIVE'
             AND user_id IN (SELECT unhex(value) FROM json_each($2))",
        "SELECT user_id, organization_id, sign_in_name, sign_in_key, display_name, first_name, last_name,
             usage_location, state, password_hash, temporary_digest, temporary_expire_time, credential_set_by,
             credential_set_time, auth_version, version, create_time
         FROM users
         WHERE organization_id = $1 AND state = 'ACTIVE' AND user_id = ANY($2)",
    )
    .bind(customer)
    .bind(selected)
    .when(some(&filter.name_prefix), "AND sort_key >= $?")
    .when(end(&filter.name_prefix), "AND sort_key < $?")
    .when(some(&filter.sign_in_prefix), "AND sign_in_key >= $?")
    .when(end(&filter.sign_in_prefix), "AND sign_in_key < $?")
    .when(filter.usage_location.as_ref().map(Country::as_str), "AND usage_location = $?")
    .page(seek, limit, "sort_key", "user_id")
    .all()
    .await
}

/// A deletion of a user.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// Its id.
    pub id: Id<Deletion>,
    /// Who was deleted.
    pub user: Id<User>,
    /// The user's version by it.
    pub user_version: i64,
    /// When.
    pub delete_time: Timestamp,
}

impl Record for Deletion {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("deletion_id")?,
            user: row.get("user_id")?,
            user_version: row.get("user_version")?,
            delete_time: row.get("delete_time")?,
        })
    }
}

/// Writes a deletion.
pub async fn insert_deletion(tx: &mut Tx, deletion: &Deletion) -> Result<(), Fault> {
    tx.sql(
        "INSERT INTO user_deletions (deletion_id, user_id, user_version, released, delete_time)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(deletion.id)
    .bind(deletion.user)
    .bind(deletion.user_version)
    .bind(false)
    .bind(deletion.delete_time)
    .execute()
    .await
    .map(drop)
}

/// One deletion.
pub async fn deletion(tx: &mut Tx, id: Id<Deletion>) -> Result<Option<Deletion>, Fault> {
    tx.sql("SELECT deletion_id, user_id, user_version, delete_time FROM user_deletions WHERE deletion_id = $1")
        .bind(id)
        .optional()
        .await
}

/// Writes down what a deleted user held. Told again it changes nothing, and of a deletion that is not here neither.
pub async fn put_released(tx: &mut Tx, told: &Released) -> Result<(), Fault> {
    let updated = tx
        .sql("UPDATE user_deletions SET released = true WHERE user_id = $1 AND user_version = $2 AND NOT released")
        .bind(told.user)
        .bind(told.user_version)
        .execute()
        .await?;
    if updated == 0 {
        return Ok(());
    }
    for license in &told.licenses {
        let excluded: Vec<String> = license.excluded.iter().map(ToString::to_string).collect();
        tx.sql(
            "INSERT INTO released_licenses
                 (user_id, user_version, product_id, product_name, excluded_plans, assign_time)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(told.user)
        .bind(told.user_version)
        .bind(license.product)
        .bind(&license.product_name)
        .bind(excluded.join(" "))
        .bind(license.assign_time)
        .execute()
        .await?;
    }
    Ok(())
}
