//! A provider, a reseller and the customer whom they serve together, made as strangers would make them, in a fleet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use proto::identity::v1 as identity;
use proto::identity::v1::Role;
use proto::identity::v1::customer_user_service_client::CustomerUserServiceClient;
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::subscription_service_client::SubscriptionServiceClient;
use proto::licensing::v1::{ImportProductsRequest, OrderLine, PlaceOrderRequest, UpdateLicensesRequest};
use proto::partner::v1::PartnerKind;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tests::fleet::Fleet;
use tests::harness::reorder::seed;
use tests::world::{Doors, HEADER, Registered, Tenant, World, authorized, fresh, soon};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;
use uuid::Uuid;

use super::asking::{Asking, change};

/// How many people of the reseller ask: no single one of them comes near the rate limit.
const HELPERS: usize = 8;
/// How many users are made at once.
const MAKERS: usize = 8;

/// When so long nobody of them was answered often enough, they never will be.
const STALLED_AFTER: Duration = Duration::from_secs(60);

/// Two cores hold one fleet under load.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The fleet, its people, and the customer's seats.
pub(crate) struct Stage {
    pub(crate) fleet: Fleet,
    pub(crate) customer: String,
    pub(crate) product: String,
    pub(crate) subscription: String,
    pub(crate) users: Arc<Vec<String>>,
    /// Access tokens of those who give licenses.
    pub(crate) helpers: Vec<String>,
    /// An access token of the provider's.
    pub(crate) seller: String,
    pub(crate) seed: u64,
    /// Which replica is down, and how much is done.
    pub(crate) course: Arc<Course>,
    _alone: MutexGuard<'static, ()>,
}

/// How far a sweep has come.
#[derive(Debug)]
pub(crate) struct Course {
    down: AtomicUsize,
    done: AtomicU64,
}

/// What [`Course::phase`] says in which order.
pub(crate) const PHASES: [&str; 3] = ["the first is down", "the second is down", "both serve"];
const BOTH: usize = 2;

