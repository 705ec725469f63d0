//! Entitlements: what a customer owns of a product, over everybody who sold it.
//!
//! Owns the pools of seats: one row per customer and product, to which every subscription adds its seats and from which
//! every license takes one. Promises that no seat is given twice: who changes a counter holds its row, rows are held in
//! the order of their products, and what is counted is read after they are held. Refuses to know who uses a seat.

pub mod ops;
pub mod store;
pub(crate) mod wire;

use base::Id;

use crate::offer::Offer;
use crate::organization::Organization;
use crate::product::Product;
use crate::subscription::Subscription;

/// A customer's seats of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The product.
    pub product: Id<Product>,
    /// The seats of all subscriptions.
    pub total: i64,
    /// The seats that licenses take.
    pub consumed: i64,
}

impl Pool {
    /// What is left.
    pub const fn available(&self) -> i64 {
        self.total - self.consumed
    }
}

/// What a customer owns of a product, as it is shown.
#[derive(Clone, Debug)]
pub struct Entitlement {
    /// The seats.
    pub pool: Pool,
    /// What people call the product.
    pub name: String,
    /// The vendor's part number.
    pub part_number: String,
    /// The subscriptions that brought the seats, as far as the caller may see them.
    pub sources: Vec<Source>,
}

/// A subscription that brought seats.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// To which product.
    pub product: Id<Product>,
    /// The subscription.
    pub subscription: Id<Subscription>,
    /// Under which offer.
    pub offer: Id<Offer>,
    /// Who ordered it.
    pub partner: Id<Organization>,
}
