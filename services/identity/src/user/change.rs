//! Changing a user, whoever's they are.
//!
//! Owns what every change respects: somebody who was deleted stays as they are, the caller saw the user as they are, and
//! one global admin of the organization stays.

use std::collections::BTreeSet;

use base::{Fault, Id};
use service::Cx;

use super::{Role, State, User, store};
use crate::{Identity, organization};

/// Whether the user can be changed by somebody who saw that version, or whichever.
///
/// # Errors
/// `USER_DELETED`, `ETAG_MISMATCH`.
pub(crate) fn check_change(user: &User, version: Option<i64>) -> Result<(), Fault> {
    if user.state == State::Deleted {
        return Err(Fault::precondition("USER_DELETED", "the user was removed"));
    }
    match version {
        Some(version) if version != user.version => Err(changed_meanwhile()),
        _ => Ok(()),
    }
}

/// Somebody else changed the user first.
pub(crate) fn changed_meanwhile() -> Fault {
    Fault::aborted("ETAG_MISMATCH", "the user was changed meanwhile; read it again")
}

/// Whether the organization has a global admin less when the user is left with those roles.
pub(crate) fn loses_global_admin(user: &User, left: &BTreeSet<Role>) -> bool {
    user.roles.contains(&Role::GlobalAdmin) && !left.contains(&Role::GlobalAdmin)
}

/// The user, if there is one to change and the caller saw them as they are. Policy has seen to it that the caller may.
pub(crate) async fn to_change(cx: &mut Cx<Identity>, id: Id<User>, version: Option<i64>) -> Result<User, Fault> {
    let user = store::lock(&mut cx.tx, id).await?.ok_or_else(|| Fault::not_found("user", id))?;
    check_change(&user, version)?;
    Ok(user)
}

/// The user as the change left them.
pub(crate) async fn changed(cx: &mut Cx<Identity>, id: Id<User>) -> Result<User, Fault> {
    store::get(&mut cx.tx, id).await?.ok_or_else(changed_meanwhile)
}

/// Refuses to leave the organization without a global admin. Its row is held before anybody is counted, so that two who
/// go at the same time are counted one after the other.
///
/// **Invariant:** one global admin stays (`of_two_global_admins_who_go_at_the_same_time_one_stays`).
pub(crate) async fn keep_a_global_admin(
    cx: &mut Cx<Identity>,
    user: &User,
    left: &BTreeSet<Role>,
) -> Result<(), Fault> {
    if !loses_global_admin(user, left) {
        return Ok(());
    }
    organization::store::lock(&mut cx.tx, user.organization).await?;
    if store::another_with_role(&mut cx.tx, user, Role::GlobalAdmin).await? {
        return Ok(());
    }
    Err(Fault::precondition(
        "LAST_GLOBAL_ADMIN",
        "the organization keeps at least one global admin; make somebody else one first",
    ))
}

#[cfg(test)]
mod tests {
    use base::{Id, Timestamp};

    use super::*;
    use crate::user::Credential;

    fn user(state: State, roles: &[Role]) -> User {
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
        let active = user(State::Active, &[]);
        assert!(check_change(&active, None).is_ok() && check_change(&active, Some(7)).is_ok());
        assert_eq!(check_change(&active, Some(6)).unwrap_err().reason(), "ETAG_MISMATCH");
        assert_eq!(check_change(&user(State::Deleted, &[]), Some(7)).unwrap_err().reason(), "USER_DELETED");
    }

    #[test]
    fn a_global_admin_is_lost_by_losing_that_role_and_no_other() {
        let admin = user(State::Active, &[Role::GlobalAdmin, Role::SalesAgent]);
        assert!(loses_global_admin(&admin, &BTreeSet::new()));
        assert!(loses_global_admin(&admin, &BTreeSet::from([Role::SalesAgent])));
        assert!(!loses_global_admin(&admin, &BTreeSet::from([Role::GlobalAdmin])));
        assert!(!loses_global_admin(&user(State::Active, &[Role::SalesAgent]), &BTreeSet::new()));
    }
}
