//! Single licenses over a thousand pools, and what a hot pool or large batches cost everybody else (R-16, R-36).
//!
//! ```sh
//! cargo bench -p tests --bench neighbors
//! ```
//!
//! First sixteen callers give and take one license at a time, each at another pool, by call and by hand in turn: the same
//! transaction by hand, the same number of sessions, the same rows. Then other tenants' calls come at a steady rate while
//! nobody else works and while sixty-four callers want the same pool; how long one takes is counted from the moment at which
//! it was due. At last other tenants look at the licenses of one user each, as often as to keep the service three tenths
//! busy, alone and while ten thousand users of one customer are changed once a second. It prints the tables that stand in
//! `TABLE.md`, and fails when the calls are less than three fifths of what is done by hand, or when the neighbors' 99th
//! percentile more than doubles. A number of seconds for each turn may be given.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints what it measured, or fails")]

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base::Clock;
use db::{Db, Tx};
use proto::identity::v1::identity_fact::Fact as FactOfIdentity;
use proto::identity::v1::{Cloud, OrganizationFact, OrganizationKind, organization};
use proto::licensing::v1::license_result::Outcome;
use proto::licensing::v1::license_service_client::LicenseServiceClient;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::licensing::v1::{
    GetUserLicensesRequest, LicenseToAssign, OrderLine, PlaceOrderRequest, UpdateLicensesRequest, UpsertOfferRequest,
};
use proto::partner::v1::partner_fact::Fact as FactOfPartner;
use proto::partner::v1::{Access, PartnerKind};
use testkit::database::Kind;
use tests::world::{Grant, World, authorized, fresh};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use uuid::Uuid;

const POOLS: usize = 1_000;
const CALLERS: usize = 16;
const HOT_CALLERS: usize = 64;
/// How often another tenant calls.
const NEIGHBOR_EVERY: Duration = Duration::from_millis(10);
/// Users of one batch.
const BATCH: usize = 10_000;
/// How often a batch comes.
const BATCH_EVERY: Duration = Duration::from_secs(1);
/// How busy those who look keep the service, in proportion to what it can answer.
const LOAD: f64 = 0.3;
/// Turns of each kind.
const TURNS: usize = 3;
const SECONDS: u64 = 10;
/// Calls in proportion to the same by hand, at least.
const SHARE_MIN: f64 = 0.6;
/// The neighbors' 99th percentile beside others' work in proportion to the same alone, at most.
const DELAY_MAX: f64 = 2.0;

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(SECONDS);
    let turn = Duration::from_secs(seconds);
    Runtime::new().expect("a runtime starts").block_on(async {
        let world = World::start(Kind::Postgres).await;
        let stage = Arc::new(Stage::set(&world).await);
        let share = measure_share(&stage, turn).await;
        let delay = measure_delay(&stage, turn).await;
        let batch_delay = measure_batches(&stage, turn).await;
        assert!(share >= SHARE_MIN, "calls were {share:.2} of what is done by hand, not {SHARE_MIN}");
        assert!(delay <= DELAY_MAX, "the neighbors' 99th percentile was {delay:.2} times as long, not {DELAY_MAX}");
        assert!(batch_delay <= DELAY_MAX, "beside batches it was {batch_delay:.2} times as long, not {DELAY_MAX}");
    });
}

/// A pool, and the users who get its seats.
struct Place {
    customer: Uuid,
    users: Vec<Uuid>,
    /// Which of them has one.
    held: Vec<AtomicBool>,
}

/// Customers with a pool each, one whose pool many want, and one with many users.
struct Stage {
    db: Db,
    channel: Channel,
    token: String,
    admin: Uuid,
    partner: Uuid,
    product: Uuid,
    places: Vec<Place>,
    hot: Place,
    /// Whose licenses are changed all at once.
    large: Place,
    next: AtomicUsize,
}

