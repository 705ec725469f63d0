//! Who grants which role, to a partner user (C3) and to a customer user (C24). Tables: a stricter rule is a change of
//! one line.

use std::collections::BTreeSet;

use super::Role;

/// The roles that a holder of a role may grant. Who is not here grants nothing.
pub type Grants = &'static [(Role, &'static [Role])];

/// To a partner user.
pub const PARTNER_USERS: Grants = &[
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

/// To a customer user. Sales agents and helpdesk agents have power over plain users only.
pub const CUSTOMER_USERS: Grants = &[
    (Role::GlobalAdmin, EVERY_CUSTOMER_ROLE),
    (Role::AdminAgent, EVERY_CUSTOMER_ROLE),
    (Role::UserManagementAdmin, &[Role::UserManagementAdmin, Role::PasswordAdmin, Role::ServiceAdmin]),
];

const EVERY_CUSTOMER_ROLE: &[Role] =
    &[Role::GlobalAdmin, Role::UserManagementAdmin, Role::PasswordAdmin, Role::ServiceAdmin];

/// Whether somebody with these roles may grant the role: whether one of the roles may.
pub fn may_grant(grants: Grants, granter: &BTreeSet<Role>, role: Role) -> bool {
    grants.iter().any(|(holder, granted)| granter.contains(holder) && granted.contains(&role))
}

/// The first of the roles that somebody with these roles may not grant.
pub fn ungrantable(grants: Grants, granter: &BTreeSet<Role>, roles: &BTreeSet<Role>) -> Option<Role> {
    roles.iter().copied().find(|role| !may_grant(grants, granter, *role))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organization::Kind;

    #[test]
    fn every_role_that_a_user_can_hold_and_no_other_is_granted_by_a_global_admin() {
        let granter = BTreeSet::from([Role::GlobalAdmin]);
        for role in Role::ALL {
            assert_eq!(may_grant(PARTNER_USERS, &granter, role), role.belongs_to(Kind::Partner), "{role:?}");
            assert_eq!(may_grant(CUSTOMER_USERS, &granter, role), role.belongs_to(Kind::Customer), "{role:?}");
        }
    }

    #[test]
    fn nobody_can_raise_themselves_or_grant_what_they_could_not_grant_alone() {
        for (holder, granted) in PARTNER_USERS {
            for role in *granted {
                let reached =
                    PARTNER_USERS.iter().find(|(other, _)| other == role).map_or(&[][..], |(_, granted)| granted);
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
        assert_eq!(ungrantable(PARTNER_USERS, &granter, &wanted), None);
        assert_eq!(
            ungrantable(PARTNER_USERS, &granter, &BTreeSet::from([Role::BillingAdmin])),
            Some(Role::BillingAdmin)
        );
        assert_eq!(
            ungrantable(PARTNER_USERS, &BTreeSet::from([Role::BillingAdmin]), &wanted),
            Some(Role::UserManagementAdmin)
        );
    }

    #[test]
    fn who_manages_plain_users_only_grants_a_customer_user_nothing() {
        for role in Role::ALL {
            let granter = BTreeSet::from([Role::SalesAgent, Role::HelpdeskAgent]);
            assert!(!may_grant(CUSTOMER_USERS, &granter, role), "{role:?}");
        }
        let manager = BTreeSet::from([Role::UserManagementAdmin]);
        assert!(may_grant(CUSTOMER_USERS, &manager, Role::ServiceAdmin));
        assert!(!may_grant(CUSTOMER_USERS, &manager, Role::GlobalAdmin));
    }
}
