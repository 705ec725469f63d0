//! Organizations, as identity tells of them: who takes part in the channel, and where.
//!
//! Owns the copy that licensing holds; identity is the only writer of the fact. Promises that the higher version wins.
//! Refuses to know what an organization may do: that is an access of a partner to a customer.

pub mod store;

use base::Id;

/// An organization as identity last told of it. A customer is an organization, and its id is the customer id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: Id<Organization>,
    /// What it is: `PARTNER`, `CUSTOMER` or `PLATFORM`.
    pub kind: &'static str,
    /// Legal name.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// `GLOBAL` or `US_GOVERNMENT`.
    pub cloud: &'static str,
    /// `ACTIVE` or `SUSPENDED`.
    pub state: &'static str,
    /// Rises with every change.
    pub version: i64,
}
