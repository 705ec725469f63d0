//! Random batches against a model that knows nothing of sets: one user after the other, one product after the other.

use std::collections::{BTreeMap, BTreeSet};

use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::{IdentityFact, user_fact};
use proto::licensing::v1::update_licenses_request::Mode;
use proto::licensing::v1::{LicenseResult, PlaceOrderRequest, ProductRules, UpdateLicensesRequest};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{World, fresh};
use tonic::Code;
use uuid::Uuid;

use super::counters::counted_right;
use super::desk::{Desk, paid, unpaid};
use super::outcome;
use super::plans::{rule, suite};
use super::rules::{excludes, needs};
use super::trade::{Licenses, Shop, Trade, change, foretold, give, line, words};

const ROUNDS: usize = 80;

/// Product, and the plans of it that are left out.
type Give = (String, BTreeSet<String>);

/// What the customer has, what a user of it is, and what operators have said.
#[derive(Clone, Default)]
struct Model {
    seats: BTreeMap<String, usize>,
    taken: BTreeMap<String, usize>,
    plans: BTreeMap<String, BTreeSet<String>>,
    needs: Vec<(String, Vec<String>)>,
    excludes: Vec<(String, String)>,
    prohibited: BTreeMap<String, String>,
    /// Of each product the seats of suspended subscriptions.
    suspended: BTreeMap<String, usize>,
    /// User, product, what is left out.
    held: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    deleted: BTreeSet<String>,
    locations: BTreeMap<String, String>,
    replanned: usize,
    /// How often there was no seat because one of two subscriptions was suspended.
    squeezed: usize,
}

impl Model {
    fn has(&self, held: &BTreeMap<String, BTreeSet<String>>, plan: &str) -> bool {
        held.iter().any(|(product, excluded)| self.plans[product].contains(plan) && !excluded.contains(plan))
    }

    /// What becomes of one user: reasons in alphabetical order, or a word.
    fn one(&mut self, user: &str, gives: &[Give], takes: &[String]) -> String {
        if self.deleted.contains(user) {
            return "USER_DELETED".to_owned();
        }
        let Some(before) = self.held.get(user).cloned() else { return "NOT_FOUND".to_owned() };
        let mut after = before.clone();
        let mut reasons = BTreeSet::new();
        for (product, excluded) in gives {
            let present = after.insert(product.clone(), excluded.clone());
            let more = present.as_ref().is_none_or(|present| !present.is_subset(excluded));
            if more && self.locations[user].is_empty() {
                reasons.insert("USAGE_LOCATION_REQUIRED");
            }
            if more && self.prohibited.get(product) == Some(&self.locations[user]) {
                reasons.insert("USAGE_LOCATION_NOT_ALLOWED");
            }
            if present.is_none() {
                let active = |seats: &usize| *seats - self.suspended.get(product).copied().unwrap_or_default();
                match self.seats.get(product).map(active) {
                    None => drop(reasons.insert("NOT_ENTITLED")),
                    Some(0) => drop(reasons.insert("SUBSCRIPTION_SUSPENDED")),
                    Some(seats) if self.taken[product] >= seats => {
                        self.squeezed += usize::from(self.taken[product] < self.seats[product]);
                        reasons.insert("NO_SEATS_AVAILABLE");
                    }
                    Some(_) => {}
                }
            }
        }
        for product in takes {
            after.remove(product);
        }
        if after == before {
            return "UNCHANGED".to_owned();
        }
        for (plan, any_of) in &self.needs {
            let lacks = |held| self.has(held, plan) && !any_of.iter().any(|other| self.has(held, other));
            if lacks(&after) && !lacks(&before) {
                let kept = self.has(&before, plan);
                reasons.insert(if kept { "DEPENDENT_LICENSE_PRESENT" } else { "DEPENDENCY_NOT_MET" });
            }
        }
        for (one, other) in &self.excludes {
            let both = |held| self.has(held, one) && self.has(held, other);
            if both(&after) && !both(&before) {
                reasons.insert("MUTUALLY_EXCLUSIVE");
            }
        }
        if !reasons.is_empty() {
            return reasons.into_iter().collect::<Vec<_>>().join(" ");
        }
        for product in after.keys().filter(|product| !before.contains_key(*product)) {
            *self.taken.get_mut(product).unwrap() += 1;
        }
        for product in before.keys().filter(|product| !after.contains_key(*product)) {
            *self.taken.get_mut(product).unwrap() -= 1;
        }
        self.replanned += after.iter().filter(|(key, value)| before.get(*key).is_some_and(|was| was != *value)).count();
        self.held.insert(user.to_owned(), after);
        "CHANGED".to_owned()
    }

