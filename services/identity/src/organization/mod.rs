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

use base::{Fault, Id, Timestamp};

use crate::country::Country;
use crate::names::{DisplayName, Domain, DomainPrefix, LocalName, SignInName};

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

impl Organization {
    /// Whether it can get a user of that name.
    ///
    /// # Errors
    /// `ACCOUNT_SUSPENDED`, `DOMAIN_NOT_OWNED_BY_CUSTOMER`, and for other organizations `DOMAIN_NOT_OWNED`.
    pub fn check_addition(&self, name: &SignInName) -> Result<(), Fault> {
        if self.state == State::Suspended {
            return Err(Fault::precondition("ACCOUNT_SUSPENDED", "a suspended organization gets no new users"));
        }
        if self.domains.iter().any(|domain| domain.as_str() == name.domain()) {
            return Ok(());
        }
        let owned = self.domains.iter().map(Domain::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("{} is not a domain of this organization; it has {owned}", name.domain());
        let fault = match self.kind {
            Kind::Customer => Fault::precondition("DOMAIN_NOT_OWNED_BY_CUSTOMER", message),
            Kind::Partner | Kind::Platform => Fault::precondition("DOMAIN_NOT_OWNED", message),
        };
        Err(fault.with("domain", name.domain()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(state: State) -> Organization {
        Organization {
            id: Id::random(),
            kind: Kind::Partner,
            name: "Fabrikam".to_owned(),
            country: Country::parse("DE").unwrap(),
            cloud: Cloud::Global,
            state,
            domains: ["fabrikam.tandem.example", "fabrikam.example"].map(|text| Domain::parse(text).unwrap()).to_vec(),
            create_time: Timestamp::from_micros(0),
            version: 1,
        }
    }

    #[test]
    fn a_name_lies_in_a_domain_of_the_organization_and_not_below_or_above_one() {
        let active = organization(State::Active);
        let reason = |name: &str| {
            let name = SignInName::parse(name).unwrap();
            active.check_addition(&name).map_or_else(|fault| fault.reason().to_owned(), |()| "FINE".to_owned())
        };
        assert_eq!(reason("ada@fabrikam.example"), "FINE");
        assert_eq!(reason("ADA@Fabrikam.Tandem.EXAMPLE"), "FINE");
        for foreign in ["ada@contoso.example", "ada@mail.fabrikam.example", "ada@tandem.example"] {
            assert_eq!(reason(foreign), "DOMAIN_NOT_OWNED", "{foreign}");
        }
    }

    #[test]
    fn a_suspended_organization_gets_nobody() {
        let name = SignInName::parse("ada@fabrikam.example").unwrap();
        let refused = organization(State::Suspended).check_addition(&name).unwrap_err();
        assert_eq!(refused.reason(), "ACCOUNT_SUSPENDED");
    }
}
