//! Licenses: which of a customer's users take its seats.
//!
//! Owns who holds what, and the one rule by which licenses are given and taken. Promises that a user gets everything
//! that a request asks for or stays as they are, that users are judged in the order of the request and independently of
//! one another, and that no seat is given twice. Refuses to change anybody who was deleted.

pub mod ops;
pub mod store;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{HashMap, HashSet};

use base::Id;

use crate::entitlement::{Capability, Pool};
use crate::product::Product;
use crate::user::User;

/// Users of one change at most (C17).
pub const USERS_MAX: usize = 10_000;
/// Products of one change at most (C17).
pub const PRODUCTS_MAX: usize = 20;
/// Pairs of a user and a product in one change at most (C17).
pub const PAIRS_MAX: usize = 50_000;
/// Users of one summary at most (C17).
pub const SELECTION_MAX: usize = 1_000;

/// Some of the products of a change, by their place in it: at most [`PRODUCTS_MAX`], so that they fit a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Places(u32);

impl Places {
    /// The first `count` places.
    pub fn first(count: usize) -> Self {
        (0..count).fold(Self::default(), Self::with)
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, place: usize) -> Self {
        Self(self.0 | 1 << place)
    }

    /// Those of these that are not among the others.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Those that are among both.
    #[must_use]
    pub const fn shared_with(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each place, ascending.
    pub fn each(self) -> impl Iterator<Item = usize> {
        (0..PRODUCTS_MAX).filter(move |place| self.0 >> place & 1 == 1)
    }
}

/// What a request asks for: the same for each of its users.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whom it names, in the order of the request.
    pub users: Vec<Id<User>>,
    /// What each of them gets and loses: first the products to give, then those to take, each once.
    pub products: Vec<Id<Product>>,
    /// How many of them are to give.
    pub gives: usize,
}

/// What is known of a user under the lock of the pools.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// They were deleted.
    pub deleted: bool,
    /// It is set where they use licenses.
    pub located: bool,
    /// What they hold of the change's products.
    pub held: Places,
}

/// Why a user stays as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The customer has no such user.
    UserNotFound,
    /// The user was deleted.
    UserDeleted,
    /// It is not set where the user uses licenses.
    UsageLocationRequired,
    /// The customer has no subscription to the product at this place.
    NotEntitled {
        /// The place.
        place: usize,
    },
    /// Every subscription to the product at this place is suspended.
    SubscriptionSuspended {
        /// The place.
        place: usize,
    },
    /// Every seat of the product at this place is taken, at this position of the request.
    NoSeats {
        /// The place.
        place: usize,
        /// How many seats there are.
        total: i64,
    },
}

impl Obstacle {
    /// The stable word for it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::UserNotFound => "NOT_FOUND",
            Self::UserDeleted => "USER_DELETED",
            Self::UsageLocationRequired => "USAGE_LOCATION_REQUIRED",
            Self::NotEntitled { .. } => "NOT_ENTITLED",
            Self::SubscriptionSuspended { .. } => "SUBSCRIPTION_SUSPENDED",
            Self::NoSeats { .. } => "NO_SEATS_AVAILABLE",
        }
    }

    /// The product that it is about, unless it is about the user.
    pub const fn place(self) -> Option<usize> {
        match self {
            Self::NotEntitled { place } | Self::SubscriptionSuspended { place } | Self::NoSeats { place, .. } => {
                Some(place)
            }
            Self::UserNotFound | Self::UserDeleted | Self::UsageLocationRequired => None,
        }
    }
}

/// What becomes of one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They get and lose something.
    Changed {
        /// What they get.
        given: Places,
        /// What they lose.
        taken: Places,
    },
    /// They have it already, or stand at an earlier position too.
    Unchanged,
    /// They stay as they are.
    Failed(Vec<Obstacle>),
}

