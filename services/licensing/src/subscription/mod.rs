//! Subscriptions: what was ordered for a customer, by whom, and how many seats it brought.
//!
//! Owns orders and what they bring. Promises that an order brings all of its lines or none, and that the seats of a
//! subscription are in the customer's pool from the moment that it exists. Refuses to know prices and bills.

pub mod ops;
pub mod store;
mod wire;

use base::{Fault, Id, Timestamp};

use crate::offer::Offer;
use crate::organization::Organization;
use crate::partner::{PartnerKind, Standing};
use crate::product::Product;

/// Lines of one order at most.
pub const LINES_MAX: usize = 100;

/// An order; nothing is kept of it but its id.
#[derive(Debug)]
pub struct Order;

/// A subscription. All of them are active.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its id.
    pub id: Id<Subscription>,
    /// The order that brought it.
    pub order: Id<Order>,
    /// For whom.
    pub customer: Id<Organization>,
    /// What.
    pub product: Id<Product>,
    /// Under which offer.
    pub offer: Id<Offer>,
    /// What people call it.
    pub friendly_name: String,
    /// Its seats.
    pub quantity: i64,
    /// The partner who ordered it.
    pub partner: Id<Organization>,
    /// The reseller of record, if there is one.
    pub reseller: Option<Reseller>,
    /// When it was ordered.
    pub create_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
    /// Guards updates.
    pub version: i64,
}

impl Subscription {
    /// Whether it is this organization's business: the customer's, the seller's, the reseller of record's.
    pub fn is_seen_by(&self, organization: Id<Organization>) -> bool {
        let reseller = self.reseller.as_ref().map(|reseller| reseller.id);
        organization == self.customer || organization == self.partner || reseller == Some(organization)
    }
}

/// A reseller of record, as it was when it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reseller {
    /// The reseller.
    pub id: Id<Organization>,
    /// Its id in the vendor's partner network.
    pub mpn_id: String,
}

/// One line of an order.
#[derive(Clone, Debug)]
pub struct Line {
    /// Under which offer.
    pub offer: Id<Offer>,
    /// Seats.
    pub quantity: i64,
    /// What people will call the subscription; none for the offer's own name.
    pub friendly_name: Option<String>,
}

/// Whether an offer can be ordered so for a customer in that country. Refusals carry the numbers of the vendor's portal.
///
/// # Errors
/// `OFFER_NOT_AVAILABLE`, `OFFER_NOT_IN_COUNTRY`, `QUANTITY_OUT_OF_RANGE`.
pub fn check_line(line: &Line, offer: &Offer, country: &str) -> Result<(), Fault> {
    if !offer.available {
        return Err(Fault::precondition("OFFER_NOT_AVAILABLE", "the offer cannot be ordered at the moment"));
    }
    if !offer.is_sold_in(country) {
        return Err(Fault::precondition("OFFER_NOT_IN_COUNTRY", format!("the offer is not sold in {country}"))
            .with("country", country)
            .with("partner_center_code", 800070));
    }
    let (minimum, maximum) = (offer.minimum_quantity, offer.maximum_quantity);
    if !(minimum..=maximum).contains(&line.quantity) {
        let message = format!("the offer is sold with {minimum} to {maximum} seats, not with {}", line.quantity);
        return Err(Fault::precondition("QUANTITY_OUT_OF_RANGE", message)
            .with("minimum", minimum)
            .with("maximum", maximum)
            .with("partner_center_code", 2002));
    }
    Ok(())
}

/// Whether this one can be the reseller of record of an order. One with whom the seller does not work answers like
/// nobody.
///
/// # Errors
/// `RESELLER_NOT_PARTNERED`, `RESELLER_SUSPENDED`.
pub fn check_reseller(found: Option<(Standing, bool)>) -> Result<Reseller, Fault> {
    match found {
        Some((standing, true)) if standing.kind == PartnerKind::Reseller => {
            if standing.suspended {
                return Err(Fault::precondition("RESELLER_SUSPENDED", "the reseller of record is suspended")
                    .with("partner_center_code", 800039));
            }
            Ok(Reseller { id: standing.partner, mpn_id: standing.mpn_id })
        }
        _ => {
            let message = "no reseller with this MPN id has an active partnership with your organization";
            Err(Fault::precondition("RESELLER_NOT_PARTNERED", message).with("partner_center_code", 800016))
        }
    }
}
