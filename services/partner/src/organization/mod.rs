//! Organizations as identity tells them: who partners and customers are.
//!
//! Owns a copy and nothing else: identity is the only writer of these facts, and the higher version wins. Promises that
//! the name under which a partner's customers are listed follows. Refuses to guess: an organization that has not been
//! told yet is unknown here, until somebody who belongs to it asks.

pub mod store;
pub mod wire;

use base::Id;
use base::country::Country;
use base::names::{DisplayName, DomainPrefix, LocalName};

/// What an organization is in the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A partner, or one that wants to be.
    Partner,
    /// A tenant whose users get licenses.
    Customer,
    /// The vendor's own staff (C23).
    Platform,
}

/// The separate instances of the vendor's cloud (C22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Worldwide.
    Global,
    /// Of the United States government.
    UsGovernment,
}

/// An organization.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Its id; for a customer also the customer id.
    pub id: Id<Organization>,
    /// What it is.
    pub kind: Kind,
    /// Legal name.
    pub name: String,
    /// Where it is; also its region (C34).
    pub country: Country,
    /// Which cloud it is in, for ever.
    pub cloud: Cloud,
    /// Its proven domains in lower case, the one it was made with first (C35).
    pub domains: Vec<String>,
    /// Identity's version of it.
    pub version: i64,
}

impl Kind {
    /// As tokens and the database write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partner => "PARTNER",
            Self::Customer => "CUSTOMER",
            Self::Platform => "PLATFORM",
        }
    }

    /// Reads what [`Kind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Partner, Self::Customer, Self::Platform].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Cloud {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "GLOBAL",
            Self::UsGovernment => "US_GOVERNMENT",
        }
    }

    /// Reads what [`Cloud::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Global, Self::UsGovernment].into_iter().find(|cloud| cloud.as_str() == text)
    }
}

/// An organization that is to be made at identity, with its first global admin.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// PARTNER or CUSTOMER.
    pub kind: Kind,
    /// Legal name.
    pub name: String,
    /// Where it is.
    pub country: Country,
    /// Which cloud it will be in.
    pub cloud: Cloud,
    /// The first label of its domain.
    pub prefix: DomainPrefix,
    /// The first global admin's full name.
    pub admin_display_name: DisplayName,
    /// The part of the admin's sign-in name before the `@`.
    pub admin_name: LocalName,
}