impl Stage {
    async fn set(world: &World) -> Self {
        let partner = world.register().await;
        world.told_partner(&partner.organization_id, PartnerKind::Direct).await;
        let product = world.product("Harbor Mail").await;
        let offer = world.offer(UpsertOfferRequest { maximum_quantity: 20_000, ..World::offer_of(&product) }).await;
        let customers: Vec<String> = (0..=POOLS).map(|_| fresh()).collect();
        let mut users: Vec<Vec<String>> = customers.iter().map(|_| vec![fresh()]).collect();
        users[POOLS] = (0..HOT_CALLERS).map(|_| fresh()).collect();
        for (some, theirs) in customers.chunks(100).zip(users.chunks(100)) {
            tell(world, &partner.organization_id, some, theirs).await;
        }
        let channel = world.to_licensing().await;
        let token = partner.session.access_token.clone();
        for some in customers.chunks(CALLERS) {
            let mut ordering = JoinSet::new();
            for customer in some {
                let order = PlaceOrderRequest {
                    customer_id: customer.clone(),
                    lines: vec![OrderLine { offer_id: offer.clone(), quantity: 100, ..Default::default() }],
                    request_id: fresh(),
                    ..Default::default()
                };
                let (mut shop, order) = (SubscriptionServiceClient::new(channel.clone()), authorized(&token, order));
                ordering.spawn(async move { shop.place_order(order).await.expect("a direct partner orders") });
            }
            ordering.join_all().await;
        }
        let place = |(customer, users): (&String, &Vec<String>)| Place {
            customer: id(customer),
            users: users.iter().map(|user| id(user)).collect(),
            held: users.iter().map(|_| AtomicBool::new(false)).collect(),
        };
        let mut places: Vec<Place> = customers.iter().zip(&users).map(place).collect();
        let hot = places.pop().expect("the last one is the hot one");
        let large = world.told_customer("DE").await;
        world.told_access(&large, &partner.organization_id, Grant::DIRECT).await;
        let order = PlaceOrderRequest {
            customer_id: large.clone(),
            lines: vec![OrderLine { offer_id: offer, quantity: 10_000, ..Default::default() }],
            request_id: fresh(),
            ..Default::default()
        };
        let mut shop = SubscriptionServiceClient::new(channel.clone());
        shop.place_order(authorized(&token, order)).await.expect("a direct partner orders");
        let large = place((&large, &world.told_users(&large, BATCH).await));
        Self {
            db: world.licensing.db().await,
            channel,
            token,
            admin: id(&partner.admin_user_id),
            partner: id(&partner.organization_id),
            product: id(&product),
            places,
            hot,
            large,
            next: AtomicUsize::new(0),
        }
    }

    /// The next of the thousand.
    fn next(&self) -> &Place {
        &self.places[self.next.fetch_add(1, Ordering::Relaxed) % POOLS]
    }

    /// Gives a user the license that they lack, or takes the one that they have.
    async fn call(&self, place: &Place, user: usize) {
        self.change(place, user..user + 1).await;
    }

    /// Gives some users, who lack it or have it all together, the license, or takes it.
    async fn change(&self, place: &Place, users: Range<usize>) {
        let had: Vec<bool> =
            place.held[users.clone()].iter().map(|held| held.fetch_xor(true, Ordering::Relaxed)).collect();
        let give = !had[0];
        let product = self.product.to_string();
        let mut request = UpdateLicensesRequest {
            customer_id: place.customer.to_string(),
            user_ids: place.users[users].iter().map(Uuid::to_string).collect(),
            request_id: fresh(),
            ..Default::default()
        };
        if give {
            request.assign = vec![LicenseToAssign { product_id: product, ..Default::default() }];
        } else {
            request.revoke_product_ids = vec![product];
        }
        let mut licenses = LicenseServiceClient::new(self.channel.clone());
        let answer = licenses.update_licenses(authorized(&self.token, request)).await.expect("the call is answered");
        let results = &answer.get_ref().results;
        assert_eq!(results.len(), had.len());
        assert!(results.iter().all(|result| result.outcome() == Outcome::Changed));
    }