    fn batch(&mut self, users: &[String], gives: &[Give], takes: &[String], mode: Mode) -> Vec<String> {
        let before = self.clone();
        let mut seen = BTreeSet::new();
        let judge = |user: &String| {
            if seen.insert(user.clone()) { self.one(user, gives, takes) } else { "UNCHANGED".to_owned() }
        };
        let mut told: Vec<String> = users.iter().map(judge).collect();
        if mode == Mode::AllOrNothing && told.iter().any(|word| word != "CHANGED" && word != "UNCHANGED") {
            *self = before;
            told.iter_mut().filter(|word| *word == "CHANGED").for_each(|word| "OTHERS_FAILED".clone_into(word));
        }
        told
    }
}

/// As the model tells it: each reason once, in alphabetical order.
fn sorted(results: &[LicenseResult]) -> Vec<String> {
    let sort = |word: String| word.split(' ').collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ");
    words(results).into_iter().map(sort).collect()
}

/// Buys half as many seats again of everything that the customer has a subscription to. Of each product both subscriptions
/// are answered, with their seats.
async fn with_another(world: &World, trade: &Trade) -> BTreeMap<String, Vec<(String, usize)>> {
    let mut shop = Shop::of(world).await;
    for first in shop.list(trade.seller(), &trade.customer).await.unwrap() {
        let order = PlaceOrderRequest { lines: vec![line(&first.offer_id, first.quantity / 2)], ..trade.order(1) };
        shop.order(trade.seller(), order).await.unwrap();
    }
    let mut subscriptions: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for each in shop.list(trade.seller(), &trade.customer).await.unwrap() {
        let seats = each.quantity.try_into().unwrap();
        subscriptions.entry(each.product_id).or_default().push((each.subscription_id, seats));
    }
    subscriptions.values_mut().for_each(|both| both.sort());
    subscriptions
}

/// A customer with ruled products, its users, and the model of both.
struct Stage {
    world: &'static World,
    trade: Trade,
    model: Model,
    products: Vec<String>,
    /// Of each product the two subscriptions that bring its seats, with how many.
    subscriptions: BTreeMap<String, Vec<(String, usize)>>,
    /// Those that are suspended.
    suspended: Vec<String>,
    users: Vec<String>,
    random: StdRng,
    told: BTreeMap<String, usize>,
}

impl Stage {
    /// Some products with this many seats each and half as many again, and some users: of every sixth something is wrong, and two are foreign.
    #[expect(clippy::print_stdout, reason = "a sweep prints its seed")]
    async fn set(kind: Kind, seed: u64, seats: [i32; 5], users: usize) -> Self {
        println!("seed {seed} on {kind:?}");
        let world = World::shared(kind).await;
        let trade = Trade::begin(world).await;
        let mut model = Model::default();
        let mut products = Vec::new();
        let plans: Vec<String> = (0..8).map(|_| fresh()).collect();
        // Base, better base, add-on, rival, and one that is not used everywhere.
        let included: [&[usize]; 5] = [&[0, 1], &[2, 3], &[4, 5], &[6, 1], &[7, 5]];
        for (included, seats) in included.iter().zip(seats) {
            let own: Vec<&str> = included.iter().map(|plan| plans[*plan].as_str()).collect();
            let product = suite(world, &trade, &own, seats).await;
            model.taken.insert(product.clone(), 0);
            model.plans.insert(product.clone(), own.iter().map(|plan| (*plan).to_owned()).collect());
            products.push(product);
        }
        let add_on =
            ProductRules { dependencies: vec![needs(&plans[4], &[&plans[0], &plans[2]])], ..Default::default() };
        rule(world, &products[2], add_on).await;
        model.needs.push((plans[4].clone(), vec![plans[0].clone(), plans[2].clone()]));
        rule(
            world,
            &products[3],
            ProductRules { exclusions: vec![excludes(&plans[6], &plans[3])], ..Default::default() },
        )
        .await;
        model.excludes.push((plans[6].clone(), plans[3].clone()));
        let elsewhere = ProductRules { prohibited_usage_locations: vec!["AT".to_owned()], ..Default::default() };
        rule(world, &products[4], elsewhere).await;
        model.prohibited.insert(products[4].clone(), "AT".to_owned());
        let subscriptions = with_another(world, &trade).await;
        for (product, bought) in &subscriptions {
            model.seats.insert(product.clone(), bought.iter().map(|(_, seats)| seats).sum());
        }
        products.push(fresh());
        model.plans.insert(products[5].clone(), BTreeSet::new());
        let mut stage = Self {
            world,
            model,
            products,
            subscriptions,
            suspended: Vec::new(),
            users: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            told: BTreeMap::new(),
            trade,
        };
        stage.populate(users).await;
        stage
    }

