//! The rule by which licenses are given and taken, case by case.

use super::judgment::{Ground, classify};
use super::*;
use crate::entitlement::Pool;
use crate::product_rules::{Dependency, Exclusion, PlanRules, Rules};

/// The n-th user or product.
fn id<T>(n: u128) -> Id<T> {
    Id::from_uuid(plan(n + 1))
}

fn plan(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn pool(product: u128, seats: i64, consumed: i64) -> Pool {
    Pool { product: id(product), seats, suspended: 0, consumed }
}

fn places(list: &[usize]) -> Places {
    list.iter().fold(Places::default(), |places, place| places.with(*place))
}

fn change(users: &[u128], gives: &[u128], takes: &[u128]) -> Change {
    Change {
        users: users.iter().map(|user| id(*user)).collect(),
        products: gives.iter().chain(takes).map(|product| id(*product)).collect(),
        excluded: vec![Excluded::new(); gives.len()],
        mode: Mode::PerUser,
    }
}

/// Users in Germany, each with the products that they hold whole.
fn ground(pools: Vec<Pool>, users: &[(u128, &[u128])]) -> Ground {
    let held = users.iter().map(|(_, products)| Held(products.iter().map(|n| (id(*n), Excluded::new())).collect()));
    let location = Some(Country::parse("DE").unwrap());
    let member = |(held, (user, _)): (usize, &(u128, &[u128]))| (id(*user), Member { deleted: false, location, held });
    Ground { pools, held: held.collect(), members: users.iter().enumerate().map(member).collect(), ..Ground::default() }
}

fn effect(given: &[usize], replanned: &[usize], taken: &[usize]) -> Outcome {
    Outcome::Changed(Effect { given: places(given), replanned: places(replanned), taken: places(taken) })
}

fn given(list: &[usize]) -> Outcome {
    effect(list, &[], &[])
}

fn taken(list: &[usize]) -> Outcome {
    effect(&[], &[], list)
}

fn reasons(outcome: &Outcome) -> Vec<&'static str> {
    match outcome {
        Outcome::Failed(obstacles) => obstacles.iter().map(Obstacle::reason).collect(),
        Outcome::Changed(_) => vec!["CHANGED"],
        Outcome::Unchanged => vec!["UNCHANGED"],
    }
}

#[test]
fn scarce_seats_go_to_those_who_stand_earlier() {
    let ground = ground(vec![pool(7, 5, 3)], &[(0, &[]), (1, &[]), (2, &[])]);
    let outcomes = classify(&change(&[2, 0, 1], &[7], &[]), &ground);
    let full = Outcome::Failed(vec![Obstacle::NoSeats { place: 0, total: 5 }]);
    assert_eq!(outcomes, [given(&[0]), given(&[0]), full]);
}

#[test]
fn who_cannot_get_one_product_takes_no_seat_of_the_other() {
    let ground = ground(vec![pool(7, 1, 0), pool(8, 1, 1)], &[(0, &[8]), (1, &[])]);
    let outcomes = classify(&change(&[1, 0], &[7, 8], &[]), &ground);
    let full = Outcome::Failed(vec![Obstacle::NoSeats { place: 1, total: 1 }]);
    assert_eq!(outcomes, [full, given(&[0])], "the seat that the first one did not take is there for the second");
}

#[test]
fn a_swap_takes_no_seat_before_it_gives_the_other_back() {
    let ground = ground(vec![pool(7, 2, 2), pool(8, 1, 0)], &[(0, &[7]), (1, &[])]);
    assert_eq!(classify(&change(&[0], &[8], &[7]), &ground), [effect(&[0], &[], &[1])]);
    assert_eq!(classify(&change(&[0, 1], &[], &[7]), &ground), [taken(&[0]), Outcome::Unchanged]);
}

#[test]
fn a_repeated_user_is_changed_once() {
    let ground = ground(vec![pool(7, 3, 0)], &[(0, &[])]);
    let outcomes = classify(&change(&[0, 0, 0], &[7], &[]), &ground);
    assert_eq!(outcomes, [given(&[0]), Outcome::Unchanged, Outcome::Unchanged]);
    let nobody = classify(&change(&[9, 9], &[7], &[]), &ground);
    assert_eq!(nobody, [Outcome::Failed(vec![Obstacle::UserNotFound]), Outcome::Unchanged]);
}

