//! Offers: under which conditions a product is sold.
//!
//! Owns where, how many, how often and whether, what an add-on adds to, and what is a trial. Promises that an offer sells
//! one product for ever. Refuses to know prices: nothing here is billed.

pub(crate) mod buying;
pub mod commitment;
pub mod ops;
pub mod store;
pub(crate) mod wire;

use std::collections::BTreeSet;

use base::{Fault, Id, Timestamp};

use crate::product::Product;

pub use commitment::Commitments;

/// Seats of one subscription at most.
pub const QUANTITY_MAX: i64 = 1_000_000;

/// Countries of an offer that is not sold everywhere, at most.
pub const COUNTRIES_MAX: usize = 250;

/// Offers that one add-on adds to, at most.
pub const PARENTS_MAX: usize = 100;

/// Subscriptions of one customer under one offer that a limit can allow, at most.
pub const LIMIT_MAX: i64 = 10_000;

/// How many subscriptions of one customer an offer allows, whoever sells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// At one time: those that are not deleted count.
    Concurrent(i64),
    /// Ever.
    Lifetime(i64),
}

impl Limit {
    /// As the database writes its unit.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Concurrent(_) => "CONCURRENT",
            Self::Lifetime(_) => "LIFETIME",
        }
    }

    /// The number.
    pub const fn count(self) -> i64 {
        match self {
            Self::Concurrent(count) | Self::Lifetime(count) => count,
        }
    }
}

/// Characters of the name of a product family, at most.
pub const PRODUCT_FAMILY_MAX: usize = 50;

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
    /// What it brings ends by itself ([`crate::subscription::TRIAL_LIFE`]).
    pub trial: bool,
    /// How often a customer can have it.
    pub limit: Option<Limit>,
    /// What it adds to, if it is an add-on: a subscription under one of these offers.
    pub parents: BTreeSet<Id<Offer>>,
    /// How often it can be billed, and for how long a buyer can be bound.
    pub commitments: Commitments,
    /// What it is sold with when customers are let to buy by themselves (C26); empty for nothing.
    pub product_family: String,
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

    /// How often a customer can have it: a trial once, ever.
    pub fn effective_limit(&self) -> Option<Limit> {
        if self.trial { Some(Limit::Lifetime(1)) } else { self.limit }
    }

    /// Whether a subscription under it can have so many seats. The vendor's portal has different numbers for too many seats
    /// of an order and of a subscription that is there.
    ///
    /// # Errors
    /// `QUANTITY_OUT_OF_RANGE`.
    pub fn check_quantity(&self, quantity: i64, too_many_code: u32) -> Result<(), Fault> {
        let (minimum, maximum) = (self.minimum_quantity, self.maximum_quantity);
        if (minimum..=maximum).contains(&quantity) {
            return Ok(());
        }
        let message = format!("the offer is sold with {minimum} to {maximum} seats, not with {quantity}");
        Err(Fault::precondition("QUANTITY_OUT_OF_RANGE", message)
            .with("minimum", minimum)
            .with("maximum", maximum)
            .with("partner_center_code", if quantity > maximum { too_many_code } else { 2002 }))
    }

    /// Whether everything that can be chosen about it is the same.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let Self { create_time, update_time, version, .. } = other.clone();
        *other == Self { create_time, update_time, version, ..self.clone() }
    }
}