    async fn populate(&mut self, count: usize) {
        let customer = self.trade.customer.clone();
        self.users = self.world.told_users(&customer, count).await;
        let mut odd = Vec::new();
        for (at, user) in self.users.iter().enumerate() {
            self.model.held.insert(user.clone(), BTreeMap::new());
            let mut fact = World::user_fact(&customer, user, "Uma User");
            match at % 24 {
                6 => {
                    fact.state = user_fact::State::Deleted.into();
                    self.model.deleted.insert(user.clone());
                }
                12 => fact.usage_location.clear(),
                18 => "AT".clone_into(&mut fact.usage_location),
                _ => {}
            }
            self.model.locations.insert(user.clone(), fact.usage_location.clone());
            if at % 24 % 6 == 0 {
                odd.push(IdentityFact { version: 2, fact: Some(Fact::User(fact)) });
            }
        }
        for some in odd.chunks(200) {
            self.world.apply_identity_facts(some.to_vec()).await.unwrap();
        }
        self.users.extend(self.world.told_users(&self.world.told_customer("DE").await, 2).await);
    }

    /// Some of the products, some without a plan of theirs.
    fn draw(&mut self) -> (Vec<Give>, Vec<String>) {
        let (mut gives, mut takes) = (Vec::new(), Vec::new());
        for product in &self.products {
            match self.random.random_range(0..7) {
                0 | 1 => gives.push((product.clone(), BTreeSet::new())),
                2 if self.model.plans[product].len() > 1 => {
                    let at = self.random.random_range(0..2);
                    gives.push((product.clone(), self.model.plans[product].iter().skip(at).take(1).cloned().collect()));
                }
                3 => takes.push(product.clone()),
                _ => {}
            }
        }
        (gives, takes)
    }

    /// Makes what is suspended active again, or suspends one or both of a product's subscriptions.
    async fn turn(&mut self) {
        let mut desk = Desk::of(self.world).await;
        if !self.suspended.is_empty() {
            for id in std::mem::take(&mut self.suspended) {
                desk.reactivate(self.trade.seller(), paid(&id)).await.unwrap();
            }
            self.model.suspended.clear();
            return;
        }
        let product = &self.products[self.random.random_range(0..5)];
        let both = self.random.random_range(0..2) == 0;
        for (id, seats) in &self.subscriptions[product][..if both { 2 } else { 1 }] {
            desk.suspend(self.trade.seller(), unpaid(id)).await.unwrap();
            self.suspended.push(id.clone());
            *self.model.suspended.entry(product.clone()).or_default() += seats;
        }
    }

    /// One batch, dry and real, as the model has it. False when nothing was drawn to give or to take.
    async fn round(&mut self, batch: &[String], mode: Mode, name: &str) -> bool {
        let (gives, takes) = self.draw();
        if gives.is_empty() && takes.is_empty() {
            return false;
        }
        let mut licenses = Licenses::of(self.world).await;
        let token = self.trade.helper();
        let taken: Vec<&str> = takes.iter().map(String::as_str).collect();
        let assign = gives
            .iter()
            .map(|(product, excluded)| give(product, &excluded.iter().map(String::as_str).collect::<Vec<_>>()));
        let request = UpdateLicensesRequest {
            assign: assign.collect(),
            mode: mode.into(),
            ..change(&self.trade.customer, batch, &[], &taken)
        };
        let dry = UpdateLicensesRequest { validate_only: true, ..request.clone() };
        let would = licenses.update(token, dry).await.unwrap();
        let results = licenses.update(token, request).await.unwrap();
        assert_eq!(foretold(would), results, "{name}: a dry run tells what the real call does");
        let expected = self.model.batch(batch, &gives, &takes, mode);
        assert_eq!(sorted(&results), expected, "{name}: {gives:?} {takes:?}");
        for word in expected.iter().flat_map(|words| words.split(' ')) {
            *self.told.entry(word.to_owned()).or_default() += 1;
        }
        self.compare_answers(batch, &results, name);
        true
    }

    /// What each user is said to hold afterwards is what the model has.
    fn compare_answers(&self, batch: &[String], results: &[LicenseResult], name: &str) {
        for (user, result) in batch.iter().zip(results) {
            let held = self.model.held.get(user).filter(|_| batch.len() <= 1_000).cloned().unwrap_or_default();
            let told = result.licenses.iter().map(|license| {
                (license.product_id.clone(), license.excluded_service_plan_ids.iter().cloned().collect())
            });
            assert_eq!(told.collect::<BTreeMap<_, BTreeSet<_>>>(), held, "{name}");
        }
    }