    /// Looks at what one user has.
    async fn look(&self, place: &Place) {
        let request =
            GetUserLicensesRequest { customer_id: place.customer.to_string(), user_id: place.users[0].to_string() };
        let mut licenses = LicenseServiceClient::new(self.channel.clone());
        let answer = licenses.get_user_licenses(authorized(&self.token, request)).await.expect("the call is answered");
        assert_eq!(answer.get_ref().licenses.len(), usize::from(place.held[0].load(Ordering::Relaxed)));
    }

    /// The same by hand: what every statement of the call does, in the same transaction, and nothing else.
    async fn hand(&self, place: &Place, user: usize) {
        let give = !place.held[user].fetch_xor(true, Ordering::Relaxed);
        let (user, request) = (place.users[user], Uuid::now_v7());
        let mut tx = self.db.write().await.expect("the database answers");
        self.admit(&mut tx, place.customer, request).await;
        self.judge(&mut tx, place.customer, user, give).await;
        self.write(&mut tx, place.customer, user, give).await;
        self.keep(&mut tx, place.customer, user, request).await;
        tx.commit().await.expect("a commit");
    }

    async fn due(&self, tx: &mut Tx, customer: Uuid) {
        let due = tx
            .sql(
                "SELECT subscription_id FROM subscriptions WHERE customer_id = $1 AND due_time <= $2 ORDER BY due_time",
            )
            .bind(customer)
            .bind(Clock::new().now());
        assert!(due.all::<Uuid>().await.expect("subscriptions can be read").is_empty());
    }

    /// Who calls, which request it is, and what they may do at the customer.
    async fn admit(&self, tx: &mut Tx, customer: Uuid, request: Uuid) {
        tx.sql("INSERT INTO principal_floors (principal_id, auth_version) VALUES ($1, 0) ON CONFLICT DO NOTHING")
            .bind(self.admin)
            .execute()
            .await
            .expect("there is a floor");
        let floor = tx.sql("SELECT auth_version FROM principal_floors WHERE principal_id = $1").bind(self.admin);
        let _: i64 = floor.for_share().one().await.expect("a floor");
        tx.lock_timeout(Duration::from_secs(1)).await.expect("a timeout");
        let claimed = tx
            .sql(
                "INSERT INTO replays (principal_key, method, request_id, digest, sealed, create_time)
                 VALUES ($1, $2, $3, $4, FALSE, $5) ON CONFLICT DO NOTHING",
            )
            .bind(self.admin.as_bytes().to_vec())
            .bind("UpdateLicenses")
            .bind(request)
            .bind(vec![0_u8; 32])
            .bind(Clock::new().now())
            .execute();
        assert_eq!(claimed.await.expect("a request is claimed"), 1);
        tx.lock_timeout(db::LOCK_TIMEOUT).await.expect("a timeout");
        let access = tx
            .sql(
                "SELECT customer_id, partner_id, kind, active, delegated_admin, order_right, epoch FROM accesses
                 WHERE customer_id = $1 AND partner_id = $2",
            )
            .bind(customer)
            .bind(self.partner);
        let _: Uuid = access.for_share().one().await.expect("an access");
        self.due(tx, customer).await;
    }

