//! What is asked for at the same moment as something else of the same customer.

use std::sync::Arc;
use std::time::Duration;

use db::Db;
use proto::licensing::v1::subscription::State;
use proto::licensing::v1::subscription_service_server::SubscriptionService as _;
use proto::licensing::v1::{PlaceOrderRequest, StateReason, UpsertOfferRequest};
use proto::partner::v1::PartnerKind;
use rstest::rstest;
use testkit::database::Kind;
use tests::world::{Grant, World, authorized, soon};
use tokio::task::JoinSet;
use tonic::Response;
use uuid::Uuid;

use super::counters::counted_right;
use super::desk::{Desk, bought, paid, served_by, unpaid, unwanted};
use super::races::{another, hold_pools, update, waiters, waiting};
use super::reason;
use super::terms::adding;
use super::trade::{Licenses, Shop, Trade, change, words};

#[tokio::test]
async fn what_is_ordered_for_a_subscription_that_is_being_suspended_follows_it() {
    let world = World::start(Kind::Postgres).await;
    let trade = Trade::begin(&world).await;
    let parent = bought(&world, &trade, 5).await.subscription_id;
    // Of the product that the customer owns, so that the order waits for its pool.
    let offer = UpsertOfferRequest { parent_offer_ids: vec![trade.offer.clone()], ..World::offer_of(&trade.product) };
    let offer = world.offer(offer).await;
    let mut shop = Shop::of(&world).await;
    let database = world.licensing.db().await;
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let ordering = tokio::spawn({
        let (mut shop, token) = (shop.clone(), trade.seller().to_owned());
        let request = PlaceOrderRequest { lines: vec![adding(&offer, &parent)], ..trade.order(1) };
        async move { shop.order(&token, request).await }
    });
    waiting(&database, 1).await;
    // In another process: in one, the two would not be in the database at once.
    let replica = another(&world, Kind::Postgres).await.unwrap();
    let suspending = tokio::spawn({
        let request = authorized(trade.seller(), unpaid(&parent));
        async move { replica.suspend_subscription(request).await.map(Response::into_inner) }
    });
    waiting(&database, 2).await;
    held.rollback().await;
    let added = ordering.await.unwrap().unwrap().subscriptions.remove(0).subscription_id;
    assert_eq!(suspending.await.unwrap().unwrap().subscription.unwrap().state(), State::Suspended);
    let added = shop.get(trade.seller(), &added).await.unwrap();
    assert_eq!((added.state(), added.state_reason()), (State::Suspended, StateReason::ParentSuspended));
    let owned = shop.entitlement(trade.helper(), &trade.customer, &trade.product).await;
    assert_eq!((owned.active, owned.suspended), (0, 7));
}

#[tokio::test]
async fn who_gets_a_license_is_told_of_no_other_that_is_gone() {
    let world = World::start(Kind::Postgres).await;
    let trade = Trade::begin(&world).await;
    bought(&world, &trade, 5).await;
    let shield = trade.more(&world, 5).await;
    let users = world.told_users(&trade.customer, 1).await;
    let mut licenses = Licenses::of(&world).await;
    let give = |product: &str| change(&trade.customer, &users, &[product], &[]);
    licenses.update(trade.helper(), give(&trade.product)).await.unwrap();
    let database = world.licensing.db().await;
    // What ends licenses with their subscription holds that pool alone.
    let ids = (trade.customer.parse::<Uuid>().unwrap(), trade.product.parse::<Uuid>().unwrap());
    let mut ending = database.write().await.unwrap();
    let pool = "UPDATE pools SET consumed = consumed - 1 WHERE customer_id = $1 AND product_id = $2";
    assert_eq!(ending.sql(pool).bind(ids.0).bind(ids.1).execute().await.unwrap(), 1);
    let giving = tokio::spawn({
        let (mut licenses, token, request) = (licenses.clone(), trade.helper().to_owned(), give(&shield));
        async move { licenses.update(&token, request).await.unwrap() }
    });
    waiting(&database, 1).await;
    let held = "DELETE FROM assignments WHERE customer_id = $1 AND product_id = $2";
    assert_eq!(ending.sql(held).bind(ids.0).bind(ids.1).execute().await.unwrap(), 1);
    ending.commit().await.unwrap();
    let result = giving.await.unwrap().remove(0);
    let told: Vec<&str> = result.licenses.iter().map(|license| license.product_id.as_str()).collect();
    assert_eq!(told, [&shield]);
}