    /// The counters and the rows are those of the model.
    async fn compare(&self, name: &str) {
        let mut shop = Shop::of(self.world).await;
        for product in &self.products[..5] {
            let owned = shop.entitlement(self.trade.helper(), &self.trade.customer, product).await;
            assert_eq!(owned.consumed, i64::try_from(self.model.taken[product]).unwrap(), "{name}");
        }
        let mut tx = self.world.licensing.db().await.snapshot().await.unwrap();
        let rows: Vec<(Uuid, Uuid, String)> = tx
            .sql("SELECT user_id, product_id, excluded_plans FROM assignments WHERE customer_id = $1")
            .bind(self.trade.customer.parse::<Uuid>().unwrap())
            .all()
            .await
            .unwrap();
        tx.rollback().await;
        counted_right(self.world).await;
        let rows = rows.into_iter().map(|(user, product, excluded)| (user.to_string(), product.to_string(), excluded));
        let held = self.model.held.iter().flat_map(|(user, held)| {
            held.iter().map(|(product, excluded)| {
                (user.clone(), product.clone(), excluded.iter().cloned().collect::<Vec<_>>().join(" "))
            })
        });
        assert_eq!(rows.collect::<BTreeSet<_>>(), held.collect::<BTreeSet<_>>(), "{name}");
    }
}

#[rstest]
#[tokio::test]
async fn random_batches_do_what_a_sequence_of_single_changes_does(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(1, 2, 5)] seed: u64,
) {
    let mut stage = Stage::set(kind, seed, [6, 10, 8, 4, 6], 48).await;
    for round in 0..ROUNDS {
        // For two rounds of every six.
        if [2, 4].contains(&(round % 6)) {
            stage.turn().await;
        }
        let count = stage.random.random_range(1..40);
        let batch: Vec<String> =
            (0..count).map(|_| stage.users[stage.random.random_range(0..stage.users.len())].clone()).collect();
        let all_or_nothing = stage.random.random_range(0..3) == 0;
        // A batch that could succeed as a whole is a small one.
        let (batch, mode) =
            if all_or_nothing { (&batch[..count.min(2)], Mode::AllOrNothing) } else { (&batch[..], Mode::PerUser) };
        stage.round(batch, mode, &format!("seed {seed}, round {round}")).await;
    }
    stage.compare(&format!("seed {seed}")).await;
    println!("{:?}, {} with other plans, {} squeezed", stage.told, stage.model.replanned, stage.model.squeezed);
    for word in [
        "CHANGED",
        "UNCHANGED",
        "NO_SEATS_AVAILABLE",
        "SUBSCRIPTION_SUSPENDED",
        "NOT_ENTITLED",
        "USER_DELETED",
        "NOT_FOUND",
        "USAGE_LOCATION_REQUIRED",
        "USAGE_LOCATION_NOT_ALLOWED",
        "DEPENDENCY_NOT_MET",
        "DEPENDENT_LICENSE_PRESENT",
        "MUTUALLY_EXCLUSIVE",
        "OTHERS_FAILED",
    ] {
        assert!(stage.told.contains_key(word), "seed {seed} never met {word}");
    }
    assert!(stage.model.squeezed > 0, "seed {seed} never wanted a seat of the one that was suspended");
    assert!(stage.model.replanned > 10, "seed {seed} chose other plans {} times", stage.model.replanned);
}

#[rstest]
#[tokio::test]
async fn batches_of_every_size_up_to_the_limit_do_what_a_sequence_of_single_changes_does(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let mut stage = Stage::set(kind, 4, [700, 700, 700, 700, 700], 10_100).await;
    let rounds = [
        (1, Mode::PerUser),
        (9_999, Mode::PerUser),
        (10_000, Mode::AllOrNothing),
        (10_000, Mode::PerUser),
        (9_999, Mode::PerUser),
    ];
    for (round, (size, mode)) in rounds.into_iter().enumerate() {
        let mut batch: Vec<String> =
            (0..size).map(|_| stage.users[stage.random.random_range(0..stage.users.len())].clone()).collect();
        batch.rotate_left(round % size);
        // 50,000 pairs at most: of six products one is left out.
        let known = stage.products.clone();
        stage.products.remove(round % 6);
        let name = format!("{size} users, round {round}");
        while !stage.round(&batch, mode, &name).await {}
        stage.products = known;
    }
    stage.compare("the largest").await;
    println!("{:?}", stage.told);
    for word in ["CHANGED", "NO_SEATS_AVAILABLE", "OTHERS_FAILED", "NOT_ENTITLED", "USER_DELETED", "UNCHANGED"] {
        assert!(stage.told.get(word).is_some_and(|times| *times >= 1_000), "{word} was hardly met");
    }
    let mut licenses = Licenses::of(stage.world).await;
    for (size, reason) in [(0, "EMPTY_SELECTION"), (10_001, "TOO_LONG")] {
        let batch: Vec<String> = stage.users.iter().take(size).cloned().collect();
        let refused =
            licenses.update(stage.trade.helper(), change(&stage.trade.customer, &batch, &[&fresh()], &[])).await;
        assert_eq!(outcome(&refused), (Code::InvalidArgument, reason.to_owned()));
    }
    stage.compare("after what was refused").await;
}