    /// The rules, the pool, and who holds what.
    async fn judge(&self, tx: &mut Tx, customer: Uuid, user: Uuid, give: bool) {
        self.plan_rules(tx).await;
        let shared = tx.sql("SELECT customer_id FROM customers WHERE customer_id = $1").bind(customer).for_share();
        if shared.optional::<Uuid>().await.expect("customers can be read").is_none() {
            tx.sql("INSERT INTO customers (customer_id) VALUES ($1) ON CONFLICT (customer_id) DO NOTHING")
                .bind(customer)
                .execute()
                .await
                .expect("a customer's row");
        }
        let pool = tx
            .sql(
                "SELECT seats - consumed, product_id, suspended FROM pools
                 WHERE customer_id = $1 AND product_id = ANY($2) AND seats > 0
                 ORDER BY product_id",
            )
            .bind(customer)
            .bind([self.product].as_slice());
        assert!(pool.for_update().one::<i64>().await.expect("a pool") > 0);
        let rules = tx
            .sql(
                "SELECT product_id, target_type, license_group, assignment_authority, allowed_locations,
                     prohibited_locations, version, update_time
                 FROM product_rules WHERE product_id = ANY($1)",
            )
            .bind([self.product].as_slice());
        assert!(rules.all::<Uuid>().await.expect("rules can be read").is_empty());
        self.plan_rules(tx).await;
        let held = tx
            .sql(
                "SELECT product_id, user_id, excluded_plans FROM assignments
                 WHERE customer_id = $1 AND user_id = ANY($2)",
            )
            .bind(customer)
            .bind([user].as_slice())
            .all::<Uuid>();
        assert_eq!(held.await.expect("licenses can be read").is_empty(), give);
        let known = tx
            .sql(
                "SELECT state = 'DELETED' AS deleted, user_id, usage_location FROM users
                 WHERE customer_id = $1 AND user_id = ANY($2)",
            )
            .bind(customer)
            .bind([user].as_slice())
            .one::<bool>();
        assert!(!known.await.expect("a user"));
    }

    async fn plan_rules(&self, tx: &mut Tx) {
        let rules = tx
            .sql(
                "SELECT product_id, position, kind, plan_id, other_plan_id FROM plan_rules
                 WHERE (product_id, position) IN (
                     SELECT r.product_id, r.position FROM plan_rules r JOIN product_plans p ON p.plan_id = r.plan_id
                     WHERE p.product_id = ANY($1)
                     UNION
                     SELECT r.product_id, r.position FROM plan_rules r
                     JOIN product_plans p ON p.plan_id = r.other_plan_id
                     WHERE p.product_id = ANY($1))",
            )
            .bind([self.product].as_slice());
        assert!(rules.all::<Uuid>().await.expect("rules can be read").is_empty());
    }

    async fn write(&self, tx: &mut Tx, customer: Uuid, user: Uuid, give: bool) {
        let text = if give {
            "INSERT INTO assignments (customer_id, product_id, user_id, excluded_plans, create_time)
             SELECT $1::uuid, $2::uuid, user_id, '', CURRENT_TIMESTAMP FROM unnest($3::uuid[]) AS user_id"
        } else {
            "DELETE FROM assignments WHERE customer_id = $1 AND product_id = $2 AND user_id = ANY($3)"
        };
        let written = tx.sql(text).bind(customer).bind(self.product).bind([user].as_slice()).execute();
        assert_eq!(written.await.expect("a license is written"), 1);
        tx.sql("UPDATE pools SET consumed = consumed + $3 WHERE customer_id = $1 AND product_id = $2")
            .bind(customer)
            .bind(self.product)
            .bind(if give { 1_i64 } else { -1 })
            .execute()
            .await
            .expect("the counter moves");
    }

    /// The entry of the journal and the reply.
    async fn keep(&self, tx: &mut Tx, customer: Uuid, user: Uuid, request: Uuid) {
        tx.sql(
            "INSERT INTO journal (entry_id, order_key, create_time, actor_id, actor_kind, organization_id, customer_id,
                 action, action_key, target_kind, target_id, changes, request_hash, outcome, reason)
             VALUES ($1, CAST($1 AS TEXT), CURRENT_TIMESTAMP, $2, 'user', $3, $4, 'LicensesUpdated', 'licensesupdated',
                 'user', $5, '[]', $6, 'SUCCEEDED', '')",
        )
        .bind(Uuid::now_v7())
        .bind(self.admin)
        .bind(self.partner)
        .bind(customer)
        .bind(user)
        .bind(vec![0_u8; 32])
        .execute()
        .await
        .expect("an entry is written");
        let saved = tx
            .sql("UPDATE replays SET reply = $3 WHERE principal_key = $1 AND method = 'UpdateLicenses' AND request_id = $2")
            .bind(self.admin.as_bytes().to_vec())
            .bind(request)
            .bind(vec![0_u8; 120])
            .execute();
        assert_eq!(saved.await.expect("a reply is kept"), 1);
    }
}