#[test]
fn everything_that_stands_in_the_way_is_told_and_nothing_is_asked_of_who_has_it_already() {
    let mut ground = ground(vec![pool(7, 1, 1)], &[(0, &[]), (1, &[]), (2, &[7, 9])]);
    ground.members.get_mut(&id(0)).unwrap().location = None;
    ground.members.get_mut(&id(1)).unwrap().deleted = true;
    ground.members.get_mut(&id(2)).unwrap().location = None;
    let outcomes = classify(&change(&[0, 1, 2], &[7, 9], &[8]), &ground);
    let obstacles =
        [Obstacle::UsageLocationRequired, Obstacle::NoSeats { place: 0, total: 1 }, Obstacle::NotEntitled { place: 1 }];
    assert_eq!(outcomes[0], Outcome::Failed(obstacles.to_vec()));
    assert_eq!(outcomes[1], Outcome::Failed(vec![Obstacle::UserDeleted]));
    assert_eq!(outcomes[2], Outcome::Unchanged, "what is held needs neither seat nor location");
}

#[test]
fn taking_what_nobody_holds_changes_nothing_even_without_an_entitlement_or_a_location() {
    let mut nothing = ground(Vec::new(), &[(0, &[])]);
    nothing.members.get_mut(&id(0)).unwrap().location = None;
    assert_eq!(classify(&change(&[0], &[], &[7]), &nothing), [Outcome::Unchanged]);
    let mut lost = ground(vec![pool(7, 1, 1)], &[(0, &[7])]);
    lost.members.get_mut(&id(0)).unwrap().location = None;
    let outcomes = classify(&change(&[0], &[], &[7]), &lost);
    assert_eq!(outcomes, [taken(&[0])], "a license can be taken from who has no location any more");
}

#[test]
fn other_plans_of_what_is_held_take_no_seat_and_ask_for_a_location_only_when_there_are_more() {
    let mut lost = ground(vec![pool(7, 2, 2)], &[(0, &[7]), (1, &[])]);
    lost.held.push(Held([(id(7), [plan(50)].into())].into()));
    lost.members.insert(id(2), Member { deleted: false, location: None, held: 2 });
    let mut fewer = change(&[0, 2], &[7], &[]);
    fewer.excluded = vec![[plan(50), plan(51)].into()];
    assert_eq!(classify(&fewer, &lost), [effect(&[], &[0], &[]), effect(&[], &[0], &[])]);
    let all = classify(&change(&[0, 2], &[7], &[]), &lost);
    assert_eq!(all, [Outcome::Unchanged, Outcome::Failed(vec![Obstacle::UsageLocationRequired])]);
}

#[test]
fn a_location_has_to_admit_what_comes_and_nothing_else() {
    let mut ground = ground(vec![pool(7, 9, 1), pool(8, 9, 0)], &[(0, &[]), (1, &[7])]);
    let germany = Country::parse("DE").unwrap();
    ground.rules = [(id(7), Rules { prohibited: [germany].into(), ..Rules::default() })].into();
    let outcomes = classify(&change(&[0, 1], &[7, 8], &[]), &ground);
    assert_eq!(
        outcomes,
        [Outcome::Failed(vec![Obstacle::LocationNotAllowed { place: 0, location: germany }]), given(&[1])]
    );
}

/// Product 7 brings plan 70, 8 brings 80 and 81, 9 brings 90; 70 needs 80 or 90, and 81 does not go together with 90.
fn ruled(users: &[(u128, &[u128])]) -> Ground {
    let dependency = Dependency { plan: plan(70), any_of: [plan(80), plan(90)].into() };
    let exclusion = Exclusion { plan: plan(81), other: plan(90) };
    let plans = [(7, &[70_u128][..]), (8, &[80, 81]), (9, &[90])];
    Ground {
        plan_rules: PlanRules { dependencies: [dependency].into(), exclusions: [exclusion].into() },
        plans: plans.iter().map(|(n, plans)| (id(*n), plans.iter().map(|n| plan(*n)).collect())).collect(),
        ..ground(vec![pool(7, 9, 3), pool(8, 9, 3), pool(9, 9, 3)], users)
    }
}

#[test]
fn dependencies_are_judged_on_what_is_held_in_the_end() {
    let ground = ruled(&[(0, &[]), (1, &[8]), (2, &[7, 8]), (3, &[7, 9])]);
    let told = |users: &[u128], gives: &[u128], takes: &[u128]| {
        classify(&change(users, gives, takes), &ground).iter().flat_map(reasons).collect::<Vec<_>>()
    };
    assert_eq!(told(&[0, 1], &[7], &[]), ["DEPENDENCY_NOT_MET", "CHANGED"]);
    assert_eq!(told(&[0], &[7, 8], &[]), ["CHANGED"], "base and add-on come together");
    assert_eq!(told(&[1, 2], &[], &[8]), ["CHANGED", "DEPENDENT_LICENSE_PRESENT"]);
    assert_eq!(told(&[2], &[], &[8, 7]), ["CHANGED"], "both go together");
    assert_eq!(told(&[2], &[9], &[8]), ["CHANGED"], "one base takes the place of the other");
    let refused = classify(&change(&[2], &[], &[8]), &ground);
    let dependent = Obstacle::DependentPresent {
        place: 0,
        dependent: Some(id(7)),
        plan: plan(70),
        any_of: [plan(80), plan(90)].into(),
    };
    assert_eq!(refused, [Outcome::Failed(vec![dependent])]);
}

