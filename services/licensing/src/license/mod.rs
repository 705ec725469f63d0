//! Licenses: which of a customer's users take its seats.
//!
//! Owns who holds what, with which service plans, and the one rule by which licenses are given and taken (see
//! [`judgment`]). Promises that a user gets everything that a request asks for or stays as they are, that users are judged
//! in the order of the request and independently of one another, and that no seat is given twice. Refuses to change
//! anybody who was deleted: what they held is kept as it was then, and told to identity, which owns the deletion and would
//! own its undoing; nothing here gives it back.

pub mod journal;
pub mod judgment;
pub mod ops;
pub(crate) mod release;
mod size;
pub mod store;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use base::Id;
use base::country::Country;
use uuid::Uuid;

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

    /// These and those.
    #[must_use]
    pub const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether this is one of them.
    pub const fn has(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each place, ascending.
    pub fn each(self) -> impl ExactSizeIterator<Item = usize> {
        let mut left = self.0;
        (0..left.count_ones() as usize).map(move |_| {
            let next = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            next
        })
    }
}

/// Whether one user's failure is another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Users are independent of one another (C10).
    PerUser,
    /// Nobody changes unless everybody can.
    AllOrNothing,
}

/// What a request asks for: the same for each of its users.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whom it names, in the order of the request.
    pub users: Vec<Id<User>>,
    /// What each of them gets and loses: first the products to give, then those to take, each once.
    pub products: Vec<Id<Product>>,
    /// Of each product to give the service plans that are left out.
    pub excluded: Vec<Excluded>,
    /// Whether one user's failure is another's.
    pub mode: Mode,
}

/// Service plans of a product that are left out of a license.
pub type Excluded = BTreeSet<Uuid>;

impl Change {
    /// The products to give.
    pub fn gives(&self) -> Places {
        Places::first(self.excluded.len())
    }

    /// The products to take.
    pub fn takes(&self) -> Places {
        Places::first(self.products.len()).without(self.gives())
    }
}

/// What one user holds, with what is left out of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held(pub BTreeMap<Id<Product>, Excluded>);

/// What is known of a user under the lock of the pools.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// They were deleted.
    pub deleted: bool,
    /// Where they use licenses, when that is set.
    pub location: Option<Country>,
    /// What they hold: the place among the distinct holdings.
    pub held: usize,
}

/// Why a user stays as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The customer has no such user.
    UserNotFound,
    /// The user was deleted.
    UserDeleted,
    /// It is not set where the user uses licenses.
    UsageLocationRequired,
    /// The product at this place cannot be used where the user is.
    LocationNotAllowed {
        /// The place.
        place: usize,
        /// Where the user is.
        location: Country,
    },
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
    /// The product at this place brings a plan that needs another one.
    DependencyNotMet {
        /// The place.
        place: usize,
        /// The plan.
        plan: Uuid,
        /// It needs one of these.
        any_of: BTreeSet<Uuid>,
    },
    /// The product at this place brings what another one still needs.
    DependentPresent {
        /// The place.
        place: usize,
        /// The product that stays.
        dependent: Option<Id<Product>>,
        /// Its plan that needs another one.
        plan: Uuid,
        /// It needs one of these.
        any_of: BTreeSet<Uuid>,
    },
    /// The product at this place brings a plan that does not go together with another one.
    MutuallyExclusive {
        /// The place.
        place: usize,
        /// Its plan.
        plan: Uuid,
        /// The other plan.
        other: Uuid,
        /// The product that brings the other plan.
        holder: Option<Id<Product>>,
    },
    /// Somebody else of the request failed, and nobody changes unless everybody can.
    OthersFailed,
}

impl Obstacle {
    /// The stable word for it.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UserNotFound => "NOT_FOUND",
            Self::UserDeleted => "USER_DELETED",
            Self::UsageLocationRequired => "USAGE_LOCATION_REQUIRED",
            Self::LocationNotAllowed { .. } => "USAGE_LOCATION_NOT_ALLOWED",
            Self::NotEntitled { .. } => "NOT_ENTITLED",
            Self::SubscriptionSuspended { .. } => "SUBSCRIPTION_SUSPENDED",
            Self::NoSeats { .. } => "NO_SEATS_AVAILABLE",
            Self::DependencyNotMet { .. } => "DEPENDENCY_NOT_MET",
            Self::DependentPresent { .. } => "DEPENDENT_LICENSE_PRESENT",
            Self::MutuallyExclusive { .. } => "MUTUALLY_EXCLUSIVE",
            Self::OthersFailed => "OTHERS_FAILED",
        }
    }

    /// The product that it is about, unless it is about the user.
    pub const fn place(&self) -> Option<usize> {
        match self {
            Self::LocationNotAllowed { place, .. }
            | Self::NotEntitled { place }
            | Self::SubscriptionSuspended { place }
            | Self::NoSeats { place, .. }
            | Self::DependencyNotMet { place, .. }
            | Self::DependentPresent { place, .. }
            | Self::MutuallyExclusive { place, .. } => Some(*place),
            Self::UserNotFound | Self::UserDeleted | Self::UsageLocationRequired | Self::OthersFailed => None,
        }
    }
}

/// What a user gets and loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Effect {
    /// What they get.
    pub given: Places,
    /// What they keep, with other service plans.
    pub replanned: Places,
    /// What they lose.
    pub taken: Places,
}

impl Effect {
    /// Whether nothing happens.
    pub const fn is_nothing(self) -> bool {
        self.given.is_empty() && self.replanned.is_empty() && self.taken.is_empty()
    }

    /// What somebody holds afterwards.
    pub fn apply(self, change: &Change, held: &Held) -> Held {
        let mut after = held.clone();
        for place in self.taken.each() {
            change.products.get(place).map(|product| after.0.remove(product));
        }
        for place in self.given.or(self.replanned).each() {
            if let (Some(product), Some(excluded)) = (change.products.get(place), change.excluded.get(place)) {
                after.0.insert(*product, excluded.clone());
            }
        }
        after
    }
}

/// What becomes of one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They get and lose something.
    Changed(Effect),
    /// They have it already, or stand at an earlier position too.
    Unchanged,
    /// They stay as they are.
    Failed(Vec<Obstacle>),
}

/// What has to be written for one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The product.
    pub product: Id<Product>,
    /// Who gets it.
    pub given: Vec<Id<User>>,
    /// Who keeps it with other service plans.
    pub replanned: Vec<Id<User>>,
    /// What is left out for both.
    pub excluded: Excluded,
    /// Who loses it.
    pub taken: Vec<Id<User>>,
}

/// What has to be written, product by product in the order of their ids, as their pools are held.
pub fn moves(change: &Change, outcomes: &[Outcome]) -> Vec<Move> {
    let none = |(place, product): (usize, &Id<Product>)| Move {
        product: *product,
        given: Vec::new(),
        replanned: Vec::new(),
        excluded: change.excluded.get(place).cloned().unwrap_or_default(),
        taken: Vec::new(),
    };
    let mut moves: Vec<Move> = change.products.iter().enumerate().map(none).collect();
    for (user, outcome) in change.users.iter().zip(outcomes) {
        let Outcome::Changed(Effect { given, replanned, taken }) = outcome else { continue };
        for (place, each) in moves.iter_mut().enumerate() {
            let lists = [(given, &mut each.given), (replanned, &mut each.replanned), (taken, &mut each.taken)];
            for (_, list) in lists.into_iter().filter(|(places, _)| places.has(place)) {
                list.push(*user);
            }
        }
    }
    moves.retain(|each| !(each.given.is_empty() && each.replanned.is_empty() && each.taken.is_empty()));
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
