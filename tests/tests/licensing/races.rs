//! Licenses that many want at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use db::{Db, Tx};
use licensing::api::Api;
use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::{IdentityFact, UserFact, user_fact};
use proto::licensing::v1::catalog_service_client::CatalogServiceClient;
use proto::licensing::v1::license_service_server::LicenseService as _;
use proto::licensing::v1::{LicenseResult, ProductRules, UpdateLicensesRequest, UpsertOfferRequest};
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, World, authorized, fresh, process_config, soon};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::counters::counted_right;
use super::plans::{rule, suite};
use super::reason;
use super::rules::needs;
use super::trade::{Licenses, Shop, Trade, change, words};

/// Another process on licensing's database, where there can be one: a SQLite file has one process.
pub(crate) async fn another(world: &World, kind: Kind) -> Option<Api> {
    match kind {
        Kind::Sqlite => None,
        Kind::Postgres => Some(replica(world).await),
    }
}

async fn replica(world: &World) -> Api {
    let config = process_config(world.databases()[1].clone());
    let keys = world.licensing.keys().clone();
    Api(licensing::start::open(&config, keys, world.clock.clone()).await.unwrap())
}

/// Changes licenses in the other process, if there is one, or in the world's own.
pub(crate) async fn update(
    elsewhere: Option<Api>,
    mut licenses: Licenses,
    token: String,
    request: UpdateLicensesRequest,
) -> Vec<LicenseResult> {
    match elsewhere {
        Some(api) => api.update_licenses(authorized(&token, request)).await.unwrap().into_inner().results,
        None => licenses.update(&token, request).await.unwrap(),
    }
}

#[rstest]
#[tokio::test]
async fn of_fifty_who_want_the_last_seat_at_once_one_gets_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut shop = Shop::of(world).await;
    shop.order(trade.seller(), trade.order(1)).await.unwrap();
    let users = world.told_users(&trade.customer, 50).await;
    let licenses = Licenses::of(world).await;
    let replica = another(world, kind).await;
    let mut tasks = JoinSet::new();
    for (at, user) in users.into_iter().enumerate() {
        let request = change(&trade.customer, &[user], &[&trade.product], &[]);
        let elsewhere = replica.clone().filter(|_| at % 2 == 0);
        tasks.spawn(update(elsewhere, licenses.clone(), trade.helper().to_owned(), request));
    }
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(results) = tasks.join_next().await {
        *told.entry(words(&results.unwrap()).remove(0)).or_default() += 1;
    }
    assert_eq!(told, BTreeMap::from([("CHANGED".to_owned(), 1), ("NO_SEATS_AVAILABLE".to_owned(), 49)]));
    let owned = shop.entitlement(trade.helper(), &trade.customer, &trade.product).await;
    assert_eq!((owned.total, owned.consumed), (1, 1));
    counted_right(world).await;
}

/// The counter of each pool and the licenses that there are, as one moment saw them.
async fn counted(db: &Db, customer: Uuid) -> Vec<(i64, i64, i64)> {
    let mut tx = db.snapshot().await.unwrap();
    let rows = tx
        .sql(
            "SELECT seats, consumed, (SELECT COUNT(*) FROM assignments a
                 WHERE a.customer_id = pools.customer_id AND a.product_id = pools.product_id)
             FROM pools WHERE customer_id = $1",
        )
        .bind(customer)
        .all()
        .await
        .unwrap();
    tx.rollback().await;
    rows
}