fn id(text: &str) -> Uuid {
    text.parse().expect("an id")
}

/// Tells licensing of customers, their users and what the partner may do there.
async fn tell(world: &World, partner_id: &str, customers: &[String], users: &[Vec<String>]) {
    let organization = |customer: &String| {
        FactOfIdentity::Organization(OrganizationFact {
            organization_id: customer.clone(),
            kind: OrganizationKind::Customer.into(),
            name: "Contoso".to_owned(),
            country: "DE".to_owned(),
            cloud: Cloud::Global.into(),
            state: organization::State::Active.into(),
            domains: Vec::new(),
        })
    };
    let access = |customer: &String| {
        FactOfPartner::Access(Access {
            customer_id: customer.clone(),
            partner_id: partner_id.to_owned(),
            kind: PartnerKind::Direct.into(),
            active: true,
            delegated_admin: true,
            order_right: true,
            epoch: 1,
            decision_id: String::new(),
        })
    };
    let people = customers.iter().zip(users).flat_map(|(customer, users)| {
        users.iter().map(move |user| FactOfIdentity::User(World::user_fact(customer, user, "Uma User")))
    });
    world.tell_of_identity(1, customers.iter().map(organization).collect()).await.expect("facts are taken over");
    world.tell_of_identity(1, people.collect()).await.expect("facts are taken over");
    world.tell_of_partner(1, customers.iter().map(access).collect()).await.expect("facts are taken over");
}

/// Calls for each one by hand, in the same time.
async fn measure_share(stage: &Arc<Stage>, turn: Duration) -> f64 {
    let (mut called, mut by_hand) = (0, 0);
    for _ in 0..TURNS {
        called += single(stage, turn, true).await;
        by_hand += single(stage, turn, false).await;
    }
    let seconds = turn.as_secs_f64() * f64::from(u32::try_from(TURNS).expect("a few"));
    let rate = |count: u32| f64::from(count) / seconds;
    let share = rate(called) / rate(by_hand);
    println!("| {POOLS} pools, {CALLERS} callers | a second, by call | a second, by hand | share |");
    println!("|---|---|---|---|");
    println!("| give or take one license | {:.0} | {:.0} | {share:.2} |\n", rate(called), rate(by_hand));
    share
}

/// How many single changes there are in a turn.
async fn single(stage: &Arc<Stage>, turn: Duration, by_call: bool) -> u32 {
    let until = Instant::now() + turn;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let stage = Arc::clone(stage);
        callers.spawn(async move {
            let mut count = 0;
            while Instant::now() < until {
                let place = stage.next();
                if by_call {
                    stage.call(place, 0).await;
                } else {
                    stage.hand(place, 0).await;
                }
                count += 1;
            }
            count
        });
    }
    callers.join_all().await.into_iter().sum()
}

/// What other tenants do.
#[derive(Clone, Copy)]
enum Neighbor {
    Changes,
    Looks,
}

