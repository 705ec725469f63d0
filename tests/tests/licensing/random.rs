//! Random batches against a model that knows nothing of sets: one user after the other, one product after the other.

use std::collections::{BTreeMap, BTreeSet};

use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::{IdentityFact, UserFact, user_fact};
use proto::licensing::v1::UpdateLicensesRequest;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, fresh};
use uuid::Uuid;

use super::trade::{Licenses, Shop, Trade, change, words};

const ROUNDS: usize = 60;

/// What the customer has, and what a user of it is.
#[derive(Default)]
struct Model {
    seats: BTreeMap<String, usize>,
    held: BTreeSet<(String, String)>,
    deleted: BTreeSet<String>,
    lost: BTreeSet<String>,
    known: BTreeSet<String>,
}

impl Model {
    fn taken(&self, product: &str) -> usize {
        self.held.iter().filter(|(_, of)| of == product).count()
    }

    fn one(&mut self, user: &str, gives: &[&str], takes: &[&str]) -> String {
        let key = |product: &str| (user.to_owned(), product.to_owned());
        if !self.known.contains(user) {
            return "NOT_FOUND".to_owned();
        }
        if self.deleted.contains(user) {
            return "USER_DELETED".to_owned();
        }
        let new: Vec<&&str> = gives.iter().filter(|product| !self.held.contains(&key(product))).collect();
        let gone: Vec<&&str> = takes.iter().filter(|product| self.held.contains(&key(product))).collect();
        if new.is_empty() && gone.is_empty() {
            return "UNCHANGED".to_owned();
        }
        let mut reasons = Vec::new();
        if !new.is_empty() && self.lost.contains(user) {
            reasons.push("USAGE_LOCATION_REQUIRED");
        }
        for product in &new {
            match self.seats.get(**product) {
                None => reasons.push("NOT_ENTITLED"),
                Some(seats) if self.taken(product) >= *seats => reasons.push("NO_SEATS_AVAILABLE"),
                Some(_) => {}
            }
        }
        if !reasons.is_empty() {
            return reasons.join(" ");
        }
        for product in new {
            self.held.insert(key(product));
        }
        for product in gone {
            self.held.remove(&key(product));
        }
        "CHANGED".to_owned()
    }

    fn batch(&mut self, users: &[String], gives: &[&str], takes: &[&str]) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let judge = |user: &String| {
            if seen.insert(user.clone()) { self.one(user, gives, takes) } else { "UNCHANGED".to_owned() }
        };
        users.iter().map(judge).collect()
    }
}

#[rstest]
#[tokio::test]
async fn random_batches_do_what_a_sequence_of_single_changes_does(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(1, 2, 3)] seed: u64,
) {
    println!("seed {seed} on {kind:?}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let (mut shop, mut licenses) = (Shop::of(world).await, Licenses::of(world).await);
    let (token, customer) = (trade.helper(), trade.customer.as_str());
    let mut model = Model::default();
    let mut products = vec![fresh()];
    for seats in [3, 8, 20] {
        let product = trade.more(world, seats).await;
        model.seats.insert(product.clone(), seats.try_into().unwrap());
        products.push(product);
    }
    let mut users = world.told_users(customer, 24).await;
    model.known.extend(users.clone());
    for (at, user) in users.iter().enumerate().filter(|(at, _)| at % 6 == 0) {
        let mut fact: UserFact = World::user_fact(customer, user, "Uma User");
        if at % 12 == 0 {
            fact.state = user_fact::State::Deleted.into();
            model.deleted.insert(user.clone());
        } else {
            fact.usage_location.clear();
            model.lost.insert(user.clone());
        }
        world.apply_identity_facts(vec![IdentityFact { version: 2, fact: Some(Fact::User(fact)) }]).await.unwrap();
    }
    users.extend(world.told_users(&world.told_customer("DE").await, 2).await);
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let batch: Vec<String> =
            (0..random.random_range(1..30)).map(|_| users[random.random_range(0..users.len())].clone()).collect();
        let (mut gives, mut takes) = (Vec::new(), Vec::new());
        for product in &products {
            match random.random_range(0..4) {
                0 => gives.push(product.as_str()),
                1 => takes.push(product.as_str()),
                _ => {}
            }
        }
        if gives.is_empty() && takes.is_empty() {
            continue;
        }
        let request = change(customer, &batch, &gives, &takes);
        let dry = UpdateLicensesRequest { validate_only: true, ..request.clone() };
        let would = licenses.update(token, dry).await.unwrap();
        let results = licenses.update(token, request).await.unwrap();
        assert_eq!(would, results, "seed {seed}, round {round}: a dry run tells what the real call does");
        let expected = model.batch(&batch, &gives, &takes);
        assert_eq!(words(&results), expected, "seed {seed}, round {round}");
        expected.into_iter().for_each(|word| *told.entry(word).or_default() += 1);
        for product in &products[1..] {
            let owned = shop.entitlement(token, customer, product).await;
            assert_eq!(owned.consumed, i64::try_from(model.taken(product)).unwrap(), "seed {seed}, round {round}");
        }
    }
    println!("{told:?}");
    for word in ["CHANGED", "UNCHANGED", "NO_SEATS_AVAILABLE", "NOT_ENTITLED", "USER_DELETED", "NOT_FOUND"] {
        assert!(told.contains_key(word), "seed {seed} never met {word}");
    }
    let mut tx = world.licensing_database().await.snapshot().await.unwrap();
    let rows: Vec<(Uuid, Uuid)> = tx
        .sql("SELECT user_id, product_id FROM assignments WHERE customer_id = $1")
        .bind(customer.parse::<Uuid>().unwrap())
        .all()
        .await
        .unwrap();
    tx.rollback().await;
    let rows: BTreeSet<_> = rows.into_iter().map(|(user, product)| (user.to_string(), product.to_string())).collect();
    assert_eq!(rows, model.held, "seed {seed}");
}
