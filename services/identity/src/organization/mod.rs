//! Organizations: who takes part in the channel. A customer is an organization, and its id is the customer id.
//!
//! Owns names, countries, clouds and proven domains. Refuses unproven claims: a new organization gets
//! `<prefix>.<suffix>` and nothing else; a further one comes from an operator who has checked it (C35). One that is
//! pending exists for whoever makes it ([`crate::origin`]) and for nobody else.

mod founding;
pub mod ops;
pub mod store;
mod telling;
mod wire;

pub(crate) use founding::{Founded, Founding, domain_of, domain_taken, found};
pub(crate) use telling::{fact, tell};
pub(crate) use wire::{cloud, name, present};

use base::{Id, Timestamp};

use crate::country::Country;
use crate::names::{DisplayName, Domain, DomainPrefix, LocalName};

/// Domains of one organization at most.
pub const DOMAINS_MAX: usize = 100;

/// What an organization is in the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// Whether an organization takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Somebody is about to make it: nobody sees it, and its domain is taken.
    Pending,
    /// It does.
    Active,
    /// Its members may sign in and read.
    Suspended,
}

/// An organization.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Its id.
    pub id: Id<Organization>,
    /// What it is.
    pub kind: Kind,
    /// Legal name.
    pub name: String,
    /// Where it is; also its region (C34).
    pub country: Country,
    /// Which cloud it is in, for ever.
    pub cloud: Cloud,
    /// Whether it takes part.
    pub state: State,
    /// Its proven domains, the one it was made with first.
    pub domains: Vec<Domain>,
    /// When it was made.
    pub create_time: Timestamp,
    /// Guards updates.
    pub version: i64,
}

/// An organization to make, with its first global admin.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is.
    pub kind: Kind,
    /// Legal name.
    pub name: String,
    /// Where it is.
    pub country: Country,
    /// Which cloud it is in.
    pub cloud: Cloud,
    /// The first label of its first domain.
    pub prefix: DomainPrefix,
    /// The admin's full name.
    pub admin_display_name: DisplayName,
    /// The part of the admin's sign-in name before the `@`.
    pub admin_name: LocalName,
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
    /// As tokens and the database write it.
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

impl State {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
        }
    }

    /// Reads what [`State::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Active, Self::Suspended].into_iter().find(|state| state.as_str() == text)
    }
}