#[rstest]
#[tokio::test]
async fn counters_are_right_at_every_moment_and_with_more_demand_than_seats_none_is_left(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Trade::begin(world).await;
    let mut shop = Shop::of(world).await;
    shop.order(trade.seller(), trade.order(40)).await.unwrap();
    let shield = trade.more(world, 30).await;
    let users = Arc::new(world.told_users(&trade.customer, 60).await);
    let customer: Uuid = trade.customer.parse().unwrap();
    let (licenses, replica) = (Licenses::of(world).await, another(world, kind).await);
    let mut tasks = JoinSet::new();
    for worker in 0..12_usize {
        let elsewhere = replica.clone().filter(|_| worker % 2 == 0);
        let (licenses, users, token) = (licenses.clone(), Arc::clone(&users), trade.helper().to_owned());
        let (id, mail, shield) = (trade.customer.clone(), trade.product.clone(), shield.clone());
        tasks.spawn(async move {
            for turn in 0..6 {
                let from = (worker * 7 + turn * 13) % 40;
                let some = &users[from..from + 20];
                let both: [&str; 2] = [&mail, &shield];
                // Two give for each one that takes.
                let (gives, takes) =
                    if (worker + turn) % 3 == 2 { (&both[..0], &both[..]) } else { (&both[..], &both[..0]) };
                let request = change(&id, some, gives, takes);
                update(elsewhere.clone(), licenses.clone(), token.clone(), request).await;
            }
        });
    }
    let (database, mut moments) = (world.licensing.db().await, 0);
    while !tasks.is_empty() {
        for (total, consumed, licenses) in counted(&database, customer).await {
            assert!(consumed == licenses && (0..=total).contains(&consumed), "{consumed} of {total}, {licenses}");
        }
        moments += 1;
        while let Some(done) = tasks.try_join_next() {
            done.unwrap();
        }
        tokio::task::yield_now().await;
    }
    println!("{moments} moments on {kind:?}");
    let mut licenses = licenses;
    licenses.update(trade.helper(), change(&trade.customer, &users, &[&trade.product], &[])).await.unwrap();
    assert_eq!(shop.entitlement(trade.helper(), &trade.customer, &trade.product).await.available, 0);
    counted_right(world).await;
}

/// Holds the customer's pools as somebody does who gives licenses.
pub(crate) async fn hold_pools(db: &Db, customer: Uuid) -> Tx {
    let mut tx = db.write().await.unwrap();
    let pools: Vec<i64> =
        tx.sql("SELECT seats FROM pools WHERE customer_id = $1").bind(customer).for_update().all().await.unwrap();
    assert!(!pools.is_empty());
    tx
}

/// Sessions that wait for a row.
pub(crate) async fn waiters(db: &Db) -> i64 {
    let mut tx = db.snapshot().await.unwrap();
    let text = "SELECT COUNT(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let found = tx.sql(text).one().await.unwrap();
    tx.rollback().await;
    found
}

/// Waits until so many sessions wait for a row.
pub(crate) async fn waiting(db: &Db, sessions: i64) {
    let wait = async { while waiters(db).await < sessions {} };
    soon("somebody waits for a row", wait).await;
}

#[tokio::test]
async fn who_is_found_allowed_gives_licenses_before_the_permission_ends_and_not_after() {
    let world = Arc::new(World::start(Kind::Postgres).await);
    let trade = Trade::begin(&world).await;
    Shop::of(&world).await.order(trade.seller(), trade.order(1)).await.unwrap();
    let users = world.told_users(&trade.customer, 1).await;
    let database = world.licensing.db().await;
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let request = change(&trade.customer, &users, &[&trade.product], &[]);
    let mut licenses = Licenses::of(&world).await;
    let token = trade.helper().to_owned();
    let again = UpdateLicensesRequest { request_id: fresh(), ..request.clone() };
    let giving = tokio::spawn({
        let (mut licenses, token) = (licenses.clone(), token.clone());
        async move { licenses.update(&token, request).await }
    });
    waiting(&database, 1).await;
    let ending = tokio::spawn({
        let (world, customer, partner) =
            (Arc::clone(&world), trade.customer.clone(), trade.reseller.organization_id.clone());
        let ended = Grant { active: false, epoch: 2, ..Grant::RESELLER };
        async move { world.told_access(&customer, &partner, ended).await }
    });
    waiting(&database, 2).await;
    assert!(!ending.is_finished(), "the end of a permission waits for who was found allowed by it");
    held.rollback().await;
    assert_eq!(words(&giving.await.unwrap().unwrap()), ["CHANGED"]);
    ending.await.unwrap();
    assert_eq!(super::reason(&licenses.update(&token, again).await), "NOT_FOUND");
}

#[tokio::test]
async fn a_deletion_waits_for_who_is_giving_licenses() {
    let world = Arc::new(World::start(Kind::Postgres).await);
    let trade = Trade::begin(&world).await;
    Shop::of(&world).await.order(trade.seller(), trade.order(1)).await.unwrap();
    let users = world.told_users(&trade.customer, 1).await;
    let database = world.licensing.db().await;
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let state = user_fact::State::Deleted.into();
    let fact = UserFact { state, ..World::user_fact(&trade.customer, &users[0], "Uma User") };
    let deleting = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.apply_identity_facts(vec![IdentityFact { version: 2, fact: Some(Fact::User(fact)) }]).await }
    });
    waiting(&database, 1).await;
    assert!(!deleting.is_finished());
    held.rollback().await;
    deleting.await.unwrap().unwrap();
    let mut licenses = Licenses::of(&world).await;
    let results =
        licenses.update(trade.helper(), change(&trade.customer, &users, &[&trade.product], &[])).await.unwrap();
    assert_eq!(words(&results), ["USER_DELETED"]);
}

