//! Partner users: the people of a partner, managed by some of them (D-25 to D-27), and by its provider's global admins
//! and admin agents while it lets them (C25).
//!
//! Owns what a change of a partner user must respect: the name lies in one of the organization's domains, somebody who
//! was removed stays removed, and one global admin stays (C3). Who may do it to whom is decided in
//! [`crate::policy`], over the table of [`crate::user::grants`].

pub mod ops;
pub mod store;
mod wire;

use std::collections::BTreeSet;

use base::Fault;

use crate::user::{self, Role, User};

/// Whether the user can be changed by somebody who saw that version, or whichever.
///
/// # Errors
/// `USER_DELETED`, `ETAG_MISMATCH`.
pub fn check_change(user: &User, version: Option<i64>) -> Result<(), Fault> {
    if user.state == user::State::Deleted {
        return Err(Fault::precondition("USER_DELETED", "the user was removed"));
    }
    match version {
        Some(version) if version != user.version => Err(changed_meanwhile()),
        _ => Ok(()),
    }
}

fn changed_meanwhile() -> Fault {
    Fault::aborted("ETAG_MISMATCH", "the user was changed meanwhile; read it again")
}

/// Whether the organization has a global admin less when the user is left with those roles.
pub fn loses_global_admin(user: &User, left: &BTreeSet<Role>) -> bool {
    user.roles.contains(&Role::GlobalAdmin) && !left.contains(&Role::GlobalAdmin)
}

#[cfg(test)]
mod tests {
    use base::{Id, Timestamp};

    use super::*;
    use crate::user::Credential;

    fn user(state: user::State, roles: &[Role]) -> User {
        User {
            id: Id::random(),
            organization: Id::random(),
            sign_in_name: "ada@fabrikam.example".to_owned(),
            sign_in_key: "ada@fabrikam.example".to_owned(),
            display_name: "Ada".to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            usage_location: None,
            state,
            roles: roles.iter().copied().collect(),
            credential: Credential::temporary([0; 32], Timestamp::from_micros(0)),
            credential_set_by: None,
            credential_set_time: Timestamp::from_micros(0),
            auth_version: 1,
            version: 7,
            create_time: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn a_removed_user_and_one_who_was_changed_meanwhile_are_left_alone() {
        let active = user(user::State::Active, &[]);
        assert!(check_change(&active, None).is_ok() && check_change(&active, Some(7)).is_ok());
        assert_eq!(check_change(&active, Some(6)).unwrap_err().reason(), "ETAG_MISMATCH");
        assert_eq!(check_change(&user(user::State::Deleted, &[]), Some(7)).unwrap_err().reason(), "USER_DELETED");
    }

    #[test]
    fn a_global_admin_is_lost_by_losing_that_role_and_no_other() {
        let admin = user(user::State::Active, &[Role::GlobalAdmin, Role::SalesAgent]);
        assert!(loses_global_admin(&admin, &BTreeSet::new()));
        assert!(loses_global_admin(&admin, &BTreeSet::from([Role::SalesAgent])));
        assert!(!loses_global_admin(&admin, &BTreeSet::from([Role::GlobalAdmin])));
        assert!(!loses_global_admin(&user(user::State::Active, &[Role::SalesAgent]), &BTreeSet::new()));
    }
}