#[tokio::test]
async fn a_stranger_does_not_stand_in_the_queue_of_a_customer() {
    let world = Arc::new(World::start(Kind::Postgres).await);
    let trade = Trade::begin(&world).await;
    bought(&world, &trade, 1).await;
    let (users, stranger) = (world.told_users(&trade.customer, 1).await, world.register().await);
    let database = world.licensing.db().await;
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let give = || change(&trade.customer, &users, &[&trade.product], &[]);
    let mut licenses = Licenses::of(&world).await;
    let giving = tokio::spawn({
        let (mut licenses, token, request) = (licenses.clone(), trade.helper().to_owned(), give());
        async move { licenses.update(&token, request).await.unwrap() }
    });
    waiting(&database, 1).await;
    let refused = soon("the answer", licenses.update(&stranger.session.access_token, give())).await;
    assert_eq!(reason(&refused), "NOT_FOUND");
    assert!(!giving.is_finished());
    held.rollback().await;
    assert_eq!(words(&giving.await.unwrap()), ["CHANGED"]);
}

#[tokio::test]
async fn of_many_calls_of_an_organization_at_a_customer_one_is_in_the_database_at_a_time() {
    let world = World::start(Kind::Postgres).await;
    let trade = Trade::begin(&world).await;
    bought(&world, &trade, 8).await;
    let users = world.told_users(&trade.customer, 8).await;
    let (licenses, database) = (Licenses::of(&world).await, world.licensing.db().await);
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let mut giving = JoinSet::new();
    for user in users {
        let (mut licenses, token) = (licenses.clone(), trade.helper().to_owned());
        let request = change(&trade.customer, &[user], &[&trade.product], &[]);
        giving.spawn(async move { licenses.update(&token, request).await.unwrap() });
    }
    waiting(&database, 1).await;
    // Whoever is not kept outside is in the database within a few milliseconds.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(waiters(&database).await, 1, "the others wait before they take a session");
    held.rollback().await;
    let told: Vec<String> = giving.join_all().await.iter().flat_map(|results| words(results)).collect();
    assert_eq!(told, vec!["CHANGED"; 8]);
}

#[tokio::test]
async fn of_many_changes_of_a_customer_s_subscriptions_one_is_in_the_database_at_a_time() {
    let world = World::start(Kind::Postgres).await;
    let trade = Trade::begin(&world).await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(bought(&world, &trade, 1).await.subscription_id);
    }
    let (desk, database) = (Desk::of(&world).await, world.licensing.db().await);
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let mut suspending = JoinSet::new();
    for id in ids {
        let (mut desk, token) = (desk.clone(), trade.seller().to_owned());
        suspending.spawn(async move { desk.suspend(&token, unpaid(&id)).await.unwrap().state() });
    }
    waiting(&database, 1).await;
    // Whoever is not kept outside is in the database within a few milliseconds.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(waiters(&database).await, 1, "the others wait before they take a session");
    held.rollback().await;
    assert_eq!(suspending.join_all().await, [State::Suspended; 8]);
}