/// Judges a change, position by position, as if they were asked for one after the other: who stands earlier gets scarce
/// seats first, and what an earlier one gives back a later one may take.
///
/// **Invariant:** the outcome is what a sequence of changes of one user each would bring
/// (`random_batches_do_what_a_sequence_of_single_changes_does`).
pub fn classify(change: &Change, pools: &[Pool], members: &HashMap<Id<User>, Member>) -> Vec<Outcome> {
    let pool = |product: &Id<Product>| pools.iter().find(|pool| pool.product == *product);
    let mut seats: Vec<Option<Seats>> = change.products.iter().map(|product| pool(product).map(Seats::of)).collect();
    let to_give = Places::first(change.gives);
    let to_take = Places::first(change.products.len()).without(to_give);
    let mut seen = HashSet::with_capacity(change.users.len());
    let judge = |user: &Id<User>| {
        if !seen.insert(*user) {
            return Outcome::Unchanged;
        }
        let Some(member) = members.get(user) else { return Outcome::Failed(vec![Obstacle::UserNotFound]) };
        if member.deleted {
            return Outcome::Failed(vec![Obstacle::UserDeleted]);
        }
        let (given, taken) = (to_give.without(member.held), to_take.shared_with(member.held));
        if given.is_empty() && taken.is_empty() {
            return Outcome::Unchanged;
        }
        let obstacles = obstacles(member, given, &seats);
        if !obstacles.is_empty() {
            return Outcome::Failed(obstacles);
        }
        move_seats(&mut seats, given, -1);
        move_seats(&mut seats, taken, 1);
        Outcome::Changed { given, taken }
    };
    change.users.iter().map(judge).collect()
}

/// The seats of one product while a change is judged.
#[derive(Clone, Copy)]
struct Seats {
    free: i64,
    total: i64,
    suspended: bool,
}

impl Seats {
    fn of(pool: &Pool) -> Self {
        Self { free: pool.free(), total: pool.total(), suspended: pool.capability() == Capability::Suspended }
    }
}

fn obstacles(member: &Member, given: Places, seats: &[Option<Seats>]) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    if !given.is_empty() && !member.located {
        obstacles.push(Obstacle::UsageLocationRequired);
    }
    for place in given.each() {
        match seats.get(place).copied().flatten() {
            None => obstacles.push(Obstacle::NotEntitled { place }),
            Some(seats) if seats.suspended => obstacles.push(Obstacle::SubscriptionSuspended { place }),
            Some(seats) if seats.free < 1 => obstacles.push(Obstacle::NoSeats { place, total: seats.total }),
            Some(_) => {}
        }
    }
    obstacles
}

fn move_seats(seats: &mut [Option<Seats>], places: Places, by: i64) {
    for place in places.each() {
        if let Some(Some(seats)) = seats.get_mut(place) {
            seats.free += by;
        }
    }
}

/// What has to be written for one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The product.
    pub product: Id<Product>,
    /// Who gets it.
    pub given: Vec<Id<User>>,
    /// Who loses it.
    pub taken: Vec<Id<User>>,
}

/// What has to be written, product by product in the order of their ids, as their pools are held.
pub fn moves(change: &Change, outcomes: &[Outcome]) -> Vec<Move> {
    let none = |product: &Id<Product>| Move { product: *product, given: Vec::new(), taken: Vec::new() };
    let mut moves: Vec<Move> = change.products.iter().map(none).collect();
    for (user, outcome) in change.users.iter().zip(outcomes) {
        let Outcome::Changed { given, taken } = outcome else { continue };
        for (place, each) in moves.iter_mut().enumerate() {
            let this = Places::default().with(place);
            if !given.shared_with(this).is_empty() {
                each.given.push(*user);
            }
            if !taken.shared_with(this).is_empty() {
                each.taken.push(*user);
            }
        }
    }
    moves.retain(|each| !each.given.is_empty() || !each.taken.is_empty());
    moves.sort_by_key(|each| each.product);
    moves
}

/// How many of some users hold a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// None of them.
    None,
    /// Some, not all.
    Some,
    /// Every one.
    All,
}

impl Holding {
    /// How many of how many; of nobody none do.
    pub const fn of(holders: usize, users: usize) -> Self {
        match holders {
            0 => Self::None,
            holders if holders == users => Self::All,
            _ => Self::Some,
        }
    }
}