/// How much longer the slowest of a hundred neighbors takes beside a hot pool.
async fn measure_delay(stage: &Arc<Stage>, turn: Duration) -> f64 {
    let (mut alone, mut beside, mut hot) = (Vec::new(), Vec::new(), 0);
    for _ in 0..TURNS {
        alone.extend(neighbors(stage, turn, Neighbor::Changes, NEIGHBOR_EVERY).await);
        let stop = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for user in 0..HOT_CALLERS {
            let (stage, stop) = (Arc::clone(stage), Arc::clone(&stop));
            callers.spawn(async move {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    stage.call(&stage.hot, user).await;
                    count += 1;
                }
                count
            });
        }
        beside.extend(neighbors(stage, turn, Neighbor::Changes, NEIGHBOR_EVERY).await);
        stop.store(true, Ordering::Relaxed);
        hot += callers.join_all().await.into_iter().sum::<u32>();
    }
    println!("| neighbors, one every {NEIGHBOR_EVERY:?} | calls | ms: median, 99th percentile, most |");
    println!("|---|---|---|");
    let alone = row("alone", alone);
    let beside = row(&format!("beside {HOT_CALLERS} callers of one pool ({hot} calls)"), beside);
    println!("\nThe 99th percentile beside the hot pool is {:.2} times that alone.\n", beside / alone);
    beside / alone
}

/// How much longer the slowest of a hundred who look takes beside a large batch once a second.
async fn measure_batches(stage: &Arc<Stage>, turn: Duration) -> f64 {
    let capacity = looks(stage, turn).await;
    let every = Duration::from_secs_f64(1.0 / (capacity * LOAD));
    let (mut alone, mut beside, mut took) = (Vec::new(), Vec::new(), Vec::new());
    // Twice as long as the others: a minute of batches.
    let turn = turn * 2;
    for _ in 0..TURNS {
        alone.extend(neighbors(stage, turn, Neighbor::Looks, every).await);
        let stop = Arc::new(AtomicBool::new(false));
        let batches = tokio::spawn({
            let (stage, stop) = (Arc::clone(stage), Arc::clone(&stop));
            async move {
                let (mut due, mut took) = (tokio::time::interval(BATCH_EVERY), Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    due.tick().await;
                    let begun = Instant::now();
                    stage.change(&stage.large, 0..BATCH).await;
                    took.push(begun.elapsed());
                }
                took
            }
        });
        beside.extend(neighbors(stage, turn, Neighbor::Looks, every).await);
        stop.store(true, Ordering::Relaxed);
        took.extend(batches.await.expect("the batches end"));
    }
    println!("Of {capacity:.0} looks a second that the service answers at most, {:.0} come:\n", capacity * LOAD);
    println!("| who look at one user, one every {every:.1?} | calls | ms: median, 99th percentile, most |");
    println!("|---|---|---|");
    let alone = row("alone", alone);
    let beside = row(&format!("beside {BATCH} users once a second"), beside);
    row(&format!("the {BATCH} users themselves"), took);
    println!("\nThe 99th percentile beside the batches is {:.2} times that alone.", beside / alone);
    beside / alone
}

/// How many look in a second when all callers do, one after the other.
async fn looks(stage: &Arc<Stage>, turn: Duration) -> f64 {
    let until = Instant::now() + turn;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let stage = Arc::clone(stage);
        callers.spawn(async move {
            let mut count = 0_u32;
            while Instant::now() < until {
                stage.look(stage.next()).await;
                count += 1;
            }
            count
        });
    }
    f64::from(callers.join_all().await.into_iter().sum::<u32>()) / turn.as_secs_f64()
}

/// How long calls of other tenants take, each from the moment at which it was due.
async fn neighbors(stage: &Arc<Stage>, turn: Duration, neighbor: Neighbor, every: Duration) -> Vec<Duration> {
    let begun = tokio::time::Instant::now();
    let mut calls = JoinSet::new();
    for at in 0.. {
        let due = begun + every * at;
        if due >= begun + turn {
            break;
        }
        tokio::time::sleep_until(due).await;
        let stage = Arc::clone(stage);
        calls.spawn(async move {
            match neighbor {
                Neighbor::Changes => stage.call(stage.next(), 0).await,
                Neighbor::Looks => stage.look(stage.next()).await,
            }
            due.elapsed()
        });
    }
    calls.join_all().await
}

/// Prints a row and answers its 99th percentile in milliseconds.
fn row(what: &str, mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1_000.0;
    println!("| {what} | {} | {:.1}, {:.1}, {:.1} |", took.len(), at(50), at(99), at(100));
    at(99)
}
