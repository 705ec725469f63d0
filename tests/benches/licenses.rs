//! UpdateLicenses for ten thousand users and one product, against the same sets written by hand in the same run.
//!
//! ```sh
//! cargo bench -p tests --bench licenses
//! ```
//!
//! The call goes the whole way: client, loopback, token, policy, look-up of unknown users, rule, journal, saved reply. By
//! hand is what nobody can leave out: hold the pool, read who holds what and who is who, write, count, commit. Both take
//! turns on the same rows. It prints the table that stands in `TABLE.md`, and fails when the call takes more than three
//! times as long.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints what it measured, or fails")]

use std::time::{Duration, Instant};

use db::{Db, Dialect, Tx};
use proto::licensing::v1::license_result::Outcome;
use proto::licensing::v1::license_service_client::LicenseServiceClient;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::licensing::v1::{LicenseToAssign, OrderLine, PlaceOrderRequest, UpdateLicensesRequest, UpsertOfferRequest};
use proto::partner::v1::PartnerKind;
use testkit::database::Kind;
use tests::world::{Grant, World, authorized, fresh};
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use uuid::Uuid;

const USERS: usize = 10_000;
const ROUNDS: usize = 15;
const RATIO_MAX: f64 = 3.0;

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
    let mut worst = 0.0_f64;
    for (kind, change, call, hand) in table {
        let ratio = call.median / hand.median;
        worst = worst.max(ratio);
        println!("| {kind:?} | {change} {USERS} users | {call} | {hand} | {ratio:.2} |");
    }
    assert!(worst <= RATIO_MAX, "a call takes {worst:.2} times as long as the same sets by hand");
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
    product: Uuid,
    users: Vec<Uuid>,
}

