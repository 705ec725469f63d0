//! Customers of partners: relationships, and delegated admin beside them.
//!
//! Owns one relationship for each customer and partner, and the delegated admin that the customer grants that partner,
//! which outlives the relationship (D-81). Promises that partners of one customer are independent of each other, and
//! that every change is told to the other services under a higher epoch. Refuses to end a relationship without the
//! attestation (D-82).

pub mod access;
pub mod ops;
pub mod saga;
pub mod store;
pub mod wire;

use base::{Fault, Id, Timestamp};

use crate::account::PartnerKind;
use crate::organization::Organization;

/// Whether a partner serves a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Active,
    /// It did.
    Removed,
}

/// Where a relationship comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The partner, or its provider, made the customer.
    Creation,
    /// The customer accepted an invitation.
    Invitation,
}

/// A partner and a customer.
#[derive(Clone, Debug)]
pub struct Relationship {
    /// The customer.
    pub customer: Id<Organization>,
    /// The partner.
    pub partner: Id<Organization>,
    /// As what the partner serves the customer, or served.
    pub kind: PartnerKind,
    /// Whether it does.
    pub state: State,
    /// Where it comes from.
    pub source: Source,
    /// Since when it is in its state.
    pub since: Timestamp,
    /// Guards changes.
    pub version: i64,
}

/// What a customer grants a partner beside the relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelegatedAdmin {
    /// Whether it is granted.
    pub is_granted: bool,
    /// Guards changes.
    pub version: i64,
}

impl Relationship {
    /// Whether the partner serves the customer.
    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }

    /// Whether the partner may place orders for the customer: its own relationship says so (D-77).
    pub fn orders(&self) -> bool {
        self.is_active() && self.kind.orders()
    }

    /// Whether somebody who saw that version, or whichever, may end it.
    ///
    /// # Errors
    /// `ATTESTATION_REQUIRED`, `ETAG_MISMATCH`.
    pub fn check_removal(&self, is_attested: bool, version: Option<i64>) -> Result<(), Fault> {
        check_attestation(is_attested)?;
        match version {
            Some(version) if version != self.version => Err(changed_meanwhile("relationship")),
            _ => Ok(()),
        }
    }
}

/// Refuses to end something that is not attested (D-82).
///
/// # Errors
/// `ATTESTATION_REQUIRED`.
pub fn check_attestation(is_attested: bool) -> Result<(), Fault> {
    if is_attested {
        return Ok(());
    }
    let message =
        "set attestation_accepted: you act in good faith, for a lawful reason, and give every notice yourself";
    Err(Fault::precondition("ATTESTATION_REQUIRED", message))
}

/// The refusal for a stale etag.
pub(crate) fn changed_meanwhile(noun: &str) -> Fault {
    Fault::aborted("ETAG_MISMATCH", format!("the {noun} was changed meanwhile; read it again"))
}

impl State {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Removed => "REMOVED",
        }
    }

    /// Reads what [`State::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Removed].into_iter().find(|state| state.as_str() == text)
    }
}

impl Source {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creation => "CREATION",
            Self::Invitation => "INVITATION",
        }
    }

    /// Reads what [`Source::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Creation, Self::Invitation].into_iter().find(|source| source.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relationship(kind: PartnerKind, state: State) -> Relationship {
        Relationship {
            customer: Id::random(),
            partner: Id::random(),
            kind,
            state,
            source: Source::Creation,
            since: Timestamp::from_micros(0),
            version: 3,
        }
    }

    #[test]
    fn the_right_to_order_is_the_relationship_of_one_who_buys() {
        assert!(relationship(PartnerKind::Provider, State::Active).orders());
        assert!(relationship(PartnerKind::Direct, State::Active).orders());
        assert!(!relationship(PartnerKind::Reseller, State::Active).orders());
        assert!(!relationship(PartnerKind::Provider, State::Removed).orders());
    }

    #[test]
    fn an_end_is_attested_and_of_what_was_seen() {
        let relationship = relationship(PartnerKind::Reseller, State::Active);
        assert!(relationship.check_removal(true, None).is_ok() && relationship.check_removal(true, Some(3)).is_ok());
        assert_eq!(relationship.check_removal(false, Some(3)).unwrap_err().reason(), "ATTESTATION_REQUIRED");
        assert_eq!(relationship.check_removal(true, Some(2)).unwrap_err().reason(), "ETAG_MISMATCH");
    }
}
