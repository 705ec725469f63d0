//! What happens to subscriptions by itself has happened for everybody who asks, written down or not.

use std::sync::Arc;
use std::time::Duration;

use db::Db;
use licensing::api::Api;
use licensing::subscription::sweep;
use proto::licensing::v1::license_service_server::LicenseService as _;
use proto::licensing::v1::subscription::State;
use proto::licensing::v1::{LimitUnit, PlaceOrderRequest, StateReason, UpsertOfferRequest};
use rstest::rstest;
use service::points::{self, Trouble};
use testkit::database::Kind;
use tests::world::{PASSWORD, World, authorized, soon};
use uuid::Uuid;

use super::desk::{Desk, bought, tried, unpaid};
use super::races::{hold_pools, waiting};
use super::reason;
use super::trade::{Licenses, Shop, Trade, change, line, words};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The trade's seller and its helper, signed in anew: time has gone by.
async fn later(world: &World, trade: &Trade, days: u32) -> (String, String) {
    world.clock.advance(DAY * days);
    let seller = world.sign_in(&trade.provider.admin_sign_in_name, PASSWORD).await.access_token;
    (seller, world.sign_in(&trade.reseller.admin_sign_in_name, PASSWORD).await.access_token)
}

#[rstest]
#[tokio::test]
async fn at_the_end_of_a_trial_nobody_gets_a_seat_of_it_whether_it_was_written_down_or_not(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let trade = Trade::begin(&world).await;
    let trial = tried(&world, &trade).await;
    let product = world.product("Harbor Shield").await;
    let adds = UpsertOfferRequest { parent_offer_ids: vec![trial.offer_id.clone()], ..World::offer_of(&product) };
    let mut adding = line(&world.offer(adds).await, 2);
    adding.parent_subscription_id.clone_from(&trial.subscription_id);
    let (mut shop, mut licenses) = (Shop::of(&world).await, Licenses::of(&world).await);
    let order = PlaceOrderRequest { lines: vec![adding], ..trade.order(1) };
    let added = shop.order(trade.seller(), order).await.unwrap().subscriptions.remove(0);
    let users = world.told_users(&trade.customer, 2).await;
    let give = |user: usize| change(&trade.customer, &users[user..=user], &[&trade.product, &product], &[]);
    licenses.update(trade.helper(), give(0)).await.unwrap();

    let (seller, helper) = later(&world, &trade, 30).await;
    let refused = licenses.update(&helper, give(1)).await.unwrap();
    assert_eq!(words(&refused), ["SUBSCRIPTION_SUSPENDED SUBSCRIPTION_SUSPENDED"]);
    let followed = shop.get(&seller, &added.subscription_id).await.unwrap();
    assert_eq!((followed.state(), followed.state_reason()), (State::Suspended, StateReason::ParentSuspended));
    let owned = shop.entitlement(&helper, &trade.customer, &trade.product).await;
    assert_eq!((owned.active, owned.suspended, owned.available), (0, 25, 0));
}

#[rstest]
#[tokio::test]
async fn after_ninety_days_licenses_are_gone_and_the_offer_can_be_had_again_whether_it_was_written_down_or_not(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let trade = Trade::begin(&world).await;
    let limited =
        UpsertOfferRequest { limit_unit: LimitUnit::Concurrent.into(), limit: 1, ..World::offer_of(&trade.product) };
    let offer = world.offer(limited).await;
    let order = || PlaceOrderRequest { lines: vec![line(&offer, 3)], ..trade.order(1) };
    let (mut shop, mut licenses) = (Shop::of(&world).await, Licenses::of(&world).await);
    let bought = shop.order(trade.seller(), order()).await.unwrap().subscriptions.remove(0);
    let users = world.told_users(&trade.customer, 1).await;
    licenses.update(trade.helper(), change(&trade.customer, &users, &[&trade.product], &[])).await.unwrap();
    Desk::of(&world).await.suspend(trade.seller(), unpaid(&bought.subscription_id)).await.unwrap();
    assert_eq!(reason(&shop.order(trade.seller(), order()).await), "SUBSCRIPTION_LIMIT_REACHED");

    let (seller, helper) = later(&world, &trade, 90).await;
    assert!(licenses.get(&helper, &trade.customer, &users[0]).await.unwrap().is_empty());
    let owned = shop.entitlements(&helper, &trade.customer).await.unwrap().entitlements;
    assert!(owned.is_empty(), "{owned:?}");
    shop.order(&seller, order()).await.unwrap();
}

