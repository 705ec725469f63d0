//! The one rule by which licenses are given and taken: pure, and the same for one user and for ten thousand.
//!
//! Most of many users hold the same, so what a change means for a holding, and which rules between service plans it would
//! break, is found once for each distinct holding; seats and locations are each user's own.

use std::collections::{BTreeMap, BTreeSet};

use base::Id;
use uuid::Uuid;

use super::{Change, Effect, Held, Member, Mode, Obstacle, Outcome, Places};
use crate::entitlement::{Capability, Pool};
use crate::product::Product;
use crate::product_rules::{Breach, PlanRules, Rules};
use crate::user::{PerUser, User};

/// Everything that a change is judged on, as it is under the lock of the pools.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// The customer's pools of the change's products.
    pub pools: Vec<Pool>,
    /// What operators say of the change's products, where they say anything.
    pub rules: BTreeMap<Id<Product>, Rules>,
    /// The rules between service plans that the change could break.
    pub plan_rules: PlanRules,
    /// The service plans of every product that matters, when there are such rules.
    pub plans: BTreeMap<Id<Product>, BTreeSet<Uuid>>,
    /// The named users whom the customer has.
    pub members: PerUser<Member>,
    /// Their holdings, each once, and those which only a part of somebody's licenses would be.
    pub held: Vec<Held>,
}

/// Judges a change, position by position, as if they were asked for one after the other: who stands earlier gets scarce
/// seats first. What is taken is nobody's to get in the same change.
///
/// **Invariant:** the outcome is what a sequence of changes of one user each would bring
/// (`random_batches_do_what_a_sequence_of_single_changes_does`).
pub fn classify(change: &Change, ground: &Ground) -> Vec<Outcome> {
    let meanings: Vec<Meaning> = ground.held.iter().map(|held| Meaning::of(change, ground, held)).collect();
    let pool = |product: &Id<Product>| ground.pools.iter().find(|pool| pool.product == *product);
    let mut seats: Vec<Option<Seats>> = change.products.iter().map(|product| pool(product).map(Seats::of)).collect();
    let mut seen = PerUser::with_capacity_and_hasher(change.users.len(), Default::default());
    let judge = |user: &Id<User>| {
        if seen.insert(*user, ()).is_some() {
            return Outcome::Unchanged;
        }
        let Some(member) = ground.members.get(user) else { return Outcome::Failed(vec![Obstacle::UserNotFound]) };
        if member.deleted {
            return Outcome::Failed(vec![Obstacle::UserDeleted]);
        }
        let Some(meaning) = meanings.get(member.held) else { return Outcome::Failed(vec![Obstacle::UserNotFound]) };
        if meaning.effect.is_nothing() {
            return Outcome::Unchanged;
        }
        let obstacles = obstacles(change, ground, member, meaning, &seats);
        if !obstacles.is_empty() {
            return Outcome::Failed(obstacles);
        }
        take_seats(&mut seats, meaning.effect.given);
        Outcome::Changed(meaning.effect)
    };
    let outcomes: Vec<Outcome> = change.users.iter().map(judge).collect();
    match change.mode {
        Mode::AllOrNothing if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_))) => {
            withhold(outcomes)
        }
        Mode::AllOrNothing | Mode::PerUser => outcomes,
    }
}

/// Nobody changes, because somebody cannot.
fn withhold(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let hold = |outcome| match outcome {
        Outcome::Changed(_) => Outcome::Failed(vec![Obstacle::OthersFailed]),
        other => other,
    };
    outcomes.into_iter().map(hold).collect()
}

/// What a change means for whoever holds the same.
struct Meaning {
    effect: Effect,
    /// Of what they get a plan that they did not have of that product: it has to be usable where they are.
    widened: Places,
    /// The rules between service plans that it would break.
    broken: Vec<Obstacle>,
}

