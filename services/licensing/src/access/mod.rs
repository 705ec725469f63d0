//! Access: what a partner may do at a customer, as the partner service tells of it.
//!
//! Owns the copy that licensing holds, one row per customer and partner, and the intents of decisions that are about to
//! be made. Promises that the higher epoch wins, and that an intent gives no authority: it only tells whom to ask
//! before an access that does not suffice is taken for the last word. Refuses to decide: the partner service does.

pub mod ops;
pub mod store;
mod wire;

use base::{Id, Timestamp};
use uuid::Uuid;

use crate::organization::Organization;
use crate::partner::PartnerKind;

/// What a partner may do at a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The customer.
    pub customer: Id<Organization>,
    /// The partner.
    pub partner: Id<Organization>,
    /// As what it serves the customer; none when it never did.
    pub kind: Option<PartnerKind>,
    /// The customer is in the partner's list. Without it nothing is allowed.
    pub active: bool,
    /// The customer grants delegated admin. It survives the relationship.
    pub delegated_admin: bool,
    /// The partner may place orders.
    pub order_right: bool,
    /// Rises with every change of this customer and partner.
    pub epoch: i64,
}

/// A provider whom an invitation names that is bound to a customer: it knows of the customer before it may do anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The invitation.
    pub invitation: Uuid,
    /// The customer.
    pub customer: Id<Organization>,
    /// The provider.
    pub provider: Id<Organization>,
    /// The invitation can be accepted, and whoever invites serves the customer.
    pub is_open: bool,
    /// When it can be accepted no more.
    pub expire_time: Timestamp,
    /// Rises with every change of the invitation.
    pub version: i64,
}

impl Access {
    /// What intents about this access are about.
    pub fn about(&self) -> (Uuid, Uuid) {
        (self.customer.uuid(), self.partner.uuid())
    }
}
