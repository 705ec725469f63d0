//! A customer's users by what they hold, in SQL.

use base::country::Country;
use base::names::prefix_end;
use base::{Fault, Id, Keyset, Seek};
use db::Tx;

use crate::organization::Organization;
use crate::product::Product;
use crate::user::{State, User};

/// What users have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Whatever.
    Any,
    /// The product.
    Has(Id<Product>),
    /// Not the product.
    Lacks(Id<Product>),
    /// No product at all.
    Unlicensed,
}

impl Selector {
    fn has(self) -> Option<Id<Product>> {
        if let Self::Has(product) = self { Some(product) } else { None }
    }

    fn lacks(self) -> Option<Id<Product>> {
        if let Self::Lacks(product) = self { Some(product) } else { None }
    }
}

/// Which users a list holds: those that everything lets through.
#[derive(Clone, Debug)]
pub struct Filter {
    /// What they have.
    pub selector: Selector,
    /// They use licenses there.
    pub location: Option<Country>,
    /// Whether they take part.
    pub state: State,
    /// The normalized full name begins with this.
    pub name_prefix: String,
    /// The sign-in name, in lower case, begins with this.
    pub sign_in_prefix: String,
}

/// A customer's users by name, in the seek's own direction, and one more than the limit when there are more.
pub async fn users(
    tx: &mut Tx,
    customer: Id<Organization>,
    filter: &Filter,
    seek: &Seek,
    limit: usize,
) -> Result<Vec<User>, Fault> {
    tx.sql(
        "SELECT user_id, customer_id, display_name, sign_in_name, sort_key, usage_location, state, version
         FROM users
         WHERE customer_id = $1 AND state = $2 AND sort_key >= $3",
    )
    .bind(customer)
    .bind(filter.state.as_str())
    .bind(&filter.name_prefix)
    .when(prefix_end(&filter.name_prefix), "AND sort_key < $?")
    .when(Some(&filter.sign_in_prefix).filter(|prefix| !prefix.is_empty()).cloned(), "AND sign_in_key >= $?")
    .when(prefix_end(&filter.sign_in_prefix), "AND sign_in_key < $?")
    .when(filter.location.map(|location| location.as_str().to_owned()), "AND usage_location = $?")
    .when(
        filter.selector.has(),
        "AND EXISTS (
             SELECT 1 FROM assignments a
             WHERE a.customer_id = users.customer_id AND a.product_id = $? AND a.user_id = users.user_id)",
    )
    .when(
        filter.selector.lacks(),
        "AND NOT EXISTS (
             SELECT 1 FROM assignments a
             WHERE a.customer_id = users.customer_id AND a.product_id = $? AND a.user_id = users.user_id)",
    )
    .when_set(
        filter.selector == Selector::Unlicensed,
        "AND NOT EXISTS (
             SELECT 1 FROM assignments a
             WHERE a.customer_id = users.customer_id AND a.user_id = users.user_id)",
    )
    .page(seek, limit, "sort_key", "user_id")
    .all()
    .await
}

/// Where a user stands in the list.
pub fn position(user: &User) -> Keyset {
    Keyset { key: user.sort_key.clone(), id: user.id.uuid() }
}
