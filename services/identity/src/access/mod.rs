//! Access: what a partner may do at a customer, as the partner service tells it (§4 of the design).
//!
//! Owns the copy of every confirmed access, of what partners are, and of how providers and resellers stand to each
//! other; the higher epoch or version wins. Promises that an intent gives no authority: while a decision is open, and
//! what is confirmed does not allow a call, the owner is asked how it ended. Refuses to decide anything itself.
//!
//! **Invariant:** prepare, cancel and apply converge in every order and number
//! (`every_order_and_repetition_of_prepare_cancel_and_apply_converges`).

pub mod ops;
mod resolution;
pub mod store;
mod wire;

pub(crate) use resolution::resolve;

use base::Id;
use saga::intent::Intent;
use uuid::Uuid;

use crate::organization::Organization;

/// What an attempt hangs on that only another service knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unresolved {
    /// How a decision of partner ended.
    Decision(Uuid),
}

/// A customer and a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The customer.
    pub customer: Id<Organization>,
    /// The partner.
    pub partner: Id<Organization>,
}

/// What a partner is in the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerKind {
    /// Manages customers, and buys from a provider.
    Reseller,
    /// Places the orders of resellers' customers.
    Provider,
    /// Both.
    Direct,
}

/// What a partner may do at a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who, and where.
    pub pair: Pair,
    /// As what the partner serves the customer, if it ever did.
    pub kind: Option<PartnerKind>,
    /// The customer is in the partner's list. Without it nothing is allowed.
    pub active: bool,
    /// The customer grants delegated admin; it survives the relationship.
    pub delegated_admin: bool,
    /// The partner may place orders.
    pub order_right: bool,
    /// Rises with every change.
    pub epoch: i64,
}

/// Whether a partner takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerState {
    /// It does.
    Active,
    /// What it has goes on, nothing new begins.
    Suspended,
}

/// What a partner is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerStanding {
    /// The partner.
    pub partner: Id<Organization>,
    /// What it is.
    pub kind: PartnerKind,
    /// Whether it takes part.
    pub state: PartnerState,
    /// Rises with every change.
    pub version: i64,
}

/// How a provider and a reseller stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnershipStanding {
    /// The provider.
    pub provider: Id<Organization>,
    /// The reseller.
    pub reseller: Id<Organization>,
    /// The partnership is ACTIVE.
    pub active: bool,
    /// The provider has administrator access to the reseller's own organization.
    pub provider_admin_access: bool,
    /// Rises with every change.
    pub version: i64,
}

/// What partner tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// An access, and the decision that brought it about.
    Access(Access, Option<Uuid>),
    /// A partner.
    Partner(PartnerStanding),
    /// A partnership.
    Partnership(PartnershipStanding),
}

impl Pair {
    /// As intents name it.
    pub fn about(self) -> (Uuid, Uuid) {
        (self.customer.uuid(), self.partner.uuid())
    }

    /// As intents named it.
    pub fn of(intent: &Intent) -> Self {
        let (customer, partner) = intent.about;
        Self { customer: Id::from_uuid(customer), partner: Id::from_uuid(partner) }
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
}

impl PartnerState {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
        }
    }
}