impl Meaning {
    fn of(change: &Change, ground: &Ground, held: &Held) -> Self {
        let mut effect = Effect::default();
        let mut widened = Places::default();
        for (place, product) in change.products.iter().enumerate() {
            match (change.excluded.get(place), held.0.get(product)) {
                (Some(_), None) => effect.given = effect.given.with(place),
                (Some(wanted), Some(present)) if wanted != present => {
                    effect.replanned = effect.replanned.with(place);
                    if !present.is_subset(wanted) {
                        widened = widened.with(place);
                    }
                }
                (None, Some(_)) => effect.taken = effect.taken.with(place),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        let broken = if effect.is_nothing() || ground.plan_rules.is_empty() {
            Vec::new()
        } else {
            broken(change, ground, held, effect)
        };
        Self { effect, widened: widened.or(effect.given), broken }
    }
}

/// The rules between service plans that an effect would break, each with the product of the change that does it.
fn broken(change: &Change, ground: &Ground, before: &Held, effect: Effect) -> Vec<Obstacle> {
    let after = effect.apply(change, before);
    let comes = effect.given.or(effect.replanned);
    let goes = effect.taken.or(effect.replanned);
    // The first of the change's products there by which a holding has one of these plans.
    let by = |places: Places, held: &Held, plans: &BTreeSet<Uuid>| {
        let brings = |place: &usize| {
            change.products.get(*place).is_some_and(|product| {
                held.0.get(product).is_some_and(|excluded| ground.brings(*product, excluded, plans))
            })
        };
        places.each().find(brings).unwrap_or_default()
    };
    let obstacle = |breach| match breach {
        Breach::NotMet(rule) => Obstacle::DependencyNotMet {
            place: by(comes, &after, &[rule.plan].into()),
            plan: rule.plan,
            any_of: rule.any_of.clone(),
        },
        Breach::StillNeeded(rule) => Obstacle::DependentPresent {
            place: by(goes, before, &rule.any_of),
            dependent: ground.bringer(&after, rule.plan),
            plan: rule.plan,
            any_of: rule.any_of.clone(),
        },
        Breach::Together(rule) => {
            let was_there = ground.bringer(before, rule.plan).is_some();
            let (plan, other) = if was_there { (rule.other, rule.plan) } else { (rule.plan, rule.other) };
            let holder = ground.bringer(&after, other);
            Obstacle::MutuallyExclusive { place: by(comes, &after, &[plan].into()), plan, other, holder }
        }
    };
    let breaches = ground.plan_rules.breaches(&ground.plans_of(before), &ground.plans_of(&after));
    breaches.into_iter().map(obstacle).collect()
}

impl Ground {
    /// Those of the change's products whose subscriptions are all suspended.
    pub fn suspended(&self, change: &Change) -> Places {
        let sleeps = |pool: &Pool| pool.capability() == Capability::Suspended;
        let pool = |product| self.pools.iter().find(|pool| pool.product == product);
        let places = (0..change.products.len()).filter(|place| pool(change.products[*place]).is_some_and(sleeps));
        places.fold(Places::default(), Places::with)
    }

    /// Whether a product brings one of these plans when some of its own are left out.
    fn brings(&self, product: Id<Product>, excluded: &BTreeSet<Uuid>, plans: &BTreeSet<Uuid>) -> bool {
        let own = self.plans.get(&product);
        own.is_some_and(|own| plans.iter().any(|plan| own.contains(plan) && !excluded.contains(plan)))
    }

    /// The first product of a holding that brings a plan.
    fn bringer(&self, held: &Held, plan: Uuid) -> Option<Id<Product>> {
        let plan = [plan].into();
        held.0.iter().find(|(product, excluded)| self.brings(**product, excluded, &plan)).map(|(product, _)| *product)
    }

    /// Every plan of a holding.
    fn plans_of(&self, held: &Held) -> BTreeSet<Uuid> {
        let own = held.0.iter().filter_map(|(product, excluded)| Some((self.plans.get(product)?, excluded)));
        own.flat_map(|(plans, excluded)| plans.difference(excluded)).copied().collect()
    }
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

/// Everything that stands in a user's way: of the user, of each product in its place, of their service plans.
fn obstacles(
    change: &Change,
    ground: &Ground,
    member: &Member,
    meaning: &Meaning,
    seats: &[Option<Seats>],
) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    if !meaning.widened.is_empty() && member.location.is_none() {
        obstacles.push(Obstacle::UsageLocationRequired);
    }
    for place in meaning.widened.each() {
        let rules = change.products.get(place).and_then(|product| ground.rules.get(product));
        if let Some((location, _)) = member.location.zip(rules).filter(|(location, rules)| !rules.admits(*location)) {
            obstacles.push(Obstacle::LocationNotAllowed { place, location });
        }
        if !meaning.effect.given.has(place) {
            continue;
        }
        match seats.get(place).copied().flatten() {
            None => obstacles.push(Obstacle::NotEntitled { place }),
            Some(seats) if seats.suspended => obstacles.push(Obstacle::SubscriptionSuspended { place }),
            Some(seats) if seats.free < 1 => obstacles.push(Obstacle::NoSeats { place, total: seats.total }),
            Some(_) => {}
        }
    }
    obstacles.extend(meaning.broken.iter().cloned());
    obstacles
}

fn take_seats(seats: &mut [Option<Seats>], given: Places) {
    for place in given.each() {
        if let Some(Some(seats)) = seats.get_mut(place) {
            seats.free -= 1;
        }
    }
}
