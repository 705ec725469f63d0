//! Changes of licenses in the journal.

use std::collections::BTreeMap;

use base::Id;
use service::Fact;
use uuid::Uuid;

use super::{Change, Effect, Excluded, Outcome, Places};
use crate::organization::Organization;
use crate::product::Product;
use crate::user::User;

/// Users whose ids one entry lists at most.
const USERS_PER_ENTRY: usize = 100;

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
pub fn facts(customer: Id<Organization>, change: &Change, outcomes: &[Outcome]) -> Vec<Fact> {
    let mut alike: BTreeMap<Effect, Vec<Id<User>>> = BTreeMap::new();
    for (user, outcome) in change.users.iter().zip(outcomes) {
        if let Outcome::Changed(effect) = outcome {
            alike.entry(*effect).or_default().push(*user);
        }
    }
    let words = |places: Places| join(places.each().filter_map(|place| change.products.get(place)));
    let mut facts = Vec::new();
    for (effect, users) in alike {
        for some in users.chunks(USERS_PER_ENTRY) {
            let fact = about(some, customer, Fact::new("LicensesUpdated"));
            let fact = fact.change("licenses", words(effect.taken), words(effect.given));
            let excluded = left_out(change, effect);
            facts.push(if excluded.is_empty() { fact } else { fact.change("excluded_service_plans", "", excluded) });
        }
    }
    facts
}

/// What is left out of the licenses that were given or got other plans: each product with its plans.
fn left_out(change: &Change, effect: Effect) -> String {
    let product = |place: usize| {
        let (product, excluded): (_, &Excluded) = (change.products.get(place)?, change.excluded.get(place)?);
        let said = !excluded.is_empty() || !effect.replanned.shared_with(Places::default().with(place)).is_empty();
        let plans: Vec<String> = excluded.iter().map(ToString::to_string).collect();
        said.then(|| format!("{product}:{}", plans.join("|")))
    };
    effect.given.or(effect.replanned).each().filter_map(product).collect::<Vec<_>>().join(" ")
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
