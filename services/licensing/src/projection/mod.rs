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

impl Told {
    /// Where it stands among others: by what it is about. What is told twice of one thing keeps its order.
    fn place(&self) -> (u8, Uuid, Uuid) {
        match self {
            Self::Floor { principal, .. } => (0, *principal, Uuid::nil()),
            Self::Organization(organization) => (1, organization.id.uuid(), Uuid::nil()),
            Self::User(user) => (2, user.customer.uuid(), user.id.uuid()),
            Self::Access { access, .. } => (3, access.customer.uuid(), access.partner.uuid()),
            Self::Naming(naming) => (4, naming.customer.uuid(), naming.invitation),
            Self::Standing(standing) => (5, standing.partner.uuid(), Uuid::nil()),
            Self::Partnership(partnership) => (6, partnership.provider.uuid(), partnership.reseller.uuid()),
            Self::Abandoned(decision) => (7, *decision, Uuid::nil()),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::State;

    fn user(customer: u128, id: u128, version: i64) -> Told {
        Told::User(User {
            id: Id::from_uuid(Uuid::from_u128(id)),
            customer: Id::from_uuid(Uuid::from_u128(customer)),
            display_name: String::new(),
            sign_in_name: String::new(),
            sort_key: String::new(),
            usage_location: String::new(),
            state: State::Active,
            version,
        })
    }

    #[test]
    fn two_messages_about_the_same_things_are_taken_over_in_one_order() {
        let floor = Told::Floor { principal: Uuid::from_u128(9), auth_version: 1 };
        let ordered = [floor, user(1, 7, 2), user(1, 8, 1), user(2, 3, 1), Told::Abandoned(Uuid::nil())];
        let mut reversed: Vec<&Told> = ordered.iter().rev().collect();
        reversed.sort_by_key(|told| told.place());
        assert_eq!(reversed, ordered.iter().collect::<Vec<_>>());

        let (first, second) = (user(1, 7, 1), user(1, 7, 2));
        let mut twice = [&first, &second];
        twice.sort_by_key(|told| told.place());
        assert_eq!(twice, [&first, &second], "what is told twice of one user keeps its order");
    }
}
