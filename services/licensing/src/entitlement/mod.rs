//! Entitlements: what a customer owns of a product, over everybody who sold it.
//!
//! Owns the pools of seats: one row per customer and product, to which every subscription adds its seats and from which
//! every license takes one. Promises that no seat is given twice: who changes a counter holds its row, rows are held in
//! the order of their products, and what is counted is read after they are held. A suspended seat stays with who has it and
//! is given to nobody. Refuses to know who uses a seat.

pub mod ops;
pub mod store;
pub(crate) mod wire;

use base::Id;

use crate::offer::Offer;
use crate::organization::Organization;
use crate::product::Product;
use crate::product_rules::Rules;
use crate::subscription::Subscription;

/// Subscriptions that are told of one entitlement at most.
pub const SOURCES_MAX: usize = 1_000;

/// A customer's seats of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The product.
    pub product: Id<Product>,
    /// The seats of all subscriptions, the suspended ones too.
    pub seats: i64,
    /// Those among them whose subscription is suspended.
    pub suspended: i64,
    /// The seats that licenses take.
    pub consumed: i64,
}

/// Whether the licenses of a product can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// All of them.
    Enabled,
    /// More licenses than active seats: nobody else gets one.
    Warning,
    /// None: every subscription is suspended.
    Suspended,
}

impl Pool {
    /// The seats whose subscription is active.
    pub const fn active(&self) -> i64 {
        self.seats - self.suspended
    }

    /// The licenses beyond the active seats: they take seats that are suspended.
    pub fn warning(&self) -> i64 {
        (-self.free()).max(0)
    }

    /// The active seats, and the suspended ones that licenses still take.
    pub fn total(&self) -> i64 {
        self.active() + self.warning()
    }

    /// What is left.
    pub fn available(&self) -> i64 {
        self.free().max(0)
    }

    /// The active seats less those that are taken: below zero when licenses take suspended ones, which must be given
    /// back before anything is left.
    pub const fn free(&self) -> i64 {
        self.active() - self.consumed
    }

    /// Whether its licenses can be used.
    pub const fn capability(&self) -> Capability {
        if self.active() == 0 {
            Capability::Suspended
        } else if self.free() < 0 {
            Capability::Warning
        } else {
            Capability::Enabled
        }
    }
}

/// How a change of subscriptions moves the seats of one product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Seats that come, or go.
    pub seats: i64,
    /// Suspended seats that come, or go.
    pub suspended: i64,
}

impl Shift {
    /// The licenses that have no seat any more after it.
    pub fn surplus(&self, pool: &Pool) -> i64 {
        (pool.consumed - (pool.seats + self.seats)).max(0)
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
    /// Who uses the product, in which group it is and who gives it. Without what its service plans need and exclude.
    pub rules: Rules,
    /// The subscriptions that brought the seats, as far as the caller may see them: those of which more can be ordered
    /// first, then in the order of their ids.
    pub sources: Vec<Source>,
    /// There are more of them than [`SOURCES_MAX`].
    pub more_sources: bool,
}

impl Entitlement {
    /// Puts the sources in their order and leaves out what is too much.
    fn cut_sources(&mut self) {
        self.sources.sort_by_key(|source| (!source.orderable, source.subscription));
        self.more_sources = self.sources.len() > SOURCES_MAX;
        self.sources.truncate(SOURCES_MAX);
    }
}

/// A subscription that brought seats.
#[derive(Clone, Debug)]
pub struct Source {
    /// To which product.
    pub product: Id<Product>,
    /// The subscription.
    pub subscription: Id<Subscription>,
    /// Under which offer.
    pub offer: Id<Offer>,
    /// The family in which the offer is sold to customers who buy by themselves.
    pub product_family: String,
    /// The partner of record.
    pub partner: Id<Organization>,
    /// The reseller of record, by its id in the vendor's partner network, if there is one.
    pub reseller_mpn_id: Option<String>,
    /// Its seats.
    pub quantity: i64,
    /// They cannot be used.
    pub suspended: bool,
    /// Whoever looks can order more of it.
    pub orderable: bool,
}

/// How the counters of a pool differ from what they count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Whose pool.
    pub customer: Id<Organization>,
    /// What the pool says; zero everywhere when there is none.
    pub told: Pool,
    /// What subscriptions and licenses say.
    pub counted: Pool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Id;

    fn pool(seats: i64, suspended: i64, consumed: i64) -> Pool {
        Pool { product: Id::from_uuid(uuid::Uuid::nil()), seats, suspended, consumed }
    }

    #[test]
    fn total_is_active_and_warning_and_what_is_left_is_total_less_consumed() {
        for (seats, suspended, consumed) in [(10, 0, 0), (10, 0, 10), (10, 10, 8), (10, 4, 5), (10, 4, 8), (10, 10, 0)]
        {
            let pool = pool(seats, suspended, consumed);
            assert_eq!(pool.total(), pool.active() + pool.warning(), "{pool:?}");
            assert_eq!(pool.available(), pool.total() - consumed, "{pool:?}");
            assert!(consumed <= pool.total(), "{pool:?}");
        }
    }

    #[test]
    fn a_product_is_suspended_when_every_seat_is_and_warns_when_licenses_take_suspended_ones() {
        assert_eq!(pool(10, 4, 6).capability(), Capability::Enabled);
        assert_eq!(pool(10, 4, 7).capability(), Capability::Warning);
        assert_eq!(pool(10, 10, 0).capability(), Capability::Suspended);
    }

    #[test]
    fn licenses_beyond_the_seats_that_stay_have_to_go() {
        assert_eq!(Shift { seats: -4, suspended: 0 }.surplus(&pool(10, 0, 8)), 2);
        assert_eq!(Shift { seats: -2, suspended: -2 }.surplus(&pool(10, 2, 8)), 0);
        assert_eq!(Shift { seats: 0, suspended: 10 }.surplus(&pool(10, 0, 8)), 0);
    }
}