async fn measure(kind: Kind) -> [(Kind, &'static str, Spread, Spread); 2] {
    let world = World::start(kind).await;
    let mut bench = prepare(&world).await;
    let (mut give, mut take) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for round in 0..=ROUNDS {
        let times = [bench.call(true).await, bench.hand(false).await, bench.hand(true).await, bench.call(false).await];
        // The first round warms up.
        if round > 0 {
            give.0.push(times[0]);
            take.1.push(times[1]);
            give.1.push(times[2]);
            take.0.push(times[3]);
        }
    }
    [
        (kind, "give", Spread::of(give.0), Spread::of(give.1)),
        (kind, "take from", Spread::of(take.0), Spread::of(take.1)),
    ]
}

async fn prepare(world: &World) -> Bench {
    let partner = world.register().await;
    world.told_partner(&partner.organization_id, PartnerKind::Direct).await;
    let customer = world.told_customer("DE").await;
    world.told_access(&customer, &partner.organization_id, Grant::DIRECT).await;
    let product = world.product("Harbor Mail").await;
    let offer = world.offer(UpsertOfferRequest { maximum_quantity: 20_000, ..World::offer_of(&product) }).await;
    let token = partner.session.access_token;
    let order = PlaceOrderRequest {
        customer_id: customer.clone(),
        lines: vec![OrderLine { offer_id: offer, quantity: 12_000, ..Default::default() }],
        request_id: fresh(),
        ..Default::default()
    };
    let channel = world.to_licensing().await;
    let mut shop = SubscriptionServiceClient::new(channel.clone());
    shop.place_order(authorized(&token, order)).await.expect("a direct partner orders");
    let users = world.told_users(&customer, USERS).await;
    let id = |text: &String| text.parse().expect("an id");
    Bench {
        db: world.licensing.db.clone(),
        licenses: LicenseServiceClient::new(channel),
        token,
        customer: id(&customer),
        product: id(&product),
        users: users.iter().map(id).collect(),
    }
}

impl Bench {
    async fn call(&mut self, give: bool) -> Duration {
        let product = self.product.to_string();
        let mut request = UpdateLicensesRequest {
            customer_id: self.customer.to_string(),
            user_ids: self.users.iter().map(ToString::to_string).collect(),
            request_id: fresh(),
            ..Default::default()
        };
        if give {
            request.assign = vec![LicenseToAssign { product_id: product }];
        } else {
            request.revoke_product_ids = vec![product];
        }
        let begun = Instant::now();
        let answer = self.licenses.update_licenses(authorized(&self.token, request)).await;
        let took = begun.elapsed();
        let results = answer.expect("the call is answered").into_inner().results;
        assert!(results.len() == USERS && results.iter().all(|result| result.outcome() == Outcome::Changed));
        took
    }

    async fn hand(&mut self, give: bool) -> Duration {
        let begun = Instant::now();
        let mut tx = self.db.write().await.expect("the database answers");
        let free: i64 = tx
            .sql("SELECT seats - consumed FROM pools WHERE customer_id = $1 AND product_id = $2")
            .bind(self.customer)
            .bind(self.product)
            .for_update()
            .one()
            .await
            .expect("there is a pool");
        let held: Vec<(Uuid, Uuid)> = tx
            .sql_for(
                "SELECT product_id, user_id FROM assignments WHERE customer_id = $1 AND product_id = $2
                     AND user_id IN (SELECT unhex(value) FROM json_each($3))",
                "SELECT product_id, user_id FROM assignments
                 WHERE customer_id = $1 AND product_id = $2 AND user_id = ANY($3)",
            )
            .bind(self.customer)
            .bind(self.product)
            .bind(self.users.as_slice())
            .all()
            .await
            .expect("licenses can be read");
        let known: Vec<(Uuid, String, String)> = tx
            .sql_for(
                "SELECT user_id, state, usage_location FROM users
                 WHERE customer_id = $1 AND user_id IN (SELECT unhex(value) FROM json_each($2))",
                "SELECT user_id, state, usage_location FROM users WHERE customer_id = $1 AND user_id = ANY($2)",
            )
            .bind(self.customer)
            .bind(self.users.as_slice())
            .all()
            .await
            .expect("users can be read");
        assert!(known.len() == USERS && held.len() == if give { 0 } else { USERS });
        assert!(!give || usize::try_from(free).is_ok_and(|free| free >= USERS));
        let seats = self.write(&mut tx, give).await;
        tx.sql("UPDATE pools SET consumed = consumed + $3 WHERE customer_id = $1 AND product_id = $2")
            .bind(self.customer)
            .bind(self.product)
            .bind(seats)
            .execute()
            .await
            .expect("the counter moves");
        tx.commit().await.expect("a commit");
        begun.elapsed()
    }

    /// The set itself, and by how much it moves the counter.
    async fn write(&self, tx: &mut Tx, give: bool) -> i64 {
        let embedded = tx.dialect() == Dialect::Sqlite;
        let text = match (give, embedded) {
            (true, true) => {
                "INSERT INTO assignments (customer_id, product_id, user_id, create_time)
                 SELECT $1, $2, unhex(value), $4 FROM json_each($3)"
            }
            (true, false) => {
                "INSERT INTO assignments (customer_id, product_id, user_id, create_time)
                 SELECT $1, $2, user_id, $4 FROM unnest($3) AS user_id"
            }
            (false, true) => {
                "DELETE FROM assignments WHERE customer_id = $1 AND product_id = $2
                     AND user_id IN (SELECT unhex(value) FROM json_each($3))"
            }
            (false, false) => {
                "DELETE FROM assignments WHERE customer_id = $1 AND product_id = $2 AND user_id = ANY($3)"
            }
        };
        let statement = tx.sql(text).bind(self.customer).bind(self.product).bind(self.users.as_slice());
        let statement = if give { statement.bind(base::Clock::new().now()) } else { statement };
        let written = statement.execute().await.expect("the set is written");
        assert_eq!(usize::try_from(written), Ok(USERS));
        let seats = i64::try_from(USERS).expect("a small number");
        if give { seats } else { -seats }
    }
}
