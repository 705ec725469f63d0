//! Changes of licenses in the journal.

use std::collections::BTreeMap;

use base::Id;
use service::Fact;
use uuid::Uuid;

use super::judgment::Ground;
use super::{Change, Effect, Excluded, Held, Outcome, Places};
use crate::organization::Organization;
use crate::product::Product;
use crate::user::User;

/// Users whose ids one entry lists at most.
const USERS_PER_ENTRY: usize = 100;
/// Bytes of the service plans that were left out before, or are left out now, which one entry names at most.
const PLANS_BYTES_MAX: usize = 128 * 1024;
/// Bytes of the service plans that all entries of one call name at most.
const CALL_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Stands for more service plans than that.
const TOO_MANY: &str = "*";

/// That licenses ended because their seats are gone: an entry for up to a hundred users.
pub fn ended<'u>(
    customer: Id<Organization>,
    product: Id<Product>,
    users: &'u [Id<User>],
) -> impl Iterator<Item = Fact> + 'u {
    let fact =
        move |some: &[Id<User>]| about(some, customer, Fact::new("LicensesEnded")).change("licenses", product, "");
    users.chunks(USERS_PER_ENTRY).map(fact)
}

/// One user is what an entry is about; several are listed in the customer's.
fn about(users: &[Id<User>], customer: Id<Organization>, fact: Fact) -> Fact {
    let fact = fact.customer(customer.uuid());
    match users {
        [one] => fact.about("user", one.uuid()),
        several => fact.about("customer", customer.uuid()).change("users", "", join(several)),
    }
}

/// One entry for each user who changed alone, and one for up to a hundred users to whom the same happened.
pub fn facts(customer: Id<Organization>, change: &Change, ground: &Ground, outcomes: &[Outcome]) -> Vec<Fact> {
    let changed = change.users.iter().zip(outcomes).filter_map(|(user, outcome)| {
        let Outcome::Changed(effect) = outcome else { return None };
        Some((*user, *effect, ground.members.get(user)?.held))
    });
    let changed: Vec<(Id<User>, Effect, usize)> = changed.collect();
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    let mut room = CALL_BYTES_MAX;
    for (_, effect, held) in &changed {
        after.entry(*effect).or_insert_with(|| left_out_after(change, *effect));
        before.entry((*effect, *held)).or_insert_with(|| {
            let plans = ground.held.get(*held).map(|held| left_out_before(change, *effect, held));
            within(&mut room, plans.unwrap_or_default())
        });
    }
    let mut alike: BTreeMap<(Effect, &str), Vec<Id<User>>> = BTreeMap::new();
    for (user, effect, held) in &changed {
        let before = before.get(&(*effect, *held)).map_or("", String::as_str);
        alike.entry((*effect, before)).or_default().push(*user);
    }
    let ids = |places: Places| join(places.each().filter_map(|place| change.products.get(place)));
    let mut room = CALL_BYTES_MAX;
    let mut facts = Vec::new();
    for ((effect, before), users) in alike {
        let after = after.get(&effect).map_or("", String::as_str);
        for some in users.chunks(USERS_PER_ENTRY) {
            let fact = about(some, customer, Fact::new("LicensesUpdated"));
            let fact = fact.change("licenses", ids(effect.taken), ids(effect.given));
            if before.is_empty() && after.is_empty() {
                facts.push(fact);
                continue;
            }
            let [before, after] = [before, after].map(|plans| within(&mut room, plans.to_owned()));
            facts.push(fact.change("excluded_service_plans", before, after));
        }
    }
    facts
}

/// The service plans, when there is room for them.
fn within(room: &mut usize, plans: String) -> String {
    if plans.len() > PLANS_BYTES_MAX {
        return TOO_MANY.to_owned();
    }
    let left = room.checked_sub(plans.len());
    *room = left.unwrap_or_default();
    if left.is_some() { plans } else { TOO_MANY.to_owned() }
}

/// What was left out of the licenses that were taken or got other plans.
fn left_out_before(change: &Change, effect: Effect, held: &Held) -> String {
    let excluded = |place: usize| held.0.get(change.products.get(place)?);
    left_out(change, effect, effect.taken.or(effect.replanned), excluded)
}

/// What is left out of the licenses that were given or got other plans.
fn left_out_after(change: &Change, effect: Effect) -> String {
    left_out(change, effect, effect.given.or(effect.replanned), |place| change.excluded.get(place))
}

/// Each product at these places with its plans that are left out; without any, when it got other plans.
fn left_out<'e>(
    change: &Change,
    effect: Effect,
    places: Places,
    excluded: impl Fn(usize) -> Option<&'e Excluded>,
) -> String {
    let product = |place: usize| {
        let (product, excluded) = (change.products.get(place)?, excluded(place)?);
        let plans: Vec<String> = excluded.iter().map(ToString::to_string).collect();
        let said = !plans.is_empty() || effect.replanned.has(place);
        said.then(|| format!("{product}:{}", plans.join("|")))
    };
    places.each().filter_map(product).collect::<Vec<_>>().join(" ")
}

fn join<'i, T: 'i>(ids: impl IntoIterator<Item = &'i Id<T>>) -> String {
    let (mut text, mut buffer) = (String::new(), Uuid::encode_buffer());
    for id in ids {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(id.uuid().hyphenated().encode_lower(&mut buffer));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_told_while_there_is_room_and_nothing_needs_none() {
        let (mut room, plans) = (15, "p".repeat(10));
        assert_eq!(within(&mut room, plans.clone()), plans);
        assert_eq!(within(&mut room, plans), TOO_MANY);
        assert_eq!(within(&mut room, "p".to_owned()), TOO_MANY, "what comes after it is not told either");
        assert_eq!(within(&mut room, String::new()), "");
        assert_eq!(within(&mut CALL_BYTES_MAX.clone(), "p".repeat(PLANS_BYTES_MAX + 1)), TOO_MANY);
    }
}
