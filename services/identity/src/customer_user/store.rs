//! Lists of customer users in SQL; a single user is [`crate::user::store`]'s.

use base::{Fault, Id, Keyset, Page, Seek};
use db::Tx;

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
