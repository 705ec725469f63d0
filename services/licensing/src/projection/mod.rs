//! What the other services tell licensing, and what it asks them when it was not told yet.
//!
//! Owns how facts are read and where each goes. Promises that a repeated or late fact changes nothing, and that a fact
//! of a kind that this version does not know is refused, so that its sender keeps it, and never acknowledged and lost.
//! Refuses to judge a fact: its owner is its only writer.

pub mod ops;
pub mod wire;

use base::Id;
use uuid::Uuid;

use crate::access::{Access, Naming};
use crate::organization::Organization;
use crate::partner::{Partnership, Standing};
use crate::user::User;

/// One thing that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Tokens of this principal below the version are refused.
    Floor {
        /// A user or workload.
        principal: Uuid,
        /// The floor.
        auth_version: i64,
    },
    /// An organization as it is now.
    Organization(Organization),
    /// A customer's user as they are now.
    User(User),
    /// What a partner may do at a customer.
    Access {
        /// All of it.
        access: Access,
        /// The decision that brought it about, whose intents end with it.
        decision: Option<Uuid>,
    },
    /// Whom an invitation names.
    Naming(Naming),
    /// What a partner is in the channel.
    Standing(Standing),
    /// How a provider and a reseller stand to each other.
    Partnership(Partnership),
    /// A decision that will never be made.
    Abandoned(Uuid),
}

/// What an attempt hangs on that only another service knows, or that has to be written down before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unresolved {
    /// A decision of the partner service about the caller and the customer they ask for.
    Decision(Uuid),
    /// A customer whom the caller may see and whom identity has not told of yet.
    Organization(Id<Organization>),
    /// A customer to whose subscriptions something is due.
    Due(Id<Organization>),
    /// A user whom the customer was not seen to have, and whose licenses the caller may look at if it has.
    User {
        /// The customer.
        customer: Id<Organization>,
        /// The user.
        id: Id<User>,
    },
}
