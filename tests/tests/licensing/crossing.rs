//! What is asked for at the same moment as something else of the same customer.

use std::sync::Arc;

use proto::licensing::v1::subscription::State;
use proto::licensing::v1::{PlaceOrderRequest, StateReason, UpsertOfferRequest};
use testkit::database::Kind;
use tests::world::{World, soon};
use uuid::Uuid;

use super::desk::{Desk, bought, unpaid};
use super::races::{hold_pools, waiting};
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
    let (mut shop, mut desk) = (Shop::of(&world).await, Desk::of(&world).await);
    let database = world.licensing.db().await;
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let ordering = tokio::spawn({
        let (mut shop, token) = (shop.clone(), trade.seller().to_owned());
        let request = PlaceOrderRequest { lines: vec![adding(&offer, &parent)], ..trade.order(1) };
        async move { shop.order(&token, request).await }
    });
    waiting(&database, 1).await;
    let suspending = tokio::spawn({
        let (request, token) = (unpaid(&parent), trade.seller().to_owned());
        async move { desk.suspend(&token, request).await }
    });
    waiting(&database, 2).await;
    held.rollback().await;
    let added = ordering.await.unwrap().unwrap().subscriptions.remove(0).subscription_id;
    assert_eq!(suspending.await.unwrap().unwrap().state(), State::Suspended);
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
