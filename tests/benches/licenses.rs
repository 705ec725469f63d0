//! UpdateLicenses for ten thousand users, against the same sets written by hand in the same run: one product, and five
//! with rules between their service plans.
//!
//! ```sh
//! cargo bench -p tests --bench licenses
//! ```
//!
//! The call goes the whole way: client, loopback, token, policy, rules, journal, saved reply. By hand is what nobody can
//! leave out: hold the pools, read who holds what and, where something is given, who is who, write, count, commit. It reads
//! a row for each user, as everybody writes it; the call reads lists of ids, which is faster. Both take turns on the same
//! rows. Then somebody else asks for the same pool again and again, and is told how long the call keeps
//! it: their longest wait is as long as the call holds the row, on PostgreSQL, or the one writer, on SQLite (R-16). It prints
//! the tables that stand in `TABLE.md`, and fails when the call takes more than two times as long for one product, or five
//! times for five, or when one product's pool is held for longer than 100 ms.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints what it measured, or fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use db::{Db, Dialect, Tx};
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::license_result::Outcome;
use proto::licensing::v1::license_service_client::LicenseServiceClient;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::licensing::v1::{
    GetProductRequest, LicenseToAssign, OrderLine, PlaceOrderRequest, ProductRules, ServicePlanDependency,
    ServicePlanExclusion, SetProductRulesRequest, UpdateLicensesRequest, UpsertOfferRequest,
};
use proto::partner::v1::PartnerKind;
use testkit::database::Kind;
use tests::world::{Grant, World, authorized, fresh};
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use uuid::Uuid;

const USERS: usize = 10_000;
const ROUNDS: usize = 15;
/// Of one product.
const RATIO_MAX: f64 = 2.0;
/// Of several with rules.
const RULED_RATIO_MAX: f64 = 5.0;
/// How often it is measured how long the pool is held.
const HOLDS: usize = 7;
/// How long one product's pool may be held, in milliseconds.
const HOLD_MAX: f64 = 100.0;

fn main() {
    let runtime = Runtime::new().expect("a runtime starts");
    let mut table = Vec::new();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        table.extend(runtime.block_on(measure(kind)));
    }
    println!(
        "| database | change | by call, ms: least, median, most | by hand, ms: least, median, most | ratio of medians |"
    );
    println!("|---|---|---|---|---|");
    let (mut slow, mut held) = (Vec::new(), Vec::new());
    for Row { kind, change, products, call, hand, hold } in table {
        held.push(format!("| {kind:?} | {change} {USERS} users {products} | {hold} |"));
        if products == 1 && hold.median > HOLD_MAX {
            slow.push(format!("{kind:?}: {change} held the pool for {:.0} ms, not {HOLD_MAX}", hold.median));
        }
        let ratio = call.median / hand.median;
        println!("| {kind:?} | {change} {USERS} users {products} | {call} | {hand} | {ratio:.2} |");
        let most = if products == 1 { RATIO_MAX } else { RULED_RATIO_MAX };
        if ratio > most {
            slow.push(format!("{kind:?}: {change} {products} took {ratio:.2} times as long as by hand, not {most}"));
        }
    }
    println!("\n| database | change | the pool is held, ms: least, median, most |\n|---|---|---|\n{}", held.join("\n"));
    assert!(slow.is_empty(), "{}", slow.join("; "));
}

/// One line of the table.
struct Row {
    kind: Kind,
    change: &'static str,
    products: usize,
    call: Spread,
    hand: Spread,
    hold: Spread,
}

/// Of some durations, in milliseconds.
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let ms = |at: usize| durations.get(at).map_or(f64::NAN, |duration| duration.as_secs_f64() * 1_000.0);
        Self { least: ms(0), median: ms(durations.len() / 2), most: ms(durations.len() - 1) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1}, {:.1}, {:.1}", self.least, self.median, self.most)
    }
}

/// What is measured, and on what.
struct Bench {
    db: Db,
    licenses: LicenseServiceClient<Channel>,
    token: String,
    customer: Uuid,
    products: Vec<Uuid>,
    users: Vec<Uuid>,
}

async fn measure(kind: Kind) -> Vec<Row> {
    let world = World::start(kind).await;
    let mut rows = Vec::new();
    for products in [1, 5] {
        let mut bench = prepare(&world, products).await;
        let (mut give, mut take) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for round in 0..=ROUNDS {
            let times =
                [bench.call(true).await, bench.hand(false).await, bench.hand(true).await, bench.call(false).await];
            // The first round warms up.
            if round > 0 {
                give.0.push(times[0]);
                take.1.push(times[1]);
                give.1.push(times[2]);
                take.0.push(times[3]);
            }
        }
        // Of another customer: what was given and taken a hundred times within a minute is full of rows that are gone.
        let mut bench = prepare(&world, products).await;
        let mut holds = (Vec::new(), Vec::new());
        for _ in 0..HOLDS {
            holds.0.push(bench.hold(true).await);
            holds.1.push(bench.hold(false).await);
        }
        for (change, (call, hand), hold) in [("give", give, holds.0), ("take from", take, holds.1)] {
            let (call, hand, hold) = (Spread::of(call), Spread::of(hand), Spread::of(hold));
            rows.push(Row { kind, change, products, call, hand, hold });
        }
    }
    rows
}