/// How often somebody takes what somebody else needs.
const ROUNDS: usize = 24;

#[tokio::test]
async fn nobody_takes_the_base_while_somebody_gives_the_add_on_that_needs_it() {
    let world = World::start(Kind::Postgres).await;
    let trade = Trade::begin(&world).await;
    let [mail, archive] = std::array::from_fn(|_| fresh());
    let base = suite(&world, &trade, &[&mail], 100).await;
    let add_on = suite(&world, &trade, &[&archive], 100).await;
    let needs_mail = ProductRules { dependencies: vec![needs(&archive, &[&mail])], ..Default::default() };
    rule(&world, &add_on, needs_mail).await;
    let users = world.told_users(&trade.customer, ROUNDS).await;
    let licenses = Licenses::of(&world).await;
    licenses.clone().update(trade.helper(), change(&trade.customer, &users, &[&base], &[])).await.unwrap();
    let (database, customer) = (world.licensing.db().await, trade.customer.parse().unwrap());
    let replica = replica(&world).await;
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for (round, user) in users.iter().enumerate() {
        let user = std::slice::from_ref(user);
        let mut requests =
            [change(&trade.customer, user, &[], &[&base]), change(&trade.customer, user, &[&add_on], &[])];
        // Whoever comes first is let in first; the other one comes to another process, where no gate keeps it from the row.
        requests.rotate_left(round % 2);
        let held = hold_pools(&database, customer).await;
        let mut both = Vec::new();
        for (request, elsewhere) in requests.into_iter().zip([None, Some(replica.clone())]) {
            let present = if elsewhere.is_some() { 2 } else { 1 };
            both.push(tokio::spawn(update(elsewhere, licenses.clone(), trade.helper().to_owned(), request)));
            waiting(&database, present).await;
        }
        held.rollback().await;
        for one in both {
            *told.entry(words(&one.await.unwrap()).remove(0)).or_default() += 1;
        }
        let held = licenses.clone().get(trade.helper(), &trade.customer, &user[0]).await.unwrap();
        let has = |product: &str| held.iter().any(|license| license.product_id == product);
        assert!(has(&base) || !has(&add_on), "round {round}: the add-on is there without its base");
        assert!(has(&base) == has(&add_on), "round {round}: one of the two had to be refused");
    }
    println!("{told:?}");
    let half = ROUNDS / 2;
    assert!(
        told.values().all(|count| *count >= half) && told.len() == 3,
        "each of the two was first now and then: {told:?}"
    );
    counted_right(&world).await;
}

#[tokio::test]
async fn of_two_who_would_make_a_chain_of_add_ons_the_later_one_is_refused() {
    let world = Arc::new(World::start(Kind::Postgres).await);
    let operator = world.operator().await;
    let product = world.product("Harbor Mail").await;
    // Wherever in the chain the lower ids stand, which are held first.
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]] {
        let mut ids: Vec<String> = (0..3).map(|_| fresh()).collect();
        ids.sort_unstable();
        let [top, middle, bottom] = order.map(|at: usize| ids[at].clone());
        let offer = |id: &str, parent: Option<&str>| UpsertOfferRequest {
            offer_id: id.to_owned(),
            parent_offer_ids: parent.map(str::to_owned).into_iter().collect(),
            ..World::offer_of(&product)
        };
        for id in [&top, &middle, &bottom] {
            world.offer(offer(id, None)).await;
        }
        let database = world.licensing.db().await;
        let mut held = database.write().await.unwrap();
        let lock = held.sql("SELECT version FROM offers WHERE offer_id = $1").bind(middle.parse::<Uuid>().unwrap());
        let _: i64 = lock.for_update().one().await.unwrap();
        let mut tasks = Vec::new();
        for (request, waiters) in [(offer(&top, Some(&middle)), 1), (offer(&middle, Some(&bottom)), 2)] {
            let mut catalog = CatalogServiceClient::new(world.to_licensing().await);
            let request = authorized(&operator, request);
            tasks.push(tokio::spawn(async move { catalog.upsert_offer(request).await }));
            waiting(&database, waiters).await;
        }
        held.rollback().await;
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(reason(&task.await.unwrap()));
        }
        answers.sort_unstable();
        assert_eq!(answers, ["OK", "PARENT_IS_ADD_ON"], "{order:?}");
    }
}
