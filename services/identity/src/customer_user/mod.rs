//! Customer users: the people of a customer, who use its licenses and whom its partners manage (D-10, C32).
//!
//! Owns what permission a customer's user can have: none beyond using what is licensed, that of a global admin, or any
//! of three others. Promises that the service which assigns licenses is told of every user, and that whoever is deleted is
//! out at once, whatever becomes of their seats. Who may manage whom is
//! decided in [`crate::policy`], over the table of [`crate::user::grants`] (C24).

pub mod ops;
pub mod store;
mod wire;

use std::collections::BTreeSet;
use std::time::Duration;

use base::{Id, Timestamp};
use uuid::Uuid;

use crate::country::Country;
use crate::names::{DisplayName, SignInName};
use crate::organization::Kind;
use crate::user::{Role, User};

/// How long a deletion can be undone (D-16).
pub const RESTORABLE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Users of a selection at most (D-31).
pub const SELECTED_MAX: usize = 1_000;

/// A user to make.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Full name.
    pub display_name: DisplayName,
    /// First name.
    pub first_name: Option<DisplayName>,
    /// Last name.
    pub last_name: Option<DisplayName>,
    /// What they will sign in with.
    pub sign_in_name: SignInName,
    /// Where they will use licenses.
    pub usage_location: Option<Country>,
    /// What they will be allowed.
    pub roles: BTreeSet<Role>,
}

/// What a user held who was deleted, as licensing tells it once their seats are free.
#[derive(Clone, Debug)]
pub struct Released {
    /// Who was deleted.
    pub user: Id<User>,
    /// Their version by the deletion.
    pub user_version: i64,
    /// What they held.
    pub licenses: Vec<ReleasedLicense>,
}

/// A license that ended with its user.
#[derive(Clone, Debug)]
pub struct ReleasedLicense {
    /// The product.
    pub product: Uuid,
    /// What people called it then.
    pub product_name: String,
    /// The service plans that were left out.
    pub excluded: BTreeSet<Uuid>,
    /// When it was given.
    pub assign_time: Timestamp,
}

/// Whether a customer's user can hold these roles together.
///
/// # Errors
/// `UNKNOWN_VALUE` for a role that no customer user holds, `MALFORMED` for a global admin with further roles.
pub fn check_roles(roles: &BTreeSet<Role>) -> Result<(), (&'static str, String)> {
    if let Some(foreign) = roles.iter().find(|role| !role.belongs_to(Kind::Customer)) {
        return Err(("UNKNOWN_VALUE", format!("{} is not a role of customer users", foreign.as_str())));
    }
    if roles.contains(&Role::GlobalAdmin) && roles.len() > 1 {
        return Err(("MALFORMED", "a GLOBAL_ADMIN needs no further roles; name it alone".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_none_a_global_admins_or_any_of_three_others() {
        let reason = |roles: &[Role]| {
            let roles = roles.iter().copied().collect();
            check_roles(&roles).map_or_else(|(reason, _)| reason, |()| "FINE")
        };
        let custom = [Role::UserManagementAdmin, Role::PasswordAdmin, Role::ServiceAdmin];
        assert_eq!([reason(&[]), reason(&[Role::GlobalAdmin]), reason(&custom), reason(&custom[1..])], ["FINE"; 4]);
        assert_eq!(reason(&[Role::GlobalAdmin, Role::ServiceAdmin]), "MALFORMED");
        for foreign in [Role::AdminAgent, Role::SalesAgent, Role::HelpdeskAgent, Role::BillingAdmin, Role::Operator] {
            assert_eq!(reason(&[Role::PasswordAdmin, foreign]), "UNKNOWN_VALUE", "{foreign:?}");
        }
    }
}
