//! Subscriptions of customers, in brief: a copy of what licensing tells, for the views of customers.
//!
//! Owns nothing: licensing is the only writer of these facts, and the higher version wins. Promises that what was deleted
//! stays so, however late an earlier fact arrives. Refuses to be asked what may be done.

pub mod store;
pub mod wire;

use base::{Id, Timestamp};

use crate::organization::Organization;

/// A subscription of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id at licensing.
    pub id: Id<Subscription>,
    /// For whom.
    pub customer: Id<Organization>,
    /// The partner of record.
    pub partner: Id<Organization>,
    /// The reseller of record, if there is one.
    pub reseller: Option<Id<Organization>>,
    /// What people called the product when this was told.
    pub product_name: String,
    /// What people call it.
    pub friendly_name: String,
    /// Its seats.
    pub quantity: i64,
    /// Whether they can be used.
    pub state: State,
    /// Orders what is told of it.
    pub version: i64,
}

/// Whether the seats of a subscription can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// They can.
    Active,
    /// They cannot.
    Suspended {
        /// From this moment on it is deleted.
        expire_time: Timestamp,
    },
    /// They are gone.
    Deleted,
}

impl State {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended { .. } => "SUSPENDED",
            Self::Deleted => "DELETED",
        }
    }

    /// Until when a suspended one can be reactivated.
    pub const fn expire_time(self) -> Option<Timestamp> {
        match self {
            Self::Suspended { expire_time } => Some(expire_time),
            Self::Active | Self::Deleted => None,
        }
    }

    /// Reads what [`State::as_str`] and [`State::expire_time`] wrote.
    pub fn parse(text: &str, expire_time: Option<Timestamp>) -> Option<Self> {
        match (text, expire_time) {
            ("ACTIVE", None) => Some(Self::Active),
            ("SUSPENDED", Some(expire_time)) => Some(Self::Suspended { expire_time }),
            ("DELETED", None) => Some(Self::Deleted),
            _ => None,
        }
    }
}

/// What a partner sees of a customer's subscriptions.
#[derive(Clone, Debug, Default)]
pub struct Portfolio {
    /// The first of them by name.
    pub first: Vec<Subscription>,
    /// How many are active.
    pub active: i64,
    /// How many are suspended.
    pub suspended: i64,
}
