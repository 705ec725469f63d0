//! Workloads: programs that act for an organization with a client id and a secret.
//!
//! Its global admins make them and grant them roles under C3. Acting for a named user means the intersection of
//! both; it is journaled and never counts as fresh authentication.

pub mod ops;
pub mod store;
mod wire;

use std::collections::BTreeSet;

use base::{Id, Timestamp};

use crate::organization::{Kind, Organization};
use crate::user::Role;

/// A program that acts for an organization.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its id, which is also its client id.
    pub id: Id<Workload>,
    /// Whom it acts for.
    pub organization: Id<Organization>,
    /// Unique within the organization.
    pub display_name: String,
    /// What it may do.
    pub roles: BTreeSet<Role>,
    /// Digest of its secret.
    pub secret_digest: [u8; 32],
    /// When the secret was made.
    pub secret_create_time: Timestamp,
    /// Raised when the secret is replaced.
    pub auth_version: i64,
    /// Guards updates.
    pub version: i64,
    /// When it was made.
    pub create_time: Timestamp,
}

/// The first of the roles that a workload of such an organization cannot hold.
pub fn unsuitable(roles: &BTreeSet<Role>, kind: Kind) -> Option<Role> {
    roles.iter().copied().find(|role| !role.belongs_to(kind))
}

/// The roles that a workload has while it acts for a user: those that both hold.
pub fn shared_roles(workload: &BTreeSet<Role>, user: &BTreeSet<Role>) -> BTreeSet<Role> {
    workload.intersection(user).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acting_for_a_user_means_the_roles_of_both() {
        let workload = BTreeSet::from([Role::AdminAgent, Role::SalesAgent]);
        let user = BTreeSet::from([Role::SalesAgent, Role::GlobalAdmin]);
        assert_eq!(shared_roles(&workload, &user), BTreeSet::from([Role::SalesAgent]));
    }

    #[test]
    fn a_role_of_another_kind_of_organization_is_unsuitable() {
        assert_eq!(unsuitable(&BTreeSet::from([Role::Operator]), Kind::Partner), Some(Role::Operator));
        assert_eq!(unsuitable(&BTreeSet::from([Role::AdminAgent]), Kind::Partner), None);
    }
}
