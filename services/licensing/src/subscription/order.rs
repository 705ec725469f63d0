//! Orders: what stands in a line, and whether it can be had so.

use base::{Fault, Id};

use super::Subscription;
use crate::offer::commitment::Commitment;
use crate::offer::{Limit, Offer};

/// Lines of one order at most.
pub const LINES_MAX: usize = 100;

/// An order; nothing is kept of it but its id.
#[derive(Debug)]
pub struct Order;

/// One line of an order.
#[derive(Clone, Debug)]
pub struct Line {
    /// Under which offer.
    pub offer: Id<Offer>,
    /// Seats.
    pub quantity: i64,
    /// What it adds to, if it is an add-on.
    pub parent: Option<Id<Subscription>>,
    /// What people will call the subscription; none for the offer's own name.
    pub friendly_name: Option<String>,
    /// How often it is to be billed, and for how long the buyer is to be bound; nothing where there is no choice.
    pub commitment: Commitment,
    /// The reseller of record, if it is not the order's.
    pub reseller_mpn_id: Option<String>,
}

/// Whether an offer can be ordered so for a customer in that country. Refusals carry the numbers of the vendor's portal.
///
/// # Errors
/// `OFFER_NOT_AVAILABLE`, `OFFER_NOT_IN_COUNTRY`, `QUANTITY_OUT_OF_RANGE`.
pub fn check_terms(quantity: i64, offer: &Offer, country: &str) -> Result<(), Fault> {
    check_available(offer)?;
    check_country(offer, country)?;
    offer.check_quantity(quantity, 800_067)
}

/// Whether an offer can be ordered now.
///
/// # Errors
/// `OFFER_NOT_AVAILABLE`.
pub fn check_available(offer: &Offer) -> Result<(), Fault> {
    if offer.available {
        return Ok(());
    }
    Err(Fault::precondition("OFFER_NOT_AVAILABLE", "the offer cannot be ordered at the moment"))
}

/// Whether an offer is sold to customers in that country.
///
/// # Errors
/// `OFFER_NOT_IN_COUNTRY`.
pub fn check_country(offer: &Offer, country: &str) -> Result<(), Fault> {
    if offer.is_sold_in(country) {
        return Ok(());
    }
    Err(Fault::precondition("OFFER_NOT_IN_COUNTRY", format!("the offer is not sold in {country}"))
        .with("country", country)
        .with("partner_center_code", 800070))
}

/// Whether an offer can add to this subscription, or to none.
///
/// # Errors
/// `PARENT_REQUIRED`, `PARENT_NOT_SUITABLE`, `PARENT_NOT_ACTIVE`.
pub fn check_parent(offer: &Offer, parent: Option<&Subscription>) -> Result<(), Fault> {
    match parent {
        None if offer.parents.is_empty() => Ok(()),
        None => {
            let message = "the offer is an add-on: name the subscription that it adds to";
            Err(Fault::precondition("PARENT_REQUIRED", message))
        }
        // Who was ordered as an add-on takes none, whatever its offer says now: what adds to it would follow nobody.
        Some(parent) if parent.parent.is_some() || !offer.parents.contains(&parent.offer) => {
            let message = "the offer does not add to that subscription";
            Err(Fault::precondition("PARENT_NOT_SUITABLE", message).with("parent_subscription_id", parent.id))
        }
        Some(parent) => parent.check_takes_add_ons(),
    }
}

/// Whether a customer who counts so many subscriptions under an offer can have another one.
///
/// # Errors
/// `SUBSCRIPTION_LIMIT_REACHED`.
pub fn check_limit(limit: Limit, counted: i64) -> Result<(), Fault> {
    if counted < limit.count() {
        return Ok(());
    }
    let message = match limit {
        Limit::Concurrent(count) => format!("a customer has at most {count} subscriptions under this offer"),
        Limit::Lifetime(count) => format!("a customer gets this offer {count} times, ever"),
    };
    Err(Fault::exhausted("SUBSCRIPTION_LIMIT_REACHED", message)
        .with("limit", limit.count())
        .with("limit_unit", limit.unit())
        .with("partner_center_code", 800066))
}

/// Whether a customer who owns the product, or does not, can have it under this offer: what is owned is not tried.
///
/// # Errors
/// `PRODUCT_OWNED`.
pub fn check_new(offer: &Offer, is_owned: bool) -> Result<(), Fault> {
    if !(offer.trial && is_owned) {
        return Ok(());
    }
    let message = "the customer owns the product already: a trial is for what it does not have";
    Err(Fault::precondition("PRODUCT_OWNED", message).with("product_id", offer.product))
}
