//! A deletion and a change of rules, at the same moment as somebody gives licenses.

use std::sync::Arc;

use proto::identity::v1::identity_fact::Fact;
use proto::identity::v1::{IdentityFact, UserFact, user_fact};
use proto::licensing::v1::ProductRules;
use testkit::database::Kind;
use tests::world::World;
use uuid::Uuid;

use super::plans::rule;
use super::races::{hold_pools, waiting};
use super::rules::{Catalog, needs, setting};
use super::trade::{Licenses, Shop, Trade, change, words};

fn deleted(customer_id: &str, user_id: &str) -> IdentityFact {
    let state = user_fact::State::Deleted.into();
    let fact = UserFact { state, ..World::user_fact(customer_id, user_id, "Uma User") };
    IdentityFact { version: 2, fact: Some(Fact::User(fact)) }
}

#[tokio::test]
async fn who_is_being_deleted_gets_no_seat_of_a_product_that_is_bought_meanwhile() {
    let world = Arc::new(World::start(Kind::Postgres).await);
    let (trade, other) = (Trade::begin(&world).await, Trade::begin(&world).await);
    let mut shop = Shop::of(&world).await;
    shop.order(other.seller(), other.order(1)).await.unwrap();
    let (user, held_up) = (world.told_users(&trade.customer, 1).await, world.told_users(&other.customer, 1).await);
    let database = world.licensing.db().await;
    // The deletion has come past the user, whose customer owns nothing yet, and waits for another customer's pool.
    let held = hold_pools(&database, other.customer.parse().unwrap()).await;
    let facts = vec![deleted(&trade.customer, &user[0]), deleted(&other.customer, &held_up[0])];
    let deleting = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.apply_identity_facts(facts).await }
    });
    waiting(&database, 1).await;
    shop.order(trade.seller(), trade.order(1)).await.unwrap();
    let giving = tokio::spawn({
        let (mut licenses, token) = (Licenses::of(&world).await, trade.helper().to_owned());
        let request = change(&trade.customer, &user, &[&trade.product], &[]);
        async move { licenses.update(&token, request).await }
    });
    waiting(&database, 2).await;
    assert!(!giving.is_finished(), "it waits for the deletion");
    held.rollback().await;
    deleting.await.unwrap().unwrap();
    assert_eq!(words(&giving.await.unwrap().unwrap()), ["USER_DELETED"]);
    assert_eq!(shop.entitlement(trade.helper(), &trade.customer, &trade.product).await.consumed, 0);
}

/// Somebody gives a license and waits for the pool while an operator changes the rules: what became of it.
async fn given_after(rules: impl AsyncFnOnce(&World, &Trade) -> ProductRules) -> Vec<String> {
    let world = Arc::new(World::start(Kind::Postgres).await);
    let trade = Trade::begin(&world).await;
    Shop::of(&world).await.order(trade.seller(), trade.order(1)).await.unwrap();
    let users = world.told_users(&trade.customer, 1).await;
    let rules = rules(&world, &trade).await;
    let database = world.licensing.db().await;
    let held = hold_pools(&database, trade.customer.parse().unwrap()).await;
    let giving = tokio::spawn({
        let (mut licenses, token) = (Licenses::of(&world).await, trade.helper().to_owned());
        let request = change(&trade.customer, &users, &[&trade.product], &[]);
        async move { licenses.update(&token, request).await }
    });
    waiting(&database, 1).await;
    let operator = world.operator().await;
    Catalog::of(&world).await.set(&operator, setting(&trade.product, rules)).await.unwrap();
    held.rollback().await;
    words(&giving.await.unwrap().unwrap())
}

#[tokio::test]
async fn a_rule_that_an_operator_was_told_of_holds_for_who_is_still_waiting_for_a_seat() {
    let here = async |_: &World, _: &Trade| ProductRules {
        prohibited_usage_locations: vec!["DE".to_owned()],
        ..Default::default()
    };
    assert_eq!(given_after(here).await, ["USAGE_LOCATION_NOT_ALLOWED"]);
}

#[tokio::test]
async fn a_rule_between_plans_holds_for_who_is_still_waiting_for_a_seat() {
    let bound = async |world: &World, trade: &Trade| {
        let (operator, mut catalog) = (world.operator().await, Catalog::of(world).await);
        let plan = catalog.plan(&operator, &trade.product).await;
        let missing = catalog.plan(&operator, &world.product("Harbor Shield").await).await;
        ProductRules { dependencies: vec![needs(&plan, &[&missing])], ..Default::default() }
    };
    assert_eq!(given_after(bound).await, ["DEPENDENCY_NOT_MET"]);
}

#[tokio::test]
async fn rules_that_are_replaced_while_they_are_read_are_not_mixed() {
    let world = World::start(Kind::Postgres).await;
    let trade = Trade::begin(&world).await;
    Shop::of(&world).await.order(trade.seller(), trade.order(1)).await.unwrap();
    let users = world.told_users(&trade.customer, 1).await;
    let (operator, mut catalog) = (world.operator().await, Catalog::of(&world).await);
    let plan = catalog.plan(&operator, &trade.product).await;
    let missing = catalog.plan(&operator, &world.product("Harbor Shield").await).await;
    let bound = ProductRules { dependencies: vec![needs(&plan, &[&missing])], ..Default::default() };
    rule(&world, &trade.product, bound).await;
    let database = world.licensing.db().await;
    // As an operator replaces them by a rule on locations, between the two looks of whoever judges by them.
    let mut replacing = database.write().await.unwrap();
    replacing.sql("LOCK TABLE plan_rules IN ACCESS EXCLUSIVE MODE").execute().await.unwrap();
    let giving = tokio::spawn({
        let request = change(&trade.customer, &users, &[&trade.product], &[]);
        let (mut licenses, token) = (Licenses::of(&world).await, trade.helper().to_owned());
        async move { licenses.update(&token, request).await.unwrap() }
    });
    waiting(&database, 1).await;
    let product: Uuid = trade.product.parse().unwrap();
    for text in [
        "UPDATE product_rules SET prohibited_locations = 'DE', version = version + 1 WHERE product_id = $1",
        "DELETE FROM plan_rules WHERE product_id = $1",
    ] {
        assert_eq!(replacing.sql(text).bind(product).execute().await.unwrap(), 1);
    }
    replacing.commit().await.unwrap();
    assert_eq!(words(&giving.await.unwrap()), ["USAGE_LOCATION_NOT_ALLOWED"]);
}