async fn prepare(world: &World, products: usize) -> Bench {
    let partner = world.register().await;
    world.told_partner(&partner.organization_id, PartnerKind::Direct).await;
    let customer = world.told_customer("DE").await;
    world.told_access(&customer, &partner.organization_id, Grant::DIRECT).await;
    let token = partner.session.access_token;
    let channel = world.to_licensing().await;
    let mut shop = SubscriptionServiceClient::new(channel.clone());
    let mut owned = Vec::new();
    for _ in 0..products {
        let product = world.product("Harbor Mail").await;
        let offer = world.offer(UpsertOfferRequest { maximum_quantity: 20_000, ..World::offer_of(&product) }).await;
        let order = PlaceOrderRequest {
            customer_id: customer.clone(),
            lines: vec![OrderLine { offer_id: offer, quantity: 12_000, ..Default::default() }],
            request_id: fresh(),
            ..Default::default()
        };
        shop.place_order(authorized(&token, order)).await.expect("a direct partner orders");
        owned.push(product);
    }
    if products > 1 {
        add_rules(world, &owned).await;
    }
    let users = world.told_users(&customer, USERS).await;
    let id = |text: &String| text.parse().expect("an id");
    Bench {
        db: world.licensing.db().await.clone(),
        licenses: LicenseServiceClient::new(channel),
        token,
        customer: id(&customer),
        products: owned.iter().map(id).collect(),
        users: users.iter().map(id).collect(),
    }
}

/// Every product needs the one before it, does not go together with one that nobody has, and is not used everywhere.
async fn add_rules(world: &World, products: &[String]) {
    let operator = world.operator().await;
    let mut catalog = CatalogServiceClient::new(world.to_licensing().await);
    let mut plans = Vec::new();
    for product_id in products.iter().chain([&world.product("Harbor Shield").await]) {
        let request = GetProductRequest { product_id: product_id.clone() };
        let shown = catalog.get_product(authorized(&operator, request)).await.expect("a product").into_inner();
        plans.push(shown.service_plans[0].service_plan_id.clone());
    }
    for (at, product_id) in products.iter().enumerate() {
        let needs = ServicePlanDependency {
            service_plan_id: plans[at].clone(),
            any_of_service_plan_ids: vec![plans[at.saturating_sub(1)].clone()],
        };
        let excludes = ServicePlanExclusion {
            service_plan_id: plans[at].clone(),
            other_service_plan_id: plans[products.len()].clone(),
        };
        let rules = ProductRules {
            dependencies: vec![needs],
            exclusions: vec![excludes],
            prohibited_usage_locations: vec!["AT".to_owned()],
            ..Default::default()
        };
        let request = SetProductRulesRequest {
            product_id: product_id.clone(),
            rules: Some(rules),
            request_id: fresh(),
            ..Default::default()
        };
        catalog.set_product_rules(authorized(&operator, request)).await.expect("an operator sets rules");
    }
}

impl Bench {
    async fn call(&mut self, give: bool) -> Duration {
        let products = self.products.iter().map(ToString::to_string);
        let mut request = UpdateLicensesRequest {
            customer_id: self.customer.to_string(),
            user_ids: self.users.iter().map(ToString::to_string).collect(),
            request_id: fresh(),
            ..Default::default()
        };
        if give {
            let give = |product_id| LicenseToAssign { product_id, ..Default::default() };
            request.assign = products.map(give).collect();
        } else {
            request.revoke_product_ids = products.collect();
        }
        let begun = Instant::now();
        let answer = self.licenses.update_licenses(authorized(&self.token, request)).await;
        let took = begun.elapsed();
        let results = answer.expect("the call is answered").into_inner().results;
        assert!(results.len() == USERS && results.iter().all(|result| result.outcome() == Outcome::Changed));
        took
    }

