//! Offers: under which conditions a product is sold.
//!
//! Owns where, how many and whether. Promises that an offer sells one product for ever. Refuses to know prices: nothing
//! here is billed.

pub mod ops;
pub mod store;
mod wire;

use std::collections::BTreeSet;

use base::{Id, Timestamp};

use crate::product::Product;

/// Seats of one subscription at most.
pub const QUANTITY_MAX: i64 = 1_000_000;

/// Countries of an offer that is not sold everywhere, at most.
pub const COUNTRIES_MAX: usize = 250;

/// An offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its id, which the operators chose.
    pub id: Id<Offer>,
    /// What it sells.
    pub product: Id<Product>,
    /// What people call it.
    pub name: String,
    /// Where it is sold; everywhere when there is none.
    pub countries: BTreeSet<String>,
    /// The fewest seats of an order line.
    pub minimum_quantity: i64,
    /// The most seats of an order line.
    pub maximum_quantity: i64,
    /// It can be ordered now.
    pub available: bool,
    /// When it was made.
    pub create_time: Timestamp,
    /// When it was last changed.
    pub update_time: Timestamp,
    /// Guards updates.
    pub version: i64,
}

impl Offer {
    /// Whether it is sold in a country.
    pub fn is_sold_in(&self, country: &str) -> bool {
        self.countries.is_empty() || self.countries.contains(country)
    }

    /// Whether everything that can be chosen about it is the same.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let Self { create_time, update_time, version, .. } = other.clone();
        *other == Self { create_time, update_time, version, ..self.clone() }
    }
}
