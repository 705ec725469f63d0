//! Purchase permissions: in which families of products a partner lets a customer buy by itself (C26).
//!
//! Owns one switch for each customer, partner and family, off until somebody turns it on. Promises that a customer's order
//! rests on a permission that is held until the order is written, and on what the partner itself bought; and that it ends
//! with the relationship, and does not come back with it. Refuses to make the customer a partner: the partner of
//! record stays who sold the subscription that the order is based on.

pub mod ops;
pub mod store;
mod wire;

use base::{Fault, Id, Timestamp};

use crate::organization::Organization;

/// One switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchasePermission {
    /// Who may buy.
    pub customer: Id<Organization>,
    /// Whose subscription it has to be based on.
    pub partner: Id<Organization>,
    /// In which family.
    pub product_family: String,
    /// On or off.
    pub permitted: bool,
    /// When it was last turned; never, while it is as it always was.
    pub update_time: Option<Timestamp>,
}

/// Only what the partner bought is a base: what rests on a customer's own purchase would rest on itself.
pub fn not_bought_by_partner(product_family: &str) -> Fault {
    let message =
        "base the order on a subscription that your partner bought, and not on one that you bought yourselves";
    Fault::denied("PURCHASE_NOT_PERMITTED", message).with("product_family", product_family)
}

/// Nobody turned it on.
pub fn not_permitted(product_family: &str) -> Fault {
    let message = "your partner has not permitted you to buy by yourselves in this family of products";
    Fault::denied("PURCHASE_NOT_PERMITTED", message).with("product_family", product_family)
}