impl Course {
    /// Who serves now.
    pub(crate) fn phase(&self) -> &'static str {
        PHASES[self.down.load(Ordering::SeqCst)]
    }

    /// One more request is answered.
    pub(crate) fn step(&self) {
        self.done.fetch_add(1, Ordering::SeqCst);
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits until so many more requests are answered.
    async fn further(&self, steps: u64) {
        let until = self.done() + steps;
        let answered = async {
            while self.done() < until {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(STALLED_AFTER, answered).await.expect("those who ask are answered");
    }
}

impl Stage {
    /// So many seats and so many users.
    pub(crate) async fn set(seats: i32, users: usize) -> Self {
        let alone = ONE_AT_A_TIME.lock().await;
        let seed = seed();
        println!("seed {seed}");
        let fleet = Fleet::start(2).await;
        let doors = fleet.doors(0).await;
        let provider = doors.onboard(PartnerKind::Provider).await;
        let reseller = doors.onboard(PartnerKind::Reseller).await;
        doors.join(&provider, &reseller).await;
        let tenant = doors.create_customer(&reseller).await;
        let (_, link) = doors.invite(&reseller, World::invitation(Some(&provider))).await;
        doors.accept(&tenant, &link).await;
        let (product, offer) = offered(&doors).await;
        let seller = provider.token().to_owned();
        let order = PlaceOrderRequest {
            customer_id: tenant.customer_id.clone(),
            lines: vec![OrderLine { offer_id: offer, quantity: seats, ..Default::default() }],
            request_id: fresh(),
            ..Default::default()
        };
        let mut shop = SubscriptionServiceClient::new(doors.to_licensing().await);
        let placed = shop.place_order(authorized(&seller, order)).await.unwrap().into_inner();
        let mut helpers = Vec::new();
        for _ in 0..HELPERS {
            helpers.push(doors.hire(&reseller, &[Role::AdminAgent]).await.session.access_token);
        }
        let users = Arc::new(made(&doors, &reseller, &tenant, users).await);
        let stage = Self {
            fleet,
            customer: tenant.customer_id,
            product,
            subscription: placed.subscriptions[0].subscription_id.clone(),
            users,
            helpers,
            seller,
            seed,
            course: Arc::new(Course { down: AtomicUsize::new(BOTH), done: AtomicU64::new(0) }),
            _alone: alone,
        };
        stage.known().await;
        stage
    }

    /// Waits until licensing has heard of every user.
    async fn known(&self) {
        let db = self.fleet.database("licensing").await;
        let all = i64::try_from(self.users.len()).unwrap();
        let customer: Uuid = self.customer.parse().unwrap();
        let heard = async {
            loop {
                let mut tx = db.snapshot().await.unwrap();
                let text = "SELECT COUNT(*) FROM users WHERE customer_id = $1";
                let known: i64 = tx.sql(text).bind(customer).one().await.unwrap();
                tx.rollback().await;
                if known >= all {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon("licensing knows every user", heard).await;
    }

    /// The n-th of those who ask, who begins at another replica than the one before.
    pub(crate) fn asking(&self, number: usize) -> Asking {
        let replicas = [0, 1].map(|replica| self.fleet.cluster.member("licensing", replica).clients.address());
        Asking::at(replicas, number)
    }

    /// Chance of its own for the n-th of those who ask.
    pub(crate) fn chance(&self, number: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_add(number))
    }

    /// A token of one of those who give licenses.
    pub(crate) fn helper(&self, number: usize) -> String {
        self.helpers[number % self.helpers.len()].clone()
    }

    /// Gives the product to these users, or takes it from them.
    pub(crate) fn change(&self, users: &[String], give: bool) -> UpdateLicensesRequest {
        change(&self.customer, &self.product, users, give)
    }

    /// Kills the replicas in turn, so many times in all; between two kills so many requests are answered.
    pub(crate) async fn kill_in_turn(&mut self, kills: usize, steps: u64) {
        let mut chance = self.chance(u64::MAX);
        for kill in 0..kills {
            self.course.further(chance.random_range(steps / 2..=steps * 3 / 2)).await;
            // Of a process only the last few runs' words are kept.
            self.nothing_was_caught_late();
            let member = self.fleet.cluster.member_mut("licensing", kill % 2);
            self.course.down.store(kill % 2, Ordering::SeqCst);
            member.process.kill9().await;
            member.process.restart().await;
            self.course.down.store(BOTH, Ordering::SeqCst);
        }
        self.course.further(steps).await;
    }

    /// No process has said that the database had to catch what licensing itself should have seen.
    pub(crate) fn nothing_was_caught_late(&self) {
        for (replica, member) in self.fleet.cluster.members() {
            let said = member.process.output();
            for word in ["check constraint", "an invariant is broken", "panicked"] {
                assert!(!said.contains(word), "{replica:?} said: {said}");
            }
        }
    }
}

/// A product that the operator offers, 1 to 1,000 seats.
async fn offered(doors: &Doors) -> (String, String) {
    let operator = doors.operator().await;
    let mut catalog = CatalogServiceClient::new(doors.to_licensing().await);
    let product = fresh();
    let content = format!("{HEADER}Harbor Mail,PART,{product},PLAN,{},Plan\n", fresh()).into_bytes();
    let import = ImportProductsRequest { content, request_id: fresh(), validate_only: false };
    catalog.import_products(authorized(&operator, import)).await.unwrap();
    let offer = catalog.upsert_offer(authorized(&operator, World::offer_of(&product))).await.unwrap().into_inner();
    (product, offer.offer.unwrap().offer_id)
}

/// Users of the customer, whom the reseller makes.
async fn made(doors: &Doors, reseller: &Registered, tenant: &Tenant, count: usize) -> Vec<String> {
    let channel = doors.to_identity().await;
    let mut tasks = tokio::task::JoinSet::new();
    for maker in 0..MAKERS {
        let mut users = CustomerUserServiceClient::new(channel.clone());
        let (token, tenant) = (reseller.token().to_owned(), tenant.clone());
        tasks.spawn(async move {
            let mut ids = Vec::new();
            for _ in (maker..count).step_by(MAKERS) {
                let user = identity::NewUser {
                    display_name: "Uma User".to_owned(),
                    sign_in_name: format!("u{}@{}", Uuid::now_v7().simple(), tenant.domain),
                    usage_location: "DE".to_owned(),
                    ..Default::default()
                };
                let request = identity::CreateUserRequest {
                    customer_id: tenant.customer_id.clone(),
                    user: Some(user),
                    request_id: fresh(),
                    validate_only: false,
                };
                let made = users.create_user(authorized(&token, request)).await.unwrap().into_inner();
                ids.push(made.user.unwrap().user_id);
            }
            ids
        });
    }
    tasks.join_all().await.concat()
}
