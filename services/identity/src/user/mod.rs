//! Users: people who sign in. Owns names, roles and credentials; refuses to keep a secret that can be read back.

pub(crate) mod change;
pub mod grants;
mod secret;
pub mod store;
mod telling;

pub(crate) use secret::{forget_secret, new_password};
pub(crate) use telling::{fact, tell};

use std::collections::BTreeSet;
use std::time::Duration;

use base::{Id, Timestamp};

use crate::country::Country;
use crate::names;
use crate::organization::{Kind, Organization};

/// How long a temporary password can be used (C18).
pub const TEMPORARY_LIFE: Duration = Duration::from_secs(72 * 3600);

/// What a user may do. Which roles exist for whom is the organization's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Everything its organization may do.
    GlobalAdmin,
    /// Users of its organization, and of customers under delegated admin.
    UserManagementAdmin,
    /// Catalog and journal.
    BillingAdmin,
    /// Customers, orders, relationships.
    AdminAgent,
    /// Customers, orders.
    SalesAgent,
    /// Help for customers' users.
    HelpdeskAgent,
    /// A customer's admin for passwords.
    PasswordAdmin,
    /// A customer's admin for services.
    ServiceAdmin,
    /// The vendor's staff (C23).
    Operator,
}

impl Role {
    /// All of them, in the order of the contract.
    pub const ALL: [Self; 9] = [
        Self::GlobalAdmin,
        Self::UserManagementAdmin,
        Self::BillingAdmin,
        Self::AdminAgent,
        Self::SalesAgent,
        Self::HelpdeskAgent,
        Self::PasswordAdmin,
        Self::ServiceAdmin,
        Self::Operator,
    ];

    /// As tokens and the database write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GlobalAdmin => "GLOBAL_ADMIN",
            Self::UserManagementAdmin => "USER_MANAGEMENT_ADMIN",
            Self::BillingAdmin => "BILLING_ADMIN",
            Self::AdminAgent => "ADMIN_AGENT",
            Self::SalesAgent => "SALES_AGENT",
            Self::HelpdeskAgent => "HELPDESK_AGENT",
            Self::PasswordAdmin => "PASSWORD_ADMIN",
            Self::ServiceAdmin => "SERVICE_ADMIN",
            Self::Operator => "OPERATOR",
        }
    }

    /// Reads what [`Role::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether users of such an organization can hold it.
    pub const fn belongs_to(self, kind: Kind) -> bool {
        match kind {
            Kind::Partner => matches!(
                self,
                Self::GlobalAdmin
                    | Self::UserManagementAdmin
                    | Self::BillingAdmin
                    | Self::AdminAgent
                    | Self::SalesAgent
                    | Self::HelpdeskAgent
            ),
            Kind::Customer => {
                matches!(self, Self::GlobalAdmin | Self::UserManagementAdmin | Self::PasswordAdmin | Self::ServiceAdmin)
            }
            Kind::Platform => matches!(self, Self::Operator),
        }
    }
}

/// Roles as the journal writes them.
pub fn words(roles: &BTreeSet<Role>) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ")
}

/// Whether a user takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// They do.
    Active,
    /// Deleted, and restorable for 30 days.
    Deleted,
}

/// How a user proves who they are: with one of the two, never both.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A password the user chose, as argon2id.
    Chosen {
        /// The PHC string.
        password_hash: String,
    },
    /// A system-made secret, under a keyed hash (C18).
    Temporary {
        /// Its digest.
        digest: Vec<u8>,
        /// 72 h after it was made.
        expire_time: Timestamp,
    },
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Their id.
    pub id: Id<User>,
    /// Their organization.
    pub organization: Id<Organization>,
    /// What they sign in with, as it was written.
    pub sign_in_name: String,
    /// The same, normalized and unique among the living.
    pub sign_in_key: String,
    /// Full name.
    pub display_name: String,
    /// First name; may be empty.
    pub first_name: String,
    /// Last name; may be empty.
    pub last_name: String,
    /// Where a customer's user uses licenses (C8).
    pub usage_location: Option<Country>,
    /// Whether they take part.
    pub state: State,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// How they prove who they are.
    pub credential: Credential,
    /// The organization that made the user or last reset their credential, unless they made themself. It stays when they
    /// choose a password: an acceptance by them shows through whose hands their way in went.
    pub credential_set_by: Option<Id<Organization>>,
    /// When that was.
    pub credential_set_time: Timestamp,
    /// Raised by everything that reduces what their tokens may do.
    pub auth_version: i64,
    /// Guards updates.
    pub version: i64,
    /// When they were made.
    pub create_time: Timestamp,
}

impl Credential {
    /// A temporary password, made now.
    pub fn temporary(digest: [u8; 32], now: Timestamp) -> Self {
        Self::Temporary { digest: digest.to_vec(), expire_time: now + TEMPORARY_LIFE }
    }

    /// When it can be used no more, if ever.
    pub const fn expire_time(&self) -> Option<Timestamp> {
        match self {
            Self::Chosen { .. } => None,
            Self::Temporary { expire_time, .. } => Some(*expire_time),
        }
    }
}

impl User {
    /// What lists are ordered by before the id: the normalized full name, then the sign-in name. Neither holds the
    /// character between them, so that a name comes before every longer one.
    pub fn sort_key(&self) -> String {
        format!("{}\u{1}{}", names::sort_key(&self.display_name), self.sign_in_key)
    }

    /// Whether the credential is a temporary one, which has to be replaced.
    pub const fn must_change_password(&self) -> bool {
        matches!(self.credential, Credential::Temporary { .. })
    }
}

impl State {
    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Deleted => "DELETED",
        }
    }

    /// Reads what [`State::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Deleted].into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_belongs_to_some_kind_and_reads_back() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert!([Kind::Partner, Kind::Customer, Kind::Platform].into_iter().any(|kind| role.belongs_to(kind)));
        }
    }
}
