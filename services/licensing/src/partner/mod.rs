//! Partners, as the partner service tells of them: what they are in the channel, and which of them work together.
//!
//! Owns the copies that licensing holds; the partner service is the only writer of the facts. Promises that the higher
//! version wins. Refuses to know what a partner may do at a customer: that is an access.

pub mod store;

use base::{Fault, Id};

use crate::organization::Organization;

/// What a partner is, in the channel or to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerKind {
    /// An indirect reseller: manages a customer's users and licenses, and orders nothing itself.
    Reseller,
    /// An indirect provider: places the orders of resellers' customers.
    Provider,
    /// A direct-bill partner: does both.
    Direct,
}

impl PartnerKind {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reseller => "RESELLER",
            Self::Provider => "PROVIDER",
            Self::Direct => "DIRECT",
        }
    }

    /// Reads what [`PartnerKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Reseller, Self::Provider, Self::Direct].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What a partner is in the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The partner's organization.
    pub partner: Id<Organization>,
    /// What it is.
    pub kind: PartnerKind,
    /// What it has goes on, nothing new begins.
    pub suspended: bool,
    /// Its id in the vendor's partner network.
    pub mpn_id: String,
    /// Rises with every change.
    pub version: i64,
}

/// How a provider and a reseller stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partnership {
    /// The provider.
    pub provider: Id<Organization>,
    /// The reseller.
    pub reseller: Id<Organization>,
    /// They work together.
    pub active: bool,
    /// Rises with every change.
    pub version: i64,
}

/// Whether a partner may begin anything new: what a suspended one has goes on.
///
/// # Errors
/// `ACCOUNT_SUSPENDED`.
pub fn check_may_begin(standing: Option<&Standing>) -> Result<(), Fault> {
    if standing.is_some_and(|standing| standing.suspended) {
        let message = "the organization is suspended as a partner: what it has goes on, nothing new begins";
        return Err(Fault::precondition("ACCOUNT_SUSPENDED", message).with("partner_center_code", 800039));
    }
    Ok(())
}