#[tokio::test]
async fn nobody_learns_in_the_queue_of_a_customer_whose_a_subscription_is_that_another_partner_sold() {
    let world = World::start(Kind::Postgres).await;
    let trade = Trade::begin(&world).await;
    let own = bought(&world, &trade, 1).await.subscription_id;
    let other = world.register().await;
    world.told_partner(&other.organization_id, PartnerKind::Direct).await;
    world.told_access(&trade.customer, &other.organization_id, Grant::DIRECT).await;
    let token = &other.session.access_token;
    let foreign = Shop::of(&world).await.order(token, trade.order(1)).await.unwrap().subscriptions.remove(0);
    let (desk, database) = (Desk::of(&world).await, world.licensing.db().await);
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let suspending = tokio::spawn({
        let (mut desk, token) = (desk.clone(), trade.seller().to_owned());
        async move { desk.suspend(&token, unpaid(&own)).await }
    });
    waiting(&database, 1).await;
    let refused = soon("the answer", desk.clone().suspend(trade.seller(), unpaid(&foreign.subscription_id))).await;
    assert_eq!(reason(&refused), "NOT_FOUND");
    assert!(!suspending.is_finished());
    held.rollback().await;
    suspending.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_only_names_another_reseller_does_not_wait_for_whoever_gives_licenses() {
    let world = World::start(Kind::Postgres).await;
    let trade = Trade::begin(&world).await;
    let id = bought(&world, &trade, 1).await.subscription_id;
    let database = world.licensing.db().await;
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let mut desk = Desk::of(&world).await;
    let named = soon("the answer", desk.name(trade.seller(), served_by(&id, &trade.reseller_mpn_id))).await.unwrap();
    assert_eq!(named.reseller_mpn_id, trade.reseller_mpn_id);
    held.rollback().await;
}

/// By how much one moment's counters differ from the subscriptions and the licenses: the seats, the suspended ones, and the
/// consumed ones. At last how many are free.
async fn differences(db: &Db, customer: Uuid) -> (i64, i64, i64, i64) {
    let mut tx = db.snapshot().await.unwrap();
    let text = "SELECT seats - (SELECT CAST(COALESCE(SUM(quantity), 0) AS BIGINT) FROM subscriptions s
                                WHERE s.customer_id = $1 AND s.state <> 'DELETED'),
                    suspended - (SELECT CAST(COALESCE(SUM(quantity), 0) AS BIGINT) FROM subscriptions s
                                 WHERE s.customer_id = $1 AND s.state = 'SUSPENDED'),
                    consumed - (SELECT COUNT(*) FROM assignments a WHERE a.customer_id = $1),
                    seats - consumed
                FROM pools WHERE customer_id = $1";
    let found = tx.sql(text).bind(customer).one().await.unwrap();
    tx.rollback().await;
    found
}

#[rstest]
#[tokio::test]
async fn counters_are_right_at_every_moment_while_subscriptions_come_and_go(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::shared(kind).await;
    let trade = Arc::new(Trade::begin(world).await);
    bought(world, &trade, 10).await;
    let users = Arc::new(world.told_users(&trade.customer, 30).await);
    let (licenses, shop, desk) = (Licenses::of(world).await, Shop::of(world).await, Desk::of(world).await);
    let replica = another(world, kind).await;
    let mut tasks = JoinSet::new();
    for worker in 0..6_usize {
        let (licenses, trade, users) = (licenses.clone(), Arc::clone(&trade), Arc::clone(&users));
        let elsewhere = replica.clone().filter(|_| worker % 2 == 0);
        tasks.spawn(async move {
            for turn in 0..12 {
                let from = (worker * 5 + turn * 7) % 20;
                let product: &[&str] = &[&trade.product];
                let (gives, takes) =
                    if (worker + turn) % 3 == 2 { (&product[..0], product) } else { (product, &product[..0]) };
                let request = change(&trade.customer, &users[from..from + 10], gives, takes);
                update(elsewhere.clone(), licenses.clone(), trade.helper().to_owned(), request).await;
            }
        });
    }
    for seller in 0..3 {
        let (mut shop, mut desk, trade) = (shop.clone(), desk.clone(), Arc::clone(&trade));
        tasks.spawn(async move {
            for turn in 0..6 {
                let placed = shop.order(trade.seller(), trade.order(5)).await.unwrap();
                let id = &placed.subscriptions[0].subscription_id;
                desk.suspend(trade.seller(), unpaid(id)).await.unwrap();
                if (seller + turn) % 2 == 0 {
                    desk.reactivate(trade.seller(), paid(id)).await.unwrap();
                }
                desk.cancel(trade.seller(), unwanted(id)).await.unwrap();
            }
        });
    }
    let (database, customer) = (world.licensing.db().await, trade.customer.parse().unwrap());
    let mut moments = 0;
    while !tasks.is_empty() {
        let found = differences(&database, customer).await;
        assert!(matches!(found, (0, 0, 0, 0..)), "{found:?}");
        moments += 1;
        while let Some(done) = tasks.try_join_next() {
            done.unwrap();
        }
        tokio::task::yield_now().await;
    }
    println!("{moments} moments on {kind:?}");
    let owned = shop.clone().entitlement(trade.helper(), &trade.customer, &trade.product).await;
    assert_eq!((owned.total, owned.suspended), (10, 0));
    counted_right(world).await;
}