#[test]
fn plans_that_collide_go_together_once_one_of_them_is_left_out() {
    let ground = ruled(&[(0, &[]), (1, &[9])]);
    let mut both = change(&[0, 1], &[8, 9], &[]);
    let together =
        |place, plan, other, holder| Obstacle::MutuallyExclusive { place, plan, other, holder: Some(holder) };
    let outcomes = classify(&both, &ground);
    assert_eq!(outcomes[0], Outcome::Failed(vec![together(0, plan(81), plan(90), id(9))]));
    assert_eq!(outcomes[1], Outcome::Failed(vec![together(0, plan(81), plan(90), id(9))]));
    both.excluded[0] = [plan(81)].into();
    assert_eq!(classify(&both, &ground), [given(&[0, 1]), given(&[0])]);
    let swap = classify(&change(&[1], &[8], &[9]), &ground);
    assert_eq!(swap, [effect(&[0], &[], &[1])], "one takes the place of the other");
}

#[test]
fn what_is_left_out_of_what_is_held_can_be_what_another_plan_needs() {
    let ground = ruled(&[(0, &[7, 8])]);
    let mut fewer = change(&[0], &[8], &[]);
    fewer.excluded = vec![[plan(80)].into()];
    assert_eq!(reasons(&classify(&fewer, &ground)[0]), ["DEPENDENT_LICENSE_PRESENT"]);
    fewer.excluded = vec![[plan(81)].into()];
    assert_eq!(classify(&fewer, &ground), [effect(&[], &[0], &[])]);
}

#[test]
fn all_or_nothing_changes_nobody_when_one_cannot() {
    let ground = ground(vec![pool(7, 2, 1)], &[(0, &[]), (1, &[]), (2, &[7])]);
    let mut all = Change { mode: Mode::AllOrNothing, ..change(&[0, 2], &[7], &[]) };
    assert_eq!(classify(&all, &ground), [given(&[0]), Outcome::Unchanged]);
    all.users.push(id(1));
    let outcomes: Vec<_> = classify(&all, &ground).iter().flat_map(reasons).collect();
    assert_eq!(outcomes, ["OTHERS_FAILED", "UNCHANGED", "NO_SEATS_AVAILABLE"]);
}

#[test]
fn moves_come_product_by_product_in_the_order_of_their_pools() {
    let change = change(&[0, 1], &[9], &[3, 5]);
    let outcomes = [effect(&[0], &[], &[1]), effect(&[], &[0], &[])];
    let users = |list: &[u128]| list.iter().map(|user| id(*user)).collect();
    let moved = |n, given: &[u128], replanned: &[u128], taken: &[u128]| Move {
        product: id(n),
        given: users(given),
        replanned: users(replanned),
        excluded: Excluded::new(),
        taken: users(taken),
    };
    assert_eq!(moves(&change, &outcomes), [moved(3, &[], &[], &[0]), moved(9, &[0], &[1], &[])]);
}

#[test]
fn a_product_is_held_by_none_some_or_all() {
    assert_eq!(Holding::of(0, 3), Holding::None);
    assert_eq!(Holding::of(2, 3), Holding::Some);
    assert_eq!(Holding::of(3, 3), Holding::All);
    assert_eq!(Holding::of(0, 0), Holding::None);
}

#[test]
fn suspended_seats_are_given_to_nobody() {
    let judged = |pool| classify(&change(&[0], &[7], &[]), &ground(vec![pool], &[(0, &[])]));
    let suspended = Outcome::Failed(vec![Obstacle::SubscriptionSuspended { place: 0 }]);
    assert_eq!(judged(Pool { suspended: 5, ..pool(7, 5, 2) }), [suspended]);
    // Two licenses take suspended seats: four are in use, and none is left.
    let full = Outcome::Failed(vec![Obstacle::NoSeats { place: 0, total: 4 }]);
    assert_eq!(judged(Pool { suspended: 4, ..pool(7, 6, 4) }), [full]);
}
