//! Accounts: what makes an organization a partner.
//!
//! Owns the kind of a partner, whether it takes part, its id in the vendor's partner network and where its customers
//! turn to. Promises that an MPN id belongs to one partner. Refuses to begin anything new for a suspended one.

pub mod ops;
pub mod saga;
pub mod store;
pub mod wire;

use base::{Fault, Id, Timestamp};

use crate::email::Email;
use crate::organization::Organization;

/// Digits of an MPN id at most.
pub const MPN_ID_MAX: usize = 20;
/// Characters of a phone number at most.
pub const PHONE_MAX: usize = 30;
/// Characters of a website's address at most.
pub const WEBSITE_MAX: usize = 500;

/// What a partner is in the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerKind {
    /// Manages customers' users and licenses, and orders nothing itself (D-07).
    Reseller,
    /// A distributor: places the orders of resellers' customers.
    Provider,
    /// Does both.
    Direct,
}

/// Whether a partner takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Active,
    /// What it has goes on; nothing new begins.
    Suspended,
}

/// An id in the vendor's partner network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MpnId(String);

/// Where a partner's customers turn to for help.
#[derive(Clone, Debug)]
pub struct SupportContact {
    /// Always there.
    pub email: Email,
    /// May be empty.
    pub phone: String,
    /// May be empty.
    pub website: String,
}

/// A partner's account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The partner's organization.
    pub partner: Id<Organization>,
    /// What it is.
    pub kind: PartnerKind,
    /// Whether it takes part.
    pub state: State,
    /// Its id in the vendor's partner network.
    pub mpn_id: MpnId,
    /// Where its customers turn to.
    pub support: SupportContact,
    /// Guards changes.
    pub version: i64,
    /// When it was taken in.
    pub create_time: Timestamp,
}

impl Account {
    /// Refuses to begin something new for a suspended partner.
    ///
    /// # Errors
    /// `ACCOUNT_SUSPENDED`.
    pub fn check_active(&self) -> Result<(), Fault> {
        match self.state {
            State::Active => Ok(()),
            State::Suspended => Err(suspended()),
        }
    }
}

/// The refusal for a partner that is suspended.
pub fn suspended() -> Fault {
    Fault::precondition(
        "ACCOUNT_SUSPENDED",
        "the partner's account is suspended: nothing new begins until it is reinstated",
    )
}

impl MpnId {
    /// Reads 1 to 20 digits.
    ///
    /// # Errors
    /// `REQUIRED`, `TOO_LONG` or `MALFORMED`.
    pub fn parse(text: &str) -> Result<Self, (&'static str, String)> {
        let text = text.trim();
        if text.is_empty() {
            return Err(("REQUIRED", "is required".to_owned()));
        }
        if text.len() > MPN_ID_MAX {
            return Err(("TOO_LONG", format!("has more than {MPN_ID_MAX} digits")));
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(("MALFORMED", "an MPN id has digits only".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
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

    /// Whether it buys from the vendor: a reseller never does (D-07).
    pub const fn orders(self) -> bool {
        matches!(self, Self::Provider | Self::Direct)
    }
}

impl State {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
        }
    }

    /// Reads what [`State::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended].into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mpn_id_has_digits_only() {
        assert_eq!(MpnId::parse(" 5512345 ").unwrap().as_str(), "5512345");
        let reason = |text: &str| MpnId::parse(text).unwrap_err().0;
        assert_eq!(reason(""), "REQUIRED");
        assert_eq!(reason("123456789012345678901"), "TOO_LONG");
        for text in ["12a", "-1", "1 2", "\u{661}"] {
            assert_eq!(reason(text), "MALFORMED", "{text}");
        }
    }

    #[test]
    fn a_reseller_orders_nothing_and_the_others_do() {
        assert!(!PartnerKind::Reseller.orders() && PartnerKind::Provider.orders() && PartnerKind::Direct.orders());
    }
}
