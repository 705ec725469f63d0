//! The rule by which licenses are given and taken, case by case.

use uuid::Uuid;

use super::*;

/// The n-th user or product.
fn id<T>(n: u128) -> Id<T> {
    Id::from_uuid(Uuid::from_u128(n + 1))
}

fn pool(product: u128, seats: i64, consumed: i64) -> Pool {
    Pool { product: id(product), seats, suspended: 0, consumed }
}

/// A user who holds what stands at these places.
fn member(held: &[usize]) -> Member {
    Member { deleted: false, located: true, held: places(held) }
}

fn places(list: &[usize]) -> Places {
    list.iter().fold(Places::default(), |places, place| places.with(*place))
}

fn change(users: &[u128], gives: &[u128], takes: &[u128]) -> Change {
    Change {
        users: users.iter().map(|user| id(*user)).collect(),
        products: gives.iter().chain(takes).map(|product| id(*product)).collect(),
        gives: gives.len(),
    }
}

fn members(list: &[(u128, Member)]) -> HashMap<Id<User>, Member> {
    list.iter().map(|(user, member)| (id(*user), *member)).collect()
}

fn given(list: &[usize]) -> Outcome {
    Outcome::Changed { given: places(list), taken: Places::default() }
}

fn taken(list: &[usize]) -> Outcome {
    Outcome::Changed { given: Places::default(), taken: places(list) }
}

#[test]
fn scarce_seats_go_to_those_who_stand_earlier() {
    let members = members(&[(0, member(&[])), (1, member(&[])), (2, member(&[]))]);
    let outcomes = classify(&change(&[2, 0, 1], &[7], &[]), &[pool(7, 5, 3)], &members);
    let full = Outcome::Failed(vec![Obstacle::NoSeats { place: 0, total: 5 }]);
    assert_eq!(outcomes, [given(&[0]), given(&[0]), full]);
}

#[test]
fn who_cannot_get_one_product_takes_no_seat_of_the_other() {
    let members = members(&[(0, member(&[1])), (1, member(&[]))]);
    let outcomes = classify(&change(&[1, 0], &[7, 8], &[]), &[pool(7, 1, 0), pool(8, 1, 1)], &members);
    let full = Outcome::Failed(vec![Obstacle::NoSeats { place: 1, total: 1 }]);
    assert_eq!(outcomes, [full, given(&[0])], "the seat that the first one did not take is there for the second");
}

#[test]
fn a_later_position_takes_the_seat_that_an_earlier_one_gives_back() {
    // The first user gives product 7 back and gets 8; nobody else can hold what both want.
    let outcomes = classify(&change(&[0], &[8], &[7]), &[pool(7, 1, 1), pool(8, 1, 0)], &members(&[(0, member(&[1]))]));
    assert_eq!(outcomes, [Outcome::Changed { given: places(&[0]), taken: places(&[1]) }]);
    let lose =
        classify(&change(&[0, 1], &[], &[7]), &[pool(7, 2, 2)], &members(&[(0, member(&[0])), (1, member(&[]))]));
    assert_eq!(lose, [taken(&[0]), Outcome::Unchanged]);
}

#[test]
fn a_repeated_user_is_changed_once() {
    let outcomes = classify(&change(&[0, 0, 0], &[7], &[]), &[pool(7, 3, 0)], &members(&[(0, member(&[]))]));
    assert_eq!(outcomes, [given(&[0]), Outcome::Unchanged, Outcome::Unchanged]);
    let nobody = classify(&change(&[9, 9], &[7], &[]), &[pool(7, 3, 0)], &members(&[]));
    assert_eq!(nobody, [Outcome::Failed(vec![Obstacle::UserNotFound]), Outcome::Unchanged]);
}

#[test]
fn everything_that_stands_in_the_way_is_told_and_nothing_is_asked_of_who_has_it_already() {
    let (lost, gone) = (Member { located: false, ..member(&[]) }, Member { deleted: true, ..member(&[]) });
    let lost_holder = Member { located: false, ..member(&[0, 1]) };
    let members = members(&[(0, lost), (1, gone), (2, lost_holder)]);
    let outcomes = classify(&change(&[0, 1, 2], &[7, 9], &[8]), &[pool(7, 1, 1)], &members);
    let obstacles =
        [Obstacle::UsageLocationRequired, Obstacle::NoSeats { place: 0, total: 1 }, Obstacle::NotEntitled { place: 1 }];
    assert_eq!(outcomes[0], Outcome::Failed(obstacles.to_vec()));
    assert_eq!(outcomes[1], Outcome::Failed(vec![Obstacle::UserDeleted]));
    assert_eq!(outcomes[2], Outcome::Unchanged, "what is held needs neither seat nor location");
}

#[test]
fn taking_what_nobody_holds_changes_nothing_even_without_an_entitlement_or_a_location() {
    let lost = Member { located: false, ..member(&[]) };
    let outcomes = classify(&change(&[0], &[], &[7]), &[], &members(&[(0, lost)]));
    assert_eq!(outcomes, [Outcome::Unchanged]);
    let outcomes =
        classify(&change(&[0], &[], &[7]), &[pool(7, 1, 1)], &members(&[(0, Member { held: places(&[0]), ..lost })]));
    assert_eq!(outcomes, [taken(&[0])], "a license can be taken from who has no location any more");
}

#[test]
fn moves_come_product_by_product_in_the_order_of_their_pools() {
    let change = change(&[0, 1], &[9], &[3, 5]);
    let outcomes = [Outcome::Changed { given: places(&[0]), taken: places(&[1]) }, given(&[0])];
    let product = |n, given: &[u128], taken: &[u128]| Move {
        product: id(n),
        given: given.iter().map(|user| id(*user)).collect(),
        taken: taken.iter().map(|user| id(*user)).collect(),
    };
    assert_eq!(moves(&change, &outcomes), [product(3, &[], &[0]), product(9, &[0, 1], &[])]);
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
    let members = members(&[(0, member(&[]))]);
    let judged = |pool| classify(&change(&[0], &[7], &[]), &[pool], &members);
    let suspended = Outcome::Failed(vec![Obstacle::SubscriptionSuspended { place: 0 }]);
    assert_eq!(judged(Pool { suspended: 5, ..pool(7, 5, 2) }), [suspended]);
    // Two licenses take suspended seats: four are in use, and none is left.
    let full = Outcome::Failed(vec![Obstacle::NoSeats { place: 0, total: 4 }]);
    assert_eq!(judged(Pool { suspended: 4, ..pool(7, 6, 4) }), [full]);
}