/// How many subscriptions of a customer are written down as deleted.
async fn deleted(db: &Db, customer: &str) -> i64 {
    let mut tx = db.snapshot().await.unwrap();
    let text = "SELECT COUNT(*) FROM subscriptions WHERE customer_id = $1 AND state = 'DELETED'";
    let customer: Uuid = customer.parse().unwrap();
    let deleted = tx.sql(text).bind(customer).one().await.unwrap();
    tx.rollback().await;
    deleted
}

#[rstest]
#[tokio::test]
async fn a_subscription_that_cannot_be_ended_keeps_no_other_from_its_end(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let world = World::start(kind).await;
    let (broken, whole) = (Trade::begin(&world).await, Trade::begin(&world).await);
    for trade in [&broken, &whole] {
        let id = bought(&world, trade, 5).await.subscription_id;
        Desk::of(&world).await.suspend(trade.seller(), unpaid(&id)).await.unwrap();
    }
    let db = world.licensing.db().await;
    let mut tx = db.write().await.unwrap();
    let customer: Uuid = broken.customer.parse().unwrap();
    tx.sql("DELETE FROM pools WHERE customer_id = $1").bind(customer).execute().await.unwrap();
    tx.commit().await.unwrap();

    world.clock.advance(DAY * 90);
    sweep::run(world.licensing.host()).await.unwrap();
    assert_eq!((deleted(&db, &broken.customer).await, deleted(&db, &whole.customer).await), (0, 1));
}

/// Why a call was refused, as the journal says.
async fn refusal(db: &Db) -> Option<String> {
    let mut tx = db.snapshot().await.unwrap();
    let reason = tx.sql("SELECT reason FROM journal WHERE outcome = 'FAILED'").optional().await.unwrap();
    tx.rollback().await;
    reason
}

#[tokio::test]
async fn what_is_due_is_written_down_while_an_answer_is_worth_anything_and_the_rest_the_next_time() {
    let world = World::start(Kind::Postgres).await;
    let trade = Trade::begin(&world).await;
    for _ in 0..2 {
        let id = bought(&world, &trade, 5).await.subscription_id;
        Desk::of(&world).await.suspend(trade.seller(), unpaid(&id)).await.unwrap();
    }
    let users = world.told_users(&trade.customer, 1).await;
    // Whoever asks writes down what is due, and nobody else.
    world.licensing.points().plan(points::SWEPT, Trouble::Fails, u32::MAX);
    let (_, helper) = later(&world, &trade, 90).await;
    let database = world.licensing.db().await;
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let worth = Duration::from_secs(2);
    let mut request = authorized(&helper, change(&trade.customer, &users, &[&trade.product], &[]));
    request.set_timeout(worth);
    let api = Api(Arc::clone(world.licensing.host()));
    let asking = tokio::spawn(async move { api.update_licenses(request).await });
    waiting(&database, 1).await;
    assert_eq!(reason(&asking.await.unwrap()), "DEADLINE_EXCEEDED");
    held.rollback().await;
    let refused = async {
        loop {
            if let Some(reason) = refusal(&database).await {
                break reason;
            }
        }
    };
    assert_eq!(soon("the call ends after its caller has gone", refused).await, "CONTENTION");
    assert_eq!(deleted(&database, &trade.customer).await, 1);

    let owned = Shop::of(&world).await.entitlements(&helper, &trade.customer).await.unwrap().entitlements;
    assert_eq!((owned.len(), deleted(&database, &trade.customer).await), (0, 2));
}
