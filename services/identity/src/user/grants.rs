//! Who grants which role to a partner user (C3). One table: a stricter rule is a change of one line.

use std::collections::BTreeSet;

use super::Role;

/// The roles that a holder of a role may grant. Who is not here grants nothing.
pub const GRANTS: &[(Role, &[Role])] = &[
    (
        Role::GlobalAdmin,
        &[
            Role::GlobalAdmin,
            Role::UserManagementAdmin,
            Role::BillingAdmin,
            Role::AdminAgent,
            Role::SalesAgent,
            Role::HelpdeskAgent,
        ],
    ),
    (Role::UserManagementAdmin, &[Role::UserManagementAdmin, Role::SalesAgent, Role::HelpdeskAgent]),
    (Role::AdminAgent, &[Role::AdminAgent, Role::SalesAgent, Role::HelpdeskAgent]),
];

/// Whether somebody with these roles may grant the role: whether one of the roles may.
pub fn may_grant(granter: &BTreeSet<Role>, role: Role) -> bool {
    GRANTS.iter().any(|(holder, granted)| granter.contains(holder) && granted.contains(&role))
}

/// The first of the roles that somebody with these roles may not grant.
pub fn ungrantable(granter: &BTreeSet<Role>, roles: &BTreeSet<Role>) -> Option<Role> {
    roles.iter().copied().find(|role| !may_grant(granter, *role))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organization::Kind;

    #[test]
    fn every_role_of_a_partner_and_no_other_is_granted_by_a_global_admin() {
        let granter = BTreeSet::from([Role::GlobalAdmin]);
        for role in Role::ALL {
            assert_eq!(may_grant(&granter, role), role.belongs_to(Kind::Partner), "{role:?}");
        }
    }

    #[test]
    fn nobody_can_raise_themselves_or_grant_what_they_could_not_grant_alone() {
        for (holder, granted) in GRANTS {
            for role in *granted {
                let reached = GRANTS.iter().find(|(other, _)| other == role).map_or(&[][..], |(_, granted)| granted);
                assert!(
                    reached.iter().all(|next| granted.contains(next)),
                    "{holder:?} grants {role:?}, who grants more"
                );
            }
        }
    }

    #[test]
    fn two_roles_grant_what_either_of_them_grants() {
        let granter = BTreeSet::from([Role::UserManagementAdmin, Role::AdminAgent]);
        let wanted = BTreeSet::from([Role::UserManagementAdmin, Role::AdminAgent, Role::HelpdeskAgent]);
        assert_eq!(ungrantable(&granter, &wanted), None);
        assert_eq!(ungrantable(&granter, &BTreeSet::from([Role::BillingAdmin])), Some(Role::BillingAdmin));
        assert_eq!(ungrantable(&BTreeSet::from([Role::BillingAdmin]), &wanted), Some(Role::UserManagementAdmin));
    }
}
