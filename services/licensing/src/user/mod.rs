//! Customer users, as identity tells of them: who can hold a license.
//!
//! Owns the copy that licensing holds; identity is the only writer of the fact. Promises that the higher version wins,
//! and that a deletion waits for whoever is giving the customer's users licenses. Refuses to know roles and passwords.

pub mod store;

use std::collections::HashMap;

use base::Id;

use crate::organization::Organization;

/// Something of each of many users, found fast. The hash has a seed of its own in every map, as callers pick the ids.
pub type PerUser<V> = HashMap<Id<User>, V, foldhash::fast::RandomState>;

/// A customer's user as identity last told of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: Id<User>,
    /// Whose user they are.
    pub customer: Id<Organization>,
    /// Full name.
    pub display_name: String,
    /// What they sign in with.
    pub sign_in_name: String,
    /// What lists are ordered by, before the id.
    pub sort_key: String,
    /// ISO 3166-1 alpha-2 of where their licenses are used; empty when it is not set.
    pub usage_location: String,
    /// Whether they take part.
    pub state: State,
    /// Rises with every change.
    pub version: i64,
}

/// Whether a user takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// They do.
    Active,
    /// They were deleted.
    Deleted,
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