    /// How long the call holds the pool: whoever asks for it all the time waits that long once.
    async fn hold(&mut self, give: bool) -> Duration {
        let stop = Arc::new(AtomicBool::new(false));
        let (db, customer, product) = (self.db.clone(), self.customer, self.products[0]);
        let waiting = tokio::spawn({
            let stop = Arc::clone(&stop);
            async move {
                let mut longest = Duration::ZERO;
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let mut tx = db.write().await.expect("the database answers");
                    let pool = tx
                        .sql("SELECT consumed FROM pools WHERE customer_id = $1 AND product_id = $2")
                        .bind(customer)
                        .bind(product);
                    let _: i64 = pool.for_update().one().await.expect("there is a pool");
                    longest = longest.max(begun.elapsed());
                    tx.rollback().await;
                    // Whoever holds it all the time is waited for.
                    tokio::time::sleep(Duration::from_micros(500)).await;
                }
                longest
            }
        });
        self.call(give).await;
        stop.store(true, Ordering::Relaxed);
        waiting.await.expect("somebody waited")
    }

    async fn hand(&mut self, give: bool) -> Duration {
        let begun = Instant::now();
        let mut tx = self.db.write().await.expect("the database answers");
        let free: Vec<i64> = tx
            .sql_for(
                "SELECT seats - consumed FROM pools
                 WHERE customer_id = $1 AND product_id IN (SELECT unhex(value) FROM json_each($2))
                 ORDER BY product_id",
                "SELECT seats - consumed FROM pools WHERE customer_id = $1 AND product_id = ANY($2)
                 ORDER BY product_id",
            )
            .bind(self.customer)
            .bind(self.products.as_slice())
            .for_update()
            .all()
            .await
            .expect("there are pools");
        let held: Vec<(Uuid, Uuid)> = tx
            .sql_for(
                "SELECT product_id, user_id FROM assignments
                 WHERE customer_id = $1 AND product_id IN (SELECT unhex(value) FROM json_each($2))
                     AND user_id IN (SELECT unhex(value) FROM json_each($3))",
                "SELECT product_id, user_id FROM assignments
                 WHERE customer_id = $1 AND product_id = ANY($2) AND user_id = ANY($3)",
            )
            .bind(self.customer)
            .bind(self.products.as_slice())
            .bind(self.users.as_slice())
            .all()
            .await
            .expect("licenses can be read");
        assert_eq!(held.len(), if give { 0 } else { USERS * self.products.len() });
        if give {
            self.know(&mut tx).await;
        }
        assert!(!give || free.iter().all(|free| usize::try_from(*free).is_ok_and(|free| free >= USERS)));
        let mut products = self.products.clone();
        products.sort_unstable();
        for product in products {
            let seats = self.write(&mut tx, product, give).await;
            tx.sql("UPDATE pools SET consumed = consumed + $3 WHERE customer_id = $1 AND product_id = $2")
                .bind(self.customer)
                .bind(product)
                .bind(seats)
                .execute()
                .await
                .expect("the counter moves");
        }
        tx.commit().await.expect("a commit");
        begun.elapsed()
    }

    /// Who may be given something: who is there, and where.
    async fn know(&self, tx: &mut Tx) {
        let known: Vec<(Uuid, bool, String)> = tx
            .sql_for(
                "SELECT user_id, state = 'DELETED', usage_location FROM users
                 WHERE customer_id = $1 AND user_id IN (SELECT unhex(value) FROM json_each($2))",
                "SELECT user_id, state = 'DELETED', usage_location FROM users
                 WHERE customer_id = $1 AND user_id = ANY($2)",
            )
            .bind(self.customer)
            .bind(self.users.as_slice())
            .all()
            .await
            .expect("users can be read");
        assert_eq!(known.len(), USERS);
    }

    /// One product's set, and by how much it moves the counter.
    async fn write(&self, tx: &mut Tx, product: Uuid, give: bool) -> i64 {
        let embedded = tx.dialect() == Dialect::Sqlite;
        let text = match (give, embedded) {
            (true, true) => {
                "INSERT INTO assignments (customer_id, product_id, user_id, excluded_plans, create_time)
                 SELECT $1, $2, unhex(value), '', $4 FROM json_each($3)"
            }
            (true, false) => {
                "INSERT INTO assignments (customer_id, product_id, user_id, excluded_plans, create_time)
                 SELECT $1, $2, user_id, '', $4 FROM unnest($3) AS user_id"
            }
            (false, true) => {
                "DELETE FROM assignments WHERE customer_id = $1 AND product_id = $2
                     AND user_id IN (SELECT unhex(value) FROM json_each($3))"
            }
            (false, false) => {
                "DELETE FROM assignments WHERE customer_id = $1 AND product_id = $2 AND user_id = ANY($3)"
            }
        };
        let statement = tx.sql(text).bind(self.customer).bind(product).bind(self.users.as_slice());
        let statement = if give { statement.bind(base::Clock::new().now()) } else { statement };
        let written = statement.execute().await.expect("the set is written");
        assert_eq!(usize::try_from(written), Ok(USERS));
        let seats = i64::try_from(USERS).expect("a small number");
        if give { seats } else { -seats }
    }
}
